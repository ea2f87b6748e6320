//! Beside a program that writes as Apptainer does: it opens the files for writing and reads them, thinks, and
//! only then takes a lock that nobody else knows, empties the files and writes them anew, in place.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::judge::{Judge, whole};
use super::side_by_side::{OPS, WORKERS, arena};
use super::user::{Lines, without};
use super::worker::{Tally, Way, Worker};
use crate::harness::{needs, next, seed, size, tree};

/// Whom the writer works for.
const OWNER: &str = "carol";
/// Where its ranges begin; downwards from here.
const TOP: u64 = 1_000_000_000;
/// The beginning of this range is free, and the rest of it is bob's: it only asks for the beginning.
const HALF_TAKEN: &str = "carol:99990:100";

#[derive(Debug, Default)]
struct Writer {
    random: u64,
    given: u64,
    /// What it believes that stands there.
    claims: Lines,
    rewrites: u32,
    /// Lines that it wrote with success, and that were not there when it came back.
    lost: usize,
    /// How long it thinks at most where it waits for another to change the files meanwhile.
    patience: Duration,
}

impl Writer {
    /// Adds or takes away a line of its own, as `apptainer config fakeroot` was seen to do it (strace).
    fn rewrite(&mut self) {
        let paths = ["/etc/subuid", "/etc/subgid"];
        let mut files = paths.map(|path| OpenOptions::new().read(true).write(true).open(path).unwrap());
        let mut texts = files.each_mut().map(|file| {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<String>>()
        });
        self.look_back(&texts);
        if next(&mut self.random).is_multiple_of(2) {
            let begin = Instant::now();
            let same = || files[0].metadata().unwrap().ino() == std::fs::metadata(paths[0]).unwrap().ino();
            while same() && begin.elapsed() < self.patience {
                std::thread::sleep(Duration::from_micros(300));
            }
        }
        let new = self.line(&texts);
        for (kind, file) in files.iter_mut().enumerate() {
            match texts[kind].iter().position(|line| *line == new) {
                Some(at) => drop(texts[kind].remove(at)),
                None => texts[kind].push(new.clone()),
            }
            let lock = File::open(paths[kind]).unwrap();
            fs2::FileExt::lock_exclusive(&lock).unwrap();
            file.set_len(0).unwrap();
            file.rewind().unwrap();
            // The processor may go elsewhere here, now and then for long.
            let longest = if next(&mut self.random).is_multiple_of(16) { 100_000 } else { 2_000 };
            std::thread::sleep(Duration::from_micros(next(&mut self.random) as u64 % longest));
            file.write_all((texts[kind].join("\n") + "\n").as_bytes()).unwrap();
            self.claims[kind] = of_writer(&texts[kind]);
        }
        self.rewrites += 1;
    }

    /// Counts what it has lost since it was here.
    fn look_back(&mut self, texts: &[Vec<String>; 2]) {
        for (claims, text) in self.claims.iter().zip(texts) {
            self.lost += without(claims, &of_writer(text)).len();
        }
    }

    /// A line of its own to be taken away, or a new one.
    fn line(&mut self, there: &[Vec<String>; 2]) -> String {
        // The files differ where an update of one of them was lost.
        let own = there.each_ref().map(|lines| of_writer(lines));
        let own = own.iter().max_by_key(|lines| lines.len()).unwrap();
        let choice = next(&mut self.random) % 4;
        match if own.len() > 20 { 1 } else { choice } {
            0 => HALF_TAKEN.to_owned(),
            1 if !own.is_empty() => own[next(&mut self.random) % own.len()].clone(),
            _ => {
                self.given += 1;
                format!("{OWNER}:{}:65536", TOP - self.given * 65_536)
            }
        }
    }
}

fn of_writer(lines: &[String]) -> Vec<String> {
    lines.iter().filter(|line| line.starts_with(OWNER)).cloned().collect()
}

/// What became of those who raced beside it.
#[derive(Debug, Default)]
struct Outcome {
    tally: Tally,
    /// Lines that are gone.
    lost: usize,
    /// Lines that nobody wrote.
    torn: usize,
}

/// Counts one worker less when it is dropped.
struct Done<'a>(&'a AtomicU32);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Lets the workers race while somebody writes in place, again and again.
fn raced(
    way: Way,
    system: Option<&Path>,
    rounds: u32,
    seed: u64,
    write: &mut (dyn FnMut() + Send),
) -> Outcome {
    let mut workers: Vec<Worker> = (0..WORKERS).map(|n| Worker::new(n, seed)).collect();
    let sandbox = arena(&workers, system);
    let judge = Judge::new(&sandbox);
    let mut outcome = Outcome::default();
    for round in 0..rounds {
        let place = format!("{way:?}, seed {seed}, round {round}");
        let working = AtomicU32::new(WORKERS);
        let (sandbox, working, write) = (&sandbox, &working, &mut *write);
        std::thread::scope(|scope| {
            for worker in &mut workers {
                scope.spawn(move || {
                    // Also where it panics: the writer waits for all.
                    let _done = Done(working);
                    sandbox.inside(300, || worker.work(way, OPS));
                });
            }
            let again = || working.load(Ordering::SeqCst) > 0;
            scope.spawn(move || {
                sandbox.inside(300, || {
                    while again() {
                        write();
                    }
                });
            });
        });
        for (kind, text) in sandbox.id_text().into_iter().enumerate() {
            let there: Vec<String> = text.lines().map(str::to_owned).collect();
            let users = workers.iter().flat_map(|worker| &worker.users);
            let expected: Vec<String> = users.flat_map(|user| user.lines[kind].iter().cloned()).collect();
            let lost = without(&expected, &there);
            let torn = there.iter().filter(|line| !whole(line)).count();
            assert!(way.lossy || lost.is_empty() && torn == 0, "{place}: lost {lost:?}:\n{text}");
            outcome.lost += lost.len();
            outcome.torn += torn;
        }
        if way.lossy {
            sandbox.inside(300, || workers.iter_mut().for_each(Worker::forgive));
        }
        judge.clean(&place);
        judge.audited(way.lossy || system.is_some(), &place);
    }
    for worker in &workers {
        outcome.tally += worker.tally;
    }
    outcome
}

fn said(who: &str, rewrites: u32, own: usize, outcome: &Outcome) {
    let Outcome { tally, lost, torn } = outcome;
    let Tally { ops, ok, busy, refused, lost: without, .. } = tally;
    println!(
        "{who}: rewrites={rewrites} lost={own}; beside it ops={ops} ok={ok} busy={busy} refused={refused}, of which \
         without effect={without}, lines lost={lost} torn={torn}"
    );
}

#[test]
fn who_writes_in_place_loses_nothing_of_ours() {
    needs!("unshare", "nsenter", "useradd", "usermod", "userdel", "newusers");
    let (seed, rounds) = (seed(20_266), size(3, 60));
    let brief = Duration::from_millis(20);
    let in_place = Way { in_place: true, ..Way::default() };
    let ways = [
        ("beside subidctl alone", Way { ours_alone: true, ..in_place }, brief),
        ("beside all", Way { lossy: true, ..in_place }, brief),
        // What is lost here is not lost through subidctl.
        ("beside shadow alone", Way { shadow_alone: true, lossy: true, ..in_place }, Duration::from_secs(2)),
    ];
    for (name, way, patience) in ways {
        let mut writer = Writer { random: seed + 99, patience, ..Writer::default() };
        let outcome = raced(way, None, rounds, seed, &mut || {
            writer.rewrite();
            std::thread::sleep(Duration::from_micros(next(&mut writer.random) as u64 % 10_000));
        });
        said(&format!("writer in place {name}"), writer.rewrites, writer.lost, &outcome);
        assert!(!way.shadow_alone || writer.lost > 0, "the control shows nothing");
    }
    println!("seed={seed}");
}

#[test]
fn the_real_apptainer_loses_nothing_of_ours() {
    needs!("unshare", "nsenter");
    let tree = tree!("new");
    let (seed, rounds) = (seed(20_267), size(1, 20));
    let (mut runs, mut lost, mut there) = (0, 0, false);
    let way = Way { ours_alone: true, in_place: true, ..Way::default() };
    let outcome = raced(way, Some(&tree), rounds, seed, &mut || {
        let stands = |path: &str| std::fs::read_to_string(path).unwrap().contains("\n1003:");
        let now = stands("/etc/subuid");
        lost += usize::from(now != there);
        let what = if now { "--remove" } else { "--add" };
        let mut apptainer = Command::new("/usr/bin/apptainer");
        apptainer
            .args(["config", "fakeroot", what, "dave"])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/root");
        let output = apptainer.output().unwrap();
        // Where it meets one file with its line and one without, it gives up.
        if output.status.success() {
            runs += 1;
            there = !now;
        } else {
            there = stands("/etc/subuid");
        }
    });
    said("apptainer config fakeroot, beside subidctl alone", runs, lost, &outcome);
    assert!(runs > 0, "it never wrote");
    println!("seed={seed}");
}

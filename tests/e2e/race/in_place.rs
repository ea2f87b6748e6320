//! Beside a program that writes as Apptainer does: it opens the files for writing and reads them, thinks, and
//! only then takes a lock that nobody else knows, empties the files and writes them anew, in place.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::judge::{Judge, whole};
use super::side_by_side::{OPS, WORKERS, arena};
use super::user::{Lines, without};
use super::worker::{Tally, Way, Worker, lines};
use crate::harness::{needs, next, seed, size};

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
        if next(&mut self.random) % 2 == 0 {
            let begin = Instant::now();
            let same = || files[0].metadata().unwrap().ino() == std::fs::metadata(paths[0]).unwrap().ino();
            while same() && begin.elapsed() < self.patience {
                std::thread::sleep(Duration::from_micros(300));
            }
        }
        let new = self.line(&texts[0]);
        for (kind, file) in files.iter_mut().enumerate() {
            match texts[kind].iter().position(|line| *line == new) {
                Some(at) => drop(texts[kind].remove(at)),
                None => texts[kind].push(new.clone()),
            }
            let lock = File::open(paths[kind]).unwrap();
            lock.lock().unwrap();
            file.set_len(0).unwrap();
            file.rewind().unwrap();
            // The processor may go elsewhere here.
            std::thread::sleep(Duration::from_micros(next(&mut self.random) as u64 % 2000));
            file.write_all((texts[kind].join("\n") + "\n").as_bytes()).unwrap();
            self.claims[kind] = of_writer(&texts[kind]);
        }
        self.rewrites += 1;
    }

    /// Counts what it has lost since it was here.
    fn look_back(&mut self, texts: &[Vec<String>; 2]) {
        for kind in 0..2 {
            self.lost += without(&self.claims[kind], &of_writer(&texts[kind])).len();
        }
    }

    /// A line of its own to be taken away, or a new one.
    fn line(&mut self, there: &[String]) -> String {
        let own = of_writer(there);
        match next(&mut self.random) % 4 {
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

/// What became of a race.
#[derive(Debug, Default)]
struct Outcome {
    tally: Tally,
    rewrites: u32,
    /// The writer's own updates that are gone.
    own: usize,
    /// Lines of others that are gone.
    others: usize,
    /// Lines that nobody wrote.
    torn: usize,
}

fn raced(way: Way, rounds: u32, seed: u64, patience: Duration) -> Outcome {
    let mut workers: Vec<Worker> = (0..WORKERS).map(|n| Worker::new(n, seed)).collect();
    let mut writer = Writer { random: seed + 99, patience, ..Writer::default() };
    let sandbox = arena(&workers);
    let judge = Judge::new(&sandbox);
    let mut outcome = Outcome::default();
    for round in 0..rounds {
        let place = format!("{way:?}, seed {seed}, round {round}");
        let working = AtomicU32::new(WORKERS);
        let (sandbox, working) = (&sandbox, &working);
        std::thread::scope(|scope| {
            for worker in &mut workers {
                scope.spawn(move || {
                    // Also where it panics: the writer waits for all.
                    let _done = Done(working);
                    sandbox.inside(300, || worker.work(way, OPS));
                });
            }
            scope.spawn(|| {
                sandbox.inside(300, || {
                    while working.load(Ordering::SeqCst) > 0 {
                        writer.rewrite();
                        std::thread::sleep(Duration::from_micros(next(&mut writer.random) as u64 % 10_000));
                    }
                });
            });
        });
        sandbox.inside(300, || writer.look_back(&lines_of_all()));
        for (kind, text) in sandbox.id_text().into_iter().enumerate() {
            let there: Vec<String> = text.lines().map(str::to_owned).collect();
            let users = workers.iter().flat_map(|worker| &worker.users);
            let expected: Vec<String> = users.flat_map(|user| user.lines[kind].iter().cloned()).collect();
            let lost = without(&expected, &there);
            outcome.others += lost.len();
            let broken = there.iter().filter(|line| !whole(line)).count();
            outcome.torn += broken;
            assert!(way.lossy || lost.is_empty() && broken == 0, "{place}: lost {lost:?}:\n{text}");
            writer.claims[kind] = of_writer(&there);
        }
        if way.lossy {
            sandbox.inside(300, || workers.iter_mut().for_each(Worker::forgive));
        }
        judge.clean(&place);
        judge.audited(way.lossy, &place);
    }
    workers.iter().for_each(|worker| outcome.tally += worker.tally);
    Outcome { rewrites: writer.rewrites, own: writer.lost, ..outcome }
}

/// Counts one worker less when it is dropped.
struct Done<'a>(&'a AtomicU32);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn lines_of_all() -> Lines {
    ["/etc/subuid", "/etc/subgid"]
        .map(|path| std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn who_writes_in_place_loses_nothing_of_ours() {
    needs!("unshare", "nsenter", "useradd", "usermod", "userdel", "newusers");
    let (seed, rounds) = (seed(20_266), size(3, 60));
    let brief = Duration::from_millis(20);
    let in_place = Way { in_place: true, ..Way::default() };
    let ways = [
        ("subidctl alone", Way { ours_alone: true, ..in_place }, brief),
        ("all", Way { lossy: true, ..in_place }, brief),
        // Without subidctl: what is lost here is not lost through it.
        ("shadow alone", Way { shadow_alone: true, lossy: true, ..in_place }, Duration::from_secs(2)),
    ];
    for (name, way, patience) in ways {
        let Outcome { tally, rewrites, own, others, torn } = raced(way, rounds, seed, patience);
        let Tally { ops, ok, busy, refused, lost, .. } = tally;
        println!(
            "beside a writer in place, {name}: rounds={rounds} rewrites={rewrites} of which lost={own}; ops={ops} ok={ok} \
             busy={busy} refused={refused}; without their effect={lost}, lines lost={others}, torn={torn}"
        );
        assert!(!way.shadow_alone || own > 0, "the control shows nothing");
    }
    println!("seed={seed}");
}

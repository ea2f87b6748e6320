//! The table of dialects beside the real readers of three releases.
//!
//! Generated files, each asked for every owner: what `getsubids` lists, and what `newuidmap` and `newgidmap`
//! grant at the edges of each range and one beyond. `SUBIDCTL_SEED=N` asks the same again.
//!
//! The programs are kept ready (see `ready.c`); for one file of [`EACH_STARTED`] each question starts its program,
//! so that both ways of asking stand beside the table.

mod engines;
mod expect;
mod generate;
mod ready;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use subidctl::idfile::Dialect;

use self::expect::{Reading, USERS, granted, listed, reading};
use self::ready::Programs;
use crate::harness::{Sandbox, needs, seed, size, tree};

/// How the real readers and a table compare.
#[derive(Default)]
struct Tally {
    questions: u64,
    disagreements: Vec<String>,
}

/// A release's own system, with the accounts of the test, and the row of the table for its shadow.
fn system(tree: Option<&Path>) -> (Sandbox, Dialect) {
    let sandbox = Sandbox::new().system(tree).user("um", 5000).user("al", 1001).start();
    sandbox.run("echo twin:x:5000:5000::/home/um:/bin/sh >>/etc/passwd && groupmod -g 7001 al").ok();
    let version = sandbox.run("dpkg-query -W -f '${Version}' uidmap").ok().stdout;
    let row = row(&version).unwrap_or_else(|| panic!("shadow {version} has no row in the table of dialects"));
    ready::install(&sandbox);
    (sandbox, row)
}

/// The row for a version as Debian writes it: `1:4.17.4-2`.
fn row(version: &str) -> Option<Dialect> {
    let version = version.split_once(':').map_or(version, |(_, version)| version);
    let (major, rest) = version.split_once('.')?;
    let minor = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok()?;
    Some(match (major, minor) {
        ("4", 6..=14) => Dialect::Shadow413,
        ("4", 15..=17) => Dialect::Shadow415,
        ("4", 18..=19) => Dialect::Shadow418,
        ("4", 20) => Dialect::Shadow420,
        _ => return None,
    })
}

/// A process in a user namespace of its own. Ended when dropped.
struct Target {
    child: Child,
    pid: String,
}

impl Target {
    fn new(uid: u32, gid: u32, options: &[&str]) -> Self {
        let mut command = Command::new("/usr/bin/unshare");
        command.arg("--user").args(options).args(["/bin/sh", "-c", "echo $$; exec sleep infinity"]);
        command.uid(uid).gid(gid).env_clear().env("PATH", "/usr/bin:/bin").stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut pid = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut pid).unwrap();
        Self { child, pid: pid.trim().to_owned() }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// One user's side of the questions to newuidmap and newgidmap.
struct Asker {
    name: &'static str,
    uid: u32,
    gid: u32,
    /// Its maps are written, so that a grant changes nothing: the kernel then refuses what the helper does not.
    target: Target,
}

impl Asker {
    fn new((name, uid, gid): (&'static str, u32, u32)) -> Self {
        Self { name, uid, gid, target: Target::new(uid, gid, &["--map-root-user"]) }
    }

    fn helper(&self, programs: &mut Programs, gids: bool, target: &str, pieces: &[(u64, u64)]) -> Output {
        let numbers = pieces.iter().flat_map(|(first, last)| [*first, *first, last - first + 1]);
        let arguments: Vec<String> =
            [target.to_owned()].into_iter().chain(numbers.map(|n| n.to_string())).collect();
        programs.ask(if gids { "newgidmap" } else { "newuidmap" }, (self.uid, self.gid), &arguments)
    }

    /// Whether the helper grants all of these spans.
    fn grants(&self, programs: &mut Programs, gids: bool, pieces: &[(u64, u64)]) -> bool {
        let output = self.helper(programs, gids, &self.target.pid, pieces);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{said}");
        assert!(
            !["overflow", "owned by", "usage", "Target"].iter().any(|word| said.contains(word)),
            "{said}"
        );
        said.contains("id_map failed") || said.contains("setgroups")
    }
}

impl Asker {
    /// Whether a process of the user's gets these spans as its map, and the kernel shows them.
    fn really_gets(&self, programs: &mut Programs, pieces: &[(u64, u64)]) -> bool {
        let target = Target::new(self.uid, self.gid, &[]);
        let output = self.helper(programs, false, &target.pid, pieces);
        let map = std::fs::read_to_string(format!("/proc/{}/uid_map", target.pid)).unwrap();
        let seen = map.lines().map(|line| {
            let words: Vec<u64> = line.split_ascii_whitespace().map(|word| word.parse().unwrap()).collect();
            (words[1], words[1] + words[2] - 1)
        });
        output.status.success() && seen.eq(pieces.iter().copied())
    }
}

/// What the kernel and the helpers take for an ID: below 2^32 − 1.
const TOP: u64 = u32::MAX as u64 - 1;

/// Of as many files, one is asked by a start of the program for each question.
const EACH_STARTED: usize = 25;

/// Asks the real readers of the sandbox about every file, and says where the table is of another opinion; ends
/// after the file where there are `enough` of these.
fn compare(dialect: Dialect, files: &[Vec<u8>], enough: usize, table: impl Fn(&[u8]) -> Reading) -> Tally {
    let mut tally = Tally::default();
    let askers = USERS.into_iter().filter(|(name, ..)| *name != "twin").map(Asker::new);
    let askers: Vec<Asker> = askers.collect();
    let mut programs = Programs::new();
    for (number, file) in files.iter().enumerate() {
        if tally.disagreements.len() >= enough {
            break;
        }
        std::fs::write("/etc/subuid", file).unwrap();
        std::fs::write("/etc/subgid", file).unwrap();
        programs.each_started = number % EACH_STARTED == 0;
        let reading = table(file);
        let mut says = |question: String, real: String, table: String| {
            tally.questions += 1;
            if real != table {
                let shown = file.escape_ascii().to_string().replace(&"0".repeat(100), "0{100}");
                let line = format!("{question}: {real}, in the table {table}: file {number} \"{shown}\"");
                tally.disagreements.push(line);
            }
        };
        let entries = reading.as_deref().unwrap_or_default();
        for owner in owners(file) {
            for gids in [false, true] {
                let real = getsubids(&mut programs, &owner, gids);
                let table = format!("{:?}", listed(dialect, entries, owner.as_bytes(), gids));
                says(format!("getsubids {}{owner:?}", if gids { "-g " } else { "" }), real, table);
            }
        }
        for (asker, gids) in askers.iter().flat_map(|asker| [(asker, false), (asker, true)]) {
            let spans = granted(dialect, entries, asker.name);
            let own = u64::from(if gids { asker.gid } else { asker.uid });
            let may = |(first, last): (u64, u64)| {
                let covered = spans.iter().any(|(a, b)| *a <= first && last <= *b);
                covered || reading.is_some() && (first, last) == (own, own)
            };
            let (yes, no): (Vec<_>, Vec<_>) =
                spans_to_ask(file, &spans).into_iter().partition(|span| may(*span));
            let helper = if gids { "newgidmap" } else { "newuidmap" };
            if !gids && number % 10 == 0 {
                let pieces: Vec<(u64, u64)> = spans.iter().map(|(a, b)| (*a, *b.min(&TOP))).collect();
                let pieces: Vec<(u64, u64)> = pieces.into_iter().filter(|(a, b)| a <= b).collect();
                let real = pieces.is_empty() || asker.really_gets(&mut programs, &pieces);
                says(format!("uid_map of {}: {pieces:?}", asker.name), real.to_string(), "true".to_owned());
            }
            if !yes.is_empty() {
                let real = asker.grants(&mut programs, gids, &yes);
                says(format!("{helper} for {}: {yes:?}", asker.name), real.to_string(), "true".to_owned());
            }
            for span in no {
                let real = asker.grants(&mut programs, gids, &[span]);
                says(format!("{helper} for {}: {span:?}", asker.name), real.to_string(), "false".to_owned());
            }
        }
    }
    tally
}

/// What getsubids prints, as pairs of start and count.
fn getsubids(programs: &mut Programs, owner: &str, gids: bool) -> String {
    let arguments: Vec<String> = gids.then_some("-g").into_iter().chain([owner]).map(str::to_owned).collect();
    let output = programs.ask("getsubids", (0, 0), &arguments);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let pair = |line: &str| {
        let mut words = line.rsplit(' ').map(str::parse::<u64>);
        let (count, start) = (words.next()?.ok()?, words.next()?.ok()?);
        Some((start, count))
    };
    // An owner may have a newline in no file, so that each line is one range.
    let pairs: Option<Vec<(u64, u64)>> = stdout.lines().map(pair).collect();
    pairs.map_or_else(|| stdout.into_owned(), |pairs| format!("{pairs:?}"))
}

/// Every first field of the file, and the users. An option or what no argument can be is nobody's.
fn owners(file: &[u8]) -> BTreeSet<String> {
    let fields = file.split(|b| *b == b'\n').filter_map(|line| line.split(|b| *b == b':' || *b == 0).next());
    let fields = fields.filter_map(|field| String::from_utf8(field.to_vec()).ok());
    let fields = fields.filter(|field| field.len() < 100 && !field.starts_with('-'));
    fields.chain(["um", "5000", "al"].map(str::to_owned)).collect()
}

/// Spans worth a question: each granted one, its ends, one more on either side; and the ends of what other
/// readings of the file or other owners have.
fn spans_to_ask(file: &[u8], granted: &[(u64, u64)]) -> BTreeSet<(u64, u64)> {
    let mut spans = BTreeSet::new();
    for (first, last) in granted {
        let last = *last.min(&TOP);
        let before = first.saturating_sub(1);
        spans.extend([(*first, last), (*first, *first), (last, last), (before, before), (*first, last + 1)]);
    }
    let others = Dialect::ALL.into_iter().filter_map(|dialect| reading(dialect, file)).flatten();
    let others: BTreeSet<u64> =
        others.flat_map(|entry| [entry.start, entry.start.wrapping_add(entry.count)]).collect();
    // A few: every refusal is a process.
    let step = others.len() / 3 + 1;
    spans.extend(others.into_iter().step_by(step).map(|id| (id, id)));
    spans.retain(|(first, last)| first <= last && *last <= TOP);
    spans
}

/// Another one each time: the suite is small, and asks more with every run.
fn new_seed() -> u64 {
    let seed = seed(u64::from(std::process::id()));
    eprintln!("seed {seed}");
    seed
}

#[test]
fn the_table_agrees_with_the_real_readers() {
    needs!("unshare", "nsenter", "newuidmap", "getsubids", "cc");
    let (mid, new) = (tree!("mid"), tree!("new"));
    let (seed, number) = (new_seed(), size(300, 10_000));
    let files = generate::files(seed, number);
    let ask = |tree: Option<&Path>| {
        let (sandbox, dialect) = system(tree);
        sandbox.inside(u64::from(number) * 2, || {
            compare(dialect, &files, usize::MAX, |file| reading(dialect, file))
        })
    };
    let tallies = std::thread::scope(|scope| {
        let trees = [None, Some(&mid), Some(&new)];
        let threads = trees.map(|tree| scope.spawn(move || ask(tree.map(std::path::PathBuf::as_path))));
        threads.map(|thread| thread.join().unwrap())
    });
    let questions: u64 = tallies.iter().map(|tally| tally.questions).sum();
    let wrong: Vec<&String> = tallies.iter().flat_map(|tally| &tally.disagreements).collect();
    for line in wrong.iter().take(20) {
        eprintln!("{line}");
    }
    let sum = format!("disagreements: {} ({number} files, {questions} questions, seed {seed})", wrong.len());
    // Past the capture of the runner.
    drop(std::io::Write::write_all(&mut std::io::stderr(), format!("\n{sum}\n").as_bytes()));
    assert!(wrong.is_empty(), "{sum}");
    assert!(questions > u64::from(number) * 3 * 10, "{sum}");
}

#[test]
fn a_wrong_row_of_the_table_is_found() {
    needs!("unshare", "nsenter", "newuidmap", "getsubids", "cc");
    let files = generate::files(1, 300);
    for tree in [None, Some(tree!("mid")), Some(tree!("new"))] {
        let (sandbox, dialect) = system(tree.as_deref());
        sandbox.inside(300, || {
            for wrong in Dialect::ALL.into_iter().filter(|row| *row != dialect) {
                let tally = compare(dialect, &files, 1, |file| reading(wrong, file));
                assert!(!tally.disagreements.is_empty(), "{wrong:?} in the place of {dialect:?}");
            }
            // One cell: a reader that knows no hexadecimal.
            let no_hex = |file: &[u8]| {
                let text: Vec<&[u8]> = file.split(|b| *b == b'x').collect();
                reading(dialect, &text.join(&b'?'))
            };
            assert!(!compare(dialect, &files, 1, no_hex).disagreements.is_empty());
        });
    }
}

#[test]
fn a_version_without_a_row_is_named() {
    assert_eq!(row("1:4.13+dfsg1-1+deb12u2"), Some(Dialect::Shadow413));
    assert_eq!(row("1:4.17.4-2"), Some(Dialect::Shadow415));
    assert_eq!(row("1:4.20.3-1"), Some(Dialect::Shadow420));
    assert_eq!(row("1:4.21.0-1"), None);
}

//! One of those who race: it has users of its own and works on them, one command after the other.

use std::fs::{File, read_to_string};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::user::{Lines, Op, Sort, User};
use crate::harness::next;

/// How a race is run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Way {
    /// Some commands work on the same files through another root folder.
    pub(super) rooted: bool,
    /// Some run in a pid namespace of their own.
    pub(super) nested: bool,
    /// Some of subidctl are killed.
    pub(super) kills: bool,
    /// subidctl does not run.
    pub(super) shadow_alone: bool,
    /// No tool of shadow's runs.
    pub(super) ours_alone: bool,
    /// Somebody rewrites the files in place: who reads without locks may meet half a file, and refuse.
    pub(super) in_place: bool,
    /// Others erase lines: what is missing is counted and not a fault.
    pub(super) lossy: bool,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) ops: u32,
    pub(super) ok: u32,
    /// Ended because another held the locks, and changed nothing.
    pub(super) busy: u32,
    /// Refused by subidctl with a reason, and changed nothing.
    pub(super) refused: u32,
    pub(super) killed: u32,
    /// Operations after which a line was missing, in a lossy race.
    pub(super) lost: u32,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.ops += other.ops;
        self.ok += other.ok;
        self.busy += other.busy;
        self.refused += other.refused;
        self.killed += other.killed;
        self.lost += other.lost;
    }
}

#[derive(Debug)]
pub(super) struct Worker {
    number: u32,
    random: u64,
    pub(super) users: Vec<User>,
    pub(super) tally: Tally,
}

/// Where the files are seen once more.
pub(super) const ELSEWHERE: &str = "/srv/all";

/// How an operation ended.
enum End {
    Done(Option<String>),
    Busy,
    Killed,
    /// With a reason that others' doings have given, and nothing changed.
    Refused,
}

impl Worker {
    pub(super) fn new(number: u32, seed: u64) -> Self {
        use Sort::{Comer, Recruit, Staff};
        let sorts = [Staff, Staff, Comer, Comer, Recruit, Recruit, Recruit];
        let of = |(n, sort): (usize, Sort)| {
            let letter = b'a' + u8::try_from(n).unwrap();
            User::new(
                format!("w{number}{}", char::from(letter)),
                sort,
                number * 10 + u32::from(letter - b'a'),
            )
        };
        let users = sorts.into_iter().enumerate().map(of).collect();
        // Neighbouring seeds must not begin alike.
        let random = (seed + u64::from(number) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self { number, random, users, tally: Tally::default() }
    }

    /// Does so many things, one after the other. To be called inside the sandbox.
    pub(super) fn work(&mut self, way: Way, ops: u32) {
        for _ in 0..ops {
            let chosen = (0..20).find_map(|_| {
                let at = next(&mut self.random) % self.users.len();
                let op = self.users[at].choose(!way.shadow_alone, !way.ours_alone, &mut self.random)?;
                // newusers makes all that it is told or none.
                let all = self.users.iter().all(|user| user.sort != Sort::Recruit || !user.account);
                (op != Op::Newusers || all).then_some((at, op))
            });
            if let Some((at, op)) = chosen {
                self.act(way, at, &op);
            }
        }
    }

    /// Does one thing with one user, and looks whether it was done.
    pub(super) fn act(&mut self, way: Way, at: usize, op: &Op) {
        self.tally.ops += 1;
        let end = self.run(way, at, op);
        let meant: Vec<usize> = if *op == Op::Newusers {
            (0..self.users.len()).filter(|at| self.users[*at].sort == Sort::Recruit).collect()
        } else {
            vec![at]
        };
        for at in meant {
            let user = &mut self.users[at];
            let result = match &end {
                End::Killed => {
                    user.killed = Some(op.clone());
                    Ok(())
                }
                End::Done(transaction) => user.done(op, lines(&user.name), transaction.clone()),
                End::Busy | End::Refused => {
                    let now = lines(&user.name);
                    if now == user.lines { Ok(()) } else { Err(format!("{op:?} failed and left {now:?}")) }
                }
            };
            match result {
                Ok(()) => {}
                Err(_) if way.lossy => {
                    self.tally.lost += 1;
                    user.forgive(lines(&user.name), account(&user.name));
                }
                Err(why) => panic!("{why}"),
            }
            assert!(
                user.account == account(&user.name) || user.killed.is_some(),
                "{op:?} said success: account of {}",
                user.name
            );
        }
        match end {
            End::Done(_) => self.tally.ok += 1,
            End::Busy => self.tally.busy += 1,
            End::Killed => self.tally.killed += 1,
            End::Refused => self.tally.refused += 1,
        }
    }

    fn run(&mut self, way: Way, at: usize, op: &Op) -> End {
        let mut args = self.arguments(at, op);
        if way.rooted && next(&mut self.random).is_multiple_of(2) {
            args.splice(1..1, ["--root".to_owned(), ELSEWHERE.to_owned()]);
        }
        if way.nested && next(&mut self.random).is_multiple_of(2) {
            let apart = ["/usr/bin/unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];
            args.splice(0..0, apart.map(str::to_owned));
        }
        let mut command = Command::new(&args[0]);
        command.args(&args[1..]).env_clear().env("LANG", "C.UTF-8").current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = if way.kills && op.is_ours() && next(&mut self.random).is_multiple_of(4) {
            let mut child = command.spawn().unwrap();
            // Not a wait for anything: where it is then is what chance decides.
            std::thread::sleep(Duration::from_micros(next(&mut self.random) as u64 % 25_000));
            child.kill().unwrap();
            child.wait_with_output().unwrap()
        } else {
            command.output().unwrap()
        };
        end(way, op, &args, &output)
    }

    /// The command.
    fn arguments(&self, at: usize, op: &Op) -> Vec<String> {
        let name = &self.users[at].name;
        let range;
        let words: Vec<&str> = match op {
            Op::Apply => vec!["subidctl", "apply", "--yes", "--json", name],
            Op::Grow(count) => {
                range = count.to_string();
                vec!["subidctl", "apply", "--yes", "--json", "--count", &range, name]
            }
            Op::Release => vec!["subidctl", "release", "--yes", "--json", name],
            Op::Reclaim => vec!["subidctl", "apply", "--yes", "--json", "--reclaim", name],
            Op::Forget(line) => {
                let (_, forgotten) = line.split_once(':').unwrap();
                vec!["subidctl", "release", "--yes", "--json", "--forget", forgotten, name]
            }
            Op::Undo(transaction) => vec!["subidctl", "undo", "--yes", "--json", transaction],
            Op::Give(first) => {
                range = User::small(*first);
                vec!["usermod", "-v", &range, "-w", &range, name]
            }
            Op::Take(first) => {
                range = User::small(*first);
                vec!["usermod", "-V", &range, "-W", &range, name]
            }
            Op::Useradd => vec!["useradd", "-M", name],
            Op::Userdel => vec!["userdel", name],
            Op::Newusers => {
                range = format!("/tmp/new{}", self.number);
                let mut file = std::fs::File::create(&range).unwrap();
                for user in self.users.iter().filter(|user| user.sort == Sort::Recruit) {
                    writeln!(file, "{}:x:::::/bin/sh", user.name).unwrap();
                }
                vec!["newusers", &range]
            }
        };
        let folder = if op.is_ours() { "/usr/local/bin" } else { "/usr/sbin" };
        let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        words[0] = format!("{folder}/{}", words[0]);
        words
    }

    /// Others have erased lines: all users go on from what there is.
    pub(super) fn forgive(&mut self) {
        for user in &mut self.users {
            user.forgive(lines(&user.name), account(&user.name));
        }
    }

    /// After a recovery: what was killed was done in both files, or in none.
    pub(super) fn settle(&mut self) {
        for user in &mut self.users {
            if let Err(why) = user.settle(lines(&user.name)) {
                panic!("killed, and neither done nor not: {why}");
            }
        }
    }
}

/// How a command ended: done, or busy. Anything else is a fault.
fn end(way: Way, op: &Op, args: &[String], output: &Output) -> End {
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    match output.status.code() {
        None => End::Killed,
        Some(0) if op.is_ours() => {
            let document: serde_json::Value = serde_json::from_str(&said).unwrap();
            End::Done(document["transaction"].as_str().map(str::to_owned))
        }
        Some(0) => End::Done(None),
        Some(5) if op.is_ours() => End::Busy,
        Some(_) if !op.is_ours() && errors.contains("cannot lock") => End::Busy,
        // What was forgotten may be another's since.
        Some(6) if matches!(op, Op::Undo(_)) && said.contains("\"range-taken\"") => End::Refused,
        Some(1 | 6) if way.in_place && op.is_ours() => End::Refused,
        Some(_) if way.lossy => End::Refused,
        Some(code) => panic!("{}: exit {code}\n{said}{errors}", args.join(" ")),
    }
}

/// The lines of this owner, those that were released too.
pub(super) fn lines(owner: &str) -> Lines {
    ["/etc/subuid", "/etc/subgid"].map(|path| {
        let text = settled(path);
        let of = |line: &&str| line.trim_start_matches('!').split(':').next() == Some(owner);
        let mut lines: Vec<String> = text.lines().filter(of).map(str::to_owned).collect();
        lines.sort();
        lines
    })
}

/// A file, but not in the middle of a rewrite in place.
fn settled(path: &str) -> String {
    loop {
        let mut file = File::open(path).unwrap();
        fs2::FileExt::lock_shared(&file).unwrap();
        // It may have been replaced before it was locked.
        if file.metadata().unwrap().ino() == std::fs::metadata(path).unwrap().ino() {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            return text;
        }
    }
}

fn account(name: &str) -> bool {
    let passwd = read_to_string("/etc/passwd").unwrap();
    passwd.lines().any(|line| line.split(':').next() == Some(name))
}

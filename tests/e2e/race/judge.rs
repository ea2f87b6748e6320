//! After each round: nothing is lost, nothing meets, nothing is left over, and audit says so too.

use std::collections::BTreeSet;

use super::user::without;
use super::worker::Worker;
use crate::harness::Sandbox;

/// Lines that nobody works on: an editor's, a user's, one that was released.
pub(super) const BYSTANDERS: &str = "# by hand\nbob:100000:65536\n!carol:165536:65536\n";

/// What shadow's tools leave in /etc for good.
const KNOWN: [&str; 7] = ["subuid-", "subgid-", "passwd-", "group-", "shadow-", "gshadow-", ".pwd.lock"];

#[derive(Debug)]
pub(super) struct Judge<'a> {
    sandbox: &'a Sandbox,
    names: Vec<String>,
}

impl<'a> Judge<'a> {
    /// Before the first round.
    pub(super) fn new(sandbox: &'a Sandbox) -> Self {
        Self { sandbox, names: sandbox.names("/etc") }
    }

    /// Everybody's lines are there, and no other.
    #[track_caller]
    pub(super) fn complete(&self, workers: &[Worker], place: &str) {
        for (kind, text) in self.sandbox.id_text().into_iter().enumerate() {
            let there: Vec<String> = text.lines().map(str::to_owned).collect();
            let users = workers.iter().flat_map(|worker| &worker.users);
            let mut expected: Vec<String> = BYSTANDERS.lines().map(str::to_owned).collect();
            expected.extend(users.flat_map(|user| user.lines[kind].iter().cloned()));
            let (lost, more) = (without(&expected, &there), without(&there, &expected));
            assert!(
                lost.is_empty() && more.is_empty(),
                "{place}: lost {lost:?}, and {more:?} is there:\n{text}"
            );
            assert!(text.ends_with('\n'), "{place}: {text}");
        }
    }

    /// No two lines of a file meet.
    #[track_caller]
    pub(super) fn disjoint(&self, place: &str) {
        for text in self.sandbox.id_text() {
            let pairs = meeting(&text);
            assert!(pairs.is_empty(), "{place}: {pairs:?} meet:\n{text}");
        }
    }

    /// No lock, temporary file or journal is left.
    #[track_caller]
    pub(super) fn clean(&self, place: &str) {
        let etc = self.sandbox.names("/etc").into_iter();
        let left: Vec<String> =
            etc.filter(|name| !self.names.contains(name) && !KNOWN.contains(&name.as_str())).collect();
        assert!(left.is_empty(), "{place}: {left:?} left over");
        let state =
            self.sandbox.run("ls -A /var/lib/subidctl /var/lib/subidctl/history 2>/dev/null; true").ok();
        let known = ["history", "ledger.json", "entries.jsonl"];
        let odd = |name: &&str| !name.is_empty() && !name.starts_with('/') && !known.contains(name);
        let left: Vec<&str> = state.stdout.lines().filter(odd).collect();
        assert!(left.is_empty(), "{place}: {left:?} left over");
    }

    /// `audit` finds exactly the overlaps that there are, and, where nobody erases lines, no other fault.
    #[track_caller]
    pub(super) fn audited(&self, erased: bool, place: &str) {
        let audit = self.sandbox.run("subidctl audit --json || test $? -eq 4").ok();
        let document = audit.json();
        let found = document["findings"].as_array().unwrap();
        let faults = found.iter().filter(|f| f["status"] != "info");
        let (overlaps, others): (Vec<_>, Vec<_>) =
            faults.partition(|f| f["id"].as_str().unwrap().contains("overlap"));
        // A range that somebody was given on top of a released one: two lines that meet, or a line and the ledger.
        let (released, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|f| f["id"] == "over-released");
        // Somebody whom usermod gave ten IDs and nothing else, or who came back with another uid and got the
        // range that was free since: right to be said, and no fault of a commit.
        let others: Vec<_> = others.into_iter().filter(|f| f["group"] != "owners").collect();
        assert!(others.is_empty() && released.is_empty() || erased, "{place}: {released:#?}{others:#?}");
        let said: BTreeSet<(String, u64)> = overlaps
            .iter()
            .chain(&released)
            .map(|f| (f["file"].as_str().unwrap().to_owned(), f["line"].as_u64().unwrap()))
            .collect();
        let mut real = 0;
        for (path, text) in ["/etc/subuid", "/etc/subgid"].into_iter().zip(self.sandbox.id_text()) {
            for (one, other) in meeting(&text) {
                real += 1;
                let either = [one, other].map(|line| said.contains(&(path.to_owned(), line)));
                assert!(
                    either != [false, false],
                    "{place}: lines {one} and {other} of {path}:\n{text}{audit}"
                );
            }
        }
        assert!(real > 0 || overlaps.is_empty(), "{place}: {audit}");
    }
}

/// The pairs of lines (from 1) that meet.
pub(super) fn meeting(text: &str) -> Vec<(u64, u64)> {
    let mut ranges: Vec<(u64, u64, u64)> = Vec::new();
    for (n, line) in (1..).zip(text.lines()) {
        let fields: Vec<&str> = line.split(':').collect();
        if let [_, start, count] = fields[..] {
            let (start, count): (u64, u64) = (start.parse().unwrap(), count.parse().unwrap());
            ranges.push((start, start + count, n));
        }
    }
    ranges.sort_unstable();
    let mut pairs = Vec::new();
    for (at, (_, end, line)) in ranges.iter().enumerate() {
        let meet = ranges[at + 1..].iter().take_while(|(start, ..)| start < end);
        pairs.extend(meet.map(|(_, _, other)| (*line, *other)));
    }
    pairs
}

/// Whether a line is one that somebody has written: nothing of it is missing or another's.
pub(super) fn whole(line: &str) -> bool {
    if BYSTANDERS.lines().any(|bystander| bystander == line) {
        return true;
    }
    let fields: Vec<&str> = line.trim_start_matches('!').split(':').collect();
    let [owner, start, count] = fields[..] else { return false };
    // 1003 is how Apptainer writes dave.
    let known = owner == "carol" || owner == "1003" || owner.len() == 3 && owner.starts_with('w');
    known && [start, count].iter().all(|number| number.parse::<u64>().is_ok_and(|n| n >= 10))
}

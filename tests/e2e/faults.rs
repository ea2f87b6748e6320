//! Nothing is ever lost: a fault at every call of every command that changes something.
//!
//! The commands are one table, [`SCENARIOS`]; what must hold after a fault is said once, here.

mod fail;
mod foreign;
mod kill;
mod power;

use subidctl::state::HistoryEntry;

use crate::harness::{Call, Image, Output, Sandbox};

/// A command, and what it finds.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Both files at first; `None`: they do not exist.
    files: Option<&'static str>,
    /// What happens before, in words of the shell.
    before: &'static str,
    /// Where a crash leaves what the command finds: the call of an apply that is not made any more.
    crash: Option<(&'static str, &'static str)>,
    /// What others do after that crash.
    foreign: &'static str,
    pub(super) command: &'static str,
    /// Its exit code, undisturbed.
    exit: i32,
}

const OLD: &str = "# by hand\nbob:100000:65536\n";
const APPLY: &str = "subidctl apply --yes alice";
const RECOVER: &str = "subidctl recover --yes";

const PLAIN: Scenario =
    Scenario { name: "", files: Some(OLD), before: "", crash: None, foreign: "", command: APPLY, exit: 0 };

/// Before the backups, between the two files, and after both.
const NONE: (&str, &str) = ("renameat", "\".subidctl.subuid.old\"");
const HALF: (&str, &str) = ("renameat", "\".subidctl.subgid.new\"");
const BOTH: (&str, &str) = ("fsync", "</etc>");
/// The history has the change, but not for good.
const ENTRY: (&str, &str) = ("fsync", "entries.jsonl>");

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "apply", ..PLAIN },
    Scenario { name: "apply, no files", files: None, ..PLAIN },
    Scenario { name: "apply, again", before: "subidctl apply --yes eve", ..PLAIN },
    Scenario {
        name: "apply --replace",
        files: Some("bob:100000:65536\nfrank:100000:70000\n"),
        command: "subidctl apply --yes --replace bob",
        ..PLAIN
    },
    Scenario { name: "release", command: "subidctl release --yes bob", ..PLAIN },
    Scenario { name: "undo", before: APPLY, command: "subidctl undo --yes", ..PLAIN },
    Scenario { name: "recover, nothing done", crash: Some(NONE), command: RECOVER, ..PLAIN },
    Scenario { name: "recover, half done", crash: Some(HALF), command: RECOVER, ..PLAIN },
    Scenario { name: "recover, all done", crash: Some(BOTH), command: RECOVER, ..PLAIN },
    Scenario { name: "recover, recorded", crash: Some(ENTRY), command: RECOVER, ..PLAIN },
    Scenario {
        name: "recover, edited since",
        crash: Some(HALF),
        foreign: "usermod -v 400000-400009 -w 400000-400009 bob",
        command: RECOVER,
        ..PLAIN
    },
    Scenario {
        name: "recover, half taken by another",
        crash: Some(HALF),
        foreign: "useradd dave",
        command: RECOVER,
        ..PLAIN
    },
    Scenario {
        name: "recover, cannot be decided",
        crash: Some(HALF),
        foreign: "echo alice:165536:65536 >>/etc/subuid; useradd dave",
        command: RECOVER,
        exit: 6,
        ..PLAIN
    },
];

/// A scenario that is set up, and its undisturbed end.
pub(super) struct Stage {
    pub(super) sandbox: Sandbox,
    pub(super) scenario: &'static Scenario,
    /// The state in which the command begins.
    pub(super) start: Image,
    /// Before anything: to know what is left over.
    pub(super) base: Image,
    /// The calls of the process whose crash the command finds.
    pub(super) dead: Vec<Call>,
    /// Both files without the change, and with it.
    old: [String; 2],
    new: [String; 2],
    /// Both files after the command.
    end: [String; 2],
    /// The change's name.
    transaction: String,
    /// The calls of the command that change something.
    pub(super) calls: Vec<Call>,
}

impl Stage {
    pub(super) fn new(scenario: &'static Scenario) -> Self {
        let mut builder =
            Sandbox::new().user("alice", 1001).user("bob", 1002).user("carol", 1003).user("eve", 1004);
        builder = match scenario.files {
            Some(text) => builder.subids(text),
            None => builder.without("/etc/subuid").without("/etc/subgid"),
        };
        let sandbox = builder.start();
        if !scenario.before.is_empty() {
            sandbox.run(scenario.before).ok();
        }
        let base = sandbox.image();
        let old = base.id_text();
        let mut new = None;
        let mut dead = Vec::new();
        if let Some((name, text)) = scenario.crash {
            let (calls, code) = sandbox.recorded(APPLY);
            assert_eq!(code, 0);
            new = Some(sandbox.image().id_text());
            sandbox.restore(&base);
            // Of the folder's fsyncs the one after the last rename of a file.
            let from = if name == "fsync" {
                calls.iter().position(|c| c.name == HALF.0 && c.text.contains(HALF.1)).unwrap()
            } else {
                0
            };
            let call = calls[from..].iter().find(|c| c.name == name && c.text.contains(text)).unwrap();
            let met = sandbox.faulted(APPLY, call, "signal=KILL");
            assert!(met.hit);
            dead = met.calls;
            if !scenario.foreign.is_empty() {
                sandbox.run(scenario.foreign).ok();
            }
        }
        let start = sandbox.image();
        let (calls, code) = sandbox.recorded(scenario.command);
        assert_eq!(code, scenario.exit, "{}", scenario.name);
        let image = sandbox.image();
        let end = image.id_text();
        let history = image.file("/var/lib/subidctl/history/entries.jsonl").unwrap_or_default();
        let last = history.split_inclusive(|b| *b == b'\n').next_back().unwrap_or_default();
        let transaction = HistoryEntry::parse(last).map(|entry| entry.transaction).unwrap_or_default();
        let new = new.unwrap_or_else(|| end.clone());
        Self { sandbox, scenario, start, base, dead, old, new, end, transaction, calls }
    }

    fn recovers(&self) -> bool {
        self.scenario.crash.is_some()
    }

    /// Whether the command ends with the change done.
    fn completes(&self) -> bool {
        !self.recovers() || self.end.iter().all(|text| text.contains("alice:165536:65536\n"))
    }

    /// No reader sees half a line: each file is as it was or as it was to become.
    pub(super) fn assert_whole(&self, after: &Image, place: &str) {
        let (start, now) = (self.start.id_text(), after.id_text());
        for at in 0..2 {
            assert!([&start[at], &self.end[at]].contains(&&now[at]), "{place}: {}", now[at]);
        }
    }

    /// What must hold after the command met its fault, with nobody else there: everybody may look, recovery
    /// ends in one of both ways and says which, and then everything is as if nothing had been.
    pub(super) fn assert_recovers(&self, after: &Image, place: &str) {
        let unfinished = self.assert_listed(after, place);
        let recovery = self.sandbox.run(RECOVER);
        let both = self.sandbox.image().id_text();
        if self.recovers() {
            if self.scenario.exit == 6 && unfinished {
                let _ = recovery.exits(6).says("its journal is now");
            } else {
                assert_said(&recovery.ok(), unfinished, place);
            }
            // A power cut may have taken back what the dead process had done.
            let undone = after.id_text() == self.old && both == self.old;
            assert!(both == self.end || undone, "{place}: {both:?}");
        } else {
            let outcome = assert_said(&recovery.ok(), unfinished, place);
            let wanted = match outcome {
                Some("completed") => vec![&self.new],
                Some(_) => vec![&self.old],
                None => vec![&self.old, &self.new],
            };
            assert!(wanted.contains(&&both), "{place}: {outcome:?} {both:?}");
        }
        let next = self.sandbox.run("subidctl apply --yes carol").ok();
        assert_said(&next, false, place);
        self.assert_clean(place);
    }

    /// What must hold where other tools come before the recovery: they work, and no line of theirs is lost.
    pub(super) fn assert_lives_with_others(&self, after: &Image, place: &str) {
        let half = after.id_text();
        self.sandbox.run(OTHERS).ok();
        let theirs = self.sandbox.image().id_text();
        let unfinished = self.assert_listed(after, place);
        let mut next = self.sandbox.run("subidctl apply --yes carol");
        // Taking a replaced range back would restore the overlap that it was to end.
        let overlaps = self.old.iter().any(|text| text.contains(OVERLAP));
        let undecided = self.scenario.exit == 6 || overlaps && next.code == 6;
        if undecided && unfinished {
            next.clone().exits(6).says("its journal is now").says("sudo usermod");
            assert_eq!(self.sandbox.image().id_text(), theirs, "{place}");
            next = self.sandbox.run("subidctl apply --yes carol");
        }
        let said = assert_said(&next.ok(), unfinished && !undecided, place);
        let text = self.sandbox.image().id_text();
        let mut done = Vec::new();
        for kind in 0..2 {
            let has = |text: &str, line: &str| text.lines().any(|l| l == line);
            let (old, new) = (&self.old[kind], &self.new[kind]);
            let added: Vec<&str> = new.lines().filter(|line| !has(old, line)).collect();
            let removed: Vec<&str> = old.lines().filter(|line| !has(new, line)).collect();
            for line in theirs[kind].lines().filter(|l| !added.contains(l) && !removed.contains(l)) {
                assert!(has(&text[kind], line), "{place}: {line} is lost:\n{}", text[kind]);
            }
            let is_done =
                added.iter().all(|l| has(&text[kind], l)) && !removed.iter().any(|l| has(&text[kind], l));
            let is_not =
                removed.iter().all(|l| has(&text[kind], l)) && !added.iter().any(|l| has(&text[kind], l));
            assert!(is_done != is_not || undecided, "{place}: {half:?} became {text:?}");
            done.push(is_done);
            // useradd sorts the files, comments last.
            if !undecided {
                super::assert_disjoint(&text[kind].replace("# by hand\n", "").replace(OVERLAP, ""));
            }
        }
        if !undecided {
            assert_eq!(done[0], done[1], "{place}: {said:?} one half of the change is left: {text:?}");
            if let Some(said) = said {
                assert_eq!(said == "completed", done[0], "{place}: said {said}: {text:?}");
            }
        }
        self.assert_clean(place);
    }

    /// `list` works, and says that a change is unfinished where its journal lasts.
    fn assert_listed(&self, after: &Image, place: &str) -> bool {
        let unfinished = after.file("/etc/.subidctl.journal").is_some();
        let list = self.sandbox.run("subidctl list").ok();
        assert_eq!(list.stderr.contains("is unfinished"), unfinished, "{place}: {list}");
        unfinished
    }

    /// No lock, no temporary file, no journal.
    fn assert_clean(&self, place: &str) {
        self.assert_clean_image(&self.sandbox.image(), place);
    }

    fn assert_clean_image(&self, image: &Image, place: &str) {
        for path in image.paths() {
            let odd =
                path.contains(".lock") || path.contains("/.subidctl") || path.strip_suffix(".new").is_some();
            let new = odd && path != "/etc/.pwd.lock" && self.base.file(path).is_none();
            assert!(!new, "{place}: {path} is left over");
        }
    }
}

/// What other tools do right after the crash. usermod wants a file to be there.
const OTHERS: &str = "set -e; useradd erin
    [ ! -e /etc/subuid ] || usermod -v 500000000-500000009 bob
    [ ! -e /etc/subgid ] || usermod -w 500000000-500000009 bob";

/// A line that meets another in a scenario's own files.
const OVERLAP: &str = "frank:100000:70000\n";

/// How the command says that a recovery ended: once where one was due, else not at all.
fn assert_said(output: &Output, due: bool, place: &str) -> Option<&'static str> {
    let all = format!("{}{}", output.stdout, output.stderr);
    let lines: Vec<&str> = all.lines().filter(|line| line.starts_with("recovered: ")).collect();
    assert_eq!(lines.len(), usize::from(due), "{place}: {output}");
    let ways = ["rolled back", "completed"];
    let way =
        |line: &&str| ways.into_iter().find(|way| line["recovered: ".len()..].starts_with(way)).unwrap();
    lines.first().map(way)
}

//! Power cuts: every state that a file system may leave, at every call.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use subidctl::commit::{self, Change, Checks, FileChange, Options, Outcome, Replan};
use subidctl::error::Code;
use subidctl::host::{Root, records};
use subidctl::idfile::{Document, Edits};
use subidctl::range::PerKind;
use subidctl::snapshot::Snapshot;
use subidctl::state::{Journal, KnownOwner, LedgerNotes, Record, no_overlap};

use super::{SCENARIOS, Stage};
use crate::harness::{Call, Disk, State, needs, size};

/// A tree that states are written to, in memory.
struct Tree {
    dir: tempfile::TempDir,
    root: Root,
}

/// What must have come out of a state.
struct Wanted<'a> {
    stage: &'a Stage,
    transaction: String,
    /// The command has exited: its change lasts.
    ended: bool,
}

type Judged = Result<(), String>;

impl Tree {
    fn new() -> Self {
        let memory =
            ["/dev/shm", "/tmp"].into_iter().find(|path| std::path::Path::new(path).is_dir()).unwrap();
        let dir = tempfile::tempdir_in(memory).unwrap();
        let root = Root::below(dir.path()).unwrap();
        Self { dir, root }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(&path[1..])
    }

    fn write(&self, state: &State) {
        for folder in ["/etc", "/var"] {
            drop(std::fs::remove_dir_all(self.at(folder)));
        }
        std::fs::create_dir_all(self.at("/etc")).unwrap();
        std::fs::create_dir_all(self.at("/var/lib")).unwrap();
        for (path, (mode, bytes)) in state {
            let at = self.at(path);
            if path.ends_with('/') {
                std::fs::create_dir_all(at).unwrap();
                continue;
            }
            std::fs::create_dir_all(at.parent().unwrap()).unwrap();
            // The pid of a process that was: of another namespace, it may be anybody's here.
            let dead = path.strip_suffix(".lock").is_some() && bytes.first().is_some_and(u8::is_ascii_digit);
            std::fs::write(&at, if dead { b"4194304\0" } else { &bytes[..] }).unwrap();
            std::fs::set_permissions(at, std::fs::Permissions::from_mode(*mode)).unwrap();
        }
    }

    fn both(&self) -> [String; 2] {
        ["/etc/subuid", "/etc/subgid"].map(|path| {
            String::from_utf8_lossy(&std::fs::read(self.at(path)).unwrap_or_default()).into_owned()
        })
    }

    /// Adds a line to both files.
    fn commit(&self) -> Judged {
        let files = PerKind::from_fn(|kind| {
            let bytes = std::fs::read(self.at("/etc").join(kind.file())).ok();
            let document = bytes.map(Document::new);
            let line = document.iter().flat_map(Document::lines).count() + 1;
            FileChange {
                before: document.map(|d| d.digest()),
                edits: Edits::adding(line, b"zoe:3000000000:1\n".to_vec()).into(),
            }
        });
        let owner = KnownOwner { owner: b"zoe"[..].into(), uid: Some(1), local: true, hook: false };
        let record = Record { command: "apply".into(), owners: vec!["zoe".into()], ..Record::default() };
        let change = Change { files, ledger: LedgerNotes { ranges: vec![], owners: vec![owner] }, record };
        let mut replan = |_: &Snapshot| Replan::Differs;
        let mut checks = Checks { replan: &mut replan, judge: &mut no_overlap, policy: &|| Ok(None) };
        match commit::commit(&self.root, &Snapshot::default(), change, &mut checks, &options()) {
            Ok(Outcome::Committed(done)) if done.notes.is_empty() && done.recovered.is_none() => Ok(()),
            other => Err(format!("the next change: {other:?}")),
        }
    }

    /// Everything that must hold where the power was cut and came back.
    fn judge(&self, state: &State, wanted: &Wanted<'_>) -> Judged {
        let stage = wanted.stage;
        self.write(state);
        for (path, text) in ["/etc/subuid-", "/etc/subgid-"].iter().zip([0, 1]) {
            let whole = [&stage.start.id_text()[text], &stage.end[text], &stage.old[text]];
            if let Some((_, bytes)) = state.get(*path)
                && stage.start.file(path) != Some(bytes)
                && !whole.iter().any(|w| w.as_bytes() == bytes)
            {
                return Err(format!("the backup {path} is {:?}", String::from_utf8_lossy(bytes)));
            }
        }
        let unfinished = state.contains_key("/etc/.subidctl.journal");
        let recovered = commit::recover(&self.root, &mut no_overlap, &options());
        let conflicts = stage.scenario.exit == 6;
        match &recovered {
            Ok(done) if done.is_some() == unfinished && !(unfinished && conflicts) => {
                if let Some(note) = done.iter().flat_map(|done| &done.notes).next() {
                    return Err(note.clone());
                }
            }
            Err(error) if error.code == Code::RecoveryConflict && unfinished && conflicts => {}
            other => return Err(format!("recovery: {other:?}")),
        }
        if conflicts {
            self.kept(wanted)?;
        }
        let both = self.both();
        if !(both == stage.end || !wanted.ended && both == stage.old) {
            return Err(format!("the files are {both:?}"));
        }
        if !conflicts && self.at(records::STATE).is_dir() | wanted.ended {
            let done = both == stage.end && stage.completes();
            self.remembered(wanted, done)?;
        }
        self.commit()?;
        let names = std::fs::read_dir(self.at("/etc")).unwrap().map(|e| e.unwrap().file_name());
        let odd = |name: &str| name.starts_with(".subidctl") || name.contains("id.lock");
        match names.map(|name| name.into_string().unwrap()).find(|name| odd(name)) {
            Some(name) => Err(format!("{name} is left over")),
            None => Ok(()),
        }
    }

    /// A journal that a person must decide about is not lost.
    fn kept(&self, wanted: &Wanted<'_>) -> Judged {
        let kept = self.at(records::CONFLICTS).join(format!("{}.journal", wanted.transaction));
        match std::fs::read(kept).map(|bytes| Journal::parse(&bytes).is_ok()) {
            Ok(true) => Ok(()),
            other => Err(format!("the journal of the conflict: {other:?}")),
        }
    }

    /// History and ledger know of the change exactly if it was done.
    fn remembered(&self, wanted: &Wanted<'_>, done: bool) -> Judged {
        let entries =
            records::history(&self.root).map_err(|e| format!("history: {e:?}"))?.unwrap_or_default();
        let ours: Vec<_> = entries.iter().filter(|e| e.transaction == wanted.transaction).collect();
        let times = ours.iter().filter(|e| !e.taken_back).count();
        // A change that was taken back has its entry too.
        let written = wanted.stage.transaction == wanted.transaction;
        if times != usize::from(done) || wanted.ended && written && ours.len() != 1 {
            return Err(format!("{times} of {} entries of the change in the history", ours.len()));
        }
        let ledger = records::ledger(&self.root).map_err(|e| format!("ledger: {e:?}"))?;
        // An undo finds its owner known: what it adds is the released range.
        let before = wanted.stage.start.file("/var/lib/subidctl/ledger.json");
        let named = wanted.stage.scenario.crash.is_none()
            && before.is_some_and(|bytes| bytes.windows(7).any(|part| part == b"alice:1"));
        let known = ledger
            .is_some_and(|l| !named && l.owners.iter().any(|o| o.owner != b"eve") || !l.released.is_empty());
        if known == done { Ok(()) } else { Err(format!("ledger knows of the change: {known}")) }
    }

    /// A change that was taken away by another program after it had ended does not come back.
    fn stays_away(&self, state: &State, wanted: &Wanted<'_>) -> Judged {
        let mut later = state.clone();
        let texts = wanted.stage.old.clone().map(|old| format!("{old}# later\n"));
        for (path, text) in ["/etc/subuid", "/etc/subgid"].iter().zip(&texts) {
            later.insert((*path).to_owned(), (0o644, text.clone().into_bytes()));
        }
        self.write(&later);
        let recovered = commit::recover(&self.root, &mut no_overlap, &options());
        let both = self.both();
        if both == texts { Ok(()) } else { Err(format!("came back after it was taken away: {recovered:?}")) }
    }
}

/// Another thread of this program that starts a process has our locks for as long as it has not executed it.
fn options() -> Options {
    Options { lock_timeout: Duration::from_millis(500), ..Options::default() }
}

/// Cuts the power before each call and after the last, of a trace without one of its calls; gives how many
/// states there were and the first that fails.
fn cut(
    stage: &Stage,
    tree: &Tree,
    without: Option<&Call>,
    seen: &mut HashSet<(State, bool)>,
) -> (Vec<State>, Option<String>) {
    let mut seed = SEED;
    let bound = usize::try_from(size(150, 50_000)).unwrap();
    let mut disk = Disk::resumed(&stage.base, &stage.dead, &stage.start);
    let mut states = Vec::new();
    let journal = |file: Option<&[u8]>| file.and_then(|bytes| Journal::parse(bytes).ok());
    let transaction = journal(stage.start.file("/etc/.subidctl.journal"))
        .map_or_else(|| stage.transaction.clone(), |journal| journal.entry.transaction);
    for (at, call) in stage.calls.iter().enumerate() {
        if without != Some(call) {
            disk.apply(call);
        }
        let ended = at + 1 == stage.calls.len();
        let wanted = Wanted { stage, transaction: transaction.clone(), ended };
        for state in disk.states(bound, &mut seed) {
            if !seen.insert((state.clone(), ended)) {
                continue;
            }
            let mut judged = tree.judge(&state, &wanted);
            if judged.is_ok() && ended {
                judged = tree.stays_away(&state, &wanted);
            }
            if let Err(why) = judged {
                let mut shown = format!("after {call}: {why}\n");
                for (path, (mode, bytes)) in &state {
                    let text: String = String::from_utf8_lossy(bytes).chars().take(80).collect();
                    writeln!(shown, "    {path} {mode:o} {text:?}").unwrap();
                }
                return (states, Some(shown));
            }
            states.push(state);
        }
    }
    (states, None)
}

const SEED: u64 = 0x5eed_0005;

/// Of the states, how many are also tried with the program itself.
const REAL: u32 = 8;

fn power(name: &str) {
    let stage = Stage::new(SCENARIOS.iter().find(|s| s.name == name).unwrap());
    let tree = Tree::new();
    let mut sound = HashSet::new();
    let (states, failed) = cut(&stage, &tree, None, &mut sound);
    assert!(failed.is_none(), "{name}: {}", failed.unwrap());
    println!("{name}: {} states after a power cut, seed {SEED:#x}", states.len());

    let real = usize::try_from(size(REAL, 100)).unwrap().min(states.len());
    for state in (0..real).map(|n| &states[n * states.len() / real]) {
        let image = stage.start.with(state);
        stage.sandbox.restore(&image);
        stage.assert_recovers(&image, &format!("{name}, power cut, {:?}", state.keys()));
    }

    let mut uncaught = Vec::new();
    for (at, call) in stage.calls.iter().enumerate().filter(|(_, call)| call.name.ends_with("sync")) {
        // A lock whose name was taken: it never gets one.
        if stage.calls.get(at + 1).is_some_and(|next| next.name == "linkat" && next.failed()) {
            continue;
        }
        match cut(&stage, &tree, Some(call), &mut sound.clone()).1 {
            Some(why) => println!("{name}: without {call}: {}", why.lines().next().unwrap()),
            None if NEEDED_ELSEWHERE.iter().any(|(n, part)| *n == name && call.text.contains(part)) => {}
            None => uncaught.push(call.to_string()),
        }
    }
    assert!(uncaught.is_empty(), "{name}: no state fails without {uncaught:#?}");
}

/// Recovery cannot know which of its syncs the dead process had made already: here it had; what fails without
/// them is in the other recoveries.
const NEEDED_ELSEWHERE: [(&str, &str); 2] =
    [("recover, recorded", "</etc>"), ("recover, recorded", "</var/lib/subidctl>")];

macro_rules! power {
    ($($test:ident: $name:literal;)+) => {
        $(
            #[test]
            fn $test() {
                needs!("unshare", "nsenter", "strace");
                power($name);
            }
        )+
    };
}

power! {
    apply: "apply";
    apply_without_files: "apply, no files";
    apply_again: "apply, again";
    replace: "apply --replace";
    release: "release";
    undo: "undo";
    recover_dropped: "recover, nothing done";
    recover_half: "recover, half done";
    recover_all: "recover, all done";
    recover_recorded: "recover, recorded";
    recover_edited: "recover, edited since";
    recover_taken_back: "recover, half taken by another";
    recover_conflict: "recover, cannot be decided";
}

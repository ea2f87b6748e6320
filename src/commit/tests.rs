use super::*;
use crate::error::Code;
use crate::host::{Root, records};
use crate::idfile::Document;
use crate::range::{Kind, Range};
use crate::snapshot::Snapshot;
use crate::state::{HistoryEntry, Journal, KnownOwner, Ledger, RangeNote, Touched, Verdict, no_overlap};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;

/// A tree with both files and a state folder.
struct Tree {
    dir: tempfile::TempDir,
    root: Root,
}

const BOB: &str = "# c\nbob:100000:65536\n";
const AL: &str = "al:165536:65536";

impl Tree {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["etc", "var/lib/subidctl"] {
            let path = dir.path().join(folder);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let tree = Self { root: Root::below(dir.path()).unwrap(), dir };
        tree.write("etc/subuid", BOB);
        tree.write("etc/subgid", BOB);
        tree
    }

    fn at(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.at(path), text).unwrap();
        std::fs::set_permissions(self.at(path), std::fs::Permissions::from_mode(0o644)).unwrap();
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap()
    }

    fn both(&self) -> [String; 2] {
        ["etc/subuid", "etc/subgid"].map(|path| self.read(path))
    }

    fn document(&self, kind: Kind) -> Option<Document> {
        std::fs::read(self.at("etc").join(kind.file())).ok().map(Document::new)
    }

    /// Adds a line to both files as they are now.
    fn adding(&self, line: &str) -> Change {
        let files = PerKind::from_fn(|kind| {
            let document = self.document(kind);
            let line_number = document.iter().flat_map(Document::lines).count() + 1;
            FileChange {
                before: document.map(|d| d.digest()),
                edits: Edits::adding(line_number, format!("{line}\n").into_bytes()).into(),
            }
        });
        let owner = KnownOwner { owner: b"al"[..].into(), uid: Some(1001), local: true, hook: false };
        let record = Record { command: "apply".into(), owners: vec!["al".into()], ..Record::default() };
        Change { files, ledger: LedgerNotes { ranges: vec![], owners: vec![owner] }, record }
    }

    fn commit_with(&self, change: &Change, options: &Options, replan: Replan) -> Result<Outcome> {
        let mut replan = Some(replan);
        let mut again = |_: &Snapshot| replan.take().unwrap();
        let mut checks = Checks { replan: &mut again, judge: &mut no_overlap, policy: &|| Ok(None) };
        commit(&self.root, &Snapshot::default(), change.clone(), &mut checks, options)
    }

    fn commit(&self, change: &Change) -> Result<Outcome> {
        let options = Options { lock_timeout: Duration::from_millis(200), ..Options::default() };
        self.commit_with(change, &options, Replan::Differs)
    }

    fn recover(&self) -> Result<Option<Recovered>> {
        recover(&self.root, &mut no_overlap, &Options::default())
    }

    /// Everything in /etc, sorted.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.at("etc")).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The journal that a crash in the middle of this change leaves.
    fn crash(&self, change: &Change) -> Journal {
        let before = PerKind::from_fn(|kind| self.document(kind).unwrap());
        let after = PerKind::from_fn(|kind| before[kind].edited(&change.files[kind].edits).unwrap());
        let touched = |kind: Kind| Touched {
            before: change.files[kind].before,
            after: after[kind].digest(),
            edits: change.files[kind].edits.clone(),
        };
        let entry = HistoryEntry {
            transaction: "20261123-214451-3f9a1c2b".into(),
            time: 1,
            record: change.record.clone(),
            login_uid: None,
            uid: 0,
            recovered: false,
            taken_back: false,
            files: PerKind::from_fn(|kind| Some(touched(kind))),
        };
        let journal = Journal::new(entry, change.ledger.clone(), vec![], &before, &after);
        self.write("etc/.subidctl.journal", &String::from_utf8(journal.to_bytes()).unwrap());
        self.write("etc/.subidctl.subuid.new", "left over");
        journal
    }
}

fn history(tree: &Tree) -> Vec<HistoryEntry> {
    records::history(&tree.root).unwrap().unwrap_or_default()
}

const CLEAN: [&str; 5] = [".pwd.lock", "subgid", "subgid-", "subuid", "subuid-"];

#[test]
fn both_files_change_and_nothing_is_left_over() {
    let tree = Tree::new();
    std::fs::set_permissions(tree.at("etc/subgid"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let change = tree.adding(AL);
    let Outcome::Committed(done) = tree.commit(&change).unwrap() else { panic!("not committed") };
    assert_eq!(tree.both(), [format!("{BOB}{AL}\n"), format!("{BOB}{AL}\n")]);
    assert_eq!((tree.read("etc/subuid-"), tree.read("etc/subgid-")), (BOB.into(), BOB.into()));
    assert_eq!(tree.names(), CLEAN);
    for path in ["etc/subgid", "etc/subgid-"] {
        assert_eq!(tree.at(path).metadata().unwrap().mode() & 0o7777, 0o640, "{path}");
    }
    let entries = history(&tree);
    assert_eq!((entries.len(), &done.notes[..]), (1, &[][..]));
    assert_eq!(entries[0].transaction, done.transaction);
    assert_eq!(records::ledger(&tree.root).unwrap().unwrap().owners.len(), 1);
    let mode = |path| tree.at(path).metadata().unwrap().mode() & 0o7777;
    assert_eq!(mode("var/lib/subidctl/ledger.json"), 0o644);
    assert_eq!(mode("var/lib/subidctl/history"), 0o700);
    assert_eq!(mode("var/lib/subidctl/history/entries.jsonl"), 0o600);
}

#[test]
fn an_empty_change_touches_nothing() {
    let tree = Tree::new();
    assert!(matches!(tree.commit(&Change::default()), Ok(Outcome::Unchanged { .. })));
    assert_eq!(tree.names(), ["subgid", "subuid"]);
}

#[test]
fn a_missing_file_is_made_and_a_missing_state_folder_is_not() {
    let tree = Tree::new();
    std::fs::remove_file(tree.at("etc/subgid")).unwrap();
    std::fs::remove_dir_all(tree.at("var")).unwrap();
    tree.commit(&tree.adding(AL)).unwrap();
    assert_eq!(tree.both(), [format!("{BOB}{AL}\n"), format!("{AL}\n")]);
    assert_eq!(tree.at("etc/subgid").metadata().unwrap().mode() & 0o7777, 0o644);
    assert!(!tree.at("var").exists());
    assert_eq!(tree.names(), [".pwd.lock", "subgid", "subuid", "subuid-"]);
}

#[test]
fn files_that_changed_are_planned_again_or_left() {
    let tree = Tree::new();
    let change = tree.adding(AL);
    tree.write("etc/subgid", &format!("{BOB}eve:300000:5\n"));
    assert_eq!(tree.commit(&change), Ok(Outcome::Differs));
    assert_eq!(tree.read("etc/subuid"), BOB);
    let same = Replan::Same(tree.adding(AL));
    assert!(matches!(tree.commit_with(&change, &Options::default(), same), Ok(Outcome::Committed(_))));
    assert_eq!(tree.read("etc/subgid"), format!("{BOB}eve:300000:5\n{AL}\n"));
    // A re-plan that was not made from what is there is not believed.
    let stale = tree.commit_with(&change, &Options::default(), Replan::Same(change.clone()));
    assert_eq!(stale.unwrap_err().code, Code::Stale);
    assert_eq!(tree.names(), CLEAN);
}

#[test]
fn an_account_that_came_is_noticed() {
    let tree = Tree::new();
    let change = tree.adding(AL);
    tree.write("etc/passwd", "new:x:165536:1::/:/bin/sh\n");
    assert_eq!(tree.commit(&change), Ok(Outcome::Differs));
    assert_eq!(tree.both(), [BOB, BOB]);
}

#[test]
fn too_long_under_the_locks_is_rolled_back() {
    let tree = Tree::new();
    let options = Options { hold_limit: Duration::ZERO, ..Options::default() };
    let error = tree.commit_with(&tree.adding(AL), &options, Replan::Differs).unwrap_err();
    assert_eq!(error.code, Code::WriteFailed);
    assert_eq!((tree.both(), tree.names().len()), ([BOB.into(), BOB.into()], 3));
    assert!(history(&tree).is_empty());
    assert_eq!(records::ledger(&tree.root).unwrap(), None);
}

#[test]
fn a_living_lock_is_waited_for_and_named() {
    let tree = Tree::new();
    let change = tree.adding(AL);
    tree.write("etc/subgid.lock", "1\0");
    let error = tree.commit(&change).unwrap_err();
    assert_eq!(error.code, Code::Busy);
    assert!(error.why.contains("subgid.lock is") && error.why.contains("held by pid 1 ("), "{}", error.why);
    // Nothing of ours stays behind, and signals arrive again.
    assert_eq!(tree.names(), [".pwd.lock", "subgid", "subgid.lock", "subuid"]);
    let mask = nix::sys::signal::SigSet::thread_get_mask().unwrap();
    assert!(!mask.contains(nix::sys::signal::Signal::SIGINT));
}

#[test]
fn every_crash_ends_with_both_old_or_both_new() {
    let new = format!("{BOB}{AL}\n");
    for (uid, gid, verdict) in [
        (BOB, BOB, Verdict::Drop),
        (&new, BOB, Verdict::RollForward),
        (BOB, &new, Verdict::RollForward),
        (&new, &new, Verdict::RollForward),
    ] {
        let tree = Tree::new();
        let journal = tree.crash(&tree.adding(AL));
        tree.write("etc/subuid", uid);
        tree.write("etc/subgid", gid);
        assert_eq!(tree.recover().unwrap().unwrap().verdict, verdict);
        let done = verdict == Verdict::RollForward;
        let expected = if done { &new } else { BOB };
        assert_eq!(tree.both(), [expected, expected]);
        assert!(!tree.names().iter().any(|name| name.starts_with(".subidctl")), "{:?}", tree.names());
        let entries = history(&tree);
        let finished = HistoryEntry { recovered: true, ..journal.entry };
        assert_eq!(entries, if done { vec![finished] } else { vec![] });
        assert_eq!(records::ledger(&tree.root).unwrap().is_some(), done);
        assert_eq!(tree.recover().unwrap(), None);
    }
}

#[test]
fn the_next_commit_recovers_first() {
    let tree = Tree::new();
    let journal = tree.crash(&tree.adding(AL));
    tree.write("etc/subuid", &format!("{BOB}{AL}\n"));
    let Ok(Outcome::Unchanged { recovered: Some(recovered), .. }) = tree.commit(&Change::default()) else {
        panic!("not recovered");
    };
    assert_eq!((recovered.transaction, recovered.outcome), (journal.entry.transaction, "completed"));
    assert_eq!(tree.both(), [format!("{BOB}{AL}\n"), format!("{BOB}{AL}\n")]);
}

#[test]
fn a_conflict_is_put_away_once_and_then_out_of_the_way() {
    for state in [true, false] {
        let tree = Tree::new();
        if !state {
            std::fs::remove_dir_all(tree.at("var")).unwrap();
        }
        tree.write("etc/subuid", "al:1:2\nal:1:2\n");
        let mut change = tree.adding("al:1:2");
        change.files.gid =
            FileChange { before: tree.document(Kind::Gid).map(|d| d.digest()), edits: Arc::default() };
        tree.crash(&change);
        tree.write("etc/subuid", "al:1:2\neve:8:1\n");
        let error = tree.recover().unwrap_err();
        assert_eq!(error.code, Code::RecoveryConflict);
        assert_eq!(tree.read("etc/subuid"), "al:1:2\neve:8:1\n");
        let kept = if state { "var/lib/subidctl/conflicts/" } else { "etc/.subidctl.journal." };
        let kept = tree.at(&format!("{kept}20261123-214451-3f9a1c2b{}", if state { ".journal" } else { "" }));
        assert!(Journal::parse(&std::fs::read(kept).unwrap()).is_ok());
        assert!(matches!(tree.commit(&tree.adding(AL)), Ok(Outcome::Committed(_))));
    }
}

#[test]
fn a_torn_journal_changes_nothing() {
    let tree = Tree::new();
    let bytes = tree.crash(&tree.adding(AL)).to_bytes();
    std::fs::write(tree.at("etc/.subidctl.journal"), &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(tree.recover().unwrap_err().code, Code::RecoveryConflict);
    assert_eq!((tree.both(), tree.recover()), ([BOB.into(), BOB.into()], Ok(None)));
}

#[test]
fn a_later_version_is_never_overwritten() {
    let tree = Tree::new();
    let later = r#"{"schema":"subidctl.ledger.v2"}"#;
    tree.write("var/lib/subidctl/ledger.json", later);
    assert_eq!(tree.commit(&tree.adding(AL)).unwrap_err().code, Code::ReadFailed);
    assert_eq!(tree.read("var/lib/subidctl/ledger.json"), later);
    std::fs::remove_file(tree.at("var/lib/subidctl/ledger.json")).unwrap();
    tree.write("etc/.subidctl.journal", "subidctl.journal.v2 x\n");
    assert_eq!(tree.commit(&tree.adding(AL)).unwrap_err().code, Code::ReadFailed);
    assert_eq!(tree.read("etc/.subidctl.journal"), "subidctl.journal.v2 x\n");
    assert_eq!(tree.both(), [BOB, BOB]);
}

#[test]
fn damaged_state_is_set_aside_and_said() {
    let tree = Tree::new();
    tree.commit(&tree.adding(AL)).unwrap();
    tree.write("var/lib/subidctl/ledger.json", "{");
    let entries = tree.read("var/lib/subidctl/history/entries.jsonl");
    tree.write("var/lib/subidctl/history/entries.jsonl", &format!("{entries}torn"));
    let Ok(Outcome::Committed(done)) = tree.commit(&tree.adding("eve:300000:1")) else { panic!() };
    assert_eq!(done.notes.len(), 2, "{:?}", done.notes);
    let damaged = |folder| {
        let names = std::fs::read_dir(tree.at(folder)).unwrap().map(|e| e.unwrap().file_name());
        names.filter(|n| n.to_string_lossy().contains("damaged")).count()
    };
    assert_eq!((damaged("var/lib/subidctl"), damaged("var/lib/subidctl/history")), (1, 1));
    assert_eq!(history(&tree).len(), 1);
    let ledger = records::ledger(&tree.root).unwrap().unwrap();
    assert_eq!(Ledger::parse(&ledger.to_bytes()), Ok(ledger));
}

#[test]
fn an_entry_torn_by_a_crash_is_written_again() {
    let tree = Tree::new();
    let journal = tree.crash(&tree.adding(AL));
    let new = format!("{BOB}{AL}\n");
    tree.write("etc/subuid", &new);
    tree.write("etc/subgid", &new);
    std::fs::create_dir(tree.at("var/lib/subidctl/history")).unwrap();
    std::fs::set_permissions(tree.at("var/lib/subidctl/history"), std::fs::Permissions::from_mode(0o700))
        .unwrap();
    let line = String::from_utf8(journal.entry.to_line()).unwrap();
    tree.write("var/lib/subidctl/history/entries.jsonl", &line[..line.len() / 2]);
    let recovered = tree.recover().unwrap().unwrap();
    assert_eq!((recovered.outcome, recovered.notes.len()), ("completed", 0));
    assert_eq!(history(&tree).len(), 1);
    // And one that was written whole is not written twice.
    tree.crash(&tree.adding("eve:300000:1"));
    let change = tree.adding("eve:300000:1");
    tree.write("etc/subuid", &format!("{new}eve:300000:1\n"));
    tree.write("etc/subgid", &format!("{new}eve:300000:1\n"));
    assert!(!change.is_empty());
    tree.recover().unwrap().unwrap();
    assert_eq!(history(&tree).len(), 1);
}

#[test]
fn the_history_is_cut() {
    let tree = Tree::new();
    let options = Options { keep_history: 4, ..Options::default() };
    for n in 0_u32..7 {
        let change = tree.adding(&format!("u{n}:{}:1", 300_000 + n));
        assert!(matches!(tree.commit_with(&change, &options, Replan::Differs), Ok(Outcome::Committed(_))));
    }
    let entries = history(&tree);
    assert!((4..=5).contains(&entries.len()), "{}", entries.len());
    let Some(Touched { edits, .. }) = &entries.last().unwrap().files.uid else { panic!() };
    assert_eq!(edits.iter().next().unwrap().new, Some(&b"u6:300006:1"[..]));
}

#[test]
fn links_are_refused_and_nothing_is_written() {
    let tree = Tree::new();
    let change = tree.adding(AL);
    std::fs::rename(tree.at("etc/subgid"), tree.at("subgid")).unwrap();
    std::os::unix::fs::symlink("../subgid", tree.at("etc/subgid")).unwrap();
    assert_eq!(tree.commit(&change).unwrap_err().code, Code::UntrustedFile);
    assert_eq!((tree.read("etc/subuid"), tree.read("subgid")), (BOB.into(), BOB.into()));
    assert_eq!(tree.names(), [".pwd.lock", "subgid", "subuid"]);
}

#[test]
fn ranges_of_the_ledger_are_dated() {
    let tree = Tree::new();
    let range = Range::parse("100000:65536").unwrap();
    let mut change = tree.adding(AL);
    change.ledger.ranges =
        vec![RangeNote::Released { kind: Kind::Uid, owner: b"bob".to_vec(), uid: Some(1), range }];
    let Ok(Outcome::Committed(done)) = tree.commit(&change) else { panic!() };
    let ledger = records::ledger(&tree.root).unwrap().unwrap();
    assert_eq!((&ledger.released[0].transaction, ledger.released[0].time > 0), (&done.transaction, true));
}

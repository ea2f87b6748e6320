use super::*;
use crate::state::{HistoryEntry, LedgerNotes, Record, Touched};
use proptest::prelude::*;

fn plain(text: &str) -> Document {
    Document::new(text.as_bytes().to_vec())
}

fn edit(line: usize, old: Option<&str>, new: Option<&str>) -> LineEdit {
    let bytes = |s: &str| s.as_bytes().to_vec();
    LineEdit { line, old: old.map(bytes), new: new.map(bytes) }
}

/// The journal of the same edits on the same text in both files, and the text after them.
fn journal(before: &str, edits: &[LineEdit]) -> (Journal, String) {
    let before = plain(before);
    let edits: Edits = edits.iter().cloned().collect();
    let after = before.edited(&edits).unwrap();
    let touched = Touched { before: Some(before.digest()), after: after.digest(), edits: edits.into() };
    let entry = HistoryEntry {
        transaction: "t".to_owned(),
        time: 0,
        record: Record::default(),
        login_uid: None,
        uid: 0,
        recovered: false,
        taken_back: false,
        files: PerKind { uid: Some(touched.clone()), gid: Some(touched) },
    };
    let text = String::from_utf8(after.as_bytes().to_vec()).unwrap();
    let both = |d: &Document| PerKind { uid: d.clone(), gid: d.clone() };
    (Journal::new(entry, LedgerNotes::default(), vec![], &both(&before), &both(&after)), text)
}

/// Verdict and both texts.
fn run(journal: &Journal, uid: &str, gid: &str) -> (Verdict, String, String) {
    let (docs, decision) =
        after_recovery(journal, &PerKind { uid: Some(plain(uid)), gid: Some(plain(gid)) }, &mut no_overlap);
    let text = |d: &Option<Document>| String::from_utf8(d.as_ref().unwrap().as_bytes().to_vec()).unwrap();
    (decision.verdict, text(&docs.uid), text(&docs.gid))
}

const BEFORE: &str = "# c\nbob:100000:65536\n";
const ZED: &str = "zed:165536:65536";

#[test]
fn undisturbed_files_become_both_old_or_both_new() {
    let (journal, after) = journal(BEFORE, &[edit(3, None, Some(ZED))]);
    let old = || (BEFORE.to_owned(), BEFORE.to_owned());
    let (v, u, g) = run(&journal, BEFORE, BEFORE);
    assert_eq!((v, (u, g)), (Verdict::Drop, old()));
    for (uid, gid) in [(&after[..], BEFORE), (BEFORE, &after[..]), (&after[..], &after[..])] {
        assert_eq!(run(&journal, uid, gid), (Verdict::RollForward, after.clone(), after.clone()));
    }
}

#[test]
fn a_harmless_edit_in_between_is_built_upon() {
    let (journal, after) = journal(BEFORE, &[edit(3, None, Some(ZED))]);
    let uid = format!("{after}eve:300000:10\n");
    let gid = format!("eve:300000:10\n{BEFORE}");
    assert_eq!(run(&journal, &uid, &gid), (Verdict::Reapply, uid.clone(), format!("{gid}{ZED}\n")));
}

#[test]
fn the_missing_half_was_given_to_another() {
    // useradd took gid 165536 after a crash between the renames.
    let (journal, after) = journal(BEFORE, &[edit(3, None, Some(ZED))]);
    let uid = format!("{after}new:231072:65536\n");
    let gid = format!("{BEFORE}new:165536:65536\n");
    let (verdict, u, g) = run(&journal, &uid, &gid);
    assert_eq!(verdict, Verdict::TakeBack);
    assert_eq!(u, format!("{BEFORE}new:231072:65536\n"));
    assert_eq!(g, gid);
}

#[test]
fn a_release_is_finished_where_lines_moved_and_taken_back_where_touched() {
    let (journal, _) = journal(BEFORE, &[edit(2, Some("bob:100000:65536"), Some("!bob:100000:65536"))]);
    let moved = "a:1:2\nbob:100000:65536\n# c\n";
    let (verdict, u, g) = run(&journal, "!bob:100000:65536\n# c\n", moved);
    assert_eq!((verdict, &u[..]), (Verdict::Reapply, "!bob:100000:65536\n# c\n"));
    assert_eq!(g, "a:1:2\n!bob:100000:65536\n# c\n");
    let trimmed = "# c\nbob:100000:10\n";
    let (verdict, u, g) = run(&journal, "# c\n!bob:100000:65536\n", trimmed);
    assert_eq!((verdict, &u[..], &g[..]), (Verdict::TakeBack, BEFORE, trimmed));
}

#[test]
fn a_line_that_stands_twice_tells_nothing() {
    let twice = "bob:1:2\nbob:1:2\n";
    let (journal, _) = journal(twice, &[edit(2, Some("bob:1:2"), None)]);
    let uid = "bob:1:2\neve:9:1\n";
    assert_eq!(run(&journal, uid, twice), (Verdict::Conflict, uid.to_owned(), twice.to_owned()));
}

#[test]
fn a_missing_file_is_not_made_without_a_reason() {
    let (journal, after) = journal(BEFORE, &[edit(2, Some("bob:100000:65536"), None)]);
    let present = PerKind { uid: Some(plain(&after)), gid: None };
    let (docs, decision) = after_recovery(&journal, &present, &mut no_overlap);
    assert_eq!((decision.verdict, docs.gid), (Verdict::Reapply, None));
}

proptest! {
    /// Whatever others added and removed in between: their lines stay, ours stand in both files or in
    /// neither, and no ID of ours is shared.
    #[test]
    fn others_keep_their_lines(
        crashed in 0..3_usize,
        extra in prop::collection::vec((0..2_usize, 0_u32..4), 0..4),
    ) {
        let (journal, after) = journal(BEFORE, &[edit(3, None, Some(ZED))]);
        let mut texts = [BEFORE.to_owned(), BEFORE.to_owned()];
        texts.iter_mut().take(crashed).for_each(|t| t.clone_from(&after));
        let mut foreign = Vec::new();
        for (n, (side, slot)) in extra.into_iter().enumerate() {
            let line = format!("f{n}:{}:65536", 100_000 + 65536 * slot);
            texts[side].extend([&line[..], "\n"]);
            foreign.push((side, line));
        }
        let (verdict, uid, gid) = run(&journal, &texts[0], &texts[1]);
        prop_assert_ne!(verdict, Verdict::Conflict);
        let result = [uid, gid];
        for (side, line) in foreign {
            prop_assert!(result[side].lines().any(|l| l == line));
        }
        let ours = result.each_ref().map(|t| t.lines().any(|l| l == ZED));
        prop_assert_eq!(ours[0], ours[1]);
        let docs = PerKind { uid: Some(plain(&result[0])), gid: Some(plain(&result[1])) };
        if ours[0] && verdict != Verdict::RollForward {
            let ours = PerKind::from_fn(|_| vec![ZED.as_bytes().to_vec()]);
            prop_assert!(no_overlap(&docs, &ours).is_ok());
        }
    }
}

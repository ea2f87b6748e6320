//! Repairs that are safe: no reader grants anything afterwards that not all readers granted before.

use std::borrow::Cow;
use std::collections::HashSet;

use super::edits::Repair;
use super::invariants::Evidence;
use super::{Plan, finish};
use crate::error::Result;
use crate::idfile::{Dialect, Document, Line, LineEdit, Verdict, canonical_line};
use crate::policy::Policy;
use crate::range::{Count, Kind, Login, PerKind, Range, RangeSet, SubId};
use crate::snapshot::{Released, Snapshot};

/// The second and each further copy of a line goes.
const DUPLICATE: &str = "duplicate-line";

/// A number is written otherwise than in plain decimal, and all readers take it alike.
const SPELLING: &str = "line-spelling";

/// The last line gets its newline. shadow from 4.19 on refuses a file without it as a whole; all others
/// read the line as it is.
const NEWLINE: &str = "final-newline";

/// The line of a released range comes back: nobody is granted it, and nobody is given its IDs.
const LOST: &str = "released-line-lost";

/// Ranges that the ledger knows to be released and that no line keeps any more: useradd may give them to
/// somebody. Where it has, or anybody else did, that line is the fault.
pub fn lost(snapshot: &Snapshot) -> Vec<&Released> {
    if snapshot.released.is_empty() {
        return Vec::new();
    }
    let claims = |kind: Kind| snapshot.files[kind].claims();
    let held: PerKind<RangeSet> = PerKind::from_fn(|kind| claims(kind).map(|claim| claim.range).collect());
    let live: PerKind<RangeSet> = PerKind::from_fn(|kind| {
        claims(kind).filter(|claim| !claim.is_dormant()).map(|claim| claim.range).collect()
    });
    let is_lost = |r: &&Released| {
        snapshot.files[r.kind].document.is_some()
            && held[r.kind].gaps(r.range).next().is_some()
            && live[r.kind].first_overlap(r.range).is_none()
    };
    snapshot.released.iter().filter(is_lost).collect()
}

/// All safe repairs of both files, as a plan.
///
/// # Errors
/// Only a fault of subidctl itself that the invariants caught.
pub fn repairs(snapshot: &Snapshot, policy: &Policy) -> Result<Plan> {
    finish(snapshot, policy, Plan { repairs: every(snapshot).collect(), ..Plan::default() }, Evidence::Ledger)
}

fn every(snapshot: &Snapshot) -> impl Iterator<Item = Repair> {
    let mended = Kind::BOTH.into_iter().flat_map(|kind| {
        let document = snapshot.files[kind].document.as_ref();
        document.map(|document| of_file(kind, document)).unwrap_or_default()
    });
    mended.chain(lost(snapshot).into_iter().filter_map(|released| bring_back(snapshot, released)))
}

/// The lost line at the end of its file; `None` for an owner that no line can carry as it was.
fn bring_back(snapshot: &Snapshot, released: &Released) -> Option<Repair> {
    let kind = released.kind;
    let line = [b"!", &canonical_line(&released.owner, released.range)[..]].concat();
    let there = Document::new(line.clone());
    let mut claims = there.claims();
    claims.next().filter(|claim| claim.released && claim.is_canonical() && claim.owner == released.owner)?;
    let end = snapshot.files[kind].document.as_ref()?.line_count() + 1;
    let edit = LineEdit { line: end, old: None, new: Some(line) };
    Some(Repair { kind, edit, finding: LOST.to_owned() })
}

fn of_file(kind: Kind, document: &Document) -> Vec<Repair> {
    let mut seen = HashSet::new();
    let mut repairs = Vec::new();
    let mut last = None;
    for line in document.lines() {
        let edit = |new| LineEdit { line: line.number, old: Some(line.raw.to_vec()), new };
        let plain = plain(line.raw);
        // What is a copy only once it is mended goes at once.
        let same: Cow<'_, [u8]> = plain.clone().map_or(line.raw.into(), Cow::Owned);
        let mended = if grants(&line) && !seen.insert(same) {
            Some((edit(None), DUPLICATE))
        } else {
            plain.filter(|new| new != line.raw).map(|new| (edit(Some(new)), SPELLING))
        };
        last = Some((line, mended.is_some()));
        repairs.extend(mended.map(|(edit, finding)| Repair { kind, edit, finding: finding.to_owned() }));
    }
    // Any edit rewrites the file, which then ends in a newline.
    if let Some((line, false)) = last.filter(|_| !document.ends_in_newline()) {
        let raw = line.raw.to_vec();
        let edit = LineEdit { line: line.number, old: Some(raw.clone()), new: Some(raw) };
        repairs.push(Repair { kind, edit, finding: NEWLINE.to_owned() });
    }
    repairs
}

/// Whether any reader is granted anything by the line, a released one included.
fn grants(line: &Line<'_>) -> bool {
    Dialect::ALL.iter().any(|dialect| matches!(dialect.read(line.raw), Verdict::Grants { .. }))
}

/// The canonical form of a line that every reader takes alike; `None` where one takes it otherwise.
fn plain(raw: &[u8]) -> Option<Vec<u8>> {
    let first = Dialect::ALL.first()?.read(raw);
    let Verdict::Grants { owner, start, count } = first else { return None };
    if Dialect::ALL.iter().any(|dialect| dialect.read(raw) != first) {
        return None;
    }
    let range = Range::new(SubId::new(u32::try_from(start).ok()?), Count::new(count)?)?;
    let name = owner.strip_prefix(b"!").unwrap_or(owner);
    Login::new(name)?;
    let line = canonical_line(owner, range);
    // The new line must mean the same to all of them.
    Dialect::ALL.iter().all(|dialect| dialect.read(&line) == first).then_some(line)
}

/// The first of these repairs, whoever made them, that is not one of the safe ones.
pub(super) fn unsafe_one<'a>(snapshot: &Snapshot, repairs: &'a [Repair]) -> Option<&'a Repair> {
    if repairs.is_empty() {
        return None;
    }
    let safe: HashSet<(Kind, LineEdit)> = every(snapshot).map(|repair| (repair.kind, repair.edit)).collect();
    repairs.iter().find(|repair| !safe.contains(&(repair.kind, repair.edit.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(bytes: &[u8]) -> (String, Vec<String>) {
        let document = Document::new(bytes.to_vec());
        let repairs = of_file(Kind::Uid, &document);
        let edits = repairs.iter().map(|r| r.edit.clone()).collect();
        let after = document.edited(&edits).unwrap();
        (
            String::from_utf8_lossy(after.as_bytes()).into_owned(),
            repairs.into_iter().map(|r| format!("{} {}", r.edit.line, r.finding)).collect(),
        )
    }

    #[test]
    fn what_all_readers_take_alike_is_mended() {
        let (after, what) =
            mended(b"# c\nbob:+100000:65536\nal:200000:65536\nal:200000:65536\n\nal:3:00\nx:07:5");
        assert_eq!(after, "# c\nbob:100000:65536\nal:200000:65536\n\nal:3:00\nx:7:5\n");
        assert_eq!(what, ["2 line-spelling", "4 duplicate-line", "7 line-spelling"]);
        let (after, what) = mended(b"bob:+1:2\nbob:1:2\nbob:01:2\n");
        assert_eq!((after.as_str(), what.len()), ("bob:1:2\n", 3), "copies once they are mended");
        let (after, what) = mended(b"bob:1:2\nal:5:6");
        assert_eq!((after.as_str(), what), ("bob:1:2\nal:5:6\n", vec!["2 final-newline".to_owned()]));
    }

    #[test]
    fn what_readers_take_otherwise_is_left_alone() {
        for line in [
            "bob:0700000:65536",
            "bob:0x10:5",
            "bob:1:2 ",
            "bob:1:2\r",
            "bob:1:2:x",
            " bob:1:2",
            "bob:-5:1",
            "bob:1:0",
            "bob:4294967290:100",
            "#bob:1:2",
            "+bob:1:2",
            "bob:08:1",
            "bob",
            "",
            "# c",
        ] {
            let (after, what) = mended(format!("{line}\n").as_bytes());
            assert_eq!((after, what), (format!("{line}\n"), vec![]), "{line:?}");
        }
        assert_eq!(mended(b"# c\n# c\n\n\n").1, Vec::<String>::new(), "comments may stand twice");
    }

    proptest::proptest! {
        /// The rule itself, over all readers: what one grants afterwards, all granted before; and nothing that
        /// all granted is lost.
        #[test]
        fn no_reader_grants_more(lines in proptest::collection::vec("(al|bo|!al|7|#x)?:?[ +0]{0,2}[0-3]{0,2}:[+0x]{0,1}[0-3]{0,1}[ :\r]?", 0..6)) {
            let text = lines.join("\n");
            let before = Document::new(text.into_bytes());
            let edits = of_file(Kind::Uid, &before).into_iter().map(|r| r.edit).collect();
            let after = before.edited(&edits).unwrap();
            proptest::prop_assert_eq!(of_file(Kind::Uid, &after), Vec::new(), "one run is enough");
            let granted = |document: &Document, dialect: Dialect| -> HashSet<(Vec<u8>, u64, u64)> {
                document.lines().filter_map(|line| match dialect.read(line.raw) {
                    Verdict::Grants { owner, start, count } => Some((owner.to_vec(), start, count)),
                    _ => None,
                }).collect()
            };
            for dialect in Dialect::ALL {
                proptest::prop_assert_eq!(granted(&before, dialect), granted(&after, dialect));
            }
        }
    }
}

//! Assignments to line edits, and the files afterwards.

use std::collections::BTreeMap;

use super::{Action, Assignment};
use crate::idfile::{Claim, Document, LineEdit, canonical_line};
use crate::range::{Kind, PerKind, RangeSet};
use crate::snapshot::{Released, Snapshot};

/// What becomes of one file.
#[derive(Debug, Clone, Default)]
pub struct Planned {
    /// Changes, line by line; empty: the file stays as it is.
    pub edits: Vec<LineEdit>,
    /// The content afterwards.
    pub after: Document,
}

/// A line that is mended, so that all readers take it alike: no reader grants anything afterwards that not
/// all readers granted before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// Which file.
    pub kind: Kind,
    /// The line as it is and as it shall be. Where both are equal, the file alone is rewritten: it then ends
    /// in a newline.
    pub edit: LineEdit,
    /// The finding that it mends.
    pub finding: String,
}

/// Works out both files from the assignments, the repairs and the present files alone.
///
/// # Errors
/// A sentence where an assignment names a line that is not there.
pub fn compose(
    snapshot: &Snapshot,
    assignments: &[Assignment],
    repairs: &[Repair],
) -> Result<PerKind<Planned>, String> {
    PerKind::try_from_fn(|kind| {
        let mine: Vec<&Assignment> = assignments.iter().filter(|a| a.kind == kind).collect();
        let file = &snapshot.files[kind];
        let empty = Document::default();
        let before = file.document.as_ref().unwrap_or(&empty);
        let ledger: Vec<&Released> = snapshot.released.iter().filter(|r| r.kind == kind).collect();
        let mut edits = edits(before, &mine, &ledger)?;
        edits.splice(0..0, repairs.iter().filter(|r| r.kind == kind).map(|r| r.edit.clone()));
        if edits.is_empty() {
            return Ok(Planned { edits, after: before.clone() });
        }
        let after = before.edited(&edits).map_err(|e| e.to_string())?;
        Ok(Planned { edits, after })
    })
}

fn edits(
    before: &Document,
    assignments: &[&Assignment],
    ledger: &[&Released],
) -> Result<Vec<LineEdit>, String> {
    let mut edits = Vec::new();
    let changes = |action: Action| assignments.iter().filter(move |a| a.action == action);
    if assignments.iter().any(|a| !matches!(a.action, Action::Add | Action::Keep)) {
        let claims: Vec<Claim<'_>> = before.claims().collect();
        let released = find(&claims, changes(Action::Release), false)?;
        let reclaimed = find(&claims, changes(Action::Reclaim), true)?;
        // A line that somebody lost may still be in the ledger: there is nothing to edit then.
        let lost = |a: &&&Assignment| {
            ledger.iter().any(|r| r.owner == a.owner && r.range == a.range)
                && !claims.iter().any(|c| c.released && c.owner == a.owner && c.range == a.range)
        };
        let forgotten = find(&claims, changes(Action::Forget).filter(|a| !lost(a)), true)?;
        // IDs that another line still holds are not marked as released: their holder would lose them.
        let mut marked: RangeSet =
            claims.iter().filter(|c| !released.contains_key(&c.line)).map(|c| c.range).collect();
        let mut more = Vec::new();
        for (line, claims) in &released {
            let mut lines = Vec::new();
            for claim in claims {
                for range in marked.gaps(claim.range).collect::<Vec<_>>() {
                    marked.insert(range);
                    lines.push([b"!", &canonical_line(claim.owner, range)[..]].concat());
                }
            }
            let mut lines = lines.into_iter();
            edits.push(LineEdit { line: *line, old: raw(before, *line), new: lines.next() });
            more.extend(lines);
        }
        for (line, claims) in &reclaimed {
            let new = claims.first().map(|claim| canonical_line(claim.owner, claim.range));
            edits.push(LineEdit { line: *line, old: raw(before, *line), new });
        }
        for line in forgotten.keys() {
            edits.push(LineEdit { line: *line, old: raw(before, *line), new: None });
        }
        edits.sort_by_key(|e| e.line);
        append(before, &mut edits, more);
    }
    let added: Vec<Vec<u8>> = changes(Action::Add).map(|a| canonical_line(&a.owner, a.range)).collect();
    append(before, &mut edits, added);
    Ok(edits)
}

/// The lines that assignments name, each with its claims: two where readers see different numbers in it.
fn find<'a, 'b>(
    claims: &[Claim<'a>],
    assignments: impl Iterator<Item = &'b &'b Assignment>,
    released: bool,
) -> Result<BTreeMap<usize, Vec<Claim<'a>>>, String> {
    let mut lines: BTreeMap<usize, Vec<Claim<'a>>> = BTreeMap::new();
    for a in assignments {
        let matches = |c: &&Claim<'a>| c.released == released && c.owner == a.owner && c.range == a.range;
        let unused = |c: &&Claim<'a>| lines.get(&c.line).is_none_or(|used| !used.contains(*c));
        let claim = claims.iter().filter(matches).find(unused).copied().ok_or_else(|| {
            format!("{} has no line for {} in {}", crate::text::escape(&a.owner), a.range, a.kind.file())
        })?;
        lines.entry(claim.line).or_default().push(claim);
    }
    Ok(lines)
}

fn raw(document: &Document, line: usize) -> Option<Vec<u8>> {
    document.lines().find(|l| l.number == line).map(|l| l.raw.to_vec())
}

fn append(before: &Document, edits: &mut Vec<LineEdit>, lines: Vec<Vec<u8>>) {
    if lines.is_empty() {
        return;
    }
    let next = before.lines().count() + 1;
    edits.extend(lines.into_iter().map(|new| LineEdit { line: next, old: None, new: Some(new) }));
}

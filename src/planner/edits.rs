//! Assignments to line edits, and the files afterwards.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::{Action, Assignment};
use crate::idfile::{Claim, Document, Edits, LineEdit, canonical_len, canonical_line, write_canonical};
use crate::range::{Kind, PerKind, Range, RangeSet};
use crate::snapshot::{Released, Snapshot};

/// What becomes of one file.
#[derive(Debug, Clone, Default)]
pub struct Planned {
    /// Changes, line by line; empty: the file stays as it is.
    pub edits: Arc<Edits>,
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
        let mut edits: Edits = repairs.iter().filter(|r| r.kind == kind).map(|r| r.edit.clone()).collect();
        let end = before.line_count() + 1;
        edits.extend(changed(before, end, &mine, &ledger)?);
        let added = || mine.iter().filter(|a| a.action == Action::Add);
        edits.reserve(added().map(|a| canonical_len(&a.owner)).sum());
        for a in added() {
            edits.add(end, |line| write_canonical(line, &a.owner, a.range));
        }
        let after = if edits.is_empty() {
            before.clone()
        } else {
            before.edited(&edits).map_err(|e| e.to_string())?
        };
        Ok(Planned { edits: edits.into(), after })
    })
}

/// What becomes of lines that stand there. `end` is one past the last line.
fn changed(
    before: &Document,
    end: usize,
    assignments: &[&Assignment],
    ledger: &[&Released],
) -> Result<Vec<LineEdit>, String> {
    let mut edits = Vec::new();
    let changes = |action: Action| assignments.iter().filter(move |a| a.action == action);
    if assignments.iter().any(|a| !matches!(a.action, Action::Add | Action::Keep)) {
        let claims: Vec<Claim<'_>> = before.claims().collect();
        let mut named = Named::new(&claims, assignments);
        let released = named.lines(changes(Action::Release), false)?;
        let reclaimed = named.lines(changes(Action::Reclaim), true)?;
        // A line that somebody lost may still be in the ledger: there is nothing to edit then.
        let lost = |a: &&&Assignment| {
            ledger.iter().any(|r| a.owner == r.owner && r.range == a.range)
                && !claims.iter().any(|c| c.released && a.owner == c.owner && c.range == a.range)
        };
        let forgotten = named.lines(changes(Action::Forget).filter(|a| !lost(a)), true)?;
        let old = |line: &usize| before.line(*line).map(<[u8]>::to_vec);
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
            edits.push(LineEdit { line: *line, old: old(line), new: lines.next() });
            more.extend(lines);
        }
        for (line, claims) in &reclaimed {
            let new = claims.first().map(|claim| canonical_line(claim.owner, claim.range));
            edits.push(LineEdit { line: *line, old: old(line), new });
        }
        for line in forgotten.keys() {
            edits.push(LineEdit { line: *line, old: old(line), new: None });
        }
        edits.sort_by_key(|e| e.line);
        edits.extend(more.into_iter().map(|new| LineEdit { line: end, old: None, new: Some(new) }));
    }
    Ok(edits)
}

/// The claims that assignments name, by what these say of them: whether they are released, owner and range.
/// Thousands may be named, among millions.
struct Named<'a>(HashMap<(bool, &'a [u8], Range), VecDeque<Claim<'a>>>);

impl<'a> Named<'a> {
    fn new(claims: &[Claim<'a>], assignments: &[&Assignment]) -> Self {
        let changed = assignments.iter().filter(|a| !matches!(a.action, Action::Add | Action::Keep));
        let wanted: HashSet<(&[u8], Range)> = changed.map(|a| (&a.owner[..], a.range)).collect();
        let mut named: HashMap<_, VecDeque<_>> = HashMap::new();
        for claim in claims.iter().filter(|c| wanted.contains(&(c.owner, c.range))) {
            named.entry((claim.released, claim.owner, claim.range)).or_default().push_back(*claim);
        }
        Self(named)
    }

    /// The lines that assignments name, each with its claims: two where readers see different numbers in it.
    fn lines<'b: 'a>(
        &mut self,
        assignments: impl Iterator<Item = &'b &'b Assignment>,
        released: bool,
    ) -> Result<BTreeMap<usize, Vec<Claim<'a>>>, String> {
        let mut lines: BTreeMap<usize, Vec<Claim<'a>>> = BTreeMap::new();
        for a in assignments {
            let left = self.0.get_mut(&(released, &a.owner[..], a.range));
            let claim = left.and_then(VecDeque::pop_front).ok_or_else(|| {
                format!("{} has no line for {} in {}", crate::text::escape(&a.owner), a.range, a.kind.file())
            })?;
            lines.entry(claim.line).or_default().push(claim);
        }
        Ok(lines)
    }
}

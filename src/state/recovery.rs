//! What becomes of an unfinished change, decided from its journal and the files as they stand.

use std::collections::{HashMap, HashSet};

use super::Journal;
use crate::idfile::{Document, Edits, LineEdit};
use crate::range::{Kind, PerKind};

/// Both files; `None` where one does not exist.
type Documents = PerKind<Option<Document>>;

/// Says whether every invariant would hold: is given the files that would result and, of each, the lines
/// that the change is responsible for. An error is one escaped sentence.
pub type Judge<'a> = dyn FnMut(&Documents, &PerKind<Vec<Vec<u8>>>) -> Result<(), String> + 'a;

/// The ways an unfinished change can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing of it was done: temporary files and journal go.
    Drop,
    /// Part or all of it was done and nobody else wrote: the rest is done.
    RollForward,
    /// Somebody else wrote since: what is missing is done on top.
    Reapply,
    /// It cannot be done any more: what was done of it is undone.
    TakeBack,
    /// Neither: the files stay as they are, a person decides.
    Conflict,
}

impl Verdict {
    /// Whether the change is done afterwards, and in the history.
    pub const fn completes(self) -> bool {
        matches!(self, Self::RollForward | Self::Reapply)
    }

    /// How reports call the outcome.
    pub const fn outcome(self) -> &'static str {
        match self {
            Self::Drop | Self::TakeBack => "rolled back",
            Self::RollForward | Self::Reapply => "completed",
            Self::Conflict => "conflict",
        }
    }
}

/// What happened to one line edit of an unfinished change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Not done; its old line stands at this number (for an added line: one past the last).
    Missing(usize),
    /// Done; its new line stands at this number (for a removed line: one past the last).
    Done(usize),
    /// Somebody else changed or removed its line.
    Touched,
    /// Its lines stand more than once, or both stand: it cannot be told.
    Unclear,
}

/// How an unfinished change ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Which way.
    pub verdict: Verdict,
    /// The edits that lead from the present files to the recovered ones.
    pub edits: PerKind<Edits>,
    /// Why it did not simply end, escaped; empty for `Drop` and `RollForward`.
    pub why: String,
    /// Each of its line edits and what happened to it; empty for `Drop` and `RollForward`.
    pub fates: Vec<(Kind, LineEdit, Fate)>,
}

/// Decides how an unfinished change ends.
pub fn recover(journal: &Journal, present: &Documents, judge: &mut Judge<'_>) -> Decision {
    if let Some(decision) = undisturbed(journal, present) {
        return decision;
    }
    let fates = fates(journal, present);
    let touched = fates.iter().find(|(.., fate)| matches!(fate, Fate::Touched | Fate::Unclear));
    let refusal = if let Some((kind, edit, _)) = touched {
        Err(format!("its line {} in {} was changed since", shown(edit), kind.file()))
    } else {
        let edits = edits_of(&fates, reapplied);
        let ours = lines_of(&fates, |edit, _| edit.new.clone());
        judged(present, &edits, &ours, judge).map(|()| edits)
    };
    let why = match refusal {
        Ok(edits) => {
            let why = "the files were changed by another program since".to_owned();
            return Decision { verdict: Verdict::Reapply, edits, why, fates };
        }
        Err(why) => why,
    };
    if fates.iter().all(|(.., fate)| *fate != Fate::Unclear) {
        let edits = edits_of(&fates, taken_back);
        let ours = lines_of(&fates, |edit, fate| edit.old.clone().filter(|_| matches!(fate, Fate::Done(_))));
        if judged(present, &edits, &ours, judge).is_ok() {
            return Decision { verdict: Verdict::TakeBack, edits, why, fates };
        }
    }
    Decision { verdict: Verdict::Conflict, edits: PerKind::default(), why, fates }
}

/// The files as recovery will leave them, for commands that only report.
pub fn after_recovery(
    journal: &Journal,
    present: &Documents,
    judge: &mut Judge<'_>,
) -> (Documents, Decision) {
    let decision = recover(journal, present, judge);
    // The edits were made from these very documents, so they apply.
    let documents = applied(present, &decision.edits).unwrap_or_else(|| present.clone());
    (documents, decision)
}

/// The judgement that the files alone allow: no line of the change shares an ID with any other line.
pub fn no_overlap(documents: &Documents, ours: &PerKind<Vec<Vec<u8>>>) -> Result<(), String> {
    for (kind, document) in documents.iter() {
        let ours: HashSet<&[u8]> = ours[kind].iter().map(Vec::as_slice).collect();
        let Some(document) = document.as_ref().filter(|_| !ours.is_empty()) else { continue };
        let mut claims: Vec<_> = document
            .claims()
            .map(|c| (c.range, c.line, document.line(c.line).is_some_and(|raw| ours.contains(raw))))
            .collect();
        claims.sort_unstable();
        // The claims that reach farthest so far: of all lines, and of ours.
        let mut reach: [Option<(u32, usize)>; 2] = [None, None];
        for (range, line, own) in claims {
            let met = reach[usize::from(!own)];
            if let Some((_, other)) = met.filter(|(last, other)| *last >= range.first() && *other != line) {
                return Err(format!("lines {other} and {line} of {} would share IDs", kind.file()));
            }
            for slot in reach.iter_mut().take(1 + usize::from(own)) {
                *slot = (*slot).max(Some((range.last(), line)));
            }
        }
    }
    Ok(())
}

/// The decision where each file that the change touches is as it was before or as it was to become.
fn undisturbed(journal: &Journal, present: &Documents) -> Option<Decision> {
    let mut edits = PerKind::<Edits>::default();
    let mut done = 0_usize;
    for (kind, touched) in journal.entry.files.iter() {
        let Some(touched) = touched else { continue };
        let digest = present[kind].as_ref().map(Document::digest);
        if digest == Some(touched.after) {
            done += 1;
        } else if digest == touched.before {
            edits[kind].clone_from(&touched.edits);
        } else {
            return None;
        }
    }
    // What changes no file, but the ledger alone, is done either way: once more it does nothing.
    let in_files = journal.entry.files.iter().any(|(_, touched)| touched.is_some());
    let verdict = if done == 0 && in_files { Verdict::Drop } else { Verdict::RollForward };
    if verdict == Verdict::Drop {
        edits = PerKind::default();
    }
    Some(Decision { verdict, edits, why: String::new(), fates: Vec::new() })
}

fn fates(journal: &Journal, present: &Documents) -> Vec<(Kind, LineEdit, Fate)> {
    let mut fates = Vec::new();
    for (kind, touched) in journal.entry.files.iter() {
        let Some(touched) = touched else { continue };
        // Where each line stands, and how often.
        let mut stands: HashMap<&[u8], (usize, u32)> = HashMap::new();
        for line in present[kind].iter().flat_map(Document::lines) {
            stands.entry(line.raw).or_insert((line.number, 0)).1 += 1;
        }
        let end = present[kind].iter().flat_map(Document::lines).count() + 1;
        let repeated: HashSet<&[u8]> = journal.repeated[kind].0.iter().map(Vec::as_slice).collect();
        let at = |line: Option<&[u8]>| line.map(|line| stands.get(line).copied());
        let doubtful =
            |line: &[u8]| repeated.contains(line) || stands.get(line).is_some_and(|(_, times)| *times > 1);
        for edit in touched.edits.iter() {
            let fate = match (at(edit.old), at(edit.new)) {
                _ if edit.old.into_iter().chain(edit.new).any(doubtful) => Fate::Unclear,
                (None, Some(None)) => Fate::Missing(end),
                (Some(Some((line, _))), None | Some(None)) => Fate::Missing(line),
                (Some(None), None) => Fate::Done(end),
                (None | Some(None), Some(Some((line, _)))) => Fate::Done(line),
                (Some(None), Some(None)) => Fate::Touched,
                (Some(Some(_)), Some(Some(_))) => Fate::Unclear,
                (None, None) => continue,
            };
            fates.push((kind, edit.to_owned(), fate));
        }
    }
    fates
}

/// The edit that does what is missing.
fn reapplied(edit: &LineEdit, fate: Fate) -> Option<LineEdit> {
    let Fate::Missing(line) = fate else { return None };
    Some(LineEdit { line, ..edit.clone() })
}

/// The edit that undoes what was done.
fn taken_back(edit: &LineEdit, fate: Fate) -> Option<LineEdit> {
    let Fate::Done(line) = fate else { return None };
    Some(LineEdit { line, old: edit.new.clone(), new: edit.old.clone() })
}

fn edits_of(
    fates: &[(Kind, LineEdit, Fate)],
    make: fn(&LineEdit, Fate) -> Option<LineEdit>,
) -> PerKind<Edits> {
    PerKind::from_fn(|kind| {
        fates.iter().filter(|(k, ..)| *k == kind).filter_map(|(_, edit, fate)| make(edit, *fate)).collect()
    })
}

fn lines_of(
    fates: &[(Kind, LineEdit, Fate)],
    line: impl Fn(&LineEdit, Fate) -> Option<Vec<u8>>,
) -> PerKind<Vec<Vec<u8>>> {
    PerKind::from_fn(|kind| {
        fates.iter().filter(|(k, ..)| *k == kind).filter_map(|(_, edit, fate)| line(edit, *fate)).collect()
    })
}

fn judged(
    present: &Documents,
    edits: &PerKind<Edits>,
    ours: &PerKind<Vec<Vec<u8>>>,
    judge: &mut Judge<'_>,
) -> Result<(), String> {
    let documents = applied(present, edits).ok_or("its lines are not where they were")?;
    judge(&documents, ours)
}

/// The documents after the edits; a file without edits keeps every byte.
fn applied(present: &Documents, edits: &PerKind<Edits>) -> Option<Documents> {
    PerKind::try_from_fn(|kind| {
        if edits[kind].is_empty() {
            return Ok(present[kind].clone());
        }
        present[kind].clone().unwrap_or_default().edited(&edits[kind]).map(Some)
    })
    .ok()
}

fn shown(edit: &LineEdit) -> String {
    crate::text::escape(edit.new.as_deref().or(edit.old.as_deref()).unwrap_or_default())
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;

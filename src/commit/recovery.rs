//! Finishing or taking back a change that a crash left unfinished.

use std::time::Instant;

use super::folder::Folder;
use super::locks::Locks;
use super::store::Store;
use super::swap::{self, Swap};
use super::transaction::{JOURNAL, Work, pending, unconfirmed};
use super::{Options, log};
use crate::error::{Code, Error, Result};
use crate::host::{Root, records, trust};
use crate::idfile::{Digest, Document};
use crate::range::{Kind, PerKind, Range};
use crate::state::{self, Decision, Fate, HistoryEntry, Journal, Judge, LedgerNotes, StateError, Verdict};

/// What became of an unfinished change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Its transaction.
    pub transaction: String,
    /// `rolled back` or `completed`.
    pub outcome: &'static str,
    /// The way it ended.
    pub verdict: Verdict,
    /// Why it did not simply end, escaped; empty where nobody else wrote in between.
    pub why: String,
    /// What went otherwise than expected, one escaped sentence each.
    pub notes: Vec<String>,
}

/// Recovers an unfinished change; `None`, and no lock taken, where there is none.
///
/// # Errors
/// `recovery-conflict` where a person must decide: the journal was moved away, so that later commands
/// work. Otherwise as [`super::commit`].
pub fn recover(root: &Root, judge: &mut Judge<'_>, options: &Options) -> Result<Option<Recovered>> {
    if !pending(root) {
        return Ok(None);
    }
    let etc = Folder::new(trust::folder(root, "/etc")?, root.full("/etc"));
    let deadline = Instant::now() + options.lock_timeout;
    let mut store = Store::open(root, deadline, options.keep_history)?;
    let locks = Locks::acquire(&etc, deadline)?;
    let mut work = Work { root, etc: &etc, store: &mut store, locks: &locks, options };
    let recovered = under_locks(&mut work, judge);
    let mut notes = locks.release();
    notes.extend(store.close(root));
    let mut recovered = recovered?;
    if let Some(recovered) = &mut recovered {
        if root.is_running() {
            notes.extend(log::recovered(recovered));
        }
        recovered.notes = notes;
    }
    Ok(recovered)
}

/// Recovers under locks that are held already.
pub(super) fn under_locks(work: &mut Work<'_>, judge: &mut Judge<'_>) -> Result<Option<Recovered>> {
    trust::file(work.root, work.etc.fd(), records::JOURNAL)?;
    let Some((bytes, _)) = work.root.read(records::JOURNAL)? else { return Ok(None) };
    let journal = match Journal::parse(&bytes) {
        Ok(journal) => journal,
        Err(StateError::Damaged(why)) => {
            let name = format!("damaged-{}", Digest::of(&bytes).to_string().get(..8).unwrap_or_default());
            let place = put_away(work, &name, &bytes)?;
            return Err(Error::new(Code::RecoveryConflict, "an unfinished change cannot be read")
                .why(format!("its journal is damaged ({why}) and is now {place}; no file was changed"))
                .fix("compare /etc/subuid with /etc/subuid- and /etc/subgid with /etc/subgid-, then see what stands there: subidctl list"));
        }
        Err(error) => return Err(records::unusable(work.root, records::JOURNAL, &error)),
    };
    let present = swap::read(work.root, work.etc)?;
    let decision = state::recover(&journal, &present, judge);
    if decision.verdict == Verdict::Conflict {
        let place = put_away(work, &journal.entry.transaction, &bytes)?;
        return Err(conflict(&journal, &decision, &place));
    }
    finish(work, &journal, &decision, present)?;
    Ok(Some(Recovered {
        transaction: journal.entry.transaction,
        outcome: decision.verdict.outcome(),
        verdict: decision.verdict,
        why: decision.why,
        notes: Vec::new(),
    }))
}

/// Writes what was decided. A crash or failure in here leaves the journal, and the next recovery decides
/// again from what it then finds.
fn finish(
    work: &mut Work<'_>,
    journal: &Journal,
    decision: &Decision,
    present: PerKind<Option<Document>>,
) -> Result<()> {
    let edits = PerKind::from_fn(|kind| &decision.edits[kind]);
    let after = swap::edited(&present, &edits)?;
    let swap = Swap::new(work.etc, &edits, present, after);
    let completes = decision.verdict.completes();
    let entry = HistoryEntry { recovered: true, ..journal.entry.clone() };
    let ready =
        swap.prepare().and_then(|()| if completes { work.store.prepare(journal, &entry) } else { Ok(()) });
    let swapped = ready.and_then(|()| {
        // Also where nothing is left to rename: what the dead process renamed need not last yet.
        let swapped = if completes || swap.changes() { swap.swap() } else { Ok(()) };
        swapped.map_err(|failure| if failure.changed { unconfirmed(failure.error) } else { failure.error })
    });
    if let Err(error) = swapped {
        if error.code != Code::DurabilityUnknown {
            swap.discard();
            work.store.discard();
        }
        return Err(error);
    }
    if completes {
        work.store.finish().map_err(unconfirmed)?;
    } else {
        work.store.discard();
        work.store.mend(journal)?;
    }
    if decision.verdict == Verdict::TakeBack && decision.edits.iter().any(|(_, edits)| !edits.is_empty()) {
        // Its lines stood in a file for a while; of a change that is dropped nobody saw anything.
        let files = PerKind::default();
        let entry = HistoryEntry { taken_back: true, files, ..journal.entry.clone() };
        // It teaches the ledger nothing, but no history is without one.
        let bare = Journal { ledger: LedgerNotes::default(), ..journal.clone() };
        work.store.prepare(&bare, &entry).and_then(|()| work.store.finish()).map_err(unconfirmed)?;
    }
    remove_temps(work)?;
    work.end()
}

/// Only names that we make ourselves: the journal of a tree below `--root` may come from anywhere.
fn remove_temps(work: &Work<'_>) -> Result<()> {
    for name in swap::temps(Kind::BOTH.into_iter()) {
        work.etc.remove(&name).map_err(|errno| work.etc.failed("remove", &name, errno))?;
    }
    Ok(())
}

/// Moves a journal out of the way of later commands, with nothing of it lost; gives its new path.
fn put_away(work: &mut Work<'_>, name: &str, bytes: &[u8]) -> Result<String> {
    let kept = format!("{name}.journal");
    remove_temps(work)?;
    if work.store.keep_conflict(work.root, &kept, bytes)? {
        work.end()?;
        return Ok(crate::text::path(&work.root.full(&format!("{}/{kept}", records::CONFLICTS))));
    }
    // Without a state folder it stays where it was, under another name.
    let aside = format!("{JOURNAL}.{name}");
    let moved = work.etc.rename(JOURNAL, &aside).and_then(|()| work.etc.sync());
    moved.map_err(|errno| work.etc.failed("set aside", JOURNAL, errno))?;
    Ok(crate::text::path(&work.etc.full(&aside)))
}

/// The error that names what stands, with the commands for either choice.
fn conflict(journal: &Journal, decision: &Decision, place: &str) -> Error {
    let commands = |wanted: fn(Fate) -> bool, switches: [&str; 2]| -> String {
        let one = |(kind, edit, fate): &(Kind, crate::idfile::LineEdit, Fate)| {
            let line = edit.new.as_deref().filter(|_| edit.old.is_none() && wanted(*fate))?;
            let mut fields = std::str::from_utf8(line).ok()?.splitn(2, ':');
            let owner = crate::text::shell_word(fields.next()?.as_bytes())?;
            let range = Range::parse(fields.next()?)?;
            let switch = switches.get(usize::from(*kind == Kind::Gid))?;
            Some(format!("sudo usermod {switch} {range} {owner}"))
        };
        let commands: Vec<String> = decision.fates.iter().filter_map(one).collect();
        if commands.is_empty() { "edit the files by hand".to_owned() } else { commands.join(" && ") }
    };
    let finish = commands(|fate| matches!(fate, Fate::Missing(_)), ["-v", "-w"]);
    let undo = commands(|fate| matches!(fate, Fate::Done(_)), ["-V", "-W"]);
    Error::new(
        Code::RecoveryConflict,
        format!(
            "the unfinished change {} can neither be completed nor taken back",
            journal.entry.transaction
        ),
    )
    .why(format!("{}; both files stay as they are, its journal is now {place}", decision.why))
    .fix(format!("look at both files; to complete it: {finish}; to take it back: {undo}"))
}

//! What subidctl remembers, for the commands: the ledger, an unfinished change, and who is at the keyboard.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use foldhash::fast::RandomState;

use super::args::Global;
use super::facts::Context;
use super::output::Output;
use crate::commit::{self, Options, Recovered};
use crate::error::{Code, Error, Result};
use crate::idfile::{Document, Edits};
use crate::planner::{Action, Assignment, Planned};
use crate::range::{Kind, PerKind, Range, Uid};
use crate::snapshot::{Released, Snapshot, Source};
use crate::state::{KnownOwner, LedgerNotes, RangeNote};
use crate::text::escape;

/// Says, once a command, that a change is unfinished, or that the ledger says nothing.
pub(super) fn note_state(snapshot: &Snapshot, output: Output) {
    note_unfinished(snapshot, output);
    if let Some(why) = &snapshot.ledger_damaged {
        output.note(&format!("subidctl: {why}; what was released is known from lines with ! alone\n"));
    }
}

/// The first half of it: a plan has warnings of its own.
pub(super) fn note_unfinished(snapshot: &Snapshot, output: Output) {
    if let Some(unfinished) = &snapshot.unfinished {
        output.note(&format!(
            "subidctl: {} is unfinished ({}); to end it: sudo subidctl recover\n",
            unfinished.name(),
            unfinished.outcome
        ));
    }
}

/// Recovers an unfinished change, where there is one, and says so.
pub(super) fn recover_first(global: &Global, lock_timeout: Duration, output: Output) -> Result<()> {
    if !commit::pending(&super::facts::root(global)?) {
        return Ok(());
    }
    if let Some(done) = recover(&Context::load(global)?, lock_timeout)? {
        output.note(&recovered_line(&done));
    }
    Ok(())
}

/// Says what went otherwise than expected.
pub(super) fn say_notes(notes: &[String], output: Output) {
    for note in notes {
        output.note(&format!("note: {note}\n"));
    }
}

/// Recovers an unfinished change, judged by the facts of this command.
pub(super) fn recover(context: &Context, lock_timeout: Duration) -> Result<Option<Recovered>> {
    let keep_history = context.policy.history_keep();
    let options = Options { lock_timeout, keep_history, ..Options::default() };
    let mut judge = super::memory::judge(&context.snapshot, &context.policy);
    commit::recover(&context.root, &mut judge, &options)
}

/// `recovered: completed`, and why it did not simply end.
pub(super) fn recovered_line(done: &Recovered) -> String {
    let why = if done.why.is_empty() { String::new() } else { format!(" ({})", done.why) };
    format!("recovered: {}{why}\n", done.outcome)
}

/// Changes of the running system are root's.
pub(super) fn need_root(global: &Global) -> Result<()> {
    if global.root.is_some() || nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    Err(Error::new(Code::NotRoot, "only root can change /etc/subuid and /etc/subgid")
        .why(format!("this process runs as uid {}", nix::unistd::geteuid()))
        .fix("run it with sudo; to see what would change: subidctl plan"))
}

/// What the caller of sudo says who he is: recorded as a claim, and nothing else.
pub(super) fn sudo_claim() -> Option<String> {
    let text = |key| std::env::var_os(key).map(|v| escape(v.as_encoded_bytes()));
    Some(format!("{} (uid {})", text("SUDO_USER")?, text("SUDO_UID").unwrap_or_default()))
}

/// What the ledger knows of the ranges that a plan forgets.
pub(super) fn forgot(snapshot: &Snapshot, assignments: &[Assignment]) -> Vec<RangeNote> {
    let forgets = assignments.iter().filter(|a| a.action == Action::Forget);
    let forgotten: HashSet<(Kind, &[u8], Range)> = forgets.map(|a| (a.kind, &a.owner[..], a.range)).collect();
    let known = snapshot.released.iter().filter(|r| forgotten.contains(&(r.kind, &r.owner[..], r.range)));
    let note = |r: &Released| RangeNote::Released {
        kind: r.kind,
        owner: r.owner.clone(),
        uid: r.uid.map(Uid::get),
        range: r.range,
    };
    known.map(note).collect()
}

/// What the ledger learns from a plan: the lines that are marked as released, those that come back, and
/// which owners are local accounts and which a hook gave theirs. `undone` is what a change forgot that the
/// plan undoes.
pub(super) fn ledger_notes(
    snapshot: &Snapshot,
    assignments: &[Assignment],
    files: &PerKind<Planned>,
    undone: &[RangeNote],
    hook: bool,
) -> LedgerNotes {
    let mut notes = Vec::new();
    let mut owners = Vec::new();
    let known: HashSet<(Kind, &[u8], Range)> =
        snapshot.released.iter().map(|r| (r.kind, &r.owner[..], r.range)).collect();
    let undone: HashMap<(Kind, &[u8], Range), &RangeNote> =
        undone.iter().map(|note| (note.place(), note)).collect();
    // Of several with one owner the first counts.
    let releases = assignments.iter().rev().filter(|a| a.action == Action::Release);
    let by_owner: HashMap<(Kind, &[u8]), &Assignment> =
        releases.map(|a| ((a.kind, &a.owner[..]), a)).collect();
    // Most lines are not marked, and there may be thousands: a file where none is has nothing to say.
    let marks = |edits: &Edits| !edits.named().is_empty() || edits.added().contains(&b'!');
    let edited = files.iter().filter(|(_, planned)| marks(&planned.edits));
    for (kind, edit) in edited.flat_map(|(kind, planned)| planned.edits.iter().map(move |e| (kind, e))) {
        let marked = |raw: Option<&[u8]>| -> Vec<(Vec<u8>, Range)> {
            let Some(raw) = raw.filter(|raw| raw.contains(&b'!')) else { return Vec::new() };
            let line = Document::new(raw.to_vec());
            line.claims().filter(|c| c.released).map(|c| (c.owner.to_vec(), c.range)).collect()
        };
        let (old, new) = (marked(edit.old), marked(edit.new));
        for (owner, range) in old.iter().filter(|claim| !new.contains(claim)).cloned() {
            notes.push(RangeNote::Returned { kind, owner, range });
        }
        for (owner, range) in new.into_iter().filter(|claim| !old.contains(claim)) {
            // Whose it was is known only of who gives it back now, or where the ledger knows or knew it. Any
            // other line that comes back from the past could be anybody's who has that name today.
            let place = (kind, &owner[..], range);
            let releases = by_owner.get(&(kind, &owner[..]));
            if releases.is_none() && known.contains(&place) {
                continue;
            }
            if let Some(note) = undone.get(&place).filter(|_| releases.is_none()) {
                notes.push((*note).clone());
                continue;
            }
            let uid = releases.and_then(|a| {
                a.uid.or_else(|| snapshot.accounts.by_owner(&owner).map(|account| account.uid))
            });
            notes.push(RangeNote::Released { kind, owner, uid: uid.map(Uid::get), range });
        }
    }
    let mut told: HashSet<&[u8], RandomState> = HashSet::default();
    for a in assignments {
        if a.action == Action::Forget {
            // Also where no line says so any more, and the ledger alone does.
            notes.push(RangeNote::Returned { kind: a.kind, owner: a.owner.to_vec(), range: a.range });
        }
        if matches!(a.action, Action::Add | Action::Reclaim) && told.insert(&a.owner[..]) {
            let account = snapshot.accounts.by_owner(&a.owner);
            let local = account.is_some_and(|account| account.source != Source::Nss);
            owners.push(KnownOwner { owner: a.owner.clone(), uid: a.uid.map(Uid::get), local, hook });
        }
    }
    LedgerNotes { ranges: notes, owners }
}

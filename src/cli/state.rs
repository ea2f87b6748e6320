//! What subidctl remembers, for the commands: the ledger, an unfinished change, and who is at the keyboard.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::args::Global;
use super::facts::Context;
use super::output::Output;
use crate::commit::{self, Options, Recovered};
use crate::error::{Code, Error, Result};
use crate::idfile::Document;
use crate::planner::{Action, Assignment, Planned};
use crate::range::{Kind, PerKind, Uid};
use crate::snapshot::{Snapshot, Source};
use crate::state::{KnownOwner, LedgerNote};
use crate::text::escape;

/// Says, once a command, that a change is unfinished.
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

/// Recovers an unfinished change, judged by the facts of this command.
pub(super) fn recover(context: &Context, lock_timeout: Duration) -> Result<Option<Recovered>> {
    let options = Options { lock_timeout, ..Options::default() };
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

/// What the ledger learns from a plan: the lines that are marked as released, those that come back, and
/// which owners are local accounts.
pub(super) fn ledger_notes(
    snapshot: &Snapshot,
    assignments: &[Assignment],
    files: &PerKind<Planned>,
) -> Vec<LedgerNote> {
    let mut notes = Vec::new();
    // Of several with one owner the first counts.
    let uids: HashMap<(Kind, &[u8]), Option<Uid>> =
        assignments.iter().rev().map(|a| ((a.kind, &a.owner[..]), a.uid)).collect();
    for (kind, planned) in files.iter() {
        for line in planned.edits.iter().filter_map(|edit| edit.new.clone()) {
            let line = Document::new(line);
            for claim in line.claims().filter(|claim| claim.released) {
                let given = uids.get(&(kind, claim.owner)).copied().flatten();
                let uid = given.or_else(|| Some(snapshot.accounts.by_owner(claim.owner)?.uid));
                notes.push(LedgerNote::Released {
                    kind,
                    owner: claim.owner.to_vec(),
                    uid: uid.map(Uid::get),
                    range: claim.range,
                });
            }
        }
    }
    let mut known = HashSet::new();
    for a in assignments {
        if matches!(a.action, Action::Reclaim | Action::Forget) {
            notes.push(LedgerNote::Returned { kind: a.kind, owner: a.owner.clone(), range: a.range });
        }
        if matches!(a.action, Action::Add | Action::Reclaim) && known.insert(&a.owner) {
            let account = snapshot.accounts.by_owner(&a.owner);
            let local = account.is_some_and(|account| account.source != Source::Nss);
            notes.push(LedgerNote::Owner(KnownOwner {
                owner: a.owner.clone(),
                uid: a.uid.map(Uid::get),
                local,
            }));
        }
    }
    notes
}

//! What subidctl remembers, for the commands: the ledger, an unfinished change, and who is at the keyboard.

use std::collections::HashSet;
use std::time::Duration;

use super::args::Global;
use super::facts::Context;
use super::output::Output;
use crate::commit::{self, Options};
use crate::error::{Code, Error, Result};
use crate::host::{self, Root, records};
use crate::idfile::Document;
use crate::planner::{self, Action, Assignment, Planned};
use crate::policy::Policy;
use crate::range::{Kind, PerKind, Uid};
use crate::snapshot::{Released, Snapshot, Source, Unfinished};
use crate::state::{KnownOwner, LedgerNote, after_recovery, no_overlap};
use crate::text::escape;

/// Both files as recovery's judge sees them.
type Documents = PerKind<Option<Document>>;

/// The facts, with the ledger's released ranges, and with the files as recovery will leave them.
pub(super) fn snapshot(root: &Root, policy: &Policy) -> Result<Snapshot> {
    let mut snapshot = host::snapshot(root)?;
    if let Some(ledger) = records::ledger(root)? {
        snapshot.released = ledger
            .released
            .into_iter()
            .map(|r| Released { kind: r.kind, owner: r.owner, uid: r.uid.map(Uid::new), range: r.range })
            .collect();
    }
    let journal = match records::journal(root) {
        Ok(Some(journal)) => journal,
        Ok(None) => return Ok(snapshot),
        // Only root reads the journal; everybody may know that there is one.
        Err(error) if error.code == Code::ReadFailed && !nix::unistd::geteuid().is_root() => {
            let outcome = "only root can say how it will end".to_owned();
            snapshot.unfinished = Some(Unfinished { transaction: String::new(), outcome });
            return Ok(snapshot);
        }
        Err(error) => return Err(error),
    };
    let present = PerKind::from_fn(|kind| snapshot.files[kind].document.clone());
    let standing = snapshot.clone();
    let mut judge = |files: &Documents, ours: &PerKind<Vec<Vec<u8>>>| judged(&standing, policy, files, ours);
    let (after, decision) = after_recovery(&journal, &present, &mut judge);
    for (kind, document) in [(Kind::Uid, after.uid), (Kind::Gid, after.gid)] {
        snapshot.files[kind].digest = document.as_ref().map(Document::digest);
        snapshot.files[kind].document = document;
    }
    let outcome = decision.verdict.outcome().to_owned();
    snapshot.unfinished = Some(Unfinished { transaction: journal.entry.transaction, outcome });
    Ok(snapshot)
}

/// Says, once a command, that a change is unfinished.
pub(super) fn note_unfinished(snapshot: &Snapshot, output: Output) {
    if let Some(unfinished) = &snapshot.unfinished {
        output.note(&format!(
            "subidctl: the change {} is unfinished ({}); to end it: sudo subidctl recover\n",
            unfinished.transaction, unfinished.outcome
        ));
    }
}

/// Recovery's judge: every invariant, with the accounts that are known now.
pub(super) fn judge(
    context: &Context,
) -> impl FnMut(&Documents, &PerKind<Vec<Vec<u8>>>) -> std::result::Result<(), String> + '_ {
    |files, ours| judged(&context.snapshot, &context.policy, files, ours)
}

fn judged(
    snapshot: &Snapshot,
    policy: &Policy,
    files: &Documents,
    ours: &PerKind<Vec<Vec<u8>>>,
) -> std::result::Result<(), String> {
    no_overlap(files, ours)?;
    planner::check_lines(snapshot, policy, ours)
}

/// Recovers an unfinished change, where there is one, and says so.
pub(super) fn recover_first(global: &Global, lock_timeout: Duration, output: Output) -> Result<()> {
    let root = super::facts::root(global)?;
    if !commit::pending(&root) {
        return Ok(());
    }
    let context = Context::load(global)?;
    let options = Options { lock_timeout, ..Options::default() };
    if let Some(done) = commit::recover(&context.root, &mut judge(&context), &options)? {
        let why = if done.why.is_empty() { String::new() } else { format!(" ({})", done.why) };
        output.note(&format!("recovered: {}{why}\n", done.outcome));
    }
    Ok(())
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
    for (kind, planned) in files.iter() {
        for line in planned.edits.iter().filter_map(|edit| edit.new.clone()) {
            let line = Document::new(line);
            for claim in line.claims().filter(|claim| claim.released) {
                let given = assignments.iter().find(|a| a.kind == kind && a.owner == claim.owner);
                let uid =
                    given.and_then(|a| a.uid).or_else(|| Some(snapshot.accounts.by_owner(claim.owner)?.uid));
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
        if a.action == Action::Reclaim {
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

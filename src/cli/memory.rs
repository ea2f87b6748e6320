//! The facts with what subidctl remembers: released ranges, and an unfinished change.

use crate::error::{Code, Result};
use crate::host::{Root, records};
use crate::idfile::Document;
use crate::planner;
use crate::policy::Policy;
use crate::range::{Kind, PerKind, Uid};
use crate::snapshot::{Known, Released, Snapshot, Unfinished};
use crate::state::{StateError, after_recovery, no_overlap};

/// Both files as recovery's judge sees them.
type Documents = PerKind<Option<Document>>;

/// The facts, with the ledger's released ranges and owners, and with the files as recovery will leave them.
pub(super) fn remember(mut snapshot: Snapshot, root: &Root, policy: &Policy) -> Result<Snapshot> {
    released(&mut snapshot, root)?;
    unfinished(&mut snapshot, root, policy)?;
    Ok(snapshot)
}

/// As [`remember`], for a reader who reports what is wrong with it: an unusable ledger is noted in the
/// snapshot already, and an unusable journal is an unfinished change.
pub(super) fn remember_what_can_be(mut snapshot: Snapshot, root: &Root, policy: &Policy) -> Result<Snapshot> {
    if snapshot.disk.ledger.is_none() {
        released(&mut snapshot, root)?;
    }
    if let Err(error) = unfinished(&mut snapshot, root, policy) {
        let outcome = format!("{error}: {}", error.why);
        snapshot.unfinished = Some(Unfinished { transaction: None, outcome });
    }
    Ok(snapshot)
}

fn released(snapshot: &mut Snapshot, root: &Root) -> Result<()> {
    let ledger = match records::ledger(root) {
        // The lines of the files hold what was released, and the next commit sets the ledger aside.
        Err(error) if error.code == Code::StateDamaged => {
            snapshot.ledger_damaged = Some(format!("{} ({})", error.what, error.why));
            None
        }
        ledger => ledger?,
    };
    if let Some(ledger) = ledger {
        snapshot.released = ledger
            .released
            .into_iter()
            .map(|r| Released { kind: r.kind, owner: r.owner, uid: r.uid.map(Uid::new), range: r.range })
            .collect();
        let owners = ledger.owners.into_iter();
        snapshot.known = owners
            .map(|o| Known { owner: o.owner, uid: o.uid.map(Uid::new), local: o.local, hook: o.hook })
            .collect();
    }
    Ok(())
}

fn unfinished(snapshot: &mut Snapshot, root: &Root, policy: &Policy) -> Result<()> {
    let journal = match records::journal(root) {
        Ok(Some(Ok(journal))) => journal,
        Ok(Some(Err(StateError::Damaged(_)))) => {
            let outcome = "set aside, for its journal is damaged".to_owned();
            snapshot.unfinished = Some(Unfinished { transaction: None, outcome });
            return Ok(());
        }
        Ok(Some(Err(error))) => return Err(records::unusable(root, records::JOURNAL, &error)),
        Ok(None) => return Ok(()),
        // One that cannot be read here: everybody may know that there is one.
        Err(error) if error.code == Code::ReadFailed && !nix::unistd::geteuid().is_root() => {
            let outcome = "only root can say how it will end".to_owned();
            snapshot.unfinished = Some(Unfinished { transaction: None, outcome });
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let present = PerKind::from_fn(|kind| snapshot.files[kind].document.clone());
    let standing = snapshot.clone();
    let (after, decision) = after_recovery(&journal, &present, &mut judge(&standing, policy));
    for (kind, document) in [(Kind::Uid, after.uid), (Kind::Gid, after.gid)] {
        snapshot.files[kind].digest = document.as_ref().map(Document::digest);
        snapshot.files[kind].document = document;
    }
    let outcome = decision.verdict.outcome().to_owned();
    snapshot.unfinished = Some(Unfinished { transaction: Some(journal.entry.transaction), outcome });
    Ok(())
}

/// Recovery's judge: every invariant, with the accounts that are known now.
pub(super) fn judge<'a>(
    snapshot: &'a Snapshot,
    policy: &'a Policy,
) -> impl FnMut(&Documents, &PerKind<Vec<Vec<u8>>>) -> std::result::Result<(), String> + 'a {
    |files, ours| {
        no_overlap(files, ours)?;
        planner::check_lines(snapshot, policy, ours)
    }
}

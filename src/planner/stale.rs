//! Owners whose account is gone.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::range::Kind;
use crate::snapshot::Snapshot;

/// An owner of live lines that no account is known for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gone {
    /// As the lines spell it.
    pub owner: Vec<u8>,
    /// Whether the ledger says that it was a local account, which no directory can bring back.
    pub local: bool,
    /// The first of its lines, for messages: `/etc/subuid line 3`.
    pub place: String,
}

/// Owners of live lines without an account among those that are known: whom to look up.
pub fn unknown_owners(snapshot: &Snapshot) -> Vec<Vec<u8>> {
    gone(snapshot).into_iter().map(|(owner, ..)| owner.to_vec()).collect()
}

/// Owners of live lines without an account, once all of them were looked up.
pub fn stale(snapshot: &Snapshot) -> Vec<Gone> {
    let local: HashSet<&[u8]> = snapshot.known.iter().filter(|k| k.local).map(|k| &k.owner[..]).collect();
    let of = |(owner, kind, line): (&[u8], Kind, usize)| Gone {
        owner: owner.to_vec(),
        local: local.contains(owner),
        place: format!("/etc/{} line {line}", kind.file()),
    };
    gone(snapshot).into_iter().map(of).collect()
}

/// These owners, each with the first of its lines, in order.
fn gone(snapshot: &Snapshot) -> Vec<(&[u8], Kind, usize)> {
    let mut told: HashSet<&[u8], RandomState> = HashSet::default();
    let mut gone = Vec::new();
    for kind in Kind::BOTH {
        for claim in snapshot.files[kind].claims().filter(|claim| !claim.released) {
            if told.insert(claim.owner) && snapshot.accounts.by_owner(claim.owner).is_none() {
                gone.push((claim.owner, kind, claim.line));
            }
        }
    }
    gone.sort_unstable();
    gone
}

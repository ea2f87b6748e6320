//! Owners whose account is gone.

use std::collections::{BTreeMap, HashSet};

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
    gone(snapshot).into_keys().map(<[u8]>::to_vec).collect()
}

/// Owners of live lines without an account, once all of them were looked up.
pub fn stale(snapshot: &Snapshot) -> Vec<Gone> {
    let local: HashSet<&[u8]> = snapshot.known.iter().filter(|k| k.local).map(|k| &k.owner[..]).collect();
    let found = gone(snapshot).into_iter();
    found.map(|(owner, place)| Gone { owner: owner.to_vec(), local: local.contains(owner), place }).collect()
}

fn gone(snapshot: &Snapshot) -> BTreeMap<&[u8], String> {
    let mut owners = BTreeMap::new();
    for kind in Kind::BOTH {
        for claim in snapshot.files[kind].claims().filter(|claim| !claim.released) {
            owners.entry(claim.owner).or_insert_with(|| format!("/etc/{} line {}", kind.file(), claim.line));
        }
    }
    owners.retain(|owner, _| snapshot.accounts.by_owner(owner).is_none());
    owners
}

//! Ranges that users have already: which of them count.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::barred::Barred;
use super::request::{Owner, Request};
use super::taken::Witness;
use crate::idfile::Claim;
use crate::idmap;
use crate::policy::Policy;
use crate::range::{Kind, PerKind, Range, Uid};
use crate::snapshot::Snapshot;

/// A line of the user, and what is wrong with it.
#[derive(Debug, Clone)]
pub(super) struct Held<'a> {
    pub(super) claim: Claim<'a>,
    /// The finding's id and what was seen.
    pub(super) fault: Option<(&'static str, String)>,
}

/// Lines of the users of a request, by the user's index.
pub(super) type Holdings<'a> = HashMap<usize, Vec<Held<'a>>, RandomState>;

/// Finds the lines of all users of the request, with one pass over each file, and judges them.
pub(super) fn holdings<'a>(
    snapshot: &'a Snapshot,
    policy: &Policy,
    request: &Request,
) -> PerKind<Holdings<'a>> {
    let mut lines = lines_of(snapshot, request.wants.iter().map(|want| &want.owner));
    PerKind::from_fn(|kind| {
        let unjudged = |claims: Vec<Claim<'a>>| {
            claims.into_iter().map(|claim| Held { claim, fault: None }).collect::<Vec<_>>()
        };
        let mine = std::mem::take(&mut lines[kind]);
        let mut all: Holdings<'a> =
            mine.into_iter().map(|(index, claims)| (index, unjudged(claims))).collect();
        judge(snapshot, policy, request, kind, &mut all);
        all
    })
}

/// The lines of owners, released ones too, by the owner's index: one pass over each file.
pub(super) fn lines_of<'a, 'b>(
    snapshot: &'a Snapshot,
    owners: impl Iterator<Item = &'b Owner>,
) -> PerKind<HashMap<usize, Vec<Claim<'a>>>> {
    // Each line is looked up: a quick hash for what only root writes.
    let many = owners.size_hint().0;
    let mut named: HashMap<&[u8], usize, _> = HashMap::with_capacity_and_hasher(many, RandomState::default());
    let mut numbered: HashMap<Uid, usize, _> =
        HashMap::with_capacity_and_hasher(many, RandomState::default());
    for (index, owner) in owners.enumerate() {
        named.entry(&owner.label).or_insert(index);
        if let Some(uid) = owner.number(&snapshot.accounts) {
            numbered.entry(uid).or_insert(index);
        }
    }
    let of_number = |owner: &[u8]| numbered.get(&Uid::parse(std::str::from_utf8(owner).ok()?)?);
    snapshot.of_lines(|file| {
        let mut all: HashMap<usize, Vec<Claim<'a>>> = HashMap::new();
        for claim in file.claims() {
            if let Some(index) = named.get(claim.owner).or_else(|| of_number(claim.owner)) {
                all.entry(*index).or_default().push(claim);
            }
        }
        all
    })
}

/// The same test as for a new range, and that all readers take the line alike.
fn judge(snapshot: &Snapshot, policy: &Policy, request: &Request, kind: Kind, all: &mut Holdings<'_>) {
    if all.is_empty() {
        return;
    }
    let overlaps = overlaps(snapshot, kind, all);
    let barred = Barred::new(snapshot, policy, kind);
    for (index, held) in all.iter_mut() {
        let owner = request.wants.get(*index).map(|w| &w.owner);
        let own = owner.and_then(|o| o.account.as_ref()).map(|a| match kind {
            Kind::Uid => a.uid.get(),
            Kind::Gid => a.gid.get(),
        });
        for item in held.iter_mut().filter(|h| !h.claim.released) {
            let (range, line) = (item.claim.range, item.claim.line);
            item.fault = if let Some(oddity) = item.claim.oddity {
                Some((oddity.id(), "not every program reads the line alike".to_owned()))
            } else if let Some(fault) = overlaps.get(&(line, range)) {
                Some(fault.clone())
            } else if own.is_some_and(|id| range.contains(id)) {
                Some(("own-id-in-range", format!("it holds the user's own {}", kind.name())))
            } else {
                barred.first(range).map(|met| (met.id, format!("it meets {}", met.what)))
            };
        }
        one_too_many(own.unwrap_or_default(), held);
    }
}

/// Where the kernel takes no map of all the lines, which are right one by one, the last is one too many.
fn one_too_many(own: u32, held: &mut [Held<'_>]) {
    let mut live: Vec<&mut Held<'_>> = held.iter_mut().filter(|h| !h.claim.released).collect();
    let ranges: Vec<Range> = live.iter().map(|h| h.claim.range).collect();
    let fits = idmap::podman(own, &ranges).is_none_or(|map| idmap::fits(&map));
    if fits || live.iter().any(|h| h.fault.is_some()) {
        return;
    }
    if let Some(last) = live.last_mut() {
        let many = ranges.len();
        last.fault =
            Some(("map-too-long", format!("{many} ranges are more than the map of a container can hold")));
    }
}

/// The finding of a held line that another line overlaps, and which that is.
type Overlaps = HashMap<(usize, Range), (&'static str, String)>;

/// For each held line that shares an ID with any other line, but the user's own that was commented out: that
/// line. One pass over the file, whatever the number of users.
fn overlaps(snapshot: &Snapshot, kind: Kind, all: &Holdings<'_>) -> Overlaps {
    let mut mine: Vec<(Range, usize, &[u8])> = all
        .values()
        .flatten()
        .map(|held| held.claim)
        .filter(|claim| !claim.released)
        .map(|claim| (claim.range, claim.line, claim.owner))
        .collect();
    mine.sort_unstable();
    // reach[i] is the highest last ID of mine[..=i], so a walk to the left knows when to stop.
    let mut highest = 0;
    let reach: Vec<u32> = mine
        .iter()
        .map(|(range, ..)| {
            highest = highest.max(range.last());
            highest
        })
        .collect();
    let mut found = HashMap::new();
    for claim in snapshot.files[kind].claims() {
        let end = mine.partition_point(|(range, ..)| range.first() <= claim.range.last());
        let candidates = mine.iter().zip(&reach).take(end).rev();
        for ((range, line, owner), _) in candidates.take_while(|(_, reach)| **reach >= claim.range.first()) {
            if *line != claim.line && range.overlaps(claim.range) && claim.commented() != Some(owner) {
                found.entry((*line, *range)).or_insert_with(|| clash(snapshot, kind, owner, claim));
            }
        }
    }
    found
}

/// The finding of a line of `owner` that `other` overlaps.
fn clash(snapshot: &Snapshot, kind: Kind, owner: &[u8], other: Claim<'_>) -> (&'static str, String) {
    let account = |owner: &[u8]| snapshot.accounts.by_owner(owner).map(|account| account.uid);
    let same = owner == other.owner || account(owner).is_some_and(|uid| account(other.owner) == Some(uid));
    let id = match (other.is_dormant(), same) {
        (true, _) => "over-released",
        (false, true) => "own-ranges-overlap",
        (false, false) => "overlap",
    };
    (id, format!("it overlaps {}", Witness::Line(other).phrase(kind, &Policy::default())))
}

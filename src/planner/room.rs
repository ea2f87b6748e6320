//! No free range: what was wanted, what fills the pool, and what would work.

use super::allocate::Allocator;
use super::request::Want;
use super::rule::Pool;
use super::taken::{Witness, witnesses};
use crate::error::{Code, Error};
use crate::policy::{CEILING, Policy};
use crate::range::{Count, Kind, Range};
use crate::snapshot::Snapshot;
use crate::text::thousands;

/// How many of those who fill a pool are named.
const SHOWN: usize = 3;

/// What fills a pool before the plan: the same for every user who finds no room.
pub(super) struct Fillers {
    /// The largest few, each with its IDs in the pool.
    largest: Vec<(u64, String)>,
    all: usize,
}

impl Fillers {
    fn of(snapshot: &Snapshot, policy: &Policy, kind: Kind, pool: Range) -> Self {
        let mut fillers: Vec<(u64, Witness<'_>)> = witnesses(snapshot, policy, kind)
            .filter_map(|(range, witness)| Some((range.intersection(pool)?.count().get(), witness)))
            .collect();
        // Stable: of equal ones the first of the file.
        fillers.sort_by_key(|(ids, _)| std::cmp::Reverse(*ids));
        let largest = fillers.iter().take(SHOWN).map(|(ids, by)| (*ids, by.phrase(kind, policy))).collect();
        Self { largest, all: fillers.len() }
    }
}

/// The refusal of first-fit.
pub(super) fn none(allocator: &Allocator<'_>, want: &Want, kind: Kind, count: Count, pool: &Pool) -> Error {
    let (snapshot, policy) = (allocator.snapshot, allocator.policy);
    let taken = allocator.taken.set(kind);
    let free: u64 = taken.gaps(pool.range).map(|gap| gap.count().get()).sum();
    let largest = taken.gaps(pool.range).map(|gap| gap.count().get()).max().unwrap_or(0);
    let known = allocator.fillers[kind].get_or_init(|| Fillers::of(snapshot, policy, kind, pool.range));
    let planned = allocator.taken.given_within(kind, pool.range);
    let mut largest_fillers = known.largest.clone();
    if planned > 0 {
        largest_fillers.push((planned, "others in this plan".to_owned()));
        largest_fillers.sort_by_key(|(ids, _)| std::cmp::Reverse(*ids));
    }
    let more = (known.all + usize::from(planned > 0)).saturating_sub(SHOWN);
    let mut phrases: Vec<String> = largest_fillers
        .into_iter()
        .take(SHOWN)
        .map(|(ids, by)| format!("{} by {by}", thousands(ids)))
        .collect();
    if more > 0 {
        phrases.push(format!("{} more", thousands(u64::try_from(more).unwrap_or(0))));
    }
    if phrases.is_empty() {
        phrases.push("nothing, it is too small".to_owned());
    }
    let what = format!(
        "no free range of {} subordinate {}s for {}",
        thousands(count.get()),
        kind.name(),
        want.owner.shown()
    );
    let why = format!(
        "of {} ({}) is taken: {}; {} IDs are free, the largest hole has {}",
        pool.range,
        pool.place,
        phrases.join(", "),
        thousands(free),
        thousands(largest),
    );
    let error = Error::new(Code::NoRoom, what).why(why);
    match window_that_works(allocator, count) {
        Some(range) => error.fix(format!(
            "a pool that would work, to paste into /etc/subidctl/policy.toml:\n    min = {}\n    max = {}",
            range.first(),
            range.last()
        )),
        None => error.fix("ask for fewer IDs (--count 65536 is what most images need), or release ranges that nobody needs: no pool below 2^31 has room"),
    }
}

/// A pool below 2^31 with room for this request: the largest hole of both files that is big enough.
fn window_that_works(allocator: &Allocator<'_>, count: Count) -> Option<Range> {
    let space = Range::between(65536, CEILING - 1)?;
    let holes = allocator.taken.joint.gaps(space).filter(|gap| {
        let fits = gap.first().checked_next_multiple_of(allocator.policy.alignment());
        fits.and_then(|first| Range::new(crate::range::SubId::new(first), count))
            .is_some_and(|range| gap.covers(range))
    });
    holes.max_by_key(|gap| gap.count())
}

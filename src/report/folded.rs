//! Stretches of the ID space without lines, in words: what is kept for something, what is free in a pool,
//! what is neither.

use super::clash::kept;
use super::space::{Stretch, gathered};
use crate::planner::{Space, Use};
use crate::range::{Range, RangeSet};
use crate::text::thousands;

/// How many pieces of a pool are named one by one. A pool full of accounts is one piece.
const PIECES: usize = 4;

/// The pieces of a stretch.
pub(super) fn folded(space: &Space, gap: Range) -> Vec<Stretch> {
    let taken: RangeSet = space
        .marks
        .iter()
        .filter(|mark| matches!(mark.what, Use::Kept(_) | Use::Barred(_)))
        .filter_map(|mark| mark.range.intersection(gap))
        .collect();
    let mut pieces: Vec<(Range, String)> = Vec::new();
    // Outside of every pool what is kept there is of no interest, but for the system's own at the beginning.
    let mut outside = RangeSet::default();
    let pools: RangeSet = space.pools.iter().copied().collect();
    for free in pools.gaps(gap) {
        let system = taken.iter().find(|range| range.first() == 0 && free.first() == 0);
        let system = system.and_then(|range| range.intersection(free));
        let Some(system) = system else {
            outside.insert(free);
            continue;
        };
        pieces.push((system, words(space, &taken, system)));
        let rest = system.last().checked_add(1).and_then(|next| Range::between(next, free.last()));
        if let Some(rest) = rest {
            outside.insert(rest);
        }
    }
    pieces.extend(outside.iter().map(|range| (range, format!("{} IDs outside the pool", count(range)))));
    for pool in pools.iter().filter_map(|pool| pool.intersection(gap)) {
        let inside: RangeSet = taken.iter().filter_map(|range| range.intersection(pool)).collect();
        let inside: RangeSet = gathered(&inside, 0, PIECES).into_iter().collect();
        pieces.extend(inside.gaps(pool).map(|free| (free, format!("{} free in the pool", count(free)))));
        pieces.extend(inside.iter().map(|range| (range, words(space, &taken, range))));
    }
    pieces.sort();
    pieces.into_iter().map(|(range, words)| Stretch::Folded(range, words)).collect()
}

/// `65,536 kept: login users`, or how many of how many.
fn words(space: &Space, taken: &RangeSet, range: Range) -> String {
    let free: u64 = taken.gaps(range).map(|gap| gap.count().get()).sum();
    let all = range.count().get();
    let of = if free == 0 { String::new() } else { format!(" of {}", count(range)) };
    format!("{}{of} kept: {}", thousands(all.saturating_sub(free)), kept(space, range))
}

fn count(range: Range) -> String {
    thousands(range.count().get())
}

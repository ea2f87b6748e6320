//! Where ranges that should not be where they are can go instead.

use super::rule::Rules;
use super::taken::Taken;
use crate::policy::{CEILING, Policy, Strategy};
use crate::range::{Count, Kind, Range, RangeSet, SubId};
use crate::snapshot::Snapshot;

/// Room for other ranges: of two that are taken from it neither is in the way of the other.
#[derive(Debug)]
pub struct Supply {
    align: u32,
    /// What is left of the largest hole in first-fit's pool.
    pool: Option<Range>,
    /// And of the largest one elsewhere below 2^31.
    beyond: Option<Range>,
}

/// Where there is room for a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Where first-fit looks: `apply USER` finds it.
    Pool,
    /// Only outside of the pool: `apply --range` has to name it.
    At(Range),
}

impl Supply {
    /// What is free in both files, but for the IDs of `avoid`. `None` where windows or a map say who has what,
    /// or where `login.defs` makes no sense.
    pub fn new(snapshot: &Snapshot, policy: &Policy, avoid: Option<Range>) -> Option<Self> {
        let rules = Rules::new(snapshot, policy).ok()?;
        if rules.strategy != Strategy::FirstFit {
            return None;
        }
        let taken = Taken::new(snapshot, policy, &rules.windows);
        let taken: RangeSet = taken.joint.iter().chain(avoid).collect();
        let pool = rules.pool(Kind::Uid).ok()?.range.intersection(rules.pool(Kind::Gid).ok()?.range);
        let outside: RangeSet = taken.iter().chain(pool).collect();
        let below = Range::between(65536, CEILING - 1);
        Some(Self {
            align: policy.alignment(),
            pool: pool.and_then(|pool| largest(&taken, pool)),
            beyond: below.and_then(|below| largest(&outside, below)),
        })
    }

    /// Takes room for so many IDs.
    pub fn take(&mut self, count: Count) -> Option<Place> {
        if cut(&mut self.pool, count, self.align).is_some() {
            return Some(Place::Pool);
        }
        cut(&mut self.beyond, count, self.align).map(Place::At)
    }
}

fn largest(taken: &RangeSet, space: Range) -> Option<Range> {
    taken.gaps(space).max_by_key(|gap| (gap.count(), std::cmp::Reverse(gap.first())))
}

/// The first so many IDs of a hole from a multiple of `align` on; what is left is what lies behind them.
fn cut(hole: &mut Option<Range>, count: Count, align: u32) -> Option<Range> {
    let whole = (*hole)?;
    let range = Range::new(SubId::new(whole.first().checked_next_multiple_of(align)?), count)?;
    if !whole.covers(range) {
        return None;
    }
    *hole = range.last().checked_add(1).and_then(|next| Range::between(next, whole.last()));
    Some(range)
}

#[cfg(test)]
mod tests {
    use super::super::tests::snapshot;
    use super::*;

    #[test]
    fn the_pool_comes_first_and_nothing_is_given_twice() {
        let lines = "bob:100000:65536\n";
        let mut s = snapshot(lines, lines);
        for kind in ["UID", "GID"] {
            let high = (format!("SUB_{kind}_MAX"), ("300000".to_owned(), 1));
            s.login_defs.values.insert(high.0, high.1);
        }
        let count = Count::new(65536).unwrap();
        let mut supply = Supply::new(&s, &Policy::default(), None).unwrap();
        let places: Vec<_> = (0..4).filter_map(|_| supply.take(count)).collect();
        let at = |first| Place::At(Range::new(SubId::new(first), count).unwrap());
        assert_eq!(places, [Place::Pool, Place::Pool, at(300_001), at(365_537)]);
        let mut supply = Supply::new(&s, &Policy::default(), Range::between(100_000, 2_000_000_000)).unwrap();
        assert_eq!(supply.take(count), Some(at(2_000_000_001)));
        let all = Range::between(0, u32::MAX);
        assert_eq!(Supply::new(&s, &Policy::default(), all).unwrap().take(count), None);
        let windows = crate::policy::parse("/p", b"strategy = \"windows\"\n").unwrap_or_default();
        assert_eq!(Supply::new(&s, &windows, None).is_some(), windows.strategy.is_none());
    }
}

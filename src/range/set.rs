//! A set of IDs as sorted, disjoint ranges that do not touch.

use super::{Count, Range};

/// So many ascending lists are quicker merged than sorted.
const FEW: usize = 32;

/// IDs that are taken. Built once from any list of ranges, then asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeSet {
    /// Sorted by first ID; neighbours neither overlap nor touch.
    ranges: Vec<Range>,
}

impl FromIterator<Range> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Range>>(ranges: I) -> Self {
        let mut ranges: Vec<Range> = ranges.into_iter().collect();
        // Accounts and groups are a few ascending lists one after another, which the one merges; lines may have any
        // order, which costs the other least.
        let falls = ranges.windows(2).filter(|pair| matches!(pair, [a, b] if b.first < a.first)).count();
        match falls {
            0 => {}
            1..=FEW => ranges.sort_by_key(|range| range.first),
            _ => radsort::sort_by_key(&mut ranges, |range| range.first),
        }
        ranges.dedup_by(|next, kept| absorbs(kept, *next));
        Self { ranges }
    }
}

/// Makes one range of two where they overlap or touch; `next` begins no earlier than `kept`.
fn absorbs(kept: &mut Range, next: Range) -> bool {
    let touches = kept.last.checked_add(1).is_none_or(|end| next.first <= end);
    if touches {
        kept.last = kept.last.max(next.last);
    }
    touches
}

impl RangeSet {
    /// The ranges, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range> + '_ {
        self.ranges.iter().copied()
    }

    /// Whether no ID is taken.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many IDs are taken: 0 to 2^32.
    pub fn ids(&self) -> u64 {
        self.ranges.iter().map(|r| r.count().get()).fold(0, |sum, n| sum.checked_add(n).unwrap_or(sum))
    }

    /// The lowest taken range that shares an ID with `range`, cut to what they share.
    pub fn first_overlap(&self, range: Range) -> Option<Range> {
        let at = self.ranges.partition_point(|taken| taken.last < range.first);
        self.ranges.get(at).and_then(|taken| taken.intersection(range))
    }

    /// Whether the ID is taken.
    pub fn contains(&self, id: u32) -> bool {
        self.first_overlap(Range::single(id)).is_some()
    }

    /// Takes a further range: O(log n) to find its place, O(n) to make room.
    pub fn insert(&mut self, range: Range) {
        let (mut first, mut last) = (range.first, range.last);
        let from = self.ranges.partition_point(|r| r.last.checked_add(1).is_some_and(|end| end < first));
        let to = self.ranges.partition_point(|r| last.checked_add(1).is_none_or(|end| r.first <= end));
        if let (Some(low), Some(high)) =
            (self.ranges.get(from), to.checked_sub(1).and_then(|i| self.ranges.get(i)))
            && from < to
        {
            first = first.min(low.first);
            last = last.max(high.last);
        }
        let whole = Range { first, last };
        match self.ranges.get_mut(from).filter(|_| to.checked_sub(from) == Some(1)) {
            // Mostly it makes one range longer.
            Some(one) => *one = whole,
            None => drop(self.ranges.splice(from..to.max(from), [whole])),
        }
    }

    /// Frees a range: O(n).
    pub fn remove(&mut self, range: Range) {
        let outside = |taken: &Range| {
            let before =
                range.first.checked_sub(1).and_then(|end| Range::between(taken.first, end.min(taken.last)));
            let after = range
                .last
                .checked_add(1)
                .and_then(|start| Range::between(start.max(taken.first), taken.last));
            before.into_iter().chain(after)
        };
        self.ranges = self.ranges.iter().flat_map(outside).collect();
    }

    /// What is free inside `window`, ascending.
    pub fn gaps(&self, window: Range) -> impl Iterator<Item = Range> + '_ {
        let mut next = Some(window.first);
        let at = self.ranges.partition_point(|taken| taken.last < window.first);
        let mut taken = self.ranges.get(at..).unwrap_or_default().iter().copied();
        std::iter::from_fn(move || {
            loop {
                let from = next?;
                let Some(block) = taken.next().filter(|b| b.first <= window.last) else {
                    next = None;
                    return Range::between(from, window.last);
                };
                next = block.last.checked_add(1).filter(|n| *n <= window.last);
                if let Some(end) = block.first.checked_sub(1).filter(|end| *end >= from) {
                    return Range::between(from, end);
                }
            }
        })
    }

    /// The lowest range of `count` free IDs inside `window` whose first ID is a multiple of `align` (≥ 1).
    pub fn first_fit(&self, window: Range, count: Count, align: u32) -> Option<Range> {
        self.gaps(window).find_map(|gap| {
            let first = gap.first.checked_next_multiple_of(align)?;
            let range = Range::new(super::SubId::new(first), count)?;
            gap.covers(range).then_some(range)
        })
    }

    /// The IDs that are in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (mut one, mut two) = (self.iter().peekable(), other.iter().peekable());
        let mut ranges: Vec<Range> = Vec::with_capacity(self.ranges.len().max(other.ranges.len()));
        while let Some(next) = match (one.peek(), two.peek()) {
            (Some(a), Some(b)) if b.first < a.first => two.next(),
            (None, Some(_)) => two.next(),
            _ => one.next(),
        } {
            if !ranges.last_mut().is_some_and(|kept| absorbs(kept, next)) {
                ranges.push(next);
            }
        }
        Self { ranges }
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn r(first: u32, last: u32) -> Range {
        Range::between(first, last).unwrap()
    }

    #[test]
    fn ends_of_the_space_are_found() {
        let set: RangeSet = [r(0, 0), r(u32::MAX, u32::MAX)].into_iter().collect();
        assert_eq!(set.gaps(r(0, u32::MAX)).collect::<Vec<_>>(), [r(1, u32::MAX - 1)]);
        let all: RangeSet = [r(0, u32::MAX), r(7, u32::MAX)].into_iter().collect();
        assert_eq!(all.gaps(r(0, u32::MAX)).count(), 0);
        assert_eq!(all.ids(), 1 << 32);
        assert_eq!(RangeSet::default().gaps(r(5, 9)).collect::<Vec<_>>(), [r(5, 9)]);
    }

    fn ranges() -> impl Strategy<Value = Vec<Range>> {
        prop::collection::vec((0u32..400, 0u32..40).prop_map(|(first, n)| r(first, first + n)), 0..30)
    }

    proptest! {
        #[test]
        fn a_set_is_the_union_of_its_ranges(list in ranges(), extra in ranges()) {
            let mut set: RangeSet = list.iter().copied().collect();
            for range in &extra { set.insert(*range); }
            for id in 0..500u32 {
                let taken = list.iter().chain(&extra).any(|x| x.contains(id));
                prop_assert_eq!(set.contains(id), taken);
            }
            let sorted: Vec<Range> = set.iter().collect();
            prop_assert!(sorted.windows(2).all(|w| u64::from(w[0].last()) + 1 < u64::from(w[1].first())));
        }

        #[test]
        fn what_is_removed_is_free_and_nothing_else(list in ranges(), gone in ranges()) {
            let mut set: RangeSet = list.iter().copied().collect();
            for range in &gone {
                set.remove(*range);
            }
            for id in 0..400 {
                let has = |ranges: &[Range]| ranges.iter().any(|range| range.contains(id));
                prop_assert_eq!(set.contains(id), has(&list) && !has(&gone), "{}", id);
            }
        }

        #[test]
        fn a_union_is_the_set_of_both(one in ranges(), two in ranges()) {
            let both: RangeSet = one.iter().chain(&two).copied().collect();
            let (one, two): (RangeSet, RangeSet) = (one.into_iter().collect(), two.into_iter().collect());
            prop_assert_eq!(one.union(&two), both);
        }

        #[test]
        fn gaps_and_the_set_fill_the_window(list in ranges(), first in 0u32..300, n in 0u32..200) {
            let set: RangeSet = list.into_iter().collect();
            let window = r(first, first + n);
            for id in first..=first + n {
                let free = set.gaps(window).filter(|g| g.contains(id)).count();
                prop_assert_eq!(free, usize::from(!set.contains(id)));
            }
        }

        #[test]
        fn first_fit_is_free_and_the_first(list in ranges(), count in 1u64..60, align in 1u32..20) {
            let set: RangeSet = list.into_iter().collect();
            let (window, count) = (r(3, 420), Count::new(count).unwrap());
            let fits = |first: u32| first.is_multiple_of(align)
                && Range::new(crate::range::SubId::new(first), count)
                    .is_some_and(|x| window.covers(x) && set.first_overlap(x).is_none());
            let by_search = (3..=420).find(|first| fits(*first));
            prop_assert_eq!(set.first_fit(window, count, align).map(Range::first), by_search);
        }
    }
}

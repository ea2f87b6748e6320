//! Checked algebra of ID ranges. Nothing here wraps or saturates: what does not fit is `None`.
#![deny(clippy::arithmetic_side_effects)]

mod ids;
mod kind;
mod set;

pub use ids::{Count, Gid, Login, SubId, Uid};
pub use kind::{Kind, PerKind};
pub use set::RangeSet;

use std::fmt;

/// One past the largest ID that the kernel maps: 2^32 − 1 is `(uid_t) -1` and never an ID
/// (`user_namespaces(7)`).
pub const LAST_USABLE: u32 = u32::MAX - 1;

/// A range of IDs, never empty and never beyond 2^32 − 1, by its first and last ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    first: u32,
    last: u32,
}

impl Range {
    /// The `count` IDs from `first`; `None` where they pass 2^32 − 1.
    pub fn new(first: SubId, count: Count) -> Option<Self> {
        let last = u64::from(first.get()).checked_add(count.get())?.checked_sub(1)?;
        Some(Self { first: first.get(), last: u32::try_from(last).ok()? })
    }

    /// Both ends included; `None` where `last` lies before `first`.
    pub const fn between(first: u32, last: u32) -> Option<Self> {
        if first <= last { Some(Self { first, last }) } else { None }
    }

    /// The range that holds just this ID.
    pub const fn single(id: u32) -> Self {
        Self { first: id, last: id }
    }

    /// As much of `first..first + count` as lies below 2^32: what a reader with wider numbers takes.
    pub fn clipped(first: u64, count: u64) -> Option<Self> {
        let last = first
            .checked_add(count.checked_sub(1)?)
            .and_then(|last| u32::try_from(last).ok())
            .unwrap_or(u32::MAX);
        Self::between(u32::try_from(first).ok()?, last)
    }

    /// The lowest ID.
    pub const fn first(self) -> u32 {
        self.first
    }

    /// The highest ID.
    pub const fn last(self) -> u32 {
        self.last
    }

    /// A number that sorts as the range does: by the first ID, then by the last. It compares in one step.
    pub const fn key(self) -> u64 {
        (self.first as u64).rotate_left(32) | self.last as u64
    }

    /// How many IDs: 1 to 2^32.
    pub fn count(self) -> Count {
        // first <= last <= 2^32 - 1 by construction, so neither step leaves 1..=2^32.
        let count = u64::from(self.last).checked_sub(u64::from(self.first)).and_then(|n| n.checked_add(1));
        Count::new(count.unwrap_or(1)).unwrap_or(Count::ONE)
    }

    /// Whether the ID lies inside.
    pub const fn contains(self, id: u32) -> bool {
        self.first <= id && id <= self.last
    }

    /// Whether all of `other` lies inside.
    pub const fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    /// Whether at least one ID lies in both.
    pub const fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// What lies in both.
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::between(self.first.max(other.first), self.last.min(other.last))
    }

    /// Reads `START:COUNT` or `FIRST-LAST`, decimal only.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((start, count)) = text.split_once(':') {
            return Self::new(SubId::parse(start)?, Count::parse(count)?);
        }
        let (first, last) = text.split_once('-')?;
        Self::between(SubId::parse(first)?.get(), SubId::parse(last)?.get())
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_exact() {
        let whole = Range::parse("0:4294967296").unwrap();
        assert_eq!((whole.first(), whole.last(), whole.count().get()), (0, u32::MAX, 1 << 32));
        assert_eq!(Range::parse("1:4294967296"), None);
        assert_eq!(Range::parse("4294967295:1"), Some(Range::single(u32::MAX)));
        assert_eq!(Range::parse("4294967295:2"), None);
        assert_eq!(Range::parse("5-4"), None);
        assert_eq!(Range::parse("100000-165535"), Range::parse("100000:65536"));
        for bad in
            ["", ":", "-", "1:", ":1", "1:0", "+1:2", " 1:2", "1:2 ", "0x10:1", "1-2-3", "1:2:3", "01:2"]
        {
            assert_eq!(Range::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn clipping_keeps_what_exists() {
        assert_eq!(Range::clipped(4_294_967_290, 100), Range::between(4_294_967_290, u32::MAX));
        assert_eq!(Range::clipped(1 << 32, 5), None);
        assert_eq!(Range::clipped(7, 0), None);
        assert_eq!(Range::clipped(7, u64::MAX), Range::between(7, u32::MAX));
    }
}

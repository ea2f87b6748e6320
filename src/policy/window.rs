//! A window: uids to ranges by arithmetic.

use crate::range::{Count, Range, SubId};

/// `uids` get `count` IDs each, the first of them from `start` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Whose window it is.
    pub uids: Range,
    /// Start of the first uid's range.
    pub start: u32,
    /// IDs a uid.
    pub count: Count,
    /// The policy's line, from 1; 0 for the window that `login.defs` makes.
    pub line: usize,
}

impl Window {
    /// The range of a uid; `None` where the uid is outside or the range would pass 2^32.
    pub fn slot(&self, uid: u32) -> Option<Range> {
        if !self.uids.contains(uid) {
            return None;
        }
        let index = u64::from(uid.checked_sub(self.uids.first())?);
        let first = u64::from(self.start).checked_add(index.checked_mul(self.count.get())?)?;
        Range::new(SubId::new(u32::try_from(first).ok()?), self.count)
    }

    /// All IDs of the window; `None` where they pass 2^32.
    pub fn span(&self) -> Option<Range> {
        Range::between(self.start, self.slot(self.uids.last())?.last())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_arithmetic() {
        let window = Window {
            uids: Range::parse("1200001000-1200005999").unwrap(),
            start: 1_300_037_632,
            count: Count::new(65536).unwrap(),
            line: 1,
        };
        assert_eq!(window.slot(1_200_001_007), Range::parse("1300496384:65536"));
        assert_eq!(window.slot(1_200_000_999), None);
        assert_eq!(window.span().unwrap().last(), 1_300_037_632 + 5000 * 65536 - 1);
    }
}

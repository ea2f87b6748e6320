//! What a line takes, by the most generous of all readers.

use super::dialect::{Dialect, Verdict};
use super::document::Line;
use super::oddity::{Oddity, oddity};
use crate::range::Range;

/// IDs that a line takes: if any deployed reader would grant them, they are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The line's number, from 1.
    pub line: usize,
    /// The owner as the line spells it, without the `!` of a released line.
    pub owner: &'a [u8],
    /// The IDs, as far as they exist (below 2^32).
    pub range: Range,
    /// Whether the line is `owner:decimal:decimal`, which all readers take alike.
    pub canonical: bool,
    /// What is odd about a line that is not canonical.
    pub oddity: Option<Oddity>,
    /// Whether it is a released line, `!owner:start:count`, which nobody is granted.
    pub released: bool,
}

/// The claims of one line: none, one, or two where readers see different numbers in it.
pub(super) fn of_line<'a>(line: &Line<'a>) -> impl Iterator<Item = Claim<'a>> + use<'a> {
    let oddity = oddity(line.raw);
    let mut seen: [Option<(&'a [u8], Range)>; 2] = [None, None];
    // The oldest shadow accepts whatever a later one does; Go readers trim and read decimal.
    for (slot, dialect) in seen.iter_mut().zip([Dialect::Shadow413, Dialect::Go]) {
        if let Verdict::Grants { owner, start, count } = dialect.read(line.raw) {
            *slot = Range::clipped(start, count).map(|range| (owner, range));
        }
    }
    if seen[0] == seen[1] {
        seen[1] = None;
    }
    let number = line.number;
    seen.into_iter().flatten().map(move |(owner, range)| {
        let bare = owner.strip_prefix(b"!");
        Claim {
            line: number,
            owner: bare.unwrap_or(owner),
            range,
            canonical: oddity.is_none(),
            oddity,
            released: bare.is_some(),
        }
    })
}

impl<'a> Claim<'a> {
    /// The owner whose line was commented out: shadow takes `#bob:100000:65536` for a range of an owner
    /// `#bob`, so that the IDs stay taken, and nobody is granted them.
    pub fn commented(&self) -> Option<&'a [u8]> {
        if self.oddity == Some(Oddity::CommentedRange) {
            self.owner.trim_ascii().strip_prefix(b"#")
        } else {
            None
        }
    }

    /// Whether the line grants nobody anything: it is released or commented out.
    pub fn is_dormant(&self) -> bool {
        self.released || self.commented().is_some()
    }
}

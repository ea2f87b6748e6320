//! What a line takes, by the most generous of all readers.

use super::dialect::{Dialect, Verdict};
use super::document::Line;
use crate::range::{Login, Range, SubId};

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
    /// Whether it is a released line, `!owner:start:count`, which nobody is granted.
    pub released: bool,
}

/// The claims of one line: none, one, or two where readers see different numbers in it.
pub(super) fn of_line<'a>(line: &Line<'a>) -> impl Iterator<Item = Claim<'a>> + use<'a> {
    let canonical = canonical(line.raw);
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
        Claim { line: number, owner: bare.unwrap_or(owner), range, canonical, released: bare.is_some() }
    })
}

/// Whether every reader takes the line, without its newline, alike.
fn canonical(raw: &[u8]) -> bool {
    let mut fields = raw.split(|b| *b == b':');
    let (Some(owner), Some(start), Some(count), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return false;
    };
    let number = |field| std::str::from_utf8(field).ok();
    let range = number(start)
        .and_then(SubId::parse)
        .zip(number(count).and_then(crate::range::Count::parse))
        .and_then(|(start, count)| Range::new(start, count));
    let owner = owner.strip_prefix(b"!").unwrap_or(owner);
    let name = Login::new(owner).is_some() && !matches!(owner.first(), Some(b'!' | b'#' | b'+' | b'-'));
    // A Go reader trims white space of all of Unicode at the line's ends.
    let untrimmed = super::dialect::go_trim(raw).len() == raw.len();
    range.is_some() && name && untrimmed && raw.len() < super::dialect::SHADOW_LINE_MAX
}

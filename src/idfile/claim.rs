//! What a line takes, by the most generous of all readers.

use super::dialect::{Dialect, Verdict};
use super::document::{Document, Line};
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
    /// What is odd about the line; `None` where all readers take it alike.
    pub oddity: Option<Oddity>,
    /// Whether it is a released line, `!owner:start:count`, which nobody is granted.
    pub released: bool,
}

/// The claims of one line: none, one, or more where readers see different numbers in it.
pub(super) fn of_line<'a>(line: &Line<'a>) -> impl Iterator<Item = Claim<'a>> + use<'a> {
    let oddity = oddity(line.raw);
    let mut seen: [Option<(&'a [u8], Range)>; READERS.len()] = [None; READERS.len()];
    // A canonical line is the same to all.
    let readers = if oddity.is_none() { 1 } else { READERS.len() };
    for (at, dialect) in READERS.into_iter().take(readers).enumerate() {
        let new = granted(dialect, line.raw).filter(|new| !seen.contains(&Some(*new)));
        if let Some(slot) = seen.get_mut(at) {
            *slot = new;
        }
    }
    let number = line.number;
    seen.into_iter().flatten().map(move |(owner, range)| {
        let bare = owner.strip_prefix(b"!");
        Claim { line: number, owner: bare.unwrap_or(owner), range, oddity, released: bare.is_some() }
    })
}

impl<'a> Claim<'a> {
    /// Whether the line is `owner:decimal:decimal`, which all readers take alike.
    pub const fn is_canonical(&self) -> bool {
        self.oddity.is_none()
    }

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

/// Readers of which one grants whatever any other does: the oldest shadow, the first that knows binary
/// numbers, and Go's, which trim and read decimal.
const READERS: [Dialect; 3] = [Dialect::Shadow413, Dialect::Shadow415, Dialect::Go];

fn granted(dialect: Dialect, raw: &[u8]) -> Option<(&[u8], Range)> {
    match dialect.read(raw) {
        Verdict::Grants { owner, start, count } => dialect.range(start, count).map(|range| (owner, range)),
        Verdict::Ignored | Verdict::Fails { .. } => None,
    }
}

/// The claims that arise where a NUL joins two lines for shadow up to 4.18. Who owns them is what the first
/// line says as far as its owner goes: good enough for IDs that nothing relies on.
pub(super) fn of_joined(document: &Document) -> Vec<Claim<'_>> {
    if !document.has_nul() {
        return Vec::new();
    }
    let Ok(joined) = super::reading::joined(document) else {
        return Vec::new();
    };
    let mut joined = joined.into_iter().peekable();
    let mut claims = Vec::new();
    for line in document.lines() {
        let Some((_, text)) = joined.next_if(|(number, _)| *number == line.number) else { continue };
        let owner = line.raw.split(|b| matches!(b, b':' | 0)).next().unwrap_or_default();
        let mut ranges: Vec<Range> =
            READERS.into_iter().filter_map(|dialect| Some(granted(dialect, &text)?.1)).collect();
        ranges.dedup();
        let claim =
            |range| Claim { line: line.number, owner, range, oddity: Some(Oddity::Nul), released: false };
        claims.extend(ranges.into_iter().map(claim));
    }
    claims
}

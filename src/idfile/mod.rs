//! `/etc/subuid` and `/etc/subgid` as bytes that keep every line as it is, and what each deployed reader
//! makes of a line.

mod claim;
mod dialect;
mod digest;
mod document;
mod index;
mod number;
mod oddity;
mod reading;

pub use claim::Claim;
pub use dialect::{Dialect, Verdict};
pub use digest::Digest;
pub use document::{Document, EditError, Line, LineEdit};
pub use index::Claims;
pub use oddity::{Oddity, oddity};
pub use reading::{Lines, Refusal};

use crate::range::Range;

/// The line that subidctl writes: `owner:decimal:decimal`, without a newline.
pub fn canonical_line(owner: &[u8], range: Range) -> Vec<u8> {
    // Two colons and two numbers of at most ten digits.
    let mut line = Vec::with_capacity(owner.len() + 22);
    line.extend_from_slice(owner);
    for number in [u64::from(range.first()), range.count().get()] {
        line.push(b':');
        crate::text::decimal(&mut line, number);
    }
    line
}

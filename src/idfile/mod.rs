//! `/etc/subuid` and `/etc/subgid` as bytes that keep every line as it is, and what each deployed reader
//! makes of a line.

mod claim;
mod dialect;
mod digest;
mod document;
mod edits;
mod index;
mod number;
mod oddity;
mod reading;

pub use claim::Claim;
pub use dialect::{Dialect, Verdict};
pub use digest::Digest;
pub use document::{Document, EditError, Line};
pub use edits::{Edit, Edits, LineEdit};
pub use index::Claims;
pub use oddity::{Oddity, oddity};
pub use reading::{Lines, Refusal};

use crate::range::Range;

/// The line that subidctl writes: `owner:decimal:decimal`, without a newline.
pub fn canonical_line(owner: &[u8], range: Range) -> Vec<u8> {
    let mut line = Vec::with_capacity(canonical_len(owner));
    write_canonical(&mut line, owner, range);
    line
}

/// Puts the line that subidctl writes behind what is there, without a newline.
pub fn write_canonical(to: &mut Vec<u8>, owner: &[u8], range: Range) {
    to.extend_from_slice(owner);
    for number in [u64::from(range.first()), range.count().get()] {
        to.push(b':');
        crate::text::decimal(to, number);
    }
}

/// The most bytes that a line of this owner can have, its newline among them: two colons and two numbers of at
/// most ten digits.
pub fn canonical_len(owner: &[u8]) -> usize {
    owner.len() + 23
}

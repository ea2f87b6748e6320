//! The lines and claims of a whole file, read once: a plan passes over a million lines several times.

use std::iter::Chain;

use memchr::memchr;

use super::claim::{self, Claim};
use super::document::{Document, Line};
use super::oddity::Oddity;
use crate::range::Range;

/// Where the lines of one piece of a document are and what they take: 28 bytes a line.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The number of the first line.
    first: usize,
    /// Where each line begins.
    starts: Vec<u32>,
    /// The claims, in their order.
    entries: Vec<Entry>,
    /// Indexes of `starts` of the lines that [`plain`] knows nothing of: a few.
    odd: Vec<usize>,
}

/// A [`Claim`] whose owner is a place in the document's bytes.
#[derive(Debug, Clone, Copy)]
struct Entry {
    owner: u32,
    owner_len: u32,
    line: u32,
    range: Range,
    oddity: Option<Oddity>,
    released: bool,
}

impl Index {
    /// Of a document that is one piece.
    pub(super) fn whole(document: &Document) -> Self {
        let bytes = document.as_bytes();
        let mut index = Self::read(bytes, 1);
        index.entries.extend(claim::of_joined(document).iter().filter_map(|claim| located(bytes, claim)));
        index
    }

    pub(super) fn claims<'a>(&'a self, bytes: &'a [u8]) -> Located<'a> {
        Located { bytes, entries: self.entries.iter() }
    }

    /// A claim by its place among those of this piece, from 0.
    pub(super) fn claim<'a>(&self, bytes: &'a [u8], index: usize) -> Option<Claim<'a>> {
        self.entries.get(index).map(|entry| claim_of(bytes, entry))
    }

    /// How many claims there are.
    pub(super) fn entries(&self) -> usize {
        self.entries.len()
    }

    /// How many lines there are.
    pub(super) fn lines(&self) -> usize {
        self.starts.len()
    }

    /// A line by its number in the document.
    pub(super) fn line<'a>(&self, bytes: &'a [u8], number: usize) -> Option<&'a [u8]> {
        line(bytes, &self.starts, number.checked_sub(self.first)?)
    }

    /// The lines that need a closer look: all that any reader could stumble over are among them.
    pub(super) fn odd<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = Line<'a>> {
        self.odd.iter().filter_map(move |index| {
            Some(Line { number: self.first + index, raw: line(bytes, &self.starts, *index)? })
        })
    }

    /// Reads all lines, of which the first has this number.
    pub(super) fn read(bytes: &[u8], first: usize) -> Self {
        // A line has 20 bytes and more: one growth at most.
        let lines = bytes.len() / 24;
        let (starts, entries) = (Vec::with_capacity(lines), Vec::with_capacity(lines));
        let mut index = Self { first, starts, entries, odd: Vec::new() };
        let (mut at, mut number) = (0, first);
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            // No file of the size that is read has 2^32 bytes.
            let Ok(start) = u32::try_from(at) else { break };
            let len = if let Some(plain) = plain(rest) {
                let skipped = usize::from(plain.released);
                index.entries.extend(entry(
                    at + skipped,
                    plain.owner,
                    number,
                    plain.range,
                    None,
                    plain.released,
                ));
                plain.len
            } else {
                let len = memchr(b'\n', rest).unwrap_or(rest.len());
                let line = Line { number, raw: rest.get(..len).unwrap_or_default() };
                index.entries.extend(claim::of_line(&line).filter_map(|claim| located(bytes, &claim)));
                index.odd.push(index.starts.len());
                len
            };
            index.starts.push(start);
            at += len + 1;
            number += 1;
        }
        index.starts.shrink_to_fit();
        index.entries.shrink_to_fit();
        index
    }
}

/// The claims of one piece; of none by default.
#[derive(Debug, Clone, Default)]
pub(super) struct Located<'a> {
    bytes: &'a [u8],
    entries: std::slice::Iter<'a, Entry>,
}

impl<'a> Iterator for Located<'a> {
    type Item = Claim<'a>;

    #[inline]
    fn next(&mut self) -> Option<Claim<'a>> {
        self.entries.next().map(|entry| claim_of(self.bytes, entry))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }

    fn count(self) -> usize {
        self.entries.count()
    }

    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, mut f: F) -> B {
        let bytes = self.bytes;
        self.entries.fold(init, |all, entry| f(all, claim_of(bytes, entry)))
    }
}

/// The claims of one document; of none by default.
#[derive(Debug, Clone, Default)]
pub struct Claims<'a>(Chain<Located<'a>, Located<'a>>);

impl<'a> Claims<'a> {
    pub(super) fn new(head: Located<'a>, tail: Located<'a>) -> Self {
        Self(head.chain(tail))
    }
}

impl<'a> Iterator for Claims<'a> {
    type Item = Claim<'a>;

    #[inline]
    fn next(&mut self) -> Option<Claim<'a>> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }

    fn count(self) -> usize {
        self.0.count()
    }

    #[inline]
    fn fold<B, F: FnMut(B, Self::Item) -> B>(self, init: B, f: F) -> B {
        self.0.fold(init, f)
    }
}

#[inline]
fn claim_of<'a>(bytes: &'a [u8], entry: &Entry) -> Claim<'a> {
    let Entry { owner, owner_len, line, range, oddity, released } = *entry;
    let (from, len) = (owner as usize, owner_len as usize);
    let owner = bytes.get(from..from + len).unwrap_or_default();
    Claim { line: line as usize, owner, range, oddity, released }
}

/// A line by its place in the list of beginnings.
fn line<'a>(bytes: &'a [u8], starts: &[u32], index: usize) -> Option<&'a [u8]> {
    let rest = bytes.get(*starts.get(index)? as usize..)?;
    rest.get(..memchr(b'\n', rest).unwrap_or(rest.len()))
}

/// `None` for what no file of the size that is read has: 2^32 bytes or lines.
fn entry(
    owner: usize,
    owner_len: usize,
    line: usize,
    range: Range,
    oddity: Option<Oddity>,
    released: bool,
) -> Option<Entry> {
    let [owner, owner_len, line] = [owner, owner_len, line].map(u32::try_from);
    Some(Entry { owner: owner.ok()?, owner_len: owner_len.ok()?, line: line.ok()?, range, oddity, released })
}

/// A claim whose owner is a part of these bytes.
fn located(bytes: &[u8], claim: &Claim<'_>) -> Option<Entry> {
    let owner = claim.owner.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
    entry(owner, claim.owner.len(), claim.line, claim.range, claim.oddity, claim.released)
}

/// A line that is told at once.
struct Plain {
    /// Its length, without the newline.
    len: usize,
    /// Its owner's length.
    owner: usize,
    range: Range,
    released: bool,
}

/// The bytes of usual owners.
const NAMED: [bool; 256] = {
    let (mut named, mut byte) = ([false; 256], 0);
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation)] // below 256
        let b = byte as u8;
        named[byte] = b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@' | b'\\' | b'$');
        byte += 1;
    }
    named
};

/// Longer owners are looked at closely: a line that no reader finds too long has fewer than 1024 bytes.
const OWNER_MAX: usize = 150;

/// The first line of a text, where it is of the kind that nearly all files consist of: a plain owner, maybe
/// behind a `!`, and two decimal numbers that are one range. `None` for every other line, canonical or not.
fn plain(text: &[u8]) -> Option<Plain> {
    let released = text.first() == Some(&b'!');
    let begin = usize::from(released);
    // A first 0 is for those who know what octal numbers are, and so is what may begin an odd owner.
    if !matches!(text.get(begin), Some(b'a'..=b'z' | b'A'..=b'Z' | b'1'..=b'9' | b'_')) {
        return None;
    }
    let mut at = begin;
    while text.get(at).is_some_and(|b| NAMED[usize::from(*b)]) {
        at += 1;
    }
    let owner = at - begin;
    let (start, at) = decimal(text, at)?;
    let (count, len) = decimal(text, at)?;
    let ends = matches!(text.get(len), None | Some(b'\n'));
    if !ends || owner > OWNER_MAX || start.checked_add(count)? > 1 << 32 {
        return None;
    }
    Some(Plain { len, owner, range: Range::clipped(start, count)?, released })
}

/// Behind a colon at this place: a decimal number without leading zeros, of at most 10 digits, and where it ends.
fn decimal(text: &[u8], colon: usize) -> Option<(u64, usize)> {
    let begin = colon + 1;
    if text.get(colon) != Some(&b':') || !matches!(text.get(begin), Some(b'1'..=b'9')) {
        return None;
    }
    let (mut value, mut at) = (0_u64, begin);
    while let Some(digit) = text.get(at).map(|b| b.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        // More than 10 digits are refused below, so nothing that wraps counts.
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (at - begin <= 10).then_some((value, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idfile::Line;
    use proptest::prelude::*;

    /// What is told at once is what all readers say.
    fn agrees(raw: &[u8]) -> Result<(), TestCaseError> {
        let line = Line { number: 1, raw };
        let told: Vec<(&[u8], Range, bool)> = plain(raw)
            .into_iter()
            .map(|told| {
                assert_eq!(told.len, raw.len());
                let skipped = usize::from(told.released);
                (&raw[skipped..skipped + told.owner], told.range, told.released)
            })
            .collect();
        if !told.is_empty() {
            prop_assert_eq!(crate::idfile::oddity(raw), None);
            let slowly: Vec<_> = claim::of_line(&line).map(|c| (c.owner, c.range, c.released)).collect();
            prop_assert_eq!(told, slowly);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn what_is_told_at_once_is_what_all_readers_say(
            text in "[!#+-]?[a-z0-9._@\\\\$ é-]{0,4}:?[ 0-9x+-]{0,12}:?[0-9 -]{0,12}[ :\r]?"
        ) {
            agrees(text.as_bytes())?;
        }

        #[test]
        fn usual_lines_are_told_at_once(
            owner in "[a-z_][a-z0-9_.-]{0,20}|[1-9][0-9]{0,12}", start in 1u64..u64::from(u32::MAX), count in 1u64..70_000
        ) {
            let raw = format!("{owner}:{start}:{count}");
            agrees(raw.as_bytes())?;
            prop_assert_eq!(plain(raw.as_bytes()).is_some(), start + count <= 1 << 32, "{}", raw);
        }

        #[test]
        fn an_index_holds_the_claims_of_all_lines(
            text in "(([a!#+ ]{0,2}:?[ 0-9bx+-]{0,8}:?[ 0-9x-]{0,6}[: \r]?|!?ab:[1-9]{1,3}:[1-9])[\0\n]{0,2}){1,4}"
        ) {
            let document = Document::new(text.into_bytes());
            let indexed: Vec<Claim<'_>> = document.claims().collect();
            let lines = document.lines().flat_map(|line| claim::of_line(&line).collect::<Vec<_>>());
            let each: Vec<Claim<'_>> = lines.chain(claim::of_joined(&document)).collect();
            prop_assert_eq!(&indexed, &each);
            let found: Vec<Claim<'_>> = (0..).map_while(|index| document.claim(index)).collect();
            prop_assert_eq!(&found, &each);
            let lines: Vec<Line<'_>> = document.lines().collect();
            prop_assert_eq!(document.line_count(), lines.len());
            for line in &lines {
                prop_assert_eq!(document.line(line.number), Some(line.raw));
            }
            prop_assert_eq!(document.line(0), None);
            prop_assert_eq!(document.line(lines.len() + 1), None);
            let odd: Vec<Line<'_>> = document.odd_lines().collect();
            for line in lines {
                let close = crate::idfile::oddity(line.raw).is_some();
                prop_assert!(odd.contains(&line) || (!close && plain(line.raw).is_some()), "{:?}", line);
            }
        }

        #[test]
        fn an_index_that_grew_is_the_one_that_is_made_anew(
            text in "(([a!#+ ]{0,2}:?[ 0-9bx+-]{0,8}:?[ 0-9x-]{0,6}[: \r]?|!?ab:[1-9]{1,3}:[1-9])[\0\n]{0,2}){0,4}",
            more in prop::collection::vec("[ab!#]{1,2}:?[0-9]{0,3}:[0-9 ]{0,3}\0?", 0..3)
        ) {
            let before = Document::new(text.into_bytes());
            let known = before.claims().count();
            let add = |new: String| crate::idfile::LineEdit { line: known, old: None, new: Some(new.into_bytes()) };
            let edits = more.into_iter().map(add).collect();
            let after = before.edited(&edits).unwrap();
            let anew = Document::new(after.as_bytes().to_vec());
            prop_assert_eq!(after.claims().collect::<Vec<_>>(), anew.claims().collect::<Vec<_>>());
            let found: Vec<Claim<'_>> = (0..).map_while(|index| after.claim(index)).collect();
            prop_assert_eq!(found, after.claims().collect::<Vec<_>>());
            prop_assert_eq!(after.odd_lines().collect::<Vec<_>>(), anew.odd_lines().collect::<Vec<_>>());
            for number in 0..=anew.line_count() + 1 {
                prop_assert_eq!(after.line(number), anew.line(number));
            }
        }
    }
}

//! The claims of a whole file, read once: a plan passes over a million lines several times.

use super::claim::{self, Claim};
use super::document::Document;
use super::oddity::Oddity;
use crate::range::Range;

/// The claims of one document, in their order, 24 bytes each.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    entries: Vec<Entry>,
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
    pub(super) fn new(document: &Document) -> Self {
        let bytes = document.as_bytes();
        // A line has 20 bytes and more: one growth at most.
        let mut entries = Vec::with_capacity(bytes.len() / 24);
        let mut start = 0;
        for line in document.lines() {
            match plain(line.raw) {
                Some((owner, range, released)) => {
                    let skipped = usize::from(released);
                    entries.extend(entry(start + skipped, owner.len(), line.number, range, None, released));
                }
                None => entries.extend(claim::of_line(&line).filter_map(|claim| located(bytes, &claim))),
            }
            start += line.raw.len() + 1;
        }
        entries.extend(claim::of_joined(document).iter().filter_map(|claim| located(bytes, claim)));
        entries.shrink_to_fit();
        Self { entries }
    }

    pub(super) fn claims<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = Claim<'a>> {
        self.entries.iter().map(|entry| {
            let Entry { owner, owner_len, line, range, oddity, released } = *entry;
            let (from, len) = (owner as usize, owner_len as usize);
            let owner = bytes.get(from..from + len).unwrap_or_default();
            Claim { line: line as usize, owner, range, oddity, released }
        })
    }
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

/// The lines that nearly all files consist of, told at once: a plain owner, maybe behind a `!`, and two decimal
/// numbers that are one range. `None` for every other line, canonical or not.
fn plain(raw: &[u8]) -> Option<(&[u8], Range, bool)> {
    let (body, released) = match raw {
        [b'!', body @ ..] => (body, true),
        _ => (raw, false),
    };
    // A first 0 is for those who know what octal numbers are, and so is what may begin an odd owner.
    if raw.len() > 200 || !matches!(body.first(), Some(b'a'..=b'z' | b'A'..=b'Z' | b'1'..=b'9' | b'_')) {
        return None;
    }
    let named = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@' | b'\\' | b'$');
    let colon = body.iter().position(|b| !named(b))?;
    let (owner, rest) = body.split_at_checked(colon)?;
    let (start, rest) = decimal(rest.strip_prefix(b":")?)?;
    let (count, rest) = decimal(rest.strip_prefix(b":")?)?;
    if !rest.is_empty() || start.checked_add(count)? > 1 << 32 {
        return None;
    }
    Some((owner, Range::clipped(start, count)?, released))
}

/// A decimal number without leading zeros, of at most 10 digits, and what stands behind it.
fn decimal(field: &[u8]) -> Option<(u64, &[u8])> {
    if !matches!(field.first(), Some(b'1'..=b'9')) {
        return None;
    }
    let (mut value, mut len) = (0_u64, 0);
    for digit in field.iter().take(11).take_while(|b| b.is_ascii_digit()) {
        value = value * 10 + u64::from(digit - b'0');
        len += 1;
    }
    if len > 10 { None } else { Some((value, field.get(len..)?)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idfile::Line;
    use proptest::prelude::*;

    /// What is told at once is what all readers say.
    fn agrees(raw: &[u8]) -> Result<(), TestCaseError> {
        let line = Line { number: 1, raw };
        let told: Vec<(&[u8], Range, bool)> = plain(raw).into_iter().collect();
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
            prop_assert_eq!(indexed, each);
        }
    }
}

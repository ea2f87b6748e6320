//! The distributed map: subuid's syntax, one file for both kinds.

use std::collections::HashMap;

use super::Policy;
use crate::error::{Code, Error, Result};
use crate::idfile::Document;
use crate::range::Range;
use crate::text::escape;

/// Ranges by owner, as the map spells the owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdMap {
    by_owner: HashMap<Vec<u8>, Vec<MapEntry>>,
}

/// One line of the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapEntry {
    /// The IDs.
    pub range: Range,
    /// The line, from 1.
    pub line: usize,
}

impl IdMap {
    /// The ranges of an owner, in order of the lines; empty where the map has none.
    pub fn of(&self, owner: &[u8]) -> &[MapEntry] {
        self.by_owner.get(owner).map_or(&[], Vec::as_slice)
    }
}

impl Policy {
    /// Takes the content of the file that `map` names.
    ///
    /// # Errors
    /// `invalid-policy` for a line that is not `owner:start:count` (blank and `#` lines are skipped), for
    /// two lines that overlap (both are named) and for a range that passes 2^31.
    pub fn with_map(mut self, bytes: &[u8]) -> Result<Self> {
        let path = escape(self.map_path.as_ref().map_or("", |m| m.value.as_str()).as_bytes());
        let bad = |line: usize, why: &str| {
            Error::new(Code::InvalidPolicy, format!("{path} line {line} cannot be used as a map"))
                .why(why)
                .fix("write the map with: subidctl list --subid")
        };
        let document = Document::new(bytes.to_vec());
        let mut seen: Vec<(Range, usize)> = Vec::new();
        for line in document.lines() {
            if line.raw.trim_ascii().is_empty() || line.raw.starts_with(b"#") {
                continue;
            }
            let claim =
                document_claim(line.raw).ok_or_else(|| bad(line.number, "it is not owner:start:count"))?;
            if claim.1.last() >= super::CEILING {
                return Err(bad(line.number, &format!("{} passes 2^31", claim.1)));
            }
            seen.push((claim.1, line.number));
            let entry = MapEntry { range: claim.1, line: line.number };
            self.map.by_owner.entry(claim.0).or_default().push(entry);
        }
        seen.sort_unstable();
        for pair in seen.windows(2) {
            if let [(one, first), (other, second)] = pair
                && one.overlaps(*other)
            {
                let why = format!("{other} overlaps {one} of line {first}");
                return Err(bad(*second, &why));
            }
        }
        Ok(self)
    }

    /// `FILE line 3` of the map, escaped.
    pub fn map_place(&self, line: usize) -> String {
        let path = self.map_path.as_ref().map_or("", |m| m.value.as_str());
        format!("{} line {line}", escape(path.as_bytes()))
    }
}

/// Owner and range of a line that all readers take alike and nobody released.
fn document_claim(raw: &[u8]) -> Option<(Vec<u8>, Range)> {
    let line = Document::new(raw.to_vec());
    let claim = line.claims().find(|c| c.is_canonical() && !c.released)?;
    Some((claim.owner.to_vec(), claim.range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_read_or_refused_by_line() {
        let read = |text: &str| Policy::default().with_map(text.as_bytes());
        let policy = read("# ranges\n\nalice:100000:65536\nbob:165536:65536\nalice:300000:10\n").unwrap();
        assert_eq!(policy.map.of(b"alice").len(), 2);
        assert_eq!(policy.map.of(b"carol"), &[]);
        assert!(read("alice:100000:65536\nbob:165535:1\n").unwrap_err().why.contains("line 1"));
        assert!(read("alice:0x10:5\n").unwrap_err().what.contains("line 1"));
        assert!(read("alice:2147483000:65536\n").is_err());
    }
}

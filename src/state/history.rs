//! One entry for each transaction: who changed which lines, and when.

use std::sync::Arc;

use super::{RangeNote, StateError, check_seal, parse_json, seal, serial};
use crate::idfile::{Digest, Edits};
use crate::range::PerKind;

const SCHEMA: &str = "subidctl.entry.v1";

/// What the command knows of itself. All texts are escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Record {
    /// The command: `apply`, `release`, `undo`, …
    pub command: String,
    /// The owners concerned.
    pub owners: Vec<String>,
    /// Who `SUDO_USER` claims to be at the keyboard; the environment proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<String>,
    /// The transaction that this one undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// What the ledger knew of ranges that this change forgot: for the way back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgot: Vec<RangeNote>,
}

/// One transaction, with the lines that it touched and no others.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct HistoryEntry {
    /// Its name, in order of time as text: `20261123-214451-3f9a1c2b`.
    pub transaction: String,
    /// Seconds since 1970.
    pub time: i64,
    /// What was run.
    #[serde(flatten)]
    pub record: Record,
    /// The login uid (`/proc/self/loginuid`), which sudo and su do not change; `None` where it is unset.
    pub login_uid: Option<u32>,
    /// The real uid of the process.
    pub uid: u32,
    /// Whether recovery finished it after a crash.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recovered: bool,
    /// Whether recovery took back, after a crash, what was done of it: nothing of it is left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub taken_back: bool,
    /// What was done to each file; `None` where it was not touched.
    pub files: PerKind<Option<Touched>>,
}

/// What was done to one file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Touched {
    /// Its content before; `None` where it did not exist.
    pub before: Option<Digest>,
    /// Its content after.
    pub after: Digest,
    /// The lines that differ.
    #[serde(with = "serial::edits")]
    pub edits: Arc<Edits>,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Line<T> {
    schema: String,
    #[serde(flatten)]
    entry: T,
}

impl HistoryEntry {
    /// The entry as one line of JSON with its checksum and its newline.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(self.len_hint());
        // Strings, numbers and maps with string keys always serialise.
        let _ = serde_json::to_writer(&mut line, &Line { schema: SCHEMA.to_owned(), entry: self });
        seal(line)
    }

    /// About how many bytes its JSON has: text of megabytes is not to be moved while it grows.
    pub(super) fn len_hint(&self) -> usize {
        let touched = self.files.iter().filter_map(|(_, touched)| touched.as_ref());
        // The line break of each added line takes a byte more.
        let lines: usize = touched.map(|t| t.edits.added().len() * 9 / 8 + 128 * t.edits.named().len()).sum();
        1024 + lines + 16 * self.record.owners.len()
    }

    /// Whether a line is as it was written, without a look at what it says; for many lines at once.
    pub fn intact(line: &[u8]) -> bool {
        check_seal(line).is_ok()
    }

    /// Reads one line, with its newline.
    ///
    /// # Errors
    /// Where the line is not an entry, or one of a later version.
    pub fn parse(line: &[u8]) -> Result<Self, StateError> {
        parse_json::<Line<Self>>(line, SCHEMA).map(|line| line.entry)
    }
}

#[cfg(test)]
pub(super) fn sample() -> HistoryEntry {
    let edits = Edits::adding(2, b"al\xff:1:2\n".to_vec()).into();
    let touched = Touched { before: None, after: Digest::of(b"x"), edits };
    HistoryEntry {
        transaction: "20261123-214451-3f9a1c2b".to_owned(),
        time: 1_795_470_291,
        record: Record { command: "apply".to_owned(), owners: vec!["al".to_owned()], ..Record::default() },
        login_uid: Some(1000),
        uid: 0,
        recovered: false,
        taken_back: false,
        files: PerKind { uid: Some(touched), gid: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line_and_comes_back() {
        // Fields that came later are absent in earlier entries.
        assert!(!String::from_utf8(sample().to_line()).unwrap().contains("undoes"));
        let line = sample().to_line();
        assert_eq!(line.iter().position(|b| *b == b'\n'), Some(line.len() - 1));
        assert_eq!(HistoryEntry::parse(&line), Ok(sample()));
        assert!(matches!(HistoryEntry::parse(&line[..line.len() - 3]), Err(StateError::Damaged(_))));
        let newer = String::from_utf8(line).unwrap().replace("entry.v1", "entry.v2");
        assert_eq!(
            HistoryEntry::parse(newer.as_bytes()),
            Err(StateError::Newer("subidctl.entry.v2".to_owned()))
        );
    }
}

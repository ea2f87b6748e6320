//! The journal: everything that a change under way needs to be finished or taken back by someone else.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{HistoryEntry, LedgerNotes, StateError, check_schema, serial};
use crate::idfile::{Digest, Document, Edits};
use crate::range::PerKind;

const SCHEMA: &str = "subidctl.journal.v1";

/// A change under way.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// The history entry that the change will write: transaction, time, who, digests and line edits.
    pub entry: HistoryEntry,
    /// What it will add to the ledger.
    pub ledger: LedgerNotes,
    /// Names, in `/etc`, of the files that it makes and renames away.
    pub temps: Vec<String>,
    /// Lines of its edits that stand more than once in the file before or after, so that seeing one of
    /// them tells nothing of what was done.
    pub repeated: PerKind<Repeated>,
}

/// Lines that stand more than once.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Repeated(#[serde(with = "serial::lines")] pub Vec<Vec<u8>>);

impl Journal {
    /// The journal of an entry whose edits lead from `before` to `after`.
    pub fn new(
        entry: HistoryEntry,
        ledger: LedgerNotes,
        temps: Vec<String>,
        before: &PerKind<Document>,
        after: &PerKind<Document>,
    ) -> Self {
        let edits = PerKind::from_fn(|kind| entry.files[kind].as_ref().map(|touched| &*touched.edits));
        let same = before.uid == before.gid && edits.uid == edits.gid;
        let repeated = PerKind::shared(same, |kind| {
            edits[kind].map(|edits| repeated(edits, &before[kind], &after[kind])).unwrap_or_default()
        });
        Self { entry, ledger, temps, repeated }
    }

    /// Two lines: the schema with the SHA-256 of the second, and the second.
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = |body: &[u8]| format!("{SCHEMA} {}\n", Digest::of(body)).into_bytes();
        // Its place first: the second line may be long, and is not copied.
        let mut bytes = head(&[]);
        let place = bytes.len();
        bytes.reserve(self.entry.len_hint() + 32 * self.ledger.owners.len());
        // Strings, numbers and maps with string keys always serialise.
        let _ = serde_json::to_writer(&mut bytes, self);
        let (first, body) = bytes.split_at_mut(place);
        first.copy_from_slice(&head(body));
        bytes.push(b'\n');
        bytes
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Where one bit is not as it was written, or a later version wrote it.
    pub fn parse(bytes: &[u8]) -> Result<Self, StateError> {
        let damaged = |why: &str| StateError::Damaged(why.to_owned());
        let text = std::str::from_utf8(bytes).map_err(|_| damaged("it is not text"))?;
        let (head, rest) = text.split_once('\n').ok_or_else(|| damaged("it has no first line"))?;
        let (schema, digest) = head.split_once(' ').ok_or_else(|| damaged("its first line is not ours"))?;
        check_schema(&crate::text::escape(schema.as_bytes()), SCHEMA)?;
        let body = rest.strip_suffix('\n').ok_or_else(|| damaged("its end is missing"))?;
        if Digest::parse(digest) != Some(Digest::of(body.as_bytes())) {
            return Err(damaged("its checksum does not match"));
        }
        let journal: Self = serde_json::from_str(body)
            .map_err(|e| StateError::Damaged(crate::text::escape(e.to_string().as_bytes())))?;
        // The name becomes a file's name, and a tree below --root may hold a journal from anywhere.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if !journal.entry.transaction.bytes().all(plain) {
            return Err(damaged("its transaction has no proper name"));
        }
        Ok(journal)
    }
}

fn repeated(edits: &Edits, before: &Document, after: &Document) -> Repeated {
    let mut named: HashMap<&[u8], [u32; 2], RandomState> =
        edits.iter().flat_map(|e| e.old.into_iter().chain(e.new)).map(|line| (line, [0; 2])).collect();
    // Where lines are only added, the file after it has all that the file before it had.
    let sides = if edits.named().is_empty() { vec![after] } else { vec![before, after] };
    for (side, document) in sides.into_iter().enumerate() {
        for line in document.lines() {
            if let Some(seen) = named.get_mut(line.raw).and_then(|counts| counts.get_mut(side)) {
                *seen = seen.saturating_add(1);
            }
        }
    }
    let mut lines: Vec<Vec<u8>> =
        named.iter().filter(|(_, n)| n.iter().any(|n| *n > 1)).map(|(line, _)| line.to_vec()).collect();
    lines.sort_unstable();
    Repeated(lines)
}

#[cfg(test)]
mod tests {
    use super::super::history::sample;
    use super::*;

    fn journal() -> Journal {
        let before = PerKind::from_fn(|_| Document::new(b"al\xff:1:2\nx\nal\xff:1:2\n".to_vec()));
        Journal::new(
            sample(),
            LedgerNotes::default(),
            vec![".subidctl.subuid.new".to_owned()],
            &before,
            &before,
        )
    }

    #[test]
    fn it_comes_back_and_knows_repeated_lines() {
        let bytes = journal().to_bytes();
        assert_eq!(Journal::parse(&bytes), Ok(journal()));
        assert_eq!(journal().repeated.uid.0, [b"al\xff:1:2".to_vec()]);
        assert!(journal().repeated.gid.0.is_empty());
    }

    #[test]
    fn no_torn_or_edited_journal_is_believed() {
        let bytes = journal().to_bytes();
        for cut in 0..bytes.len() {
            assert!(Journal::parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(Journal::parse(&flipped).is_err(), "flipped at {at}");
        }
        let later = [b"subidctl.journal.v2 ", &bytes[20..]].concat();
        assert!(matches!(Journal::parse(&later), Err(StateError::Newer(_))));
    }
}

//! Released ranges and the owners that were given ranges: one more witness beside the files, never the truth.

use std::borrow::Cow;
use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::history::HistoryEntry;
use super::{StateError, parse_json, seal, serial};
use crate::range::{Kind, Range};
use crate::text::Part;

const SCHEMA: &str = "subidctl.ledger.v1";

/// The ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Ranges that were given back, oldest first.
    pub released: Vec<ReleasedRange>,
    /// Owners that were given ranges, one entry for each owner.
    pub owners: Vec<KnownOwner>,
}

/// A range that was given back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ReleasedRange {
    /// Which file.
    pub kind: Kind,
    /// The owner as it stood in the file.
    #[serde(with = "serial::bytes")]
    pub owner: Vec<u8>,
    /// The account's uid at that time, where it was known.
    pub uid: Option<u32>,
    /// The IDs.
    #[serde(with = "serial::range")]
    pub range: Range,
    /// When, in seconds since 1970.
    pub time: i64,
    /// The login uid of who did it; `None` where it was unset.
    pub login_uid: Option<u32>,
    /// The transaction.
    pub transaction: String,
}

/// An owner that was given a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownOwner {
    /// As it is written in the files.
    pub owner: Part,
    /// The account's uid, where there was an account.
    pub uid: Option<u32>,
    /// Whether the account stood in `/etc/passwd`, so that its absence there means that it was deleted.
    pub local: bool,
    /// Whether a login hook gave it, and nobody since.
    pub hook: bool,
}

/// What a transaction adds to the ledger. Adding it twice is adding it once.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerNotes {
    /// Ranges that were given back, or went back.
    pub ranges: Vec<RangeNote>,
    /// Owners that were given a range.
    #[serde(with = "serial::owners")]
    pub owners: Vec<KnownOwner>,
}

/// What became of a released range, or of one that is released now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "note", rename_all = "lowercase")]
pub enum RangeNote {
    /// It was given back.
    Released {
        /// Which file.
        kind: Kind,
        /// The owner as it stood in the file.
        #[serde(with = "serial::bytes")]
        owner: Vec<u8>,
        /// The account's uid, where it is known.
        uid: Option<u32>,
        /// The IDs.
        #[serde(with = "serial::range")]
        range: Range,
    },
    /// It went back to its owner, or was forgotten.
    Returned {
        /// Which file.
        kind: Kind,
        /// The owner as it stood in the file.
        #[serde(with = "serial::bytes")]
        owner: Vec<u8>,
        /// The IDs.
        #[serde(with = "serial::range")]
        range: Range,
    },
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Document<'a> {
    schema: Cow<'a, str>,
    released: Cow<'a, [ReleasedRange]>,
    #[serde(with = "serial::owners")]
    owners: Cow<'a, [KnownOwner]>,
}

impl RangeNote {
    /// The range that the note is about.
    pub fn place(&self) -> (Kind, &[u8], Range) {
        match self {
            Self::Released { kind, owner, range, .. } | Self::Returned { kind, owner, range } => {
                (*kind, owner, *range)
            }
        }
    }
}

impl LedgerNotes {
    /// Whether there is nothing to add.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.owners.is_empty()
    }
}

impl Ledger {
    /// Adds what a transaction did, dated and signed by its history entry.
    pub fn add(&mut self, notes: &LedgerNotes, entry: &HistoryEntry) {
        // Sets and not searches: ten thousand owners may be concerned at once.
        let named: HashSet<(Kind, &[u8], Range)> = notes.ranges.iter().map(RangeNote::place).collect();
        self.released.retain(|r| !named.contains(&(r.kind, &r.owner[..], r.range)));
        let renewed: HashSet<&[u8], RandomState> = notes.owners.iter().map(|o| &o.owner[..]).collect();
        self.owners.retain(|o| !renewed.contains(&o.owner[..]));
        self.owners.extend_from_slice(&notes.owners);
        self.released.extend(notes.ranges.iter().filter_map(|note| match note {
            RangeNote::Released { kind, owner, uid, range } => Some(ReleasedRange {
                kind: *kind,
                owner: owner.clone(),
                uid: *uid,
                range: *range,
                time: entry.time,
                login_uid: entry.login_uid,
                transaction: entry.transaction.clone(),
            }),
            RangeNote::Returned { .. } => None,
        }));
    }

    /// The ledger as a line of JSON with its checksum.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (released, owners) = (Cow::Borrowed(&self.released[..]), Cow::Borrowed(&self.owners[..]));
        let document = Document { schema: SCHEMA.into(), released, owners };
        // Strings, numbers and maps with string keys always serialise.
        seal(serde_json::to_vec(&document).unwrap_or_default())
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Where the bytes are no ledger, or one of a later version.
    pub fn parse(bytes: &[u8]) -> Result<Self, StateError> {
        let document: Document<'_> = parse_json(bytes, SCHEMA)?;
        Ok(Self { released: document.released.into_owned(), owners: document.owners.into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::history::sample;
    use super::*;

    #[test]
    fn notes_are_added_once_and_come_back() {
        let range = Range::parse("100000:65536").unwrap();
        let owner =
            |uid| KnownOwner { owner: b"al\xff"[..].into(), uid: Some(uid), local: true, hook: uid == 2 };
        let bob = RangeNote::Released { kind: Kind::Uid, owner: b"bob".to_vec(), uid: Some(7), range };
        let notes = LedgerNotes { ranges: vec![bob], owners: vec![owner(2)] };
        let mut ledger = Ledger::default();
        ledger.add(&LedgerNotes { ranges: vec![], owners: vec![owner(1)] }, &sample());
        ledger.add(&notes, &sample());
        ledger.add(&notes, &sample());
        assert_eq!((ledger.released.len(), &ledger.owners[..]), (1, &[owner(2)][..]));
        assert_eq!(Ledger::parse(&ledger.to_bytes()), Ok(ledger.clone()));
        let back = RangeNote::Returned { kind: Kind::Uid, owner: b"bob".to_vec(), range };
        ledger.add(&LedgerNotes { ranges: vec![back], owners: vec![] }, &sample());
        assert!(ledger.released.is_empty());
    }

    #[test]
    fn no_torn_or_edited_ledger_is_believed() {
        let known = KnownOwner { owner: b"al\xff"[..].into(), uid: Some(2), local: true, hook: false };
        let bytes = Ledger { released: vec![], owners: vec![known] }.to_bytes();
        assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        for cut in 0..bytes.len() {
            assert!(Ledger::parse(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        for (at, bit) in (0..bytes.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(Ledger::parse(&flipped).is_err(), "bit {bit} of {at}");
        }
    }

    #[test]
    fn a_later_ledger_is_not_read_as_ours() {
        let later = br#"{"schema":"subidctl.ledger.v12","shape":"unknown"}"#;
        assert!(matches!(Ledger::parse(later), Err(StateError::Newer(_))));
        assert!(matches!(Ledger::parse(b"{}"), Err(StateError::Damaged(_))));
        assert!(matches!(Ledger::parse(br#"{"schema":"x.v9"}"#), Err(StateError::Damaged(_))));
    }
}

//! Released ranges and the owners that were given ranges: one more witness beside the files, never the truth.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::history::HistoryEntry;
use super::{StateError, parse_json, seal, serial};
use crate::range::{Kind, Range};

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
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KnownOwner {
    /// As it is written in the files.
    #[serde(with = "serial::bytes")]
    pub owner: Vec<u8>,
    /// The account's uid, where there was an account.
    pub uid: Option<u32>,
    /// Whether the account stood in `/etc/passwd`, so that its absence there means that it was deleted.
    pub local: bool,
    /// Whether a login hook gave it, and nobody since.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hook: bool,
}

/// What a transaction adds to the ledger. Adding it twice is adding it once.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "note", rename_all = "lowercase")]
pub enum LedgerNote {
    /// A range was given back.
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
    /// A released range went back to its owner, or was forgotten.
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
    /// An owner was given a range.
    Owner(KnownOwner),
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Document<R, O> {
    schema: String,
    released: R,
    owners: O,
}

impl LedgerNote {
    /// The released range that the note is about.
    pub fn released(&self) -> Option<(Kind, &[u8], Range)> {
        match self {
            Self::Released { kind, owner, range, .. } | Self::Returned { kind, owner, range } => {
                Some((*kind, owner, *range))
            }
            Self::Owner(_) => None,
        }
    }

    fn owner(&self) -> Option<&KnownOwner> {
        if let Self::Owner(owner) = self { Some(owner) } else { None }
    }
}

impl Ledger {
    /// Adds what a transaction did, dated and signed by its history entry.
    pub fn add(&mut self, notes: &[LedgerNote], entry: &HistoryEntry) {
        // Sets and not searches: ten thousand owners may be concerned at once.
        let named: HashSet<(Kind, &[u8], Range)> = notes.iter().filter_map(LedgerNote::released).collect();
        self.released.retain(|r| !named.contains(&(r.kind, &r.owner[..], r.range)));
        let renewed: HashSet<&[u8], RandomState> =
            notes.iter().filter_map(LedgerNote::owner).map(|o| &o.owner[..]).collect();
        self.owners.retain(|o| !renewed.contains(&o.owner[..]));
        self.owners.extend(notes.iter().filter_map(LedgerNote::owner).cloned());
        self.released.extend(notes.iter().filter_map(|note| match note {
            LedgerNote::Released { kind, owner, uid, range } => Some(ReleasedRange {
                kind: *kind,
                owner: owner.clone(),
                uid: *uid,
                range: *range,
                time: entry.time,
                login_uid: entry.login_uid,
                transaction: entry.transaction.clone(),
            }),
            LedgerNote::Returned { .. } | LedgerNote::Owner(_) => None,
        }));
    }

    /// The ledger as a line of JSON with its checksum.
    pub fn to_bytes(&self) -> Vec<u8> {
        let document = Document { schema: SCHEMA.to_owned(), released: &self.released, owners: &self.owners };
        // Strings, numbers and maps with string keys always serialise.
        seal(serde_json::to_vec(&document).unwrap_or_default())
    }

    /// Reads it back.
    ///
    /// # Errors
    /// Where the bytes are no ledger, or one of a later version.
    pub fn parse(bytes: &[u8]) -> Result<Self, StateError> {
        let document: Document<Vec<ReleasedRange>, Vec<KnownOwner>> = parse_json(bytes, SCHEMA)?;
        Ok(Self { released: document.released, owners: document.owners })
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
            |uid| KnownOwner { owner: b"al\xff".to_vec(), uid: Some(uid), local: true, hook: uid == 2 };
        let notes = [
            LedgerNote::Released { kind: Kind::Uid, owner: b"bob".to_vec(), uid: Some(7), range },
            LedgerNote::Owner(owner(2)),
        ];
        let mut ledger = Ledger::default();
        ledger.add(&[LedgerNote::Owner(owner(1))], &sample());
        ledger.add(&notes, &sample());
        ledger.add(&notes, &sample());
        assert_eq!((ledger.released.len(), &ledger.owners[..]), (1, &[owner(2)][..]));
        assert_eq!(Ledger::parse(&ledger.to_bytes()), Ok(ledger.clone()));
        let back = LedgerNote::Returned { kind: Kind::Uid, owner: b"bob".to_vec(), range };
        ledger.add(&[back], &sample());
        assert!(ledger.released.is_empty());
    }

    #[test]
    fn no_torn_or_edited_ledger_is_believed() {
        let known = KnownOwner { owner: b"al\xff".to_vec(), uid: Some(2), local: true, hook: false };
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

//! What subidctl remembers, as plain data and as bytes: the journal of a change under way, the ledger of
//! released ranges and known owners, the history; and what recovery makes of an unfinished change.

mod history;
mod journal;
mod ledger;
mod recovery;
mod serial;
mod time;
mod timeline;

pub use history::{HistoryEntry, Record, Touched};
pub use journal::Journal;
pub use ledger::{KnownOwner, Ledger, LedgerNotes, RangeNote, ReleasedRange};
pub use recovery::{Decision, Fate, Judge, Verdict, after_recovery, no_overlap, recover};
pub use time::{date, iso, stamp};
pub use timeline::Timeline;

/// Bytes that cannot be taken for what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// A later version of subidctl wrote it: it must be left as it is.
    #[error("it was written by a later version of subidctl ({0})")]
    Newer(String),
    /// Torn, edited, or something else altogether.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

/// Checks a schema `NAME.vN` against the one that this version reads and writes.
fn check_schema(found: &str, ours: &str) -> Result<(), StateError> {
    let split = |schema: &str| {
        let (name, version) = schema.rsplit_once(".v")?;
        Some((name.to_owned(), version.parse::<u32>().ok()?))
    };
    match (split(found), split(ours)) {
        _ if found == ours => Ok(()),
        (Some((name, version)), Some((our_name, our_version)))
            if name == our_name && version > our_version =>
        {
            Err(StateError::Newer(found.to_owned()))
        }
        _ => Err(StateError::Damaged(format!("its schema is not {ours}"))),
    }
}

/// What stands between a sealed document and its checksum.
const SEAL: &[u8] = b",\"sum\":\"";

/// A JSON object with a checksum of itself as its last field: one flipped bit is found.
fn seal(mut object: Vec<u8>) -> Vec<u8> {
    let sum = sum([&object[..]]);
    object.pop();
    for part in [SEAL, sum.as_bytes(), b"\"}\n"] {
        object.extend_from_slice(part);
    }
    object
}

/// Whether an object that [`seal`] made is as it was written.
fn check_seal(bytes: &[u8]) -> Result<(), StateError> {
    let damaged = |why: &str| Err(StateError::Damaged(why.to_owned()));
    let Some(rest) = bytes.strip_suffix(b"\n").and_then(|line| line.strip_suffix(b"\"}")) else {
        return damaged("its end is missing");
    };
    let Some((object, found)) = rest.split_last_chunk::<16>() else { return damaged("it is too short") };
    let Some(object) = object.strip_suffix(SEAL) else { return damaged("it has no checksum") };
    if sum([object, b"}"]).as_bytes() == found {
        return Ok(());
    }
    damaged("its checksum does not match")
}

/// The first 16 digits of the SHA-256: against damage, not against forgery.
fn sum<const N: usize>(parts: [&[u8]; N]) -> String {
    crate::idfile::Digest::of_parts(parts).to_string().chars().take(16).collect()
}

/// Reads JSON whose `schema` says that it is `schema`, before anything else of it is looked at, and which is as
/// it was written.
fn parse_json<T: serde::de::DeserializeOwned>(bytes: &[u8], schema: &str) -> Result<T, StateError> {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    let damaged = |e: serde_json::Error| StateError::Damaged(crate::text::escape(e.to_string().as_bytes()));
    let head: Head = serde_json::from_slice(bytes).map_err(damaged)?;
    check_schema(&crate::text::escape(head.schema.as_bytes()), schema)?;
    check_seal(bytes)?;
    serde_json::from_slice(bytes).map_err(damaged)
}

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
pub use ledger::{KnownOwner, Ledger, LedgerNote, ReleasedRange};
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

/// Reads JSON whose `schema` says that it is `schema`, before anything else of it is looked at.
fn parse_json<T: serde::de::DeserializeOwned>(bytes: &[u8], schema: &str) -> Result<T, StateError> {
    #[derive(serde::Deserialize)]
    struct Head {
        schema: String,
    }
    let damaged = |e: serde_json::Error| StateError::Damaged(crate::text::escape(e.to_string().as_bytes()));
    let head: Head = serde_json::from_slice(bytes).map_err(damaged)?;
    check_schema(&crate::text::escape(head.schema.as_bytes()), schema)?;
    serde_json::from_slice(bytes).map_err(damaged)
}

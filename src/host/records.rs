//! Where subidctl keeps its own files, and reading them.

use std::os::unix::ffi::OsStrExt as _;

use super::Root;
use crate::error::{Code, Error, Result};
use crate::state::{HistoryEntry, Journal, Ledger, StateError};

/// The journal of a change under way; beside the files, so that it is there as early as they are.
pub const JOURNAL: &str = "/etc/.subidctl.journal";
/// The state folder. That it is missing is normal.
pub const STATE: &str = "/var/lib/subidctl";
/// Released ranges and known owners.
pub const LEDGER: &str = "/var/lib/subidctl/ledger.json";
/// The history, one line an entry, oldest first.
pub const HISTORY: &str = "/var/lib/subidctl/history/entries.jsonl";
/// Journals of changes that recovery could neither complete nor take back.
pub const CONFLICTS: &str = "/var/lib/subidctl/conflicts";

/// The journal of an unfinished change, where there is one. A damaged one is for recovery to set aside.
///
/// # Errors
/// Where it cannot be read.
pub fn journal(root: &Root) -> Result<Option<std::result::Result<Journal, StateError>>> {
    Ok(root.read(JOURNAL)?.map(|(bytes, _)| Journal::parse(&bytes)))
}

/// The ledger; `None` where there is none.
///
/// # Errors
/// Where it cannot be read or understood.
pub fn ledger(root: &Root) -> Result<Option<Ledger>> {
    let Some((bytes, _)) = root.read(LEDGER)? else { return Ok(None) };
    Ledger::parse(&bytes).map(Some).map_err(|error| unusable(root, LEDGER, &error))
}

/// The newest `keep` entries of the history, oldest first, and a note for each line that is none.
///
/// # Errors
/// Where it cannot be read.
pub fn history(root: &Root, keep: usize) -> Result<(Vec<HistoryEntry>, Vec<String>)> {
    let Some((bytes, _)) = root.read(HISTORY)? else { return Ok(Default::default()) };
    let (mut entries, mut notes) = (Vec::new(), Vec::new());
    for (line, number) in bytes.split_inclusive(|b| *b == b'\n').zip(1_usize..) {
        match HistoryEntry::parse(line) {
            Ok(entry) => entries.push(entry),
            Err(error) => {
                notes.push(format!("{} line {number}: {error}", crate::text::path(&root.full(HISTORY))));
            }
        }
    }
    entries.drain(..entries.len().saturating_sub(keep));
    Ok((entries, notes))
}

/// The error for a file of ours that cannot be understood.
pub fn unusable(root: &Root, path: &str, error: &StateError) -> Error {
    let full = root.full(path);
    let fix = match (error, crate::text::shell_word(full.as_os_str().as_bytes())) {
        (StateError::Damaged(_), Some(name)) => {
            format!(
                "set it aside, the released lines of the files still count: sudo mv {name} {name}.damaged"
            )
        }
        (StateError::Damaged(_), None) => {
            "set it aside: the released lines of the files still count".to_owned()
        }
        (StateError::Newer(_), _) => "use the version of subidctl that wrote it".to_owned(),
    };
    Error::new(Code::ReadFailed, format!("cannot use {}", crate::text::path(&full)))
        .why(error.to_string())
        .fix(fix)
}

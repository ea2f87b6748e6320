//! Where subidctl keeps its own files, and reading them.

use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use super::{Root, trust};
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

/// How often a file is read at most that another of us is adding to, and how long it is left alone in
/// between: a commit adds one entry in one write.
const READINGS: usize = 20;
const PAUSE: Duration = Duration::from_millis(5);

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
/// `state-damaged` where it is not as it was written: the next commit sets it aside. `untrusted-file` where
/// others may have written it. `read-failed` where it cannot be read, or a later version wrote it.
pub fn ledger(root: &Root) -> Result<Option<Ledger>> {
    let Some((bytes, stat)) = root.read(LEDGER)? else { return Ok(None) };
    trust::read(root, LEDGER, &stat)?;
    Ledger::parse(&bytes).map(Some).map_err(|error| unusable(root, LEDGER, &error))
}

/// The history, oldest first; `None` where there is none.
///
/// # Errors
/// As [`ledger`]. The beginning of an entry at the end is no damage while a change is unfinished: recovery
/// will write it again.
pub fn history(root: &Root) -> Result<Option<Vec<HistoryEntry>>> {
    let mut seen = None;
    // Another of us may be adding an entry: it is damaged only where it stays so.
    for _ in 1..READINGS {
        match root.read(HISTORY) {
            Err(error) if error.code == Code::FileChanged => std::thread::sleep(PAUSE),
            Ok(Some((bytes, stat))) if seen.as_ref() != Some(&bytes) => {
                trust::read(root, HISTORY, &stat)?;
                if let Ok(entries) = entries(root, &bytes) {
                    return Ok(Some(entries));
                }
                seen = Some(bytes);
                std::thread::sleep(PAUSE);
            }
            _ => break,
        }
    }
    let Some((bytes, stat)) = root.read(HISTORY)? else { return Ok(None) };
    trust::read(root, HISTORY, &stat)?;
    entries(root, &bytes).map(Some)
}

fn entries(root: &Root, bytes: &[u8]) -> Result<Vec<HistoryEntry>> {
    let mut entries = Vec::new();
    for (line, number) in bytes.split_inclusive(|b| *b == b'\n').zip(1_usize..) {
        if !line.ends_with(b"\n") && root.read(JOURNAL)?.is_some() {
            break;
        }
        let entry = HistoryEntry::parse(line).map_err(|error| {
            let mut error = unusable(root, HISTORY, &error);
            error.why = format!("line {number}: {}", error.why);
            error
        })?;
        entries.push(entry);
    }
    Ok(entries)
}

/// The error for a file of ours that cannot be understood.
pub fn unusable(root: &Root, path: &str, error: &StateError) -> Error {
    let full = root.full(path);
    let fix = match (error, crate::text::shell_word(full.as_os_str().as_bytes())) {
        (StateError::Damaged(_), Some(name)) => {
            format!("the next change sets it aside; or do it now: sudo mv {name} {name}.damaged")
        }
        (StateError::Damaged(_), None) => "the next change sets it aside".to_owned(),
        (StateError::Newer(_), _) => "use the version of subidctl that wrote it".to_owned(),
    };
    let code = match error {
        StateError::Damaged(_) => Code::StateDamaged,
        StateError::Newer(_) => Code::ReadFailed,
    };
    Error::new(code, format!("cannot use {}", crate::text::path(&full))).why(error.to_string()).fix(fix)
}

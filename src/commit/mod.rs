//! The commit: both files change as one transaction, or neither. The only room that writes to
//! `/etc/subuid`, `/etc/subgid` and the state folder.
//!
//! Order is everything here. Locks; the files read again; the journal, durable; the new files and backups
//! under temporary names, durable; rename, rename; the folder, durable; ledger and history; the journal
//! gone. A crash at any point leaves what [`crate::state::recover`] can finish or take back.

mod dotlock;
mod folder;
mod lease;
mod locks;
mod log;
mod recovery;
mod shield;
mod single;
mod store;
mod swap;
mod transaction;

pub use log::{connect as connect_log, warn};
pub use recovery::{Recovered, recover};
pub use single::write_file;
pub use transaction::{commit, pending};

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::idfile::{Digest, Edits};
use crate::range::PerKind;
use crate::snapshot::Snapshot;
use crate::state::{Judge, LedgerNotes, Record};

/// What becomes of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileChange {
    /// Its content before (after recovery, where a change is unfinished); `None` where it does not exist
    /// and, if there are edits, is made with mode 0644.
    pub before: Option<Digest>,
    /// The lines to change.
    pub edits: Arc<Edits>,
}

/// What becomes of both files, and what is remembered of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// The files.
    pub files: PerKind<FileChange>,
    /// What the ledger learns.
    pub ledger: LedgerNotes,
    /// What was run.
    pub record: Record,
}

impl Change {
    /// Whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.ledger.is_empty() && self.files.iter().all(|(_, file)| file.edits.is_empty())
    }
}

/// What planning again on the files as read under the locks gives.
#[derive(Debug)]
pub enum Replan {
    /// The same assignments, as edits of the files that were read again.
    Same(Change),
    /// An assignment differs: unlock and begin again.
    Differs,
    /// It cannot be done any more.
    Refused(Error),
}

/// What `commit` asks its caller. All run under the locks: no prompt, output, look-up or process may be made in
/// them.
pub struct Checks<'a> {
    /// Plans again on the facts as they are under the locks, where anything that the plan rests on has
    /// changed.
    pub replan: &'a mut dyn FnMut(&Snapshot) -> Replan,
    /// The policy's digest as it is now.
    pub policy: &'a dyn Fn() -> Result<Option<Digest>>,
    /// Judges what recovery of an unfinished change would produce.
    pub judge: &'a mut Judge<'a>,
}

/// How to go about it.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long to wait for locks.
    pub lock_timeout: Duration,
    /// How long locks may be held before the first rename. shadow gives up after 15 s.
    pub hold_limit: Duration,
    /// How many history entries are kept, at least 1.
    pub keep_history: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { lock_timeout: Duration::from_secs(30), hold_limit: Duration::from_secs(5), keep_history: 1000 }
    }
}

/// A change that lasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its name, for `undo`.
    pub transaction: String,
    /// How long other programs had to wait.
    pub held: Duration,
    /// What went otherwise than expected, one escaped sentence each.
    pub notes: Vec<String>,
    /// What became of an earlier change that a crash had left unfinished.
    pub recovered: Option<Recovered>,
}

/// How a commit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The files are changed.
    Committed(Committed),
    /// There was nothing to change.
    Unchanged {
        /// What became of an earlier change that a crash had left unfinished.
        recovered: Option<Recovered>,
        /// What went otherwise than expected, one escaped sentence each.
        notes: Vec<String>,
    },
    /// The plan is not the same on the files as they are now; nothing was changed.
    Differs,
}

#[cfg(test)]
mod tests;

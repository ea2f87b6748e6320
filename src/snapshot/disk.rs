//! The two files as files, and what lies around them: what only `audit` looks at.

use crate::error::Error;
use crate::range::PerKind;

/// What is wrong around the files, beyond what stands in them. Empty where nobody looked.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// Whose the files should be: root, or whoever owns the folder given by `--root`.
    pub owner: u32,
    /// What `stat` does not say of each file.
    pub attributes: PerKind<Attributes>,
    /// What interrupted programs left behind, in order of names.
    pub leftovers: Vec<Leftover>,
    /// Why the ledger cannot be used.
    pub ledger: Option<Error>,
    /// What is wrong with the history, one escaped sentence each.
    pub history: Vec<String>,
}

/// What keeps a file from being replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Immutable or append-only (`ioctl_iflags(2)`).
    pub unchangeable: bool,
    /// Something is mounted on it.
    pub mounted: bool,
}

/// A file that an interrupted program left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// What it was for.
    pub remnant: Remnant,
    /// Its path on that system: `/etc/subuid+`.
    pub path: String,
    /// What was seen of it, escaped.
    pub evidence: String,
}

/// What a leftover was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remnant {
    /// A new file of shadow's (`subuid+`, `subuid.cioXXXXXX`), or a lock of its under another name
    /// (`subuid.PID`).
    Temporary,
    /// A new file or backup of subidctl's, without the journal that it belongs to.
    OwnTemporary,
    /// A lock whose holder is gone, which the next program takes over.
    DeadLock,
    /// A lock that shadow never takes over, whose holder is gone or unknown.
    BlockingLock,
    /// The journal of a change that recovery could neither finish nor take back.
    Conflict,
}

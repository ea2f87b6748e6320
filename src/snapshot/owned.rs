//! Files that IDs own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::range::Kind;

/// A file, and who owns it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnedFile {
    /// Below the folder as it was named.
    pub path: PathBuf,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// What a walk found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnedFiles {
    /// How many files, folders, links and so on have such an owner or group.
    pub files: u64,
    /// How many each ID owns.
    pub by_id: BTreeMap<(Kind, u32), u64>,
    /// Some of them, by path.
    pub sample: Vec<OwnedFile>,
    /// How many could not be looked at: of folders with all that is below them.
    pub errors: u64,
    /// Some of those, escaped, with the reason.
    pub failed: Vec<String>,
    /// Where other file systems begin, which were not entered; sorted. Not those that were looked at themselves.
    pub beyond: Vec<PathBuf>,
}

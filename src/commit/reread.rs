//! What a plan rests on, read again under the locks.

use std::path::PathBuf;

use nix::errno::Errno;

use crate::error::{Error, Result};
use crate::host::Root;
use crate::idfile::Digest;
use crate::range::{Kind, PerKind};
use crate::snapshot::Facts;

/// Where the policy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyFile {
    /// A path on the system that is changed.
    System(String),
    /// A path on the running system that the user named.
    Named(PathBuf),
}

/// What the plan was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guard {
    /// Digests at planning time.
    pub facts: Facts,
    /// Where `login.defs` is looked for, in order; the first that exists counts.
    pub login_defs: Vec<String>,
    /// Where `nsswitch.conf` is looked for, in order; the first that exists counts.
    pub nsswitch: Vec<String>,
    /// The policy, where there is one.
    pub policy: Option<PolicyFile>,
}

/// Everything that the plan rests on, as it stands under the locks. `None` where a file does not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reread {
    /// `/etc/subuid` and `/etc/subgid`.
    pub files: PerKind<Option<Vec<u8>>>,
    /// `/etc/passwd`.
    pub passwd: Option<Vec<u8>>,
    /// `/etc/group`.
    pub group: Option<Vec<u8>>,
    /// `login.defs`.
    pub login_defs: Option<Vec<u8>>,
    /// `nsswitch.conf`.
    pub nsswitch: Option<Vec<u8>>,
    /// The policy.
    pub policy: Option<Vec<u8>>,
    /// Digests of all but the two files.
    pub facts: Facts,
}

impl Reread {
    pub(super) fn read(root: &Root, guard: &Guard, files: PerKind<Option<Vec<u8>>>) -> Result<Self> {
        let one = |path: &str| Ok(root.read(path)?.map(|(bytes, _)| bytes));
        let first = |paths: &[String]| -> Result<Option<Vec<u8>>> {
            for path in paths {
                if let Some(bytes) = one(path)? {
                    return Ok(Some(bytes));
                }
            }
            Ok(None)
        };
        let (passwd, group) = (one("/etc/passwd")?, one("/etc/group")?);
        let (login_defs, nsswitch) = (first(&guard.login_defs)?, first(&guard.nsswitch)?);
        let policy = match &guard.policy {
            None => None,
            Some(PolicyFile::System(path)) => one(path)?,
            // Whoever names a path chooses its links; its digest must still be the one that was planned with.
            Some(PolicyFile::Named(path)) => match std::fs::read(path) {
                Ok(bytes) => Some(bytes),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
                Err(e) => {
                    let errno = e.raw_os_error().map_or(Errno::EIO, Errno::from_raw);
                    return Err(
                        Error::reading(path, errno).fix("see that root can read it, then run it again")
                    );
                }
            },
        };
        let digest = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(Digest::of);
        let facts = Facts {
            passwd: digest(&passwd),
            group: digest(&group),
            login_defs: digest(&login_defs),
            nsswitch: digest(&nsswitch),
            policy: digest(&policy),
        };
        Ok(Self { files, passwd, group, login_defs, nsswitch, policy, facts })
    }

    /// The digest of one of the two files.
    pub fn digest(&self, kind: Kind) -> Option<Digest> {
        self.files[kind].as_deref().map(Digest::of)
    }
}

//! New files in the place of old ones: everything is made beside them first, then renamed.

use std::os::fd::AsFd;

use nix::fcntl::OFlag;
use nix::sys::stat::fstat;

use super::folder::{Folder, Like};
use crate::error::{Code, Error, Result};
use crate::host::{Root, trust};
use crate::idfile::{Document, Edits};
use crate::range::{Kind, PerKind};

/// Files to be replaced, and their new content.
pub(super) struct Swap<'f> {
    etc: &'f Folder,
    targets: Vec<Target>,
}

struct Target {
    kind: Kind,
    before: Option<Document>,
    after: Document,
}

/// Why files were not replaced.
pub(super) struct SwapError {
    /// Whether at least one was.
    pub(super) changed: bool,
    pub(super) error: Error,
}

/// The temporary names of a change of these files. They are the same each time, so that what a crash
/// leaves is replaced and never piles up; the locks keep others away from them.
pub(super) fn temps(kinds: impl Iterator<Item = Kind>) -> Vec<String> {
    kinds.flat_map(|kind| [new(kind), old(kind)]).collect()
}

fn new(kind: Kind) -> String {
    format!(".subidctl.{}.new", kind.file())
}

fn old(kind: Kind) -> String {
    format!(".subidctl.{}.old", kind.file())
}

/// Refuses files that cannot be trusted, and backups.
pub(super) fn trusted(root: &Root, etc: &Folder) -> Result<()> {
    for path in Kind::BOTH.map(|kind| format!("/etc/{}", kind.file())) {
        trust::file(root, etc.fd(), &path)?;
        trust::file(root, etc.fd(), &format!("{path}-"))?;
    }
    Ok(())
}

/// Both files as they are, each refused where it cannot be trusted.
pub(super) fn read(root: &Root, etc: &Folder) -> Result<PerKind<Option<Document>>> {
    trusted(root, etc)?;
    PerKind::try_from_fn(|kind| {
        let read = root.read(&format!("/etc/{}", kind.file()))?;
        Ok(read.map(|(bytes, _)| Document::new(bytes)))
    })
}

/// The documents after the edits; a file without edits keeps every byte.
pub(super) fn edited(
    present: &PerKind<Option<Document>>,
    edits: &PerKind<&Edits>,
) -> Result<PerKind<Document>> {
    PerKind::try_from_fn(|kind| {
        let document = present[kind].clone().unwrap_or_default();
        if edits[kind].is_empty() {
            return Ok(document);
        }
        document.edited(edits[kind]).map_err(|error| {
            Error::new(Code::Stale, format!("the change does not fit /etc/{}", kind.file()))
                .why(error.to_string())
                .fix("plan again")
        })
    })
}

impl<'f> Swap<'f> {
    /// The files that have edits.
    pub(super) fn new(
        etc: &'f Folder,
        edits: &PerKind<&Edits>,
        mut before: PerKind<Option<Document>>,
        after: PerKind<Document>,
    ) -> Self {
        let PerKind { uid, gid } = after;
        let targets = [(Kind::Uid, uid), (Kind::Gid, gid)]
            .into_iter()
            .filter(|(kind, _)| !edits[*kind].is_empty())
            .map(|(kind, after)| Target { kind, before: before[kind].take(), after })
            .collect();
        Self { etc, targets }
    }

    /// Whether a file is replaced.
    pub(super) fn changes(&self) -> bool {
        !self.targets.is_empty()
    }

    /// Makes new files and backups beside the old ones, durable, with their mode, owner and attributes.
    /// A file that did not exist gets mode 0644 and the folder's owner.
    pub(super) fn prepare(&self) -> Result<()> {
        for target in &self.targets {
            let name = target.kind.file();
            let failed = |errno| self.etc.failed("open", name, errno);
            if let Some(before) = &target.before {
                let like = || -> Result<Like> {
                    let file = self.etc.open(name, OFlag::O_RDONLY).map_err(failed)?;
                    let stat = fstat(&file).map_err(failed)?;
                    let owner = Some((stat.st_uid, stat.st_gid));
                    Ok(Like { mode: stat.st_mode, owner, attributes: Some(file) })
                };
                self.etc.temp(&new(target.kind), target.after.as_bytes(), &like()?)?;
                self.etc.temp(&old(target.kind), before.as_bytes(), &like()?)?;
            } else {
                let folder = fstat(self.etc.fd().as_fd()).map_err(failed)?;
                let like =
                    Like { mode: 0o644, owner: Some((folder.st_uid, folder.st_gid)), attributes: None };
                self.etc.temp(&new(target.kind), target.after.as_bytes(), &like)?;
            }
        }
        Ok(())
    }

    /// Removes what [`Swap::prepare`] made.
    pub(super) fn discard(&self) {
        for name in temps(self.targets.iter().map(|t| t.kind)) {
            // A name that stays is replaced by the next commit.
            let _ = self.etc.remove(&name);
        }
    }

    /// Renames everything into place, backups first, and makes the names durable.
    pub(super) fn swap(&self) -> std::result::Result<(), SwapError> {
        for target in self.targets.iter().filter(|t| t.before.is_some()) {
            let backup = format!("{}-", target.kind.file());
            self.etc.rename(&old(target.kind), &backup).map_err(|errno| SwapError {
                changed: false,
                error: self.etc.failed("write", &backup, errno),
            })?;
        }
        let mut changed = false;
        let mut failure = None;
        for target in &self.targets {
            match self.replace(target) {
                Ok(()) => changed = true,
                Err((happened, error)) => {
                    changed |= happened;
                    if !changed {
                        return Err(SwapError { changed, error });
                    }
                    // After the first rename the way on is the shorter one.
                    failure = Some(error);
                }
            }
        }
        if let Err(errno) = self.etc.sync() {
            failure.get_or_insert(self.etc.failed("make durable", "", errno));
        }
        failure.map_or(Ok(()), |error| Err(SwapError { changed, error }))
    }

    /// Renames one file into place. An error says whether the rename happened all the same.
    fn replace(&self, target: &Target) -> std::result::Result<(), (bool, Error)> {
        let (from, to) = (new(target.kind), target.kind.file());
        let made = self.etc.stat(&from).ok().flatten().map(|s| (s.st_dev, s.st_ino));
        let Err(errno) = self.etc.rename(&from, to) else { return Ok(()) };
        let there = self.etc.stat(to).ok().flatten().map(|s| (s.st_dev, s.st_ino));
        Err((made.is_some() && made == there, self.etc.failed("replace", to, errno)))
    }
}

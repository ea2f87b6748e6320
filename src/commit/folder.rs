//! Making files in an open folder so that each is either absent or whole.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, FallocateFlags, OFlag, fallocate, openat, renameat};
use nix::sys::stat::{FileStat, Mode, fchmod, fstat, fstatat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, close, fchown, fsync, linkat, unlinkat};

use crate::error::{Error, Result};
use crate::sys::retry;

/// An open folder and its path for messages. Every name given to it is one component.
#[derive(Debug)]
pub(super) struct Folder {
    dir: OwnedFd,
    path: PathBuf,
}

/// What a new file shall be like.
#[derive(Debug)]
pub(super) struct Like {
    /// Permission bits.
    pub(super) mode: u32,
    /// Owner and group; `None` leaves what the system gives.
    pub(super) owner: Option<(u32, u32)>,
    /// The file whose extended attributes it gets.
    pub(super) attributes: Option<OwnedFd>,
}

impl Like {
    /// A file of our own with this mode.
    pub(super) fn mode(mode: u32) -> Self {
        Self { mode, owner: None, attributes: None }
    }
}

impl Folder {
    pub(super) fn new(dir: OwnedFd, path: PathBuf) -> Self {
        Self { dir, path }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    pub(super) fn full(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The error of a step that failed.
    pub(super) fn failed(&self, step: &str, name: &str, errno: Errno) -> Error {
        let fix = match errno {
            Errno::ENOSPC | Errno::EDQUOT => "make room on its file system and run the command again",
            Errno::EFBIG => "raise the limit on the size of files (ulimit -f) and run the command again",
            Errno::EROFS => "mount its file system read-write and run the command again",
            Errno::EMFILE => "raise the limit on open files (ulimit -n) and run the command again",
            Errno::EISDIR => "see what is in the folder of that name, and remove it",
            Errno::EACCES | Errno::EPERM => {
                "run it as root; if you are, look at lsattr, the mount and the security module's log"
            }
            _ => "look at the kernel's log (dmesg) and run the command again",
        };
        Error::writing(step, &self.full(name), errno).fix(fix)
    }

    /// The status of a name, `None` where there is none; a link is not followed.
    pub(super) fn stat(&self, name: &str) -> nix::Result<Option<FileStat>> {
        match retry(|| fstatat(&self.dir, name, AtFlags::AT_SYMLINK_NOFOLLOW)) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }

    /// Whether the name means this file.
    pub(super) fn is(&self, name: &str, file: impl AsFd) -> nix::Result<bool> {
        let ours = fstat(file)?;
        Ok(self.stat(name)?.is_some_and(|there| (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)))
    }

    /// Opens an existing file for reading, or with other flags; never follows a link or waits for a FIFO.
    pub(super) fn open(&self, name: &str, flags: OFlag) -> nix::Result<OwnedFd> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        retry(|| openat(&self.dir, name, flags, Mode::empty()))
    }

    /// Removes a file; a missing one is fine.
    pub(super) fn remove(&self, name: &str) -> nix::Result<()> {
        match retry(|| unlinkat(&self.dir, name, UnlinkatFlags::NoRemoveDir)) {
            Err(Errno::ENOENT) => Ok(()),
            result => result,
        }
    }

    /// Renames within the folder.
    pub(super) fn rename(&self, from: &str, to: &str) -> nix::Result<()> {
        retry(|| renameat(&self.dir, from, &self.dir, to))
    }

    /// Makes names durable.
    pub(super) fn sync(&self) -> nix::Result<()> {
        retry(|| fsync(&self.dir))
    }

    /// Makes a whole, durable file under a temporary name, in the place of one that a crash left.
    pub(super) fn temp(&self, name: &str, bytes: &[u8], like: &Like) -> Result<()> {
        let failed = |errno| self.failed("write", name, errno);
        self.remove(name).map_err(failed)?;
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(0o600);
        let file = File::from(retry(|| openat(&self.dir, name, flags, mode)).map_err(failed)?);
        let made = fill(&file, bytes)
            .and_then(|()| dress(&file, like))
            .and_then(|()| retry(|| fsync(&file)))
            .and_then(|()| closed(file))
            .map_err(failed);
        if made.is_err() {
            // The first error is the one to tell; a name that stays is removed by the next commit.
            let _ = self.remove(name);
        }
        made
    }

    /// Makes a whole, durable file appear under a name that is free, and gives it open: what a lock and a
    /// journal need. `temp` is used only where the file system has no `O_TMPFILE`.
    ///
    /// # Errors
    /// `EEXIST` where the name is taken.
    pub(super) fn appear(&self, name: &str, temp: &str, bytes: &[u8], mode: u32) -> nix::Result<File> {
        let like = Like::mode(mode);
        let owner = Mode::from_bits_truncate(0o600);
        let write = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        match retry(|| openat(&self.dir, ".", write | OFlag::O_TMPFILE, owner)) {
            Ok(file) => {
                let file = File::from(file);
                fill(&file, bytes)
                    .and_then(|()| dress(&file, &like))
                    .and_then(|()| retry(|| fsync(&file)))?;
                match crate::sys::link_unnamed(file.as_fd(), self.fd(), name) {
                    Ok(()) => return Ok(file),
                    // A link that was made may be reported as failed (link(2), BUGS: NFS).
                    Err(_) if self.is(name, &file)? => return Ok(file),
                    // No capability and no /proc: by a name, below.
                    Err(Errno::ENOENT) => {}
                    Err(errno) => return Err(errno),
                }
            }
            // Kernels and file systems without O_TMPFILE (open(2)).
            Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::ENOENT | Errno::EINVAL) => {}
            Err(errno) => return Err(errno),
        }
        self.remove(temp)?;
        let flags = write | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW;
        let file = File::from(retry(|| openat(&self.dir, temp, flags, owner))?);
        let linked = fill(&file, bytes)
            .and_then(|()| dress(&file, &like))
            .and_then(|()| retry(|| fsync(&file)))
            .and_then(|()| retry(|| linkat(&self.dir, temp, &self.dir, name, AtFlags::empty())))
            .or_else(|errno| if self.is(name, &file)? { Ok(()) } else { Err(errno) });
        let removed = self.remove(temp);
        linked.and(removed).map(|()| file)
    }
}

/// Writes all bytes, their space reserved first.
fn fill(file: &File, bytes: &[u8]) -> nix::Result<()> {
    let len = i64::try_from(bytes.len()).map_err(|_| Errno::EFBIG)?;
    if len > 0 {
        match retry(|| fallocate(file, FallocateFlags::empty(), 0, len)) {
            Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => {}
            Err(errno) => return Err(errno),
        }
    }
    // At its place, so that a part that is written again after an interruption is the same part.
    file.write_all_at(bytes, 0).map_err(|e| errno(&e))
}

/// Some file systems say only here that what was written could not be kept (close(2)). Linux closes the
/// descriptor also where a signal came.
pub(super) fn closed(file: File) -> nix::Result<()> {
    match close(file) {
        Err(Errno::EINTR) => Ok(()),
        result => result,
    }
}

/// Owner first, since it may take mode bits away; the mode last, since an ACL sets its group bits.
fn dress(file: &File, like: &Like) -> nix::Result<()> {
    let stat = fstat(file)?;
    if let Some((uid, gid)) = like.owner.filter(|owner| *owner != (stat.st_uid, stat.st_gid)) {
        retry(|| fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))))?;
    }
    if let Some(from) = &like.attributes {
        crate::sys::copy_xattrs(from.as_fd(), file.as_fd())?;
    }
    retry(|| fchmod(file, Mode::from_bits_truncate(like.mode & 0o7777)))
}

/// The system's number of a standard library error.
pub(super) fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

//! Where the system's files are: the running system, or a tree below `--root`.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, fstat};

use crate::error::{Code, Error, Result};
use crate::idfile::Digest;
use crate::sys::retry;

/// Files larger than this are not read: 256 MiB, ten times a file of a million lines.
const LARGEST: u64 = 256 << 20;

/// A system's root folder, held open: everything below is opened from this descriptor.
#[derive(Debug)]
pub struct Root {
    dir: OwnedFd,
    path: PathBuf,
    running: bool,
}

/// What `fstat` said of a file when it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Device and inode.
    pub id: (u64, u64),
    /// Type and permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes.
    pub size: i64,
    /// Modification time, seconds and nanoseconds.
    pub mtime: (i64, i64),
}

impl From<FileStat> for Stat {
    fn from(s: FileStat) -> Self {
        Self {
            id: (s.st_dev, s.st_ino),
            mode: s.st_mode,
            uid: s.st_uid,
            gid: s.st_gid,
            size: s.st_size,
            mtime: (s.st_mtime, s.st_mtime_nsec),
        }
    }
}

impl Root {
    /// The running system.
    pub fn system() -> Result<Self> {
        Self::open_root(Path::new("/"), true)
    }

    /// A tree that is not the running system. The path itself may hold links: whoever names it chooses it.
    pub fn below(path: &Path) -> Result<Self> {
        Self::open_root(path, false)
    }

    fn open_root(path: &Path, running: bool) -> Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir = retry(|| open(path, flags, Mode::empty())).map_err(|errno| {
            Error::new(Code::Usage, format!("cannot open the root {}", crate::text::path(path)))
                .why(errno.desc())
                .fix("name a folder that holds etc/")
        })?;
        Ok(Self { dir, path: path.to_owned(), running })
    }

    /// Whether this is the running system: only there NSS, /proc and containers mean anything.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// The folder's descriptor (`O_PATH`).
    pub fn dir(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    /// The folder as it was named: `/` for the running system.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The full path of a system file (`/etc/subuid`) for messages.
    pub fn full(&self, path: &str) -> PathBuf {
        self.path.join(path.trim_start_matches('/'))
    }

    /// Opens a system file or folder, given by its absolute path on that system. Never follows a link.
    pub fn open(&self, path: &str, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
        crate::sys::open_beneath(self.dir.as_fd(), Path::new(path.trim_start_matches('/')), flags, mode)
    }

    /// Opens a folder for `*at` calls and fsync.
    pub fn open_dir(&self, path: &str) -> nix::Result<OwnedFd> {
        self.open(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY, Mode::empty())
    }

    /// Reads a regular file whole, or `None` where it does not exist.
    ///
    /// # Errors
    /// `untrusted-file` for a link, a folder, a FIFO, a device or a file that is too large; `file-changed`
    /// where it changed while it was read; `read-failed` for everything else.
    pub fn read(&self, path: &str) -> Result<Option<(Vec<u8>, Stat)>> {
        let full = self.full(path);
        // O_NONBLOCK: a FIFO in the file's place must not hang us.
        let file = match self.open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty()) {
            Ok(fd) => File::from(fd),
            Err(Errno::ENOENT) => return Ok(None),
            Err(Errno::ELOOP | Errno::EXDEV) => {
                return Err(untrusted(&full, "it is, or lies behind, a symbolic link"));
            }
            Err(Errno::ENXIO) => return Err(untrusted(&full, "it is not a regular file")),
            Err(errno) => {
                return Err(Error::reading(&full, errno).fix("run it as a user who may read it, or as root"));
            }
        };
        let before: Stat = fstat(&file).map_err(|errno| Error::reading(&full, errno))?.into();
        if before.mode & libc::S_IFMT != libc::S_IFREG {
            return Err(untrusted(&full, "it is not a regular file"));
        }
        if u64::try_from(before.size).is_ok_and(|size| size > LARGEST) {
            return Err(untrusted(&full, "it is larger than 256 MiB"));
        }
        let bytes = read_all(&file, before.size).map_err(|errno| Error::reading(&full, errno))?;
        let after: Stat = fstat(&file).map_err(|errno| Error::reading(&full, errno))?.into();
        if before != after || i64::try_from(bytes.len()).ok() != Some(after.size) {
            return Err(Error::new(
                Code::FileChanged,
                format!("{} changed while it was read", crate::text::path(&full)),
            )
            .why("another program is writing it in place")
            .fix("wait for that program and run the command again"));
        }
        Ok(Some((bytes, before)))
    }

    /// The names in a folder, sorted; none where it does not exist.
    ///
    /// # Errors
    /// `untrusted-file` for a link, `read-failed` for everything else.
    pub fn list(&self, path: &str) -> Result<Vec<Vec<u8>>> {
        let full = self.full(path);
        let fd = match self.open_dir(path) {
            Ok(fd) => fd,
            Err(Errno::ENOENT) => return Ok(Vec::new()),
            Err(Errno::ELOOP | Errno::EXDEV) => {
                return Err(untrusted(&full, "it is, or lies behind, a symbolic link"));
            }
            Err(errno) => return Err(Error::reading(&full, errno)),
        };
        let failed = |errno| Error::reading(&full, errno);
        let mut names = Vec::new();
        for entry in Dir::from_fd(fd).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The digest of a file, `None` where it does not exist.
    pub fn digest(&self, path: &str) -> Result<Option<Digest>> {
        Ok(self.read(path)?.map(|(bytes, _)| Digest::of(&bytes)))
    }
}

fn read_all(file: &File, size: i64) -> nix::Result<Vec<u8>> {
    // One byte of room at the end shows at once that it is the end.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1));
    match file.take(LARGEST + 1).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))),
    }
}

fn untrusted(path: &Path, why: &str) -> Error {
    Error::new(Code::UntrustedFile, format!("{} cannot be trusted", crate::text::path(path)))
        .why(why.to_owned())
        .fix("put a regular file, owned by root and with mode 0644, in its place")
}

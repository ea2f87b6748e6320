//! Which files and folders may be believed and replaced.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag};
use nix::sys::stat::{Mode, fstat, fstatat};
use nix::sys::statvfs::{FsFlags, fstatvfs};

use super::{Root, Stat};
use crate::error::{Code, Error, Result};
use crate::sys::retry;

/// `FS_IMMUTABLE_FL` and `FS_APPEND_FL` (`ioctl_iflags(2)`): neither lets a file be replaced.
const UNCHANGEABLE: u32 = 0x10 | 0x20;

/// Opens a folder that must be a real one, owned by root, writable by its owner only, and, to be written
/// in, on a writable file system.
///
/// # Errors
/// `untrusted-file` where it is not, `write-failed` where nothing can be written in it, `read-failed`
/// where it cannot be opened.
pub fn folder(root: &Root, path: &str) -> Result<OwnedFd> {
    let full = root.full(path);
    let dir = root.open_dir(path).map_err(|errno| match errno {
        Errno::ELOOP | Errno::EXDEV => untrusted(&full, "it is, or lies behind, a symbolic link"),
        Errno::ENOTDIR => untrusted(&full, "it is not a folder"),
        errno => Error::reading(&full, errno).fix("see that the folder is there and can be read"),
    })?;
    let reading = |errno| Error::reading(&full, errno).fix("see that root can read it, then run it again");
    let stat = fstat(&dir).map_err(reading)?;
    owner_and_mode(root, &full, stat.st_uid, stat.st_mode)?;
    if fstatvfs(&dir).map_err(reading)?.flags().contains(FsFlags::ST_RDONLY) {
        return Err(Error::new(Code::WriteFailed, format!("cannot write in {}", crate::text::path(&full)))
            .why("its file system is mounted read-only")
            .fix("mount it read-write, or make the change where the image is built"));
    }
    changeable(&full, dir.as_fd())?;
    Ok(dir)
}

/// Checks a file that is to be believed and replaced, by its name in an open folder: a regular file, owned
/// by root, writable by its owner only, no link, no mount point, not immutable. A missing file is fine.
///
/// # Errors
/// `untrusted-file` or `write-failed` where it is not, `read-failed` where it cannot be looked at.
pub fn file(root: &Root, dir: BorrowedFd<'_>, path: &str) -> Result<()> {
    let full = root.full(path);
    let reading = |errno| Error::reading(&full, errno).fix("see that root can read it, then run it again");
    let name = Path::new(path).file_name().unwrap_or_default();
    let stat = match fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Err(Errno::ENOENT) => return Ok(()),
        stat => stat.map_err(reading)?,
    };
    match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG => {}
        libc::S_IFLNK => return Err(untrusted(&full, "it is a symbolic link")),
        _ => return Err(untrusted(&full, "it is not a regular file")),
    }
    owner_and_mode(root, &full, stat.st_uid, stat.st_mode)?;
    let c_name = CString::new(name.as_encoded_bytes()).map_err(|_| reading(Errno::EINVAL))?;
    if crate::sys::is_mount_root(dir, &c_name).map_err(reading)? {
        return Err(untrusted(&full, "something is mounted on it, so that it cannot be replaced")
            .fix(command("umount", &full, "take the mount away")));
    }
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let fd = retry(|| nix::fcntl::openat(dir, name, flags, Mode::empty())).map_err(reading)?;
    changeable(&full, fd.as_fd())
}

/// Checks a file that was read and is to be believed: owned by root, writable by its owner only.
///
/// # Errors
/// `untrusted-file` where it is not.
pub fn read(root: &Root, path: &str, stat: &Stat) -> Result<()> {
    owner_and_mode(root, &root.full(path), stat.uid, stat.mode)
}

/// Owned by root; below `--root` also by whoever owns the tree's own folder: images are built without
/// privileges, and who owns that folder decides about everything in it anyway. A group or anybody else
/// may write in no case.
fn owner_and_mode(root: &Root, full: &Path, uid: u32, mode: u32) -> Result<()> {
    let tree = || fstat(root.dir()).is_ok_and(|top| top.st_uid == uid);
    if uid != 0 && (root.is_running() || !tree()) {
        return Err(untrusted(full, format!("it is owned by uid {uid}, not by root"))
            .fix(format!("look at what it says, then {}", command("chown root:", full, "give it to root"))));
    }
    if mode & 0o022 != 0 {
        return Err(untrusted(
            full,
            format!("others than its owner may write it (mode {:04o})", mode & 0o7777),
        )
        .fix(format!("look at what it says, then {}", command("chmod go-w", full, "take that right away"))));
    }
    Ok(())
}

/// Whether a file is immutable or append-only. Where the file system has no such flags, none is set.
pub(super) fn unchangeable(fd: BorrowedFd<'_>) -> bool {
    crate::sys::inode_flags(fd).is_ok_and(|flags| flags & UNCHANGEABLE != 0)
}

fn changeable(full: &Path, fd: BorrowedFd<'_>) -> Result<()> {
    if unchangeable(fd) {
        return Err(Error::new(Code::WriteFailed, format!("cannot change {}", crate::text::path(full)))
            .why("it is immutable or append-only (lsattr shows i or a)")
            .fix(command("chattr -ia", full, "take the attribute off with chattr")));
    }
    Ok(())
}

/// The command that mends a path, or in words where the path cannot be typed.
fn command(verb: &str, full: &Path, or: &str) -> String {
    let path = crate::text::shell_word(full.as_os_str().as_encoded_bytes());
    path.map_or_else(|| or.to_owned(), |path| format!("sudo {verb} {path}"))
}

fn untrusted(full: &Path, why: impl Into<String>) -> Error {
    Error::new(Code::UntrustedFile, format!("{} cannot be trusted", crate::text::path(full)))
        .why(why)
        .fix("put the real thing, owned by root and writable by root only, in its place")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn what_cannot_be_trusted_is_refused() {
        let tree = tempfile::tempdir().unwrap();
        let etc = tree.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(&etc, 0o755);
        std::fs::write(etc.join("plain"), "").unwrap();
        mode(&etc.join("plain"), 0o644);
        std::fs::write(etc.join("open"), "").unwrap();
        mode(&etc.join("open"), 0o664);
        symlink("plain", etc.join("link")).unwrap();
        nix::unistd::mkfifo(&etc.join("fifo"), Mode::S_IRUSR).unwrap();
        let root = Root::below(tree.path()).unwrap();
        let dir = folder(&root, "/etc").unwrap();
        let code = |name| file(&root, dir.as_fd(), name).err().map(|e| e.code);
        assert_eq!(code("/etc/plain"), None);
        assert_eq!(code("/etc/missing"), None);
        for name in ["/etc/open", "/etc/link", "/etc/fifo"] {
            assert_eq!(code(name), Some(Code::UntrustedFile), "{name}");
        }
        mode(&etc, 0o775);
        assert_eq!(folder(&root, "/etc").unwrap_err().code, Code::UntrustedFile);
        let away = tempfile::tempdir().unwrap();
        symlink("/etc", away.path().join("etc")).unwrap();
        let root = Root::below(away.path()).unwrap();
        assert_eq!(folder(&root, "/etc").unwrap_err().code, Code::UntrustedFile);
    }
}

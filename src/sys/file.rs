//! System calls on files that nix does not have.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::unistd::linkat;

/// Repeats a call that a signal interrupted.
///
/// # Errors
/// Whatever the call gives, but EINTR.
pub fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

/// Gives a file made with `O_TMPFILE` its name. Never replaces one.
///
/// # Errors
/// `EEXIST` where the name is taken, `ENOENT` where neither the capability for `AT_EMPTY_PATH` nor /proc is
/// there, and whatever linkat gives.
pub fn link_unnamed(file: BorrowedFd<'_>, dir: BorrowedFd<'_>, name: &str) -> nix::Result<()> {
    match retry(|| linkat(file, "", dir, name, AtFlags::AT_EMPTY_PATH)) {
        // Without CAP_DAC_READ_SEARCH (open(2), O_TMPFILE).
        Err(Errno::ENOENT) => {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            retry(|| linkat(dir, &path[..], dir, name, AtFlags::AT_SYMLINK_FOLLOW))
        }
        result => result,
    }
}

/// Whether something is mounted at `name`; false where the kernel does not say (before 5.8).
///
/// # Errors
/// Whatever statx gives, but ENOSYS.
pub fn is_mount_root(dir: BorrowedFd<'_>, name: &CStr) -> nix::Result<bool> {
    let mut stat = std::mem::MaybeUninit::<libc::statx>::zeroed();
    let flags = libc::AT_SYMLINK_NOFOLLOW | libc::AT_NO_AUTOMOUNT;
    // By number: glibc has a function of that name only since 2.28.
    // SAFETY: `name` is a C string, `stat` is a whole statx structure that the call may fill, and both
    // outlive the call.
    let result = unsafe {
        let (fd, mask) = (dir.as_raw_fd(), libc::STATX_TYPE);
        libc::syscall(libc::SYS_statx, fd, name.as_ptr(), flags, mask, stat.as_mut_ptr())
    };
    match Errno::result(result) {
        Err(Errno::ENOSYS) => return Ok(false),
        result => result?,
    };
    // SAFETY: zeroes are a valid statx structure, and the call has filled in what it knows.
    let attributes = unsafe { stat.assume_init() }.stx_attributes;
    Ok(attributes & u64::from(libc::STATX_ATTR_MOUNT_ROOT.unsigned_abs()) != 0)
}

/// The inode's flags (`FS_IOC_GETFLAGS`): `FS_IMMUTABLE_FL` 0x10, `FS_APPEND_FL` 0x20.
///
/// # Errors
/// `ENOTTY` or `EOPNOTSUPP` where the file system has none.
pub fn inode_flags(file: BorrowedFd<'_>) -> nix::Result<u32> {
    let mut flags: libc::c_int = 0;
    // SAFETY: despite the `long` in its number the call writes one int (ioctl_iflags(2)), and `flags` is one.
    Errno::result(unsafe { libc::ioctl(file.as_raw_fd(), libc::FS_IOC_GETFLAGS, &raw mut flags) })?;
    Ok(flags.cast_unsigned())
}

/// Copies the extended attributes (labels, ACLs) of one file to another, but for `security.ima` and
/// `security.evm`, which are signatures of the old content.
///
/// # Errors
/// Whatever reading or setting one of them gives; a file system without attributes has none to copy.
pub fn copy_xattrs(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> nix::Result<()> {
    for name in xattr_names(from)? {
        if matches!(name.to_bytes(), b"security.ima" | b"security.evm") {
            continue;
        }
        let value = sized(|at, len| {
            // SAFETY: `name` is a C string and `at` has room for `len` bytes (0: only the size is asked).
            unsafe { libc::fgetxattr(from.as_raw_fd(), name.as_ptr(), at.cast(), len) }
        })?;
        // SAFETY: `name` is a C string, `value` is as long as said, and both outlive the call.
        let result =
            unsafe { libc::fsetxattr(to.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) };
        Errno::result(result)?;
    }
    Ok(())
}

fn xattr_names(file: BorrowedFd<'_>) -> nix::Result<Vec<CString>> {
    let list = sized(|at, len| {
        // SAFETY: `at` has room for `len` bytes (0: only the size is asked).
        unsafe { libc::flistxattr(file.as_fd().as_raw_fd(), at.cast(), len) }
    });
    let list = match list {
        Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => return Ok(Vec::new()),
        list => list?,
    };
    Ok(list.split(|b| *b == 0).filter(|n| !n.is_empty()).filter_map(|n| CString::new(n).ok()).collect())
}

/// Asks for a size, then for that many bytes, again while the value grows in between.
fn sized(call: impl Fn(*mut u8, usize) -> isize) -> nix::Result<Vec<u8>> {
    loop {
        let size = usize::try_from(Errno::result(call(std::ptr::null_mut(), 0))?).unwrap_or(0);
        let mut bytes = vec![0; size];
        if size == 0 {
            return Ok(bytes);
        }
        match Errno::result(call(bytes.as_mut_ptr(), size)) {
            Err(Errno::ERANGE) => {}
            Err(errno) => return Err(errno),
            Ok(len) => {
                bytes.truncate(usize::try_from(len).unwrap_or(0));
                return Ok(bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn attributes_are_copied() {
        let tree = tempfile::tempdir().unwrap();
        let file = |name| std::fs::File::create_new(tree.path().join(name)).unwrap();
        let (a, b) = (file("a"), file("b"));
        let (name, value) = (c"user.test", b"value");
        // SAFETY: both pointers are valid for the lengths given.
        let set = unsafe { libc::fsetxattr(a.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), 5, 0) };
        assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
        copy_xattrs(a.as_fd(), b.as_fd()).unwrap();
        assert!(xattr_names(b.as_fd()).unwrap().iter().any(|n| n.as_c_str() == name));
    }

    #[test]
    fn an_unnamed_file_gets_a_name_once() {
        let tree = tempfile::tempdir().unwrap();
        let dir = std::fs::File::open(tree.path()).unwrap();
        let flags = nix::fcntl::OFlag::O_TMPFILE | nix::fcntl::OFlag::O_WRONLY;
        let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
        let file = nix::fcntl::openat(&dir, ".", flags, mode).unwrap();
        link_unnamed(file.as_fd(), dir.as_fd(), "x").unwrap();
        assert_eq!(tree.path().join("x").metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let file = nix::fcntl::openat(&dir, ".", flags, mode).unwrap();
        assert_eq!(link_unnamed(file.as_fd(), dir.as_fd(), "x"), Err(Errno::EEXIST));
        assert_eq!(is_mount_root(dir.as_fd(), c"x"), Ok(false));
    }

    #[test]
    fn a_mount_is_seen() {
        let root = std::fs::File::open("/").unwrap();
        assert_eq!(is_mount_root(root.as_fd(), c"proc"), Ok(true));
    }
}

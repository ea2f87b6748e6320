//! What a file is, beyond its status.

use std::ffi::CStr;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::errno::Errno;
use nix::sys::statvfs::{FsFlags, fstatvfs};

/// An extended attribute of at most 256 bytes of an open file (also one opened with `O_PATH`); `None` where
/// the file or its file system has none of that name.
///
/// # Errors
/// `ERANGE` for a longer one; what getxattr gives.
pub fn xattr(file: BorrowedFd<'_>, name: &CStr) -> nix::Result<Option<Vec<u8>>> {
    // A descriptor opened with O_PATH is refused by fgetxattr, but not by way of /proc.
    let path =
        std::ffi::CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(|_| Errno::EINVAL)?;
    let mut value = vec![0u8; 256];
    // SAFETY: both strings are terminated and the buffer has the length given.
    let len = unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), value.as_mut_ptr().cast(), value.len()) };
    match Errno::result(len) {
        Ok(len) => {
            value.truncate(usize::try_from(len).unwrap_or(0));
            Ok(Some(value))
        }
        Err(Errno::ENODATA | Errno::ENOTSUP) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Whether the mount of an open file ignores setuid bits and file capabilities.
///
/// # Errors
/// What fstatvfs gives.
pub fn mount_ignores_setuid(file: BorrowedFd<'_>) -> nix::Result<bool> {
    Ok(fstatvfs(file)?.flags().contains(FsFlags::ST_NOSUID))
}

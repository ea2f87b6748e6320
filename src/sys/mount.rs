//! Detached mounts: cloned, restricted and attached by descriptor (Linux 5.12).

use std::ffi::CStr;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use nix::errno::Errno;

/// A detached copy of the mount at `path` and of all mounts below it.
///
/// # Errors
/// What `open_tree` gives; `ENOSYS` before Linux 5.2.
pub fn clone_tree(path: &CStr) -> nix::Result<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE
        | libc::OPEN_TREE_CLOEXEC
        | libc::c_uint::try_from(libc::AT_RECURSIVE).unwrap_or_default();
    // SAFETY: the path is a terminated string that outlives the call.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    let fd = RawFd::try_from(Errno::result(fd)?).map_err(|_| Errno::EMFILE)?;
    // SAFETY: the kernel has just given us this descriptor and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets attributes (`MOUNT_ATTR_*`) on a mount and on all below it.
///
/// # Errors
/// What `mount_setattr` gives; `ENOSYS` before Linux 5.12.
pub fn set_attributes(tree: BorrowedFd<'_>, attributes: u64) -> nix::Result<()> {
    let attr = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: the path is empty and terminated, the structure is valid for its given size.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    };
    Errno::result(done).map(drop)
}

/// Attaches a detached mount at `path`.
///
/// # Errors
/// What `move_mount` gives.
pub fn attach(tree: BorrowedFd<'_>, path: &CStr) -> nix::Result<()> {
    // SAFETY: both paths are terminated strings that outlive the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    Errno::result(done).map(drop)
}

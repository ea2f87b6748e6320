//! POSIX record locks, as `lckpwdf(3)` takes them, and leases.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

/// What an attempt at a lock gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockTry {
    /// The lock is ours until any descriptor of this process on the file is closed.
    Ours,
    /// Another process holds it; its pid where this pid namespace knows it.
    Held(Option<i32>),
}

/// Tries to take the write lock on a whole file, without waiting.
///
/// # Errors
/// Whatever fcntl gives, but for a lock that is held.
pub fn try_lock_whole(fd: BorrowedFd<'_>) -> nix::Result<LockTry> {
    #[allow(clippy::cast_possible_truncation)] // both constants are below 8
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match super::retry(|| fcntl(fd, FcntlArg::F_SETLK(&lock))) {
        Ok(_) => return Ok(LockTry::Ours),
        Err(Errno::EAGAIN | Errno::EACCES) => {}
        Err(errno) => return Err(errno),
    }
    fcntl(fd, FcntlArg::F_GETLK(&mut lock))?;
    Ok(LockTry::Held((lock.l_pid > 0).then_some(lock.l_pid)))
}

/// Takes a read lease on a file (`fcntl(2)`, "Leases"): none is given while anybody has the file open for
/// writing, and who opens it for writing meanwhile waits until the descriptor is closed. The kernel tells the
/// holder of that by SIGIO, which must be blocked.
///
/// # Errors
/// `EAGAIN` where it is open for writing; `EINVAL` and others where the file system has no leases.
pub fn read_lease(fd: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: the descriptor is open for the call, and the argument is a number.
    Errno::result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) }).map(drop)
}

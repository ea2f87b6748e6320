//! Processes by descriptor (`pidfd_open(2)`, Linux 5.3).

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::unistd::Pid;

/// A descriptor of a process, close-on-exec. It takes no right over it.
///
/// # Errors
/// `ESRCH` where there is none, `ENOSYS` before Linux 5.3.
pub fn pidfd_open(pid: Pid) -> nix::Result<OwnedFd> {
    // SAFETY: the call takes numbers.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) })?;
    let fd = RawFd::try_from(fd).map_err(|_| Errno::EMFILE)?;
    // SAFETY: the kernel has just given us this descriptor and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Asks whether this process may send signals to that one. None is sent.
///
/// # Errors
/// `EPERM` where it may not, `EINVAL` where that process is in no pid namespace of ours, `ESRCH`.
pub fn may_signal(pidfd: BorrowedFd<'_>) -> nix::Result<()> {
    let none: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: signal 0 is never sent; without information the kernel makes its own.
    Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), 0, none, 0) })
        .map(drop)
}

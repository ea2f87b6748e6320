//! Terminals.

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::pty::Winsize;

/// Makes the terminal the controlling one of the session that this process leads.
///
/// # Errors
/// `EPERM` where the process leads no session or the terminal is another session's.
pub fn make_controlling(terminal: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: TIOCSCTTY takes a number.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSCTTY, 0) }).map(drop)
}

/// The other side of a pseudo-terminal's master, opened by descriptor: no path decides which one it is.
///
/// # Errors
/// `ENOTTY` before Linux 4.13; what open gives.
pub fn peer(master: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: TIOCGPTPEER takes open flags and gives a new descriptor.
    let fd = Errno::result(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, flags) })?;
    // SAFETY: the kernel has just given us this descriptor and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Rows and columns of a terminal.
///
/// # Errors
/// `ENOTTY`.
pub fn size(terminal: BorrowedFd<'_>) -> nix::Result<Winsize> {
    let mut size = Winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: `size` is the structure that TIOCGWINSZ writes.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) })?;
    Ok(size)
}

/// Sets rows and columns of a terminal.
///
/// # Errors
/// `ENOTTY`.
pub fn set_size(terminal: BorrowedFd<'_>, size: &Winsize) -> nix::Result<()> {
    // SAFETY: `size` is the structure that TIOCSWINSZ reads.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const *size) }).map(drop)
}

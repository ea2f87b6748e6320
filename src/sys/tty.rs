//! Terminals.

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::Winsize;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// Signals that ask a program to end.
const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];

/// An answer is one line of at most so many bytes.
const LONGEST_LINE: usize = 256;

/// Asks by `question` and reads one line from a terminal, without its newline and nothing beyond it; `None` at
/// the end of the input. The terminal keeps its settings, so that there is nothing to give back whatever ends
/// the program.
///
/// # Errors
/// `EINTR` where a signal asked to end, from the question on, which is then done with; what asking and reading
/// give.
pub fn ask_line(
    terminal: BorrowedFd<'_>,
    question: impl FnOnce() -> nix::Result<()>,
) -> nix::Result<Option<Vec<u8>>> {
    let mut signals = SigSet::empty();
    for signal in ENDING {
        signals.add(signal);
    }
    let mut before = SigSet::empty();
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&signals), Some(&mut before))?;
    let line = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .and_then(|pending| question().and_then(|()| line_or_signal(terminal, &pending)));
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    line
}

fn line_or_signal(terminal: BorrowedFd<'_>, pending: &SignalFd) -> nix::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        let mut either =
            [PollFd::new(pending.as_fd(), PollFlags::POLLIN), PollFd::new(terminal, PollFlags::POLLIN)];
        super::retry(|| poll(&mut either, PollTimeout::NONE))?;
        if pending.read_signal()?.is_some() {
            return Err(Errno::EINTR);
        }
        let mut byte = [0];
        match super::retry(|| nix::unistd::read(terminal, &mut byte))? {
            0 if line.is_empty() => return Ok(None),
            0 => return Ok(Some(line)),
            _ if byte == *b"\n" || line.len() >= LONGEST_LINE => return Ok(Some(line)),
            _ => line.extend(byte),
        }
    }
}

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

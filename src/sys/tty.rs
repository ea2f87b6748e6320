//! Terminals.

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::errno::Errno;
use nix::pty::Winsize;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::termios::{SetArg, tcgetattr, tcsetattr};
use nix::unistd::Pid;

/// Signals that ask a program to end, and the one that ends the waiting for them.
const ENDING: [Signal; 4] = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT];
const DONE: Signal = Signal::SIGUSR2;

/// Does work that changes the terminal's settings. A signal that asks to end gives the terminal its settings
/// back and calls `ended`, which must end the process: its default action would leave the terminal as it is,
/// without echo.
///
/// # Errors
/// `ENOTTY` where it is no terminal.
pub fn with_settings_kept<T>(
    terminal: BorrowedFd<'_>,
    ended: impl Fn() + Sync,
    work: impl FnOnce() -> T,
) -> nix::Result<T> {
    let settings = tcgetattr(terminal)?;
    // The copy of another thread needs no `RefCell`.
    let settings = libc::termios::from(settings);
    let mut signals = SigSet::empty();
    for signal in ENDING.into_iter().chain([DONE]) {
        signals.add(signal);
    }
    let mut before = SigSet::empty();
    // Blocked before the thread is made, so that it alone takes them.
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&signals), Some(&mut before))?;
    let done = AtomicBool::new(false);
    let result = std::thread::scope(|scope| {
        scope.spawn(|| {
            let signal = signals.wait();
            if !done.load(Ordering::SeqCst) && signal.is_ok() {
                let _ = tcsetattr(terminal, SetArg::TCSADRAIN, &settings.into());
                ended();
            }
        });
        let result = work();
        done.store(true, Ordering::SeqCst);
        kill(Pid::this(), DONE).map(|()| result)
    });
    // A Ctrl-C that the work has read it sends to its own thread too, and tells.
    let mut told = SigSet::empty();
    told.add(Signal::SIGINT);
    super::discard_pending(&told);
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    result
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

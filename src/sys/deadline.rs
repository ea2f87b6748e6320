//! An end to this process, whatever it waits for: a name service may keep a call for minutes.

use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::sync::OnceLock;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal, sigaction, sigprocmask};

/// What is said at the end, and where; its descriptor stays open for as long as the process lives.
static LAST_WORD: OnceLock<(RawFd, &'static [u8])> = OnceLock::new();

/// While it runs, the process ends with exit code 0 when its time is over. It can be lifted, and set again.
#[derive(Debug)]
pub struct Deadline(());

impl Deadline {
    /// A deadline that is not set yet. When it comes, `last_word` is sent to `log`, a datagram socket, if
    /// that takes it at once. Of several deadlines of a process the first one's word counts.
    pub fn new(log: Option<OwnedFd>, last_word: &'static [u8]) -> Self {
        if let Some(log) = log {
            LAST_WORD.get_or_init(|| (log.as_raw_fd(), last_word));
            std::mem::forget(log);
        }
        Self(())
    }

    /// Ends the process after this time, which is more than none.
    ///
    /// # Errors
    /// What sigaction and setitimer give.
    pub fn set(&self, after: Duration) -> nix::Result<()> {
        handle(SigHandler::Handler(end))?;
        let mut alarm = SigSet::empty();
        alarm.add(Signal::SIGALRM);
        // Whoever started this process may have blocked it: login programs do.
        sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&alarm), None)?;
        timer(after)
    }

    /// Lifts the deadline. One that has come just now and waits behind a blocked signal is discarded.
    ///
    /// # Errors
    /// What sigaction and setitimer give.
    pub fn lift(&self) -> nix::Result<()> {
        timer(Duration::ZERO)?;
        handle(SigHandler::SigIgn)
    }
}

extern "C" fn end(_: libc::c_int) {
    if let Some((log, word)) = LAST_WORD.get() {
        // SAFETY: send may be called from a signal handler (signal-safety(7)); the bytes live for ever.
        unsafe {
            libc::send(*log, word.as_ptr().cast(), word.len(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
        };
    }
    super::exit(0)
}

fn handle(handler: SigHandler) -> nix::Result<()> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler only makes calls that are allowed in one, and never returns into what it met.
    unsafe { sigaction(Signal::SIGALRM, &action) }.map(drop)
}

fn timer(after: Duration) -> nix::Result<()> {
    let seconds = libc::time_t::try_from(after.as_secs()).map_err(|_| Errno::EINVAL)?;
    let value = libc::timeval { tv_sec: seconds, tv_usec: after.subsec_micros().into() };
    let interval = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let timer = libc::itimerval { it_interval: interval, it_value: value };
    // SAFETY: the value is valid for the call, and the old one is not asked for.
    Errno::result(unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) })
        .map(drop)
}

/// Takes everything out of the environment: nothing that a library reads there later is anybody's choice.
pub fn clear_environment() {
    // SAFETY: this process has one thread, and nobody holds a pointer into the environment.
    unsafe { libc::clearenv() };
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::wait::{WaitStatus, waitpid};

    /// How a child ends that sets the deadline and does this.
    fn child(work: impl FnOnce(&Deadline) -> i32) -> WaitStatus {
        let child = super::super::spawn(move || {
            let deadline = Deadline::new(None, b"");
            // As a login program may leave it.
            let mut all = SigSet::all();
            all.remove(Signal::SIGKILL);
            let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&all), None);
            work(&deadline)
        });
        waitpid(child.unwrap(), None).unwrap()
    }

    #[test]
    fn a_process_ends_where_it_waits_and_one_whose_deadline_is_lifted_does_not() {
        let waits = child(|deadline| {
            deadline.set(Duration::from_millis(10)).unwrap();
            loop {
                std::thread::park();
            }
        });
        assert!(matches!(waits, WaitStatus::Exited(_, 0)), "{waits:?}");
        let lifted = child(|deadline| {
            deadline.set(Duration::from_secs(3600)).unwrap();
            let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::all()), None);
            // It has come, and waits.
            nix::sys::signal::raise(Signal::SIGALRM).unwrap();
            deadline.lift().unwrap();
            let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
            7
        });
        assert!(matches!(lifted, WaitStatus::Exited(_, 7)), "{lifted:?}");
    }
}

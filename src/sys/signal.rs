//! Signals that were blocked.

use nix::errno::Errno;
use nix::sys::signal::SigSet;

/// Takes back blocked signals that are pending, so that unblocking does not deliver them. A signal of the
/// set that is not blocked is left alone.
pub fn discard_pending(signals: &SigSet) {
    let at_once = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        // SAFETY: the set and the time are valid for the call, and no information is asked for.
        let signal =
            unsafe { libc::sigtimedwait(signals.as_ref(), std::ptr::null_mut(), &raw const at_once) };
        if signal < 0 && Errno::last() != Errno::EINTR {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::signal::{SigmaskHow, Signal, raise, sigprocmask};

    #[test]
    fn a_pending_signal_is_gone_afterwards() {
        let mut set = SigSet::empty();
        set.add(Signal::SIGXFSZ);
        let mut before = SigSet::empty();
        // Of this thread only; raise() sends to the same thread.
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&set), Some(&mut before)).unwrap();
        raise(Signal::SIGXFSZ).unwrap();
        discard_pending(&set);
        // Would end the process.
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None).unwrap();
    }
}

//! What must not happen to this process while it keeps every useradd on the host waiting.

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::stat::{Mode, umask};

/// Signals that report a fault of our own code; blocking them is undefined (`sigprocmask(2)`).
const FAULTS: [Signal; 7] = [
    Signal::SIGSEGV,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGTRAP,
    Signal::SIGSYS,
    Signal::SIGABRT,
];

/// Limits that end a process in the middle of a write: sudo and cron pass on what they inherited.
const LIMITS: [Resource; 2] = [Resource::RLIMIT_FSIZE, Resource::RLIMIT_CPU];

/// While it lives, no Ctrl-C, Ctrl-Z, hang-up, inherited limit or umask reaches the process. What was
/// pending arrives when it is dropped.
#[derive(Debug)]
pub(super) struct Shield {
    signals: SigSet,
    limits: Vec<(Resource, rlim_t, rlim_t)>,
    umask: Mode,
}

impl Shield {
    pub(super) fn raise() -> nix::Result<Self> {
        let mut blocked = SigSet::all();
        for signal in FAULTS {
            blocked.remove(signal);
        }
        let mut signals = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_SETMASK, Some(&blocked), Some(&mut signals))?;
        let mut shield = Self { signals, limits: Vec::new(), umask: umask(Mode::from_bits_truncate(0o022)) };
        for resource in LIMITS {
            let (soft, hard) = getrlimit(resource)?;
            shield.limits.push((resource, soft, hard));
            // Raising the hard limit takes CAP_SYS_RESOURCE; without it, up to the hard limit must do.
            if setrlimit(resource, libc::RLIM_INFINITY, libc::RLIM_INFINITY).is_err() {
                setrlimit(resource, hard, hard)?;
            }
        }
        Ok(shield)
    }
}

impl Drop for Shield {
    fn drop(&mut self) {
        umask(self.umask);
        for (resource, soft, hard) in self.limits.drain(..) {
            // Lowering is always allowed.
            let _ = setrlimit(resource, soft, hard);
        }
        // What a limit that could not be raised has sent is told by the call that failed (EFBIG); and somebody
        // waited for a lease, which is given back by now.
        let mut known = SigSet::empty();
        known.add(Signal::SIGXFSZ);
        known.add(Signal::SIGIO);
        crate::sys::discard_pending(&known);
        // Last, so that a signal that is delivered here finds everything as it was.
        let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.signals), None);
    }
}

//! The locks that shadow takes, in its order: `.pwd.lock`, `subuid.lock`, `subgid.lock`; and after them the
//! leases that keep out who knows none of these.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;

use super::dotlock::{self, Attempt, Dotlock, Held};
use super::folder::Folder;
use super::lease::{self, Lease};
use super::shield::Shield;
use crate::error::{Code, Error, Result};
use crate::range::Kind;
use crate::sys::{LockTry, retry, try_lock_whole};

const PWD_LOCK: &str = ".pwd.lock";
const DOTLOCKS: [&str; 2] = ["subuid.lock", "subgid.lock"];

/// A useradd holds `.pwd.lock` for some ten milliseconds, and waits for it without polling: look often.
const POLL_PWD: Duration = Duration::from_millis(10);
/// A dotlock whose holder does not hold `.pwd.lock` is not shadow's; while it is there, useradd fails at
/// once when it could take `.pwd.lock`, so ours is given back in between.
const POLL_DOT: Duration = Duration::from_millis(75);

/// All locks, held; and the shield that belongs to them. Dropped in reverse order.
pub(super) struct Locks<'f> {
    etc: &'f Folder,
    leases: Vec<Lease>,
    dotlocks: Vec<Dotlock>,
    /// Closing any descriptor of this process on the file would give the lock up (fcntl(2)): nothing else
    /// here opens it.
    _pwd: OwnedFd,
    since: Instant,
    _shield: Shield,
}

enum Try<'f> {
    Ours(Locks<'f>),
    Busy(Held, Duration),
}

impl<'f> Locks<'f> {
    /// Takes all locks, or gives none. Between attempts none is held and signals arrive.
    ///
    /// # Errors
    /// `busy` after the deadline, naming the holder.
    pub(super) fn acquire(etc: &'f Folder, deadline: Instant) -> Result<Self> {
        loop {
            match Self::attempt(etc)? {
                Try::Ours(locks) => return Ok(locks),
                Try::Busy(held, _) if Instant::now() >= deadline => return Err(busy(held)),
                Try::Busy(_, pause) => std::thread::sleep(pause),
            }
        }
    }

    fn attempt(etc: &'f Folder) -> Result<Try<'f>> {
        let shield = Shield::raise().map_err(|errno| {
            Error::new(Code::System, "cannot block signals and raise limits")
                .why(errno.desc())
                .fix("run it as root on the host, without a filter on system calls")
        })?;
        let flags =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let failed = |name| move |errno| etc.failed("lock", name, errno);
        let mode = Mode::from_bits_truncate(0o600);
        let pwd = retry(|| openat(etc.fd(), PWD_LOCK, flags, mode)).map_err(failed(PWD_LOCK))?;
        if let LockTry::Held(pid) = try_lock_whole(pwd.as_fd()).map_err(failed(PWD_LOCK))? {
            let path = crate::text::path(&etc.full(PWD_LOCK));
            let held = pid.map_or_else(
                || Held {
                    why: format!("{path} is held by a process that cannot be seen from here"),
                    fix: "wait until it is done, or give it more time with --lock-timeout".to_owned(),
                },
                |pid| Held::by(pid, &path, ""),
            );
            return Ok(Try::Busy(held, POLL_PWD));
        }
        // From here on dropping `locks` gives back what was taken.
        let mut locks = Self {
            etc,
            leases: Vec::new(),
            dotlocks: Vec::new(),
            _pwd: pwd,
            since: Instant::now(),
            _shield: shield,
        };
        for name in DOTLOCKS {
            match dotlock::take(etc, name).map_err(failed(name))? {
                Attempt::Ours(lock) => locks.dotlocks.push(lock),
                Attempt::Held(why) => return Ok(Try::Busy(why, POLL_DOT)),
            }
        }
        for kind in Kind::BOTH {
            match lease::take(etc, kind.file()) {
                Ok(lease) => locks.leases.extend(lease),
                // It does not wait for .pwd.lock either: see often whether it is done.
                Err(held) => return Ok(Try::Busy(held, POLL_PWD)),
            }
        }
        Ok(Try::Ours(locks))
    }

    /// How long other programs have been waiting.
    pub(super) fn held(&self) -> Duration {
        self.since.elapsed()
    }

    /// Gives all back. A lock that stays is a note.
    pub(super) fn release(mut self) -> Vec<String> {
        self.unlock()
    }

    fn unlock(&mut self) -> Vec<String> {
        self.leases.clear();
        let newest_first = std::mem::take(&mut self.dotlocks).into_iter().rev();
        newest_first.filter_map(|lock| lock.release(self.etc)).collect()
    }
}

impl Drop for Locks<'_> {
    fn drop(&mut self) {
        // Between two attempts, or on the way out with an error of its own.
        let _ = self.unlock();
    }
}

/// The error for locks that another program holds.
pub(super) fn busy(held: Held) -> Error {
    Error::new(Code::Busy, "the account files are locked by another program; nothing was changed")
        .why(held.why)
        .fix(held.fix)
}

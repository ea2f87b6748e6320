//! A terminal of CMD's own, relayed by the root side: root's is never given to another user, who could
//! read what root types there, or type for root (`TIOCSTI`).

use std::io::IsTerminal as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{grantpt, posix_openpt, unlockpt};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{fchown, read, tcgetpgrp, write};

use super::protocol::{time_left, wait_readable};
use crate::range::Uid;
use crate::sys;

/// Bytes relayed at once.
const CHUNK: usize = 4096;

/// How often is looked whether CMD's session has the terminal: a Ctrl-C that comes before would be nobody's.
const LOOK: Duration = Duration::from_millis(5);

/// How long the rest of CMD's output may take.
const DRAIN: Duration = Duration::from_secs(1);

/// The pseudo-terminal and root's own one.
pub(super) struct Terminal {
    master: OwnedFd,
    slave: Option<OwnedFd>,
    /// Copies of our standard input, output and error.
    own: [OwnedFd; 3],
    /// Which of them are terminals.
    ttys: [bool; 3],
    saved: Option<Termios>,
    signals: Option<(SignalFd, SigSet)>,
}

impl Terminal {
    /// A new pseudo-terminal that belongs to the user; `None` where none of our standard descriptors is a
    /// terminal, so that there is nothing to protect.
    pub(super) fn for_user(uid: Uid) -> nix::Result<Option<Self>> {
        let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
        let ttys = [stdin.is_terminal(), stdout.is_terminal(), stderr.is_terminal()];
        if !ttys.contains(&true) {
            return Ok(None);
        }
        let copy = |fd: BorrowedFd<'_>| sys::dup_from(fd, 3);
        let own = [copy(stdin.as_fd())?, copy(stdout.as_fd())?, copy(stderr.as_fd())?];
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let master = sys::dup_from(master.as_fd(), 3)?;
        fcntl(&master, FcntlArg::F_SETFL(OFlag::O_RDWR | OFlag::O_NONBLOCK))?;
        let slave = sys::peer(master.as_fd())?;
        fchown(&slave, Some(nix::unistd::Uid::from_raw(uid.get())), None)?;
        let terminal = Self { master, slave: Some(slave), own, ttys, saved: None, signals: None };
        terminal.copy_size();
        Ok(Some(terminal))
    }

    /// What the worker gets: the new terminal in place of each that is root's, and files and pipes as they are.
    pub(super) fn stdio(&self) -> [BorrowedFd<'_>; 3] {
        let slave = self.slave.as_ref().map(AsFd::as_fd);
        let choose = |i: usize| slave.filter(|_| self.ttys[i]).unwrap_or(self.own[i].as_fd());
        [choose(0), choose(1), choose(2)]
    }

    /// Whether CMD's standard input is the new terminal.
    pub(super) fn is_input(&self) -> bool {
        self.ttys[0]
    }

    /// From now on keys go to CMD: root's terminal becomes raw, until this value is dropped.
    pub(super) fn begin(&mut self) -> nix::Result<()> {
        // While we hold the slave the master never sees the end of it.
        self.slave = None;
        let mut mask = SigSet::empty();
        for signal in [Signal::SIGWINCH, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
            mask.add(signal);
        }
        let mut before = SigSet::empty();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&mask), Some(&mut before))?;
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK);
        self.signals = Some((signals?, before));
        if self.is_input() {
            let saved = tcgetattr(&self.own[0])?;
            let mut raw = saved.clone();
            cfmakeraw(&mut raw);
            tcsetattr(&self.own[0], SetArg::TCSADRAIN, &raw)?;
            self.saved = Some(saved);
        }
        Ok(())
    }

    /// Relays until `until` can be read, then what is left of CMD's output.
    ///
    /// # Errors
    /// `ETIMEDOUT` at the deadline, `EINTR` where a signal asks us to end.
    pub(super) fn relay_until(&mut self, until: BorrowedFd<'_>, deadline: Instant) -> nix::Result<()> {
        let Some((signals, _)) = &self.signals else { return Err(Errno::EINVAL) };
        let mut keys = self.is_input();
        let mut screen = true;
        let mut owned = false;
        loop {
            owned = owned || self.is_owned();
            let patience = if owned || !keys { deadline } else { deadline.min(Instant::now() + LOOK) };
            let ready = {
                let watch =
                    |fd, on: bool| PollFd::new(fd, if on { PollFlags::POLLIN } else { PollFlags::empty() });
                // A descriptor that is at its end stands in as one that is watched anyway: poll would
                // report its end for ever.
                let mut fds = [
                    watch(until, true),
                    watch(signals.as_fd(), true),
                    watch(if screen { self.master.as_fd() } else { until }, true),
                    watch(if keys && owned { self.own[0].as_fd() } else { until }, true),
                ];
                match poll(&mut fds, time_left(patience)) {
                    Err(Errno::EINTR) => continue,
                    result => result?,
                };
                fds.map(|fd| fd.revents().is_some_and(|events| !events.is_empty()))
            };
            if screen && ready[2] {
                screen = self.show()?;
            }
            if keys && owned && ready[3] {
                keys = self.press()?;
            }
            if ready[1] {
                match signals.read_signal()? {
                    Some(signal) if i32::try_from(signal.ssi_signo) != Ok(libc::SIGWINCH) => {
                        return Err(Errno::EINTR);
                    }
                    _ => self.copy_size(),
                }
            }
            if ready[0] {
                return if screen { self.drain() } else { Ok(()) };
            }
            if Instant::now() >= deadline {
                return Err(Errno::ETIMEDOUT);
            }
        }
    }

    /// Whether a session has the new terminal, so that keys which make signals have somebody to go to.
    fn is_owned(&self) -> bool {
        tcgetpgrp(&self.master).is_ok_and(|group| group.as_raw() > 0)
    }

    /// Shows what CMD wrote before it ended. The kernel passes it on with a delay, and says when all is done:
    /// when nobody has the slave any more, which a hostile container may put off.
    fn drain(&self) -> nix::Result<()> {
        let deadline = Instant::now() + DRAIN;
        loop {
            match wait_readable(self.master.as_fd(), deadline) {
                Ok(()) if self.show()? && Instant::now() < deadline => {}
                Ok(()) | Err(Errno::ETIMEDOUT) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
    }

    /// One piece of CMD's output; false at its end.
    fn show(&self) -> nix::Result<bool> {
        let mut chunk = [0; CHUNK];
        match read(&self.master, &mut chunk) {
            // The kernel says EIO when nobody has the slave any more.
            Ok(0) | Err(Errno::EIO) => Ok(false),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(true),
            Err(errno) => Err(errno),
            Ok(n) => {
                let to = [1, 2, 0].into_iter().find(|i| self.ttys[*i]).unwrap_or(1);
                write_all(self.own[to].as_fd(), chunk.get(..n).unwrap_or_default())?;
                Ok(true)
            }
        }
    }

    /// One piece of what root types; false at its end.
    fn press(&self) -> nix::Result<bool> {
        let mut chunk = [0; CHUNK];
        match read(&self.own[0], &mut chunk) {
            Ok(0) | Err(Errno::EIO) => Ok(false),
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(true),
            Err(errno) => Err(errno),
            // A CMD that does not read loses keys, as it does with any terminal: the buffer is full.
            Ok(n) => match write(&self.master, chunk.get(..n).unwrap_or_default()) {
                Err(Errno::EIO) => Ok(false),
                Ok(_) | Err(Errno::EAGAIN) => Ok(true),
                Err(errno) => Err(errno),
            },
        }
    }

    fn copy_size(&self) {
        let from = self.own.iter().zip(self.ttys).find(|(_, is)| *is);
        if let Some(size) = from.and_then(|(fd, _)| sys::size(fd.as_fd()).ok()) {
            // A terminal without a size is a terminal still.
            let _ = sys::set_size(self.master.as_fd(), &size);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(saved) = &self.saved {
            let _ = tcsetattr(&self.own[0], SetArg::TCSADRAIN, saved);
        }
        if let Some((_, before)) = &self.signals {
            let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(before), None);
        }
    }
}

fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> nix::Result<()> {
    while !bytes.is_empty() {
        match write(fd, bytes) {
            Ok(n) => bytes = bytes.get(n..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            // Another program may have left the terminal so.
            Err(Errno::EAGAIN) => {
                let _ = sys::retry(|| poll(&mut [PollFd::new(fd, PollFlags::POLLOUT)], PollTimeout::NONE))?;
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

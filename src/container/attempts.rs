//! What changes the process that tries it, or must not work at all: tried by a child that ends right after.
//!
//! Nothing is lost where an attempt should succeed: a file keeps its mode, no signal is sent, and whoever gets
//! into the host's mounts changes none and ends.

use std::os::fd::{AsFd as _, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::stat::{Mode, fchmod, fstat, stat};
use nix::unistd::{Gid, Pid, Uid, geteuid, getuid, setresgid, setresuid};

use super::checks::Check;
use super::probes::{Outcome, judged};
use super::protocol::{Channel, Event};
use crate::proof::ProbeStatus;
use crate::sys;

/// What is not the container's, opened with the user's own rights before there is a container.
pub(super) struct Outside {
    /// A file of root's, and its mode.
    file: Option<(OwnedFd, Mode)>,
    /// A process of root's.
    process: Option<OwnedFd>,
    /// The mounts around the container.
    mounts: Option<OwnedFd>,
}

impl Outside {
    /// Opens what is there, but for what is the user's own.
    pub(super) fn open() -> Self {
        let others = |uid| uid != geteuid().as_raw();
        let read = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = || {
            let file = open("/etc/passwd", read, Mode::empty()).ok()?;
            let seen = fstat(&file).ok().filter(|seen| others(seen.st_uid))?;
            Some((file, Mode::from_bits_truncate(seen.st_mode)))
        };
        let process = || {
            let theirs = stat("/proc/1").is_ok_and(|seen| others(seen.st_uid));
            sys::pidfd_open(Pid::from_raw(1)).ok().filter(|_| theirs)
        };
        Self { file: file(), process: process(), mounts: open("/proc/self/ns/mnt", read, Mode::empty()).ok() }
    }

    fn powerless(&self) -> Outcome {
        let attempts = [
            ("chmod of root's file", self.file.as_ref().map(|(file, mode)| fchmod(file, *mode))),
            ("signal to pid 1", self.process.as_ref().map(|process| sys::may_signal(process.as_fd()))),
            ("host's mounts", self.mounts.as_ref().map(|mounts| setns(mounts, CloneFlags::CLONE_NEWNS))),
        ];
        let those = |wanted: fn(Result<(), Errno>) -> bool| {
            let names =
                attempts.iter().filter(|(_, result)| result.is_some_and(wanted)).map(|(name, _)| *name);
            names.collect::<Vec<_>>().join(", ")
        };
        let worked = those(|result| result.is_ok());
        // Of a file system that nobody can write to, EROFS says nothing about rights.
        let refused = those(|result| result.is_err_and(|errno| errno != Errno::EROFS));
        if !worked.is_empty() {
            (ProbeStatus::Failed, format!("done to the host: {worked}"))
        } else if refused.is_empty() {
            (ProbeStatus::NotApplicable, "there is nothing of another's to try it on".to_owned())
        } else {
            (ProbeStatus::Ok, format!("refused: {refused}"))
        }
    }
}

/// Tries all of it in a child, which tells the root side itself. Until it has been waited for, it is to find the
/// mounts as they are now.
///
/// # Errors
/// What starting the child gives.
pub(super) fn start(channel: &Channel, outside: &Outside) -> nix::Result<Pid> {
    sys::spawn(|| {
        let powerless = judged(Check::Powerless, outside.powerless());
        let outcome = match nested() {
            Ok(()) => (ProbeStatus::Ok, "a second user namespace inside works".to_owned()),
            Err((call, errno)) => (ProbeStatus::Failed, format!("{call}: {}", errno.desc())),
        };
        let told = channel.send(&Event::Tried(vec![powerless, judged(Check::Nested, outcome)]), &[]);
        i32::from(told.is_err())
    })
}

/// Makes a user namespace in this one, and becomes its root.
fn nested() -> Result<(), (&'static str, Errno)> {
    let (uid, gid) = (getuid(), nix::unistd::getgid());
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|errno| ("unshare", errno))?;
    for (name, text) in [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {uid} 1")),
        ("gid_map", format!("0 {gid} 1")),
    ] {
        std::fs::write(format!("/proc/self/{name}"), text)
            .map_err(|e| (name, Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO))))?;
    }
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    setresgid(gid, gid, gid).map_err(|errno| ("setresgid", errno))?;
    setresuid(uid, uid, uid).map_err(|errno| ("setresuid", errno))?;
    if getuid() == uid { Ok(()) } else { Err(("getuid", Errno::EPERM)) }
}

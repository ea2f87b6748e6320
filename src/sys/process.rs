//! Processes: fork with a closure, exit without destructors, descriptors for a new program.

use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{ForkResult, Pid, fork};

/// Exit code of a child whose closure panicked.
const PANICKED: i32 = 125;

/// Runs `child` in a forked child, whose exit code is what it returns; returns the child's pid.
///
/// # Errors
/// What fork gives (`EAGAIN`, `ENOMEM`).
pub fn spawn(child: impl FnOnce() -> i32) -> nix::Result<Pid> {
    // SAFETY: the child never returns from here into the caller's frames: `exit` ends it below, also
    // where the closure panics. glibc makes malloc usable in the child of a process with threads.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => run_and_exit(child),
    }
}

/// The end of a child: whatever the closure does, no frame of the parent's is run again.
pub(super) fn run_and_exit(child: impl FnOnce() -> i32) -> ! {
    exit(catch_unwind(AssertUnwindSafe(child)).unwrap_or(PANICKED))
}

/// Ends the process at once: no destructor, no buffered output of the parent's copy.
pub fn exit(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Closes every descriptor from `first` on.
pub fn close_from(first: u32) {
    // SAFETY: closing descriptors cannot break memory safety in a child that leaves its parent's frames alone: nothing
    // that owns one of them is used afterwards. The caller has no other descriptor from `first` on.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) } == 0;
    if !done {
        close_each(first);
    }
}

/// The same before Linux 5.9, or behind a seccomp filter that does not know the call. The limit of descriptors
/// does not tell how far to go: it may have been lowered below what is open.
fn close_each(first: u32) {
    let close = |fd| {
        if let Ok(fd) = RawFd::try_from(fd) {
            // SAFETY: as above.
            unsafe { libc::close(fd) };
        }
    };
    match open_descriptors() {
        Ok(open) => open.into_iter().filter(|fd| *fd >= first).for_each(close),
        // No /proc, or no descriptor left to read it by: as far as the kernel's own default lets a number go.
        Err(_) => (first..1 << 20).for_each(close),
    }
}

/// What the kernel says is open; the descriptor that this is read by is among it, and closed by then.
fn open_descriptors() -> std::io::Result<Vec<u32>> {
    let mut open = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd")? {
        open.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    Ok(open)
}

/// Makes `from` also available as descriptor `to`, which survives exec unless `cloexec`. What `to` was
/// before is closed: this is for a child that leaves its parent's frames alone.
///
/// # Errors
/// `EINVAL` where both are the same; what dup3 gives.
pub fn install_fd(from: BorrowedFd<'_>, to: RawFd, cloexec: bool) -> nix::Result<OwnedFd> {
    let flags = if cloexec { libc::O_CLOEXEC } else { 0 };
    // SAFETY: dup3 touches the descriptor table only.
    let fd = Errno::result(unsafe { libc::dup3(from.as_raw_fd(), to, flags) })?;
    // SAFETY: dup3 has just made this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A copy of a descriptor, close-on-exec, numbered `lowest` or higher.
///
/// # Errors
/// `EMFILE`.
pub fn dup_from(fd: BorrowedFd<'_>, lowest: RawFd) -> nix::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes a number.
    let fd = Errno::result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, lowest) })?;
    // SAFETY: fcntl has just made this descriptor.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Takes over a descriptor that was given to this program when it was executed, and marks it
/// close-on-exec. To be called at most once for a number, before anything else opens descriptors.
///
/// # Errors
/// `EBADF` where there is none.
pub fn inherited_fd(fd: RawFd) -> nix::Result<OwnedFd> {
    // SAFETY: F_SETFD takes a number, and fails where there is no such descriptor.
    Errno::result(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: it is open, and by the contract above nothing else in this program owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Gives a signal its default action.
///
/// # Errors
/// `EINVAL` for SIGKILL and SIGSTOP.
pub fn default_action(signal: Signal) -> nix::Result<()> {
    set_action(signal, SigHandler::SigDfl).map(drop)
}

/// Gives every signal its default action, the real-time ones too.
///
/// # Errors
/// What sigaction gives.
pub fn default_actions() -> nix::Result<()> {
    // SAFETY: all zeros is a valid value: the default action, no flags, no further signals blocked.
    let action: libc::sigaction = unsafe { std::mem::zeroed() };
    let own = 32..libc::SIGRTMIN();
    let others = |s: &i32| !own.contains(s) && !matches!(*s, libc::SIGKILL | libc::SIGSTOP);
    for signal in (1..=libc::SIGRTMAX()).filter(others) {
        // SAFETY: the action runs no code of ours.
        Errno::result(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) })?;
    }
    // Those between the standard and the real-time ones are the C library's own, which its sigaction refuses, while its
    // posix_spawn has the first of them ignored in programs that it starts.
    let nothing = [0_u64; 16];
    for signal in own {
        let set = size_of::<u64>();
        let none = std::ptr::null_mut::<u64>();
        // SAFETY: zeros are the default action in the kernel's own structure, too, which is smaller than these.
        let done = unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, nothing.as_ptr(), none, set) };
        Errno::result(done)?;
    }
    Ok(())
}

/// Ignores a signal, also in programs executed from here.
///
/// # Errors
/// `EINVAL` for SIGKILL and SIGSTOP.
pub fn ignore(signal: Signal) -> nix::Result<()> {
    set_action(signal, SigHandler::SigIgn).map(drop)
}

fn set_action(signal: Signal, handler: SigHandler) -> nix::Result<SigAction> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the action runs no code of ours.
    unsafe { sigaction(signal, &action) }
}

/// Signals that are ignored until this value is dropped.
#[derive(Debug)]
pub struct Ignored(Vec<(Signal, SigAction)>);

impl Ignored {
    /// Ignores the signals; one that cannot be ignored stays as it is.
    pub fn new(signals: &[Signal]) -> Self {
        let ignored = |signal: &Signal| Some((*signal, set_action(*signal, SigHandler::SigIgn).ok()?));
        Self(signals.iter().filter_map(ignored).collect())
    }
}

impl Drop for Ignored {
    fn drop(&mut self) {
        for (signal, action) in &self.0 {
            // SAFETY: the action is the one that was there before.
            let _ = unsafe { sigaction(*signal, action) };
        }
    }
}

/// Has the kernel send SIGIO, which ends a program that does not handle it, to this process or the program
/// that it executes when the last writing end of the pipe closes. Unlike the parent-death signal this outlives the execution of a setuid program; `pipe` must stay
/// open for as long as it is to work.
///
/// # Errors
/// What fcntl gives.
pub fn die_with_writer(pipe: BorrowedFd<'_>) -> nix::Result<()> {
    let fd = pipe.as_raw_fd();
    // SAFETY: both take numbers.
    unsafe {
        Errno::result(libc::fcntl(fd, libc::F_SETOWN, libc::getpid()))?;
        Errno::result(libc::fcntl(fd, libc::F_SETFL, libc::O_ASYNC))?;
    }
    Ok(())
}

/// Closes a descriptor in a child, whose copy of the owner's value is never dropped.
pub fn close(fd: BorrowedFd<'_>) {
    // SAFETY: the child ends without running the owner's destructor, so nothing is closed twice.
    unsafe { libc::close(fd.as_raw_fd()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd as _;

    use nix::sys::resource::{Resource, setrlimit};
    use nix::sys::wait::{WaitStatus, waitpid};

    #[test]
    fn a_child_never_runs_its_parents_frames() {
        let exited = |child: Pid, code| assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, code)));
        exited(spawn(|| 7).unwrap(), 7);
        exited(
            spawn(|| {
                std::panic::set_hook(Box::new(|_| {}));
                panic!("in the child")
            })
            .unwrap(),
            PANICKED,
        );
    }

    #[test]
    fn every_descriptor_is_closed_without_close_range_too_whatever_the_limit() {
        // With a descriptor to spare for reading /proc, and without.
        for spare in [1, 0] {
            let child = spawn(|| {
                let high = 900;
                let nowhere = std::fs::File::open("/dev/null").unwrap();
                std::mem::forget(install_fd(nowhere.as_fd(), high, false).unwrap());
                std::mem::forget(nowhere);
                let first_free = (3..high).find(|fd| !is_open(*fd)).unwrap();
                let limit = u64::try_from(first_free).unwrap() + spare;
                setrlimit(Resource::RLIMIT_NOFILE, limit, limit).unwrap();
                assert_eq!(open_descriptors().is_ok(), spare == 1);
                close_each(3);
                i32::from((3..=high).any(is_open))
            })
            .unwrap();
            assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)), "{spare} to spare");
        }
    }

    fn is_open(fd: RawFd) -> bool {
        // SAFETY: F_GETFD takes nothing, and fails where there is no such descriptor.
        unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
    }

    #[test]
    fn the_leash_ends_a_program_when_its_holder_closes_it() {
        let (leash, held) = std::io::pipe().unwrap();
        let holder = held.as_raw_fd();
        let child = spawn(|| {
            // SAFETY: this child's copy only.
            unsafe { libc::close(holder) };
            if die_with_writer(leash.as_fd()).is_err() {
                return 1;
            }
            loop {
                nix::unistd::pause();
            }
        })
        .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100));
        drop(held);
        assert_eq!(waitpid(child, None), Ok(WaitStatus::Signaled(child, Signal::SIGIO, false)));
    }
}

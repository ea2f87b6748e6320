//! Namespaces.

use nix::sched::CloneFlags;
use nix::unistd::Pid;

use super::process::run_and_exit;

/// Runs `child` as the first process of new namespaces (`CLONE_NEW*` in `flags`), all owned by the new
/// user namespace where that is among them. Returns the child's pid in the caller's pid namespace.
/// The caller has one thread: the child starts with a copy of its memory as it is.
///
/// # Errors
/// What clone gives: `EPERM`, `ENOSPC`, `EUSERS`, `EINVAL`.
pub fn spawn_container(flags: CloneFlags, child: impl FnOnce() -> i32) -> nix::Result<Pid> {
    let flags = libc::c_long::from(flags.bits() | libc::SIGCHLD);
    // SAFETY: without a stack of its own the child runs on a copy of the parent's, as after fork, and
    // `run_and_exit` keeps it from returning. No thread exists whose lock could be held in the copy.
    #[cfg(not(target_arch = "s390x"))]
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
    // SAFETY: as above; this architecture takes the stack first (clone(2)).
    #[cfg(target_arch = "s390x")]
    let pid = unsafe { libc::syscall(libc::SYS_clone, 0, flags, 0, 0, 0) };
    match nix::errno::Errno::result(pid)? {
        0 => run_and_exit(child),
        pid => Ok(Pid::from_raw(i32::try_from(pid).map_err(|_| nix::errno::Errno::EOVERFLOW)?)),
    }
}

//! What a process has from whoever started it.

use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::geteuid;

/// The kernel's first limits (`INIT_RLIMITS` in include/asm-generic/resource.h): soft and hard.
const FIRST: [(Resource, rlim_t, rlim_t); 6] = [
    (Resource::RLIMIT_FSIZE, RLIM_INFINITY, RLIM_INFINITY),
    (Resource::RLIMIT_CPU, RLIM_INFINITY, RLIM_INFINITY),
    (Resource::RLIMIT_AS, RLIM_INFINITY, RLIM_INFINITY),
    (Resource::RLIMIT_DATA, RLIM_INFINITY, RLIM_INFINITY),
    (Resource::RLIMIT_STACK, 8 << 20, RLIM_INFINITY),
    (Resource::RLIMIT_NOFILE, 1024, 4096),
];

/// Takes from this process what would decide for it: sudo, cron and nohup pass on what they were given
/// themselves.
///
/// Each child's end is reported, and a file that grows beyond a limit is an error of the call (`EFBIG`) and not
/// the process's end. Root's limits become at least the kernel's first ones, here and in whatever is started from
/// here; anybody else's stay, and the number of processes, which the kernel reckons from its memory. A limit is
/// never lowered.
pub fn shed_inherited() {
    for (signal, handler) in [(Signal::SIGCHLD, SigHandler::SigDfl), (Signal::SIGXFSZ, SigHandler::SigIgn)] {
        let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
        // SAFETY: the action runs no code of ours.
        let _ = unsafe { sigaction(signal, &action) };
    }
    if !geteuid().is_root() {
        return;
    }
    for (resource, soft, hard) in FIRST {
        let _ = raise(resource, soft, hard);
    }
}

/// Raises to at least these. Without `CAP_SYS_RESOURCE`, as in some containers, the own hard limit is the end.
fn raise(resource: Resource, soft: rlim_t, hard: rlim_t) -> nix::Result<()> {
    let (own_soft, own_hard) = getrlimit(resource)?;
    let (soft, hard) = (soft.max(own_soft), hard.max(own_hard));
    if (soft, hard) == (own_soft, own_hard) {
        return Ok(());
    }
    setrlimit(resource, soft, hard).or_else(|_| setrlimit(resource, soft.min(own_hard), own_hard))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::wait::{WaitStatus, waitpid};

    /// The soft limit after one was set in a child.
    fn raised(resource: Resource, soft: rlim_t, hard: rlim_t) -> rlim_t {
        let (heard, said) = nix::unistd::pipe().unwrap();
        let child = super::super::spawn(|| {
            setrlimit(resource, soft, hard).unwrap();
            shed_inherited();
            let now = getrlimit(resource).unwrap().0.to_ne_bytes();
            i32::from(nix::unistd::write(&said, &now) != Ok(now.len()))
        });
        let child = child.unwrap();
        assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
        let mut now = [0; size_of::<rlim_t>()];
        nix::unistd::read(&heard, &mut now).unwrap();
        rlim_t::from_ne_bytes(now)
    }

    #[test]
    fn limits_are_raised_for_root_and_never_lowered() {
        let root = geteuid().is_root();
        let hard = getrlimit(Resource::RLIMIT_NOFILE).unwrap().1;
        assert!(hard >= 1024, "{hard}");
        assert_eq!(raised(Resource::RLIMIT_NOFILE, 10, hard), if root { 1024 } else { 10 });
        assert_eq!(raised(Resource::RLIMIT_NOFILE, hard, hard), hard);
        let hard = getrlimit(Resource::RLIMIT_FSIZE).unwrap().1;
        assert_eq!(raised(Resource::RLIMIT_FSIZE, 0, hard), if root { hard } else { 0 });
        // What may not be raised stays, or all of it is.
        assert!([0, RLIM_INFINITY].contains(&raised(Resource::RLIMIT_FSIZE, 0, 0)));
    }
}

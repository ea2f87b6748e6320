//! From the root side to the worker: a fork, the drop, and this program executed anew where there is something to drop
//! or a CMD to run.

use std::ffi::CString;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, chdir, execveat, getgrouplist, getpid, getppid, getresuid, setsid};

use super::drop::{Identity, Refusal, become_user};
use super::program::Program;
use super::protocol::{Channel, Event};
use super::world::World;
use super::{Spec, worker};
use crate::error::{Code, Error, Result};
use crate::proof::Step;
use crate::sys;

/// The descriptor of the protocol in the worker.
pub(super) const PROTOCOL_FD: i32 = 3;

/// How many descriptors are before it: standard input, output and error.
const STANDARD: usize = 3;

/// The descriptor of the program while it is being executed.
const PROGRAM_FD: i32 = 4;

/// Exit code of a worker that could not begin; what went wrong is told on the channel.
const FAILED: i32 = 125;

/// Everything that the child needs, made before the fork.
pub(super) struct Launch<'a> {
    /// Whom to become first; `None` where we are that user already.
    pub(super) identity: Option<Identity>,
    /// Standard input, output and error of the worker.
    pub(super) stdio: [BorrowedFd<'a>; 3],
    /// Whether the worker leads a session of its own.
    pub(super) own_session: bool,
    /// The world in which it is to be a user.
    pub(super) world: Option<&'a World>,
}

/// Whom to become to be the spec's user: nobody else for the user, everything for root.
pub(super) fn identity(spec: &Spec) -> Result<Option<Identity>> {
    let now = getresuid().map_err(system("look up our own uid"))?;
    let uid = nix::unistd::Uid::from_raw(spec.uid.get());
    if [now.real, now.effective, now.saved].iter().all(|id| *id == uid) {
        return Ok(None);
    }
    if !now.effective.is_root() {
        return Err(Error::new(Code::NotRoot, format!("cannot run a container as {}", spec.user))
            .why(format!("this is uid {}, and only root can become another user", now.effective))
            .fix("run it as that user or with sudo"));
    }
    let gid = nix::unistd::Gid::from_raw(spec.gid.get());
    let name = CString::new(spec.user.as_bytes()).map_err(|_| system("look up groups")(Errno::EINVAL))?;
    let groups = getgrouplist(&name, gid).map_err(system("look up the user's groups"))?;
    Ok(Some(Identity { uid, gid, groups }))
}

/// The spec's user in a world, where no other group exists.
pub(super) fn identity_in_world(spec: &Spec) -> Identity {
    let gid = nix::unistd::Gid::from_raw(spec.gid.get());
    Identity { uid: nix::unistd::Uid::from_raw(spec.uid.get()), gid, groups: vec![gid] }
}

/// Forks the worker. It reports on `theirs`, which the caller closes afterwards.
pub(super) fn start(spec: &Spec, launch: &Launch<'_>, theirs: &Channel) -> Result<Pid> {
    if launch.identity.is_some() || spec.command.is_some() {
        return execute(&Program::worker(spec, launch.identity.is_some())?, launch, theirs);
    }
    // This is the user's own process already, and no program of others will run: the fork itself can be the worker,
    // without the time that another start takes.
    fork(launch, theirs, None, |channel, _| {
        // As in a program of Rust's: a pipe without a reader is an error.
        sys::ignore(Signal::SIGPIPE).map_err(|e| ("sigaction", e))?;
        Ok(worker::run(channel, &[]))
    })
}

/// Forks, and executes a program in the child. Where that fails the child says so on `theirs`, which the
/// caller closes afterwards.
pub(super) fn execute(program: &Program, launch: &Launch<'_>, theirs: &Channel) -> Result<Pid> {
    fork(launch, theirs, Some(program), |_, file| {
        let file = file.ok_or(("execveat", Errno::EBADF))?;
        // Exec makes the process dumpable again, with nothing of root's in its memory.
        let flags = AtFlags::AT_EMPTY_PATH;
        let Err(errno) = execveat(file, c"", &program.arguments, &program.environment, flags);
        Err(("execveat", errno))
    })
}

/// Forks a child that has nothing of ours but what the launch and the program say, and goes on with `then`: given the
/// protocol and the program's file, it gives the exit code.
fn fork(
    launch: &Launch<'_>,
    theirs: &Channel,
    program: Option<&Program>,
    then: impl FnOnce(&Channel, Option<OwnedFd>) -> std::result::Result<i32, Refusal>,
) -> Result<Pid> {
    let failed = system("start a process");
    let file = program.map(|program| program.file.as_fd());
    // Out of the way of the numbers at which they will be installed.
    let high = |fd: BorrowedFd<'_>| sys::dup_from(fd, PROGRAM_FD + 1);
    let fds = launch.stdio.into_iter().chain([theirs.as_fd()]).chain(file).map(high);
    let fds = fds.collect::<nix::Result<Vec<_>>>().map_err(system("copy a descriptor"))?;
    // A parent outside the pid namespace is 0 (getppid(2)).
    let parent = launch.world.map_or_else(getpid, |_| Pid::from_raw(0));
    let child = || {
        // Before descriptors are closed: those of the world's namespaces are among them.
        if let Some(Err(refusal)) = launch.world.map(World::enter) {
            return refused(theirs, refusal);
        }
        let Ok((channel, file)) = keep_only(fds, program.is_some_and(|p| p.worker)) else { return FAILED };
        settle(launch, parent).and_then(|()| then(&channel, file)).unwrap_or_else(|e| refused(&channel, e))
    };
    match launch.world {
        Some(world) => world.spawn(child),
        None => sys::spawn(child),
    }
    .map_err(failed)
}

/// In the child: tells why it could not begin.
fn refused(channel: &Channel, (call, errno): Refusal) -> i32 {
    let words = format!("{call}: {}", errno.desc()).into_bytes();
    let _ = channel.send(&Event::Failed { step: Step::Drop, words }, &[]);
    FAILED
}

/// In the child: installs standard input, output, error, protocol and program, in this order from 0 on,
/// and closes everything else, so that nothing of root's is inherited. The protocol survives exec only `to_worker`.
fn keep_only(fds: Vec<OwnedFd>, to_worker: bool) -> nix::Result<(Channel, Option<OwnedFd>)> {
    let mut kept = Vec::new();
    for (fd, at) in fds.iter().zip(0..) {
        let cloexec = at == PROGRAM_FD || (at == PROTOCOL_FD && !to_worker);
        kept.push(sys::install_fd(fd.as_fd(), at, cloexec)?);
    }
    sys::close_from(u32::try_from(kept.len()).map_err(|_| Errno::EMFILE)?);
    // These numbers are closed now.
    fds.into_iter().for_each(std::mem::forget);
    let mut others = kept.split_off(STANDARD).into_iter();
    // The standard ones are to stay open whatever happens to this process.
    std::mem::forget(kept);
    Ok((Channel::from_fd(others.next().ok_or(Errno::EBADF)?), others.next()))
}

/// In the child: what is to be as for any program that begins, and the user in place of whoever this is.
fn settle(launch: &Launch<'_>, parent: Pid) -> std::result::Result<(), Refusal> {
    default_signals().map_err(|e| ("sigaction", e))?;
    if launch.own_session {
        setsid().map_err(|e| ("setsid", e))?;
    }
    chdir("/").map_err(|e| ("chdir", e))?;
    umask(Mode::from_bits_truncate(0o022));
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(|e| ("setrlimit", e))?;
    if let Some(identity) = &launch.identity {
        become_user(identity)?;
    }
    // Only now: a change of credentials takes the death signal away. The second call sees a parent that
    // was gone before.
    set_pdeathsig(Signal::SIGKILL).map_err(|e| ("prctl", e))?;
    if getppid() != parent {
        return Err(("getppid", Errno::ESRCH));
    }
    Ok(())
}

/// Default handlers for all signals, and none blocked.
fn default_signals() -> nix::Result<()> {
    sys::default_actions()?;
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)
}

/// A system call of the root side that failed.
pub(super) fn system(doing: &str) -> impl Fn(Errno) -> Error {
    let what = format!("cannot {doing}");
    move |errno| {
        Error::new(Code::System, what.clone()).why(errno.desc()).fix("look at the system's limits and logs")
    }
}

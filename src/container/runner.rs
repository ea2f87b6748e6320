//! The root side: forks, keeps the deadline, reads what the kernel shows of the container, and believes
//! nothing else.

use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::drop::Identity;
pub(super) use super::launch::system;
use super::launch::{self, Launch};
use super::probes;
use super::protocol::{Channel, Event, Incoming, Reply, Request, wait_readable};
use super::terminal::Terminal;
use super::verdict::{FOREIGN, Seen, expected_maps, failed, own};
use super::world::World;
use super::{LookAround, Spec};
use crate::error::{Code, Error, Result};
use crate::idmap;
use crate::proof::{Proof, Step};
use crate::range::{Kind, PerKind};
use crate::sys::{self, Ignored};

/// More messages than an honest container sends.
const MOST_EVENTS: usize = 64;

/// How much longer than a helper's deadline the whole may take.
const GRACE: Duration = Duration::from_secs(1);

/// How often is looked for the end of a process that was killed.
const REAP: Duration = Duration::from_millis(2);

/// CMD without a limit: a year.
const FOREVER: Duration = Duration::from_secs(365 * 86400);

/// Makes the container, looks at it from both sides, and ends it.
///
/// A container that fails is no error but a proof with `ok: false`, its step, the helper's words and the
/// cause. CMD's exit code is in the proof.
///
/// # Errors
/// `not-root` where the caller is neither root nor the user, `system` where the root side's own calls fail,
/// `interrupted` where a signal ended it.
pub fn run(spec: &Spec, machine: LookAround<'_>) -> Result<Proof> {
    run_in(spec, machine, None)
}

/// As [`run`]: on the host, or in a world as the user of that name there.
pub(super) fn run_in(spec: &Spec, machine: LookAround<'_>, world: Option<&World>) -> Result<Proof> {
    let identity = match world {
        Some(_) => Some(launch::identity_in_world(spec)),
        None => launch::identity(spec)?,
    };
    let maps = match expected_maps(spec) {
        Ok(maps) => maps,
        Err(words) => return failed(spec, machine, world, Step::Prepare, words.as_bytes()),
    };
    let helpers = world.map_or(&spec.helpers, World::helpers);
    for kind in Kind::BOTH {
        if helpers[kind].is_none() {
            let step = if kind == Kind::Uid { Step::UidMap } else { Step::GidMap };
            let words = format!("{}: there is none that can be used", kind.helper());
            return failed(spec, machine, world, step, words.as_bytes());
        }
    }
    let helpers: Vec<BorrowedFd<'_>> =
        Kind::BOTH.iter().filter_map(|kind| helpers[*kind].as_ref()).map(|fd| fd.as_fd()).collect();

    let mut terminal = None;
    if identity.is_some() && spec.command.is_some() {
        terminal = Terminal::for_user(spec.uid).map_err(system("make a pseudo-terminal"))?;
    }
    let nowhere = File::options().read(true).write(true).open("/dev/null");
    let nowhere = nowhere.map_err(|e| system("open /dev/null")(errno(&e)))?;
    let (stdin, stdout, stderr) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let stdio = match (&spec.command, &terminal) {
        (None, _) => [nowhere.as_fd(); 3],
        (Some(_), Some(terminal)) => terminal.stdio(),
        (Some(_), None) => [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()],
    };
    // As the user, CMD has the user's own terminal and session.
    let own_session = identity.is_some() || spec.command.is_none();
    let (ours, theirs) = Channel::pair().map_err(system("make a socket"))?;
    let owner = identity.as_ref().map(|user| owner(user, world));
    let files = match probes::files(owner) {
        Ok(files) => files,
        Err(errno) => {
            let words = format!("a file of the user's: {}", errno.desc());
            return failed(spec, machine, world, Step::Drop, words.as_bytes());
        }
    };
    let launch = Launch { identity, stdio, own_session, world };
    let worker = match launch::start(spec, &launch, &theirs) {
        Ok(worker) => worker,
        Err(error) => {
            let words = format!("{}: {}", error.what, error.why);
            return failed(spec, machine, world, Step::Drop, words.as_bytes());
        }
    };
    drop(theirs);
    let worker = Worker { pid: worker, own_session };

    let timeout = u64::try_from(spec.timeout.as_millis()).unwrap_or(u64::MAX);
    let is_terminal = terminal.as_ref().is_some_and(Terminal::is_input);
    let root = spec.root.clone();
    let request = Request { maps: maps.clone(), own: own(spec), timeout, terminal: is_terminal, root };
    // A worker that is gone already has said why, or the end of the stream says so below.
    if ours.send(&request, &helpers) == Err(Errno::EMSGSIZE) {
        return failed(spec, machine, world, Step::Prepare, Errno::EMSGSIZE.desc().as_bytes());
    }
    // This one the container reads, after the worker has read the other.
    let _ = ours.send(&Reply::Check, &files.iter().map(|file| file.as_fd()).collect::<Vec<_>>());
    let mut seen = Seen::new(maps, own(spec), worker.pid, world);
    seen.files = files;
    watch(&ours, &mut seen, spec.timeout).map_err(system("talk to the container"))?;

    let mut ran = Ok(None);
    if spec.command.is_some() && seen.agrees() {
        if let Some(terminal) = &mut terminal {
            terminal.begin().map_err(system("set the terminal"))?;
        }
        let _ignored = (!own_session).then(|| Ignored::new(&[Signal::SIGINT, Signal::SIGQUIT]));
        ran = command(&ours, &mut seen, spec.command_timeout, terminal.as_mut());
    } else {
        let _ = ours.send(&Reply::End, &[]);
    }
    drop(terminal);
    worker.end(&ours, seen.init.take());
    seen.proof(spec, machine, ran?)
}

/// Whose the check files are, as the host numbers it: the user's, or in a world those of the IDs that stand for
/// the user. An ID that the world does not have stays what it is, and its check fails.
fn owner(user: &Identity, world: Option<&World>) -> PerKind<u32> {
    let own = PerKind { uid: user.uid.as_raw(), gid: user.gid.as_raw() };
    PerKind::from_fn(|kind| {
        world.and_then(|world| idmap::outside(&world.maps()[kind], own[kind])).unwrap_or(own[kind])
    })
}

/// Hears the container until it is ready or has failed.
fn watch(channel: &Channel, seen: &mut Seen, timeout: Duration) -> nix::Result<()> {
    let deadline = Instant::now() + timeout + GRACE;
    for _ in 0..MOST_EVENTS {
        match channel.receive_until::<Event>(deadline) {
            Ok(Some(incoming)) => {
                if seen.hear(incoming) {
                    return Ok(());
                }
            }
            Ok(None) => {
                seen.fail_here("the container ended without a word");
                return Ok(());
            }
            Err(Errno::ETIMEDOUT) => {
                seen.time_out(timeout);
                return Ok(());
            }
            Err(Errno::EBADMSG | Errno::EMSGSIZE | Errno::ENOBUFS) => break,
            Err(errno) => return Err(errno),
        }
    }
    seen.fail_here(FOREIGN);
    Ok(())
}

/// Lets CMD run and waits for its exit code.
fn command(
    channel: &Channel,
    seen: &mut Seen,
    timeout: Option<Duration>,
    terminal: Option<&mut Terminal>,
) -> Result<Option<u8>> {
    seen.step = Step::Command;
    let _ = channel.send(&Reply::Run, &[]);
    let timeout = timeout.unwrap_or(FOREVER);
    let deadline = Instant::now() + timeout;
    let waited = match terminal {
        Some(terminal) => terminal.relay_until(channel.as_fd(), deadline),
        None => wait_readable(channel.as_fd(), deadline),
    };
    match waited {
        Ok(()) => {}
        Err(Errno::ETIMEDOUT) => {
            seen.time_out(timeout);
            return Ok(None);
        }
        Err(Errno::EINTR) => return Err(interrupted()),
        Err(errno) => return Err(system("relay the terminal")(errno)),
    }
    match channel.receive::<Event>() {
        Ok(Some(Incoming { message: Event::Exited(code), .. })) => return Ok(Some(code)),
        Ok(Some(incoming)) => {
            seen.hear(incoming);
        }
        _ => {}
    }
    seen.fail_here("the container ended without CMD's exit code");
    Ok(None)
}

fn interrupted() -> Error {
    Error::new(Code::Interrupted, "interrupted by a signal")
        .why("SIGINT, SIGTERM or SIGHUP came while CMD ran")
        .fix("nothing is left of the container: run it again")
}

/// The worker's process, or that of another program. Dropping it ends it, and with it the container and all
/// that runs there.
pub(super) struct Worker {
    pub(super) pid: Pid,
    pub(super) own_session: bool,
}

impl Worker {
    /// Ends everything and waits until it is gone: while any part of ours lives the socket has another end, and
    /// the kernel ends what CMD left behind before the first process of its namespace is seen to have ended.
    fn end(self, channel: &Channel, init: Option<OwnedFd>) {
        drop(self);
        let deadline = Instant::now() + GRACE;
        if let Some(init) = init {
            let _ = wait_readable(init.as_fd(), deadline);
        }
        for _ in 0..MOST_EVENTS {
            if !matches!(channel.receive_until::<Event>(deadline), Ok(Some(_))) {
                return;
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // A helper that hangs is in the worker's session, where that has one of its own. The pid is ours
        // until it has been waited for.
        if self.own_session {
            let _ = killpg(self.pid, Signal::SIGKILL);
        }
        let _ = kill(self.pid, Signal::SIGKILL);
        // A process of the user's that traces the worker hides its end from us for as long as it likes; init
        // reaps it after us.
        let deadline = Instant::now() + GRACE;
        // Before Linux 5.3 there is only the looking again and again below.
        if let Ok(ended) = sys::pidfd_open(self.pid) {
            let _ = wait_readable(ended.as_fd(), deadline);
        }
        while matches!(
            waitpid(self.pid, Some(WaitPidFlag::WNOHANG)),
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR)
        ) && Instant::now() < deadline
        {
            std::thread::sleep(REAP);
        }
    }
}

/// The system's number of an I/O error.
pub(super) fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO))
}

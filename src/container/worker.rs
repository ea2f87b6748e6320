//! The worker: a process of the user's, with one thread. It makes the container and has the real helpers write its
//! maps.

use std::ffi::{CStr, CString, OsString};
use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sched::CloneFlags;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, execveat};

use super::attempts::Outside;
use super::inside;
use super::launch::PROTOCOL_FD;
use super::protocol::{Channel, Event, LONGEST_WORDS, Request, wait_readable};
use crate::findings::NO_ANSWER;
use crate::idmap::Extent;
use crate::proof::Step;
use crate::range::Kind;
use crate::sys;

/// A step that failed and what the helper or the kernel said.
pub(super) type Failed = (Step, String);

/// The hidden subcommand `__container`: the protocol is on descriptor 3, CMD follows in the arguments.
/// Whoever calls it without being the root side's child gets exit code 125 and nothing happens.
pub fn worker_main() -> ExitCode {
    let Ok(fd) = sys::inherited_fd(PROTOCOL_FD) else { return ExitCode::from(125) };
    let command: Vec<OsString> = std::env::args_os().skip(2).collect();
    let code = run(&Channel::from_fd(fd), &command);
    ExitCode::from(u8::try_from(code).unwrap_or(125))
}

/// All of the worker's work; the exit code.
pub(super) fn run(channel: &Channel, command: &[OsString]) -> i32 {
    let Err((step, words)) = work(channel, command) else { return 0 };
    // Where the root side is gone there is nobody to tell.
    let _ = channel.send(&Event::Failed { step, words: bounded(words.into_bytes()) }, &[]);
    125
}

fn work(channel: &Channel, command: &[OsString]) -> Result<(), Failed> {
    let prepare = |errno: Errno| (Step::Prepare, errno.desc().to_owned());
    let Some(request) = channel.receive::<Request>().map_err(prepare)? else { return Ok(()) };
    let [newuidmap, newgidmap]: [OwnedFd; 2] =
        request.fds.try_into().map_err(|_| (Step::Prepare, "the helpers did not arrive".to_owned()))?;
    let request = request.message;
    if !command.is_empty() {
        // As a shell does while its command has the terminal: Ctrl-C is for CMD.
        let _ = sys::ignore(Signal::SIGINT);
        let _ = sys::ignore(Signal::SIGQUIT);
    }

    let _ = channel.send(&Event::At(Step::Unshare), &[]);
    let (mapped, mut tell) = std::io::pipe().map_err(|e| (Step::Unshare, e.to_string()))?;
    let container = make(channel, &request, command, mapped, &tell)?;
    let _ = channel.send(&Event::At(Step::UidMap), &[]);
    let deadline = Instant::now() + Duration::from_millis(request.timeout);
    // Both at once: neither map is a condition of the other. Ending this process ends helpers and container, so an
    // early return leaves nothing behind.
    let [uid, gid] = [(Kind::Uid, newuidmap), (Kind::Gid, newgidmap)]
        .map(|(kind, file)| Helper::start(&file, kind, container, &request.maps[kind]));
    uid.and_then(|helper| helper.end(deadline)).map_err(|words| (Step::UidMap, words))?;
    let _ = channel.send(&Event::At(Step::GidMap), &[]);
    gid.and_then(|helper| helper.end(deadline)).map_err(|words| (Step::GidMap, words))?;
    let _ = channel.send(&Event::At(Step::Enter), &[]);
    tell.write_all(b"m").map_err(|e| (Step::Enter, e.to_string()))?;
    drop(tell);
    wait(container);
    Ok(())
}

/// Clones the container. It waits until `mapped` can be read; where it ends without a byte this process is
/// gone, and so is the container.
fn make(
    channel: &Channel,
    request: &Request,
    command: &[OsString],
    mapped: PipeReader,
    tell: &PipeWriter,
) -> Result<Pid, Failed> {
    let flags = CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWPID
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC;
    let outside = Outside::open();
    let child = || {
        // The copy of the writing end would keep the pipe open after the worker's death.
        sys::close(tell.as_fd());
        inside::main(channel, request, command, mapped, &outside)
    };
    sys::spawn_container(flags, child).map_err(|errno| (Step::Unshare, format!("clone: {}", errno.desc())))
}

/// A helper that writes a map.
struct Helper {
    child: Pid,
    /// What it says.
    heard: PipeReader,
    /// Held by this process alone: when it is gone, so is a helper that hangs, whose root's rights take the
    /// parent-death signal away.
    held: PipeWriter,
}

impl Helper {
    /// Starts one by its descriptor: `newuidmap PID INSIDE OUTSIDE COUNT …`.
    fn start(file: &OwnedFd, kind: Kind, container: Pid, map: &[Extent]) -> Result<Self, String> {
        let numbers = map.iter().flat_map(|e| [u64::from(e.inside), u64::from(e.outside), e.count]);
        let words = std::iter::once(kind.helper().to_owned())
            .chain(std::iter::once(container.to_string()))
            .chain(numbers.map(|n| n.to_string()));
        let arguments: Vec<CString> =
            words.map(CString::new).collect::<Result<_, _>>().map_err(|e| e.to_string())?;
        // Its words are compared with known ones, so they must not be translated.
        let environment: [&CStr; 2] = [c"PATH=/usr/sbin:/usr/bin:/sbin:/bin", c"LC_ALL=C"];

        let (heard, said) = std::io::pipe().map_err(|e| e.to_string())?;
        let (leash, held) = std::io::pipe().map_err(|e| e.to_string())?;
        let child = sys::spawn(|| {
            for (fd, at) in [(leash.as_fd(), 0), (said.as_fd(), 1), (said.as_fd(), 2)] {
                let Ok(fd) = sys::install_fd(fd, at, false) else { return 127 };
                std::mem::forget(fd);
            }
            if sys::die_with_writer(leash.as_fd()).is_err() {
                return 127;
            }
            let Err(errno) = execveat(file, c"", &arguments, &environment, AtFlags::AT_EMPTY_PATH);
            let _ = writeln!(std::io::stderr(), "{}: {}", kind.helper(), errno.desc());
            127
        });
        let child = child.map_err(|errno| format!("fork: {}", errno.desc()))?;
        Ok(Self { child, heard, held })
    }

    /// Waits until it has written its map; else gives its words.
    fn end(mut self, deadline: Instant) -> Result<(), String> {
        let mut words = Vec::new();
        let result = listen(&mut self.heard, &mut words, deadline);
        if result.is_err() {
            // A helper keeps the caller's real uid, so its caller may end it.
            let _ = kill(self.child, Signal::SIGKILL);
        }
        let status = wait(self.child);
        drop(self.held);
        let words = String::from_utf8_lossy(&words).trim_end().to_owned();
        match (result, status) {
            (Ok(()), Some(WaitStatus::Exited(_, 0))) => Ok(()),
            (Err(Errno::ETIMEDOUT), _) => Err(format!("{NO_ANSWER} {words}").trim_end().to_owned()),
            (_, Some(WaitStatus::Exited(_, code))) if words.is_empty() => {
                Err(format!("exit code {code} without a word"))
            }
            (_, Some(WaitStatus::Signaled(_, signal, _))) => {
                Err(format!("ended by {} {words}", signal.as_str()).trim_end().to_owned())
            }
            _ => Err(words),
        }
    }
}

/// Reads what a helper says until it closes its output; what is longer than anyone wants to see is
/// thrown away.
fn listen(heard: &mut PipeReader, words: &mut Vec<u8>, deadline: Instant) -> nix::Result<()> {
    let mut chunk = [0; 4096];
    loop {
        wait_readable(heard.as_fd(), deadline)?;
        match heard.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(n) if words.len() < LONGEST_WORDS => {
                words.extend_from_slice(chunk.get(..n).unwrap_or_default());
            }
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO))),
        }
    }
}

/// How a child ended; `None` where the kernel does not say.
fn wait(child: Pid) -> Option<WaitStatus> {
    loop {
        match waitpid(child, None) {
            Err(Errno::EINTR) => {}
            result => return result.ok(),
        }
    }
}

/// As many bytes as one message may carry of another program's words.
pub(super) fn bounded(mut words: Vec<u8>) -> Vec<u8> {
    words.truncate(LONGEST_WORDS);
    words
}

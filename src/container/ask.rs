//! An installed program, run as the user: what it says, until a deadline.

use std::fs::File;
use std::io::{PipeReader, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

use super::Spec;
use super::launch::{self, Launch, system};
use super::program::Program;
use super::protocol::{Channel, Event};
use super::runner::{Worker, errno};
use crate::error::Result;

/// Bytes that are kept of each output; what is longer than anyone wants to see is thrown away.
const LONGEST: usize = 16 << 10;

/// How often a program is looked at. Its outputs are not waited for: what it leaves behind, such as podman's
/// pause process, may hold them open for ever.
const LOOK: Duration = Duration::from_millis(5);

/// What a program did.
#[derive(Debug)]
pub(super) struct Answer {
    /// Its exit code; `None` where a signal or the deadline ended it, or it could not be executed.
    pub(super) code: Option<i32>,
    pub(super) stdout: Vec<u8>,
    /// What it wrote to stderr, or why it has no exit code.
    pub(super) stderr: Vec<u8>,
}

/// Whom to ask, and until when.
pub(super) struct Asking<'a> {
    pub(super) user: &'a Spec,
    /// `XDG_RUNTIME_DIR` of what is asked.
    pub(super) runtime: Option<&'a str>,
    pub(super) deadline: Instant,
}

impl Asking<'_> {
    /// Runs a program as the user, completely: dropped as the worker is, with its environment made anew.
    ///
    /// # Errors
    /// `not-root`, and `system` where our own calls fail; what the program does is no error.
    pub(super) fn run(&self, program: &OwnedFd, words: &[&str]) -> Result<Answer> {
        let program = program.try_clone().map_err(|e| system("copy a descriptor")(errno(&e)))?;
        let program = Program::installed(program, words, self.user, self.runtime)?;
        let nowhere = File::open("/dev/null").map_err(|e| system("open /dev/null")(errno(&e)))?;
        let pipe = || std::io::pipe().map_err(|e| system("make a pipe")(errno(&e)));
        let ((stdout, out), (stderr, err)) = (pipe()?, pipe()?);
        let launch = Launch {
            identity: launch::identity(self.user)?,
            stdio: [nowhere.as_fd(), out.as_fd(), err.as_fd()],
            own_session: true,
            world: None,
        };
        let (ours, theirs) = Channel::pair().map_err(system("make a socket"))?;
        let worker = Worker { pid: launch::execute(&program, &launch, &theirs)?, own_session: true };
        drop((theirs, out, err));
        match ours.receive_until::<Event>(self.deadline) {
            Ok(Some(incoming)) => {
                let words = match incoming.message {
                    Event::Failed { words, .. } => words,
                    _ => b"it said what it never says".to_vec(),
                };
                return Ok(Answer { code: None, stdout: Vec::new(), stderr: words });
            }
            // The channel closes when the program is executed; at the deadline the next look says so.
            Ok(None) | Err(Errno::ETIMEDOUT) => {}
            Err(errno) => return Err(system("start a program")(errno)),
        }
        hear(&worker, [stdout, stderr], self.deadline).map_err(system("hear a program"))
    }
}

/// Reads both outputs until the program has ended. It is not reaped here: its pid must stay its own until
/// all that it started has been ended.
fn hear(worker: &Worker, mut outputs: [PipeReader; 2], deadline: Instant) -> nix::Result<Answer> {
    for output in &outputs {
        fcntl(output, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    }
    let mut said = [Vec::new(), Vec::new()];
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    loop {
        // In this order: what an ended program wrote is there.
        let status = waitid(Id::Pid(worker.pid), flags)?;
        for (output, said) in outputs.iter_mut().zip(&mut said) {
            take(output, said);
        }
        let mut end = |code, words: &str| {
            let [stdout, mut stderr] = std::mem::take(&mut said);
            stderr.extend_from_slice(words.as_bytes());
            Ok(Answer { code, stdout, stderr })
        };
        match status {
            WaitStatus::Exited(_, code) => return end(Some(code), ""),
            WaitStatus::Signaled(_, signal, _) => return end(None, &format!("ended by {}", signal.as_str())),
            _ if Instant::now() >= deadline => return end(None, crate::findings::NO_ANSWER),
            _ => std::thread::sleep(LOOK),
        }
    }
}

/// Takes what is there, and not more than a pipe holds: a program may write faster than anyone reads.
fn take(output: &mut PipeReader, said: &mut Vec<u8>) {
    let mut chunk = [0; 4096];
    for _ in 0..16 {
        match output.read(&mut chunk) {
            Ok(n) if n > 0 => {
                let room = LONGEST.saturating_sub(said.len()).min(n);
                said.extend_from_slice(chunk.get(..room).unwrap_or_default());
            }
            _ => return,
        }
    }
}

//! Many small commands in a sandbox, without a shell and a deadline for each.

use std::fs::File;
use std::panic::resume_unwind;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Sandbox;

impl Sandbox {
    /// Does this on a thread that has the sandbox's files and processes, and so has every command that it
    /// starts. When it takes longer than `seconds` in all, the sandbox's processes end.
    ///
    /// # Panics
    /// As `work` does.
    pub(crate) fn inside<T: Send>(&self, seconds: u64, work: impl FnOnce() -> T + Send) -> T {
        let init = self.pid();
        let enter = move || {
            let namespace = |name: &str| File::open(format!("/proc/{init}/ns/{name}")).unwrap();
            let (mounts, processes) = (namespace("mnt"), namespace("pid_for_children"));
            // The working folder and the root must be this thread's alone before they can change.
            unshare(CloneFlags::CLONE_FS).unwrap();
            setns(mounts, CloneFlags::CLONE_NEWNS).unwrap();
            setns(processes, CloneFlags::CLONE_NEWPID).unwrap();
        };
        let (done, wait) = channel::<()>();
        std::thread::scope(|scope| {
            let worker = scope.spawn(move || {
                // Dropped at the end, however it comes.
                let _done = done;
                enter();
                work()
            });
            if wait.recv_timeout(Duration::from_secs(seconds)) == Err(RecvTimeoutError::Timeout) {
                let unshare = Pid::from_raw(i32::try_from(init).unwrap());
                kill(unshare, Signal::SIGKILL).unwrap();
            }
            worker.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }
}

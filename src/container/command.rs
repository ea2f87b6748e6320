//! CMD: run in the container, on a read-only view of the host's files.
//!
//! The view keeps CMD from changing files by accident. It is no border: CMD is root inside, could mount it
//! anew, and then has the user's own rights on the host's files, as without a container.

use std::ffi::{CString, OsString};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, execvpe, setsid};

use super::inside::{at, enter};
use super::protocol::{Channel, Event};
use super::worker::Failed;
use crate::proof::Step;
use crate::sys;

/// Folders of the view that CMD may write to: they are empty and end with the container.
const WRITABLE: [(&str, &str); 4] =
    [("/tmp", "mode=1777"), ("/var/tmp", "mode=1777"), ("/run", "mode=0755"), ("/dev/shm", "mode=1777")];

/// A copy of the host's mounts, read-only and without setuid, not attached anywhere yet. To be made before
/// the container has its own root.
pub(super) fn host_view() -> Result<OwnedFd, Failed> {
    let tree = sys::clone_tree(c"/").map_err(at(Step::Command, "open_tree"))?;
    sys::set_attributes(tree.as_fd(), libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID)
        .map_err(at(Step::Command, "mount_setattr"))?;
    Ok(tree)
}

/// Makes the view the root folder, runs CMD there and tells its exit code.
pub(super) fn run(
    channel: &Channel,
    host: &OwnedFd,
    words: &[OsString],
    terminal: bool,
) -> Result<i32, Failed> {
    let command = |call| at(Step::Command, call);
    sys::attach(host.as_fd(), c"/host").map_err(command("move_mount"))?;
    enter("/host")?;
    let none = None::<&str>;
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("proc"), "/proc", Some("proc"), quiet | MsFlags::MS_NOEXEC, none).map_err(command("proc"))?;
    for (folder, options) in WRITABLE {
        match mount(Some("tmpfs"), folder, Some("tmpfs"), quiet, Some(options)) {
            Ok(()) | Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(errno) => return Err(command("tmpfs")(errno)),
        }
    }
    let child = sys::spawn(|| exec(words, terminal)).map_err(command("fork"))?;
    let code = reap_until(child);
    channel.send(&Event::Exited(code), &[]).map_err(command("protocol"))?;
    Ok(i32::from(code))
}

/// In CMD's process: a shell's exit codes for a program that is not there (127) or cannot run (126).
fn exec(words: &[OsString], terminal: bool) -> i32 {
    if terminal && (setsid().is_err() || sys::make_controlling(std::io::stdin().as_fd()).is_err()) {
        return 125;
    }
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGPIPE] {
        let _ = sys::default_action(signal);
    }
    sys::close_from(3);
    let words: Option<Vec<CString>> = words.iter().map(|w| CString::new(w.as_bytes()).ok()).collect();
    let variables: Option<Vec<CString>> = std::env::vars_os()
        .map(|(name, value)| CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok())
        .collect();
    let (Some(words), Some(variables)) = (words, variables) else { return 125 };
    let Some(program) = words.first() else { return 125 };
    let Err(errno) = execvpe(program, &words, &variables);
    eprintln!("subidctl: {}: {}", crate::text::escape(program.as_bytes()), errno.desc());
    if errno == Errno::ENOENT { 127 } else { 126 }
}

/// Waits for every child, as pid 1 must, until CMD's own process has ended.
fn reap_until(command: Pid) -> u8 {
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == command => return u8::try_from(code).unwrap_or(125),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == command => {
                return u8::try_from(128 + signal as i32).unwrap_or(125);
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return 125,
        }
    }
}

//! CMD: run in the container, on a read-only view of the host's files or of a given root.
//!
//! The view keeps CMD from changing files by accident. It is no border: CMD is root inside, could mount it
//! anew, and then has the user's own rights on these files, as without a container.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, execvpe, setsid};

use super::inside::{at, enter};
use super::protocol::{Channel, Event};
use super::worker::Failed;
use crate::findings::GIVEN_ROOT;
use crate::proof::Step;
use crate::sys;

/// Folders of the view that CMD may write to: they are empty and end with the container.
const WRITABLE: [(&str, &str); 4] =
    [("/tmp", "mode=1777"), ("/var/tmp", "mode=1777"), ("/run", "mode=0755"), ("/dev/shm", "mode=1777")];

/// The devices that a given root gets of the host's: its own count for nothing there.
const DEVICES: [&CStr; 6] =
    [c"/dev/null", c"/dev/zero", c"/dev/full", c"/dev/random", c"/dev/urandom", c"/dev/tty"];

/// What CMD will have as its root folder: mounts that are not attached anywhere yet.
pub(super) struct View {
    root: OwnedFd,
    /// Of a given root; `None` where the host's own are there.
    devices: Option<Vec<(&'static CStr, OwnedFd)>>,
}

/// A copy of the host's mounts, read-only and without setuid; or of the root that is given, where devices do not
/// count either. The path is looked up with the user's rights. To be made before the container has its own root.
pub(super) fn view(given: Option<&[u8]>) -> Result<View, Failed> {
    let quiet = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID;
    let clone = |path: &CStr, attributes| {
        let tree = sys::clone_tree(path)?;
        sys::set_attributes(tree.as_fd(), attributes)?;
        Ok(tree)
    };
    let Some(path) = given else {
        let root = clone(c"/", quiet).map_err(at(Step::Command, "the host's mounts"))?;
        return Ok(View { root, devices: None });
    };
    let shown = crate::text::escape(path);
    let root = CString::new(path)
        .map_err(|_| Errno::EINVAL)
        .and_then(|path| clone(&path, quiet | libc::MOUNT_ATTR_NODEV));
    let root = root.map_err(at(Step::Command, &format!("{GIVEN_ROOT} {shown}")))?;
    let devices = DEVICES.into_iter().filter_map(|path| Some((path, sys::clone_tree(path).ok()?)));
    Ok(View { root, devices: Some(devices.collect()) })
}

/// Whether the folder is there, and no link: whoever filled a given root could lead a mount astray.
fn is_folder(path: &str) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|folder| folder.is_dir())
}

/// Folders of its own for /proc and /dev of a given root, where it has places for them. `proc` is the container's.
fn furnish(proc: &OwnedFd, devices: &[(&CStr, OwnedFd)]) -> Result<(), Failed> {
    let command = |call| at(Step::Command, call);
    if is_folder("/proc") {
        sys::attach(proc.as_fd(), c"/proc").map_err(command("/proc of the root"))?;
    }
    if !is_folder("/dev") {
        return Ok(());
    }
    let options = Some("mode=0755,size=64k,nr_inodes=32");
    mount(Some("tmpfs"), "/dev", Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, options)
        .map_err(command("/dev of the root"))?;
    let failed = |e: std::io::Error| (Step::Command, format!("/dev of the root: {e}"));
    std::fs::create_dir("/dev/shm").map_err(failed)?;
    for (name, target) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        symlink(format!("/proc/self/fd{target}"), format!("/dev/{name}")).map_err(failed)?;
    }
    for (path, device) in devices {
        std::fs::write(OsStr::from_bytes(path.to_bytes()), "").map_err(failed)?;
        sys::attach(device.as_fd(), path).map_err(command("a device of the root"))?;
    }
    Ok(())
}

/// Makes the view the root folder, runs CMD there and tells its exit code.
pub(super) fn run(channel: &Channel, view: &View, words: &[OsString], terminal: bool) -> Result<i32, Failed> {
    let command = |call| at(Step::Command, call);
    // Once our own root is gone, and with it the only /proc that can be seen, no other can be mounted.
    let proc = sys::clone_tree(c"/proc").map_err(command("proc"))?;
    sys::attach(view.root.as_fd(), c"/host").map_err(command("move_mount"))?;
    enter("/host")?;
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    match &view.devices {
        None => sys::attach(proc.as_fd(), c"/proc").map_err(command("proc"))?,
        Some(devices) => furnish(&proc, devices)?,
    }
    for (folder, options) in WRITABLE.into_iter().filter(|(folder, _)| is_folder(folder)) {
        mount(Some("tmpfs"), folder, Some("tmpfs"), quiet, Some(options)).map_err(command("tmpfs"))?;
    }
    let child = sys::spawn(|| exec(words, terminal)).map_err(command("fork"))?;
    let code = reap_until(child);
    channel.send(&Event::Exited(code), &[]).map_err(command("protocol"))?;
    Ok(i32::from(code))
}

/// In CMD's process: a shell's exit codes for a program that is not there (127) or cannot run (126).
fn exec(words: &[OsString], terminal: bool) -> i32 {
    for signal in [Signal::SIGINT, Signal::SIGQUIT, Signal::SIGPIPE] {
        let _ = sys::default_action(signal);
    }
    // From here on a Ctrl-C is for this process, which does not ignore it any more.
    if terminal && (setsid().is_err() || sys::make_controlling(std::io::stdin().as_fd()).is_err()) {
        return 125;
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

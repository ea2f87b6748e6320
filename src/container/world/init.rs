//! The world's first process: it builds the world from inside, as its root, and waits for its end.

use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid, setsid};
use serde::{Deserialize, Serialize};

use super::super::protocol::Channel;
use super::super::runner::errno;
use super::Stage;
use crate::range::{Kind, PerKind};
use crate::sys;

/// The helpers' programs; `None` for one that the host does not have.
pub(super) type Copies = PerKind<Option<Vec<u8>>>;

/// What it and the host's side say to one another.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Word {
    /// The maps are written, and nobody else has the IDs.
    Mapped,
    /// The world is there.
    Ready,
    /// It could not be built.
    Failed { doing: String, errno: i32 },
}

/// What could not be done, and the kernel's word.
type Failed = (String, Errno);

/// Where the copy of a helper lies: on a mount of the world's own, the only one that honours setuid bits.
pub(super) fn helper_path(kind: Kind) -> String {
    format!("/run/{}", kind.helper())
}

/// Runs as pid 1 until the host's side is gone.
pub(super) fn main(channel: &Channel, stage: &Stage, copies: &Copies) -> i32 {
    let Ok(channel) = keep_only(channel) else { return 125 };
    // No word means that the host's side is gone, or took another block.
    let Ok(Some(_)) = channel.receive::<Word>() else { return 0 };
    let word = match build(stage, copies) {
        Ok(()) => Word::Ready,
        Err((doing, errno)) => Word::Failed { doing, errno: errno as i32 },
    };
    if channel.send(&word, &[]).is_err() {
        return 125;
    }
    // Nothing more will be said: this is the end of the world.
    let _ = channel.receive::<Word>();
    0
}

/// Lets go of everything of the host side's: its descriptors, its terminal, its children's ends.
fn keep_only(channel: &Channel) -> nix::Result<Channel> {
    set_dumpable(false)?;
    setsid()?;
    sys::ignore(Signal::SIGCHLD)?;
    let channel = {
        let nowhere = File::options().read(true).write(true).open("/dev/null").map_err(|e| errno(&e))?;
        let (nowhere, channel) = (sys::dup_from(nowhere.as_fd(), 4)?, sys::dup_from(channel.as_fd(), 4)?);
        for fd in 0..3 {
            std::mem::forget(sys::install_fd(nowhere.as_fd(), fd, false)?);
        }
        sys::install_fd(channel.as_fd(), 3, true)?
    };
    sys::close_from(4);
    Ok(Channel::from_fd(channel))
}

/// Becomes the world's root: until then this process has the host's root's IDs, which the world does not know.
pub(super) fn become_root() -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(0), Gid::from_raw(0));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    set_dumpable(false)?;
    set_pdeathsig(Signal::SIGKILL)
}

fn build(stage: &Stage, copies: &Copies) -> Result<(), Failed> {
    become_root().map_err(|errno| ("become its root".to_owned(), errno))?;
    umask(Mode::from_bits_truncate(0o022));
    host_tree().map_err(|errno| ("restrict the host's files in it".to_owned(), errno))?;
    // A socket of the host's would answer for accounts (nscd), or take a line of the log.
    for (folder, flags, required) in [
        ("/etc", MsFlags::MS_NOSUID, true),
        ("/run", MsFlags::empty(), true),
        ("/dev", MsFlags::MS_NOSUID, true),
        ("/tmp", MsFlags::MS_NOSUID, false),
        ("/var/lib", MsFlags::MS_NOSUID, stage.state),
    ] {
        if !required && (folder != "/tmp" || !Path::new(folder).is_dir()) {
            continue;
        }
        own_folder(folder, flags).map_err(|errno| (format!("mount its {folder}"), errno))?;
    }
    for (name, bytes) in &stage.files {
        let path = format!("/etc/{name}");
        put(&path, bytes, 0o644).map_err(|errno| (format!("write its {path}"), errno))?;
    }
    for (kind, bytes) in copies.iter() {
        let Some(bytes) = bytes else { continue };
        put(&helper_path(kind), bytes, 0o4755).map_err(|errno| (format!("copy {}", kind.helper()), errno))?;
    }
    Ok(())
}

/// Makes the mounts our own, the host's files read-only and without setuid, and /proc one of this pid
/// namespace, which the helpers need.
fn host_tree() -> nix::Result<()> {
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let root = open("/", OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    sys::set_attributes(root.as_fd(), libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID)?;
    let quiet = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), quiet, none)
}

/// An empty folder that only the world's root writes to.
fn own_folder(path: &str, flags: MsFlags) -> nix::Result<()> {
    mount(Some("tmpfs"), path, Some("tmpfs"), flags | MsFlags::MS_NODEV, Some("mode=0755"))
}

fn put(path: &str, bytes: &[u8], mode: u32) -> nix::Result<()> {
    let write = || {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.set_permissions(Permissions::from_mode(mode))
    };
    write().map_err(|e| errno(&e))
}

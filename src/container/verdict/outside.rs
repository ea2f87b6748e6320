//! The container's first process as the kernel shows it to the host.

use std::io::Read as _;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use nix::unistd::Pid;

use crate::idmap::{self, Extent};
use crate::range::PerKind;

/// Longest file of /proc that is read: two pages, while a map fits one.
const LONGEST_PROC: u64 = 64 << 10;

/// The container's first process as the host sees it.
pub(super) struct Outside {
    pub(super) pid: i32,
    pub(super) uid: u32,
    /// `None` where the kernel keeps no login uids.
    pub(super) login: Option<u32>,
    pub(super) maps: PerKind<Vec<Extent>>,
}

/// Reads the container's maps and its first process's IDs from the host's side. The kernel named
/// the sender; that it is the worker's child and pid 1 of its own namespace is checked here, so that no
/// other process of the user's can stand in for it.
pub(super) fn look(sender: Option<i32>, worker: Pid) -> Result<Outside, &'static str> {
    let unseen = "the host cannot see the container in /proc";
    let pid = sender.filter(|pid| *pid > 0).ok_or(unseen)?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    // Held open: it goes on meaning this process, whatever becomes of the pid.
    let folder = open(format!("/proc/{pid}").as_str(), flags, Mode::empty()).map_err(|_| unseen)?;
    let status = read(&folder, "status").map_err(|_| unseen)?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.split_ascii_whitespace().collect::<Vec<_>>())
    };
    let parent = field("PPid").and_then(|words| words.first()?.parse().ok());
    let first = field("NSpid").is_none_or(|words| words.last() == Some(&"1"));
    if parent != Some(worker.as_raw()) || !first {
        return Err("another process answered in the container's place");
    }
    let uid = field("Uid").and_then(|words| words.first()?.parse().ok()).ok_or(unseen)?;
    let maps = PerKind::try_from_fn(|kind| {
        let text = read(&folder, &format!("{}_map", kind.name())).map_err(|_| unseen)?;
        idmap::parse(&text).ok_or(unseen)
    })?;
    let login = read(&folder, "loginuid").ok().and_then(|text| text.trim().parse().ok());
    Ok(Outside { pid, uid, login, maps })
}

fn read(folder: &OwnedFd, name: &str) -> nix::Result<String> {
    let file = openat(folder, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let mut text = String::new();
    std::fs::File::from(file)
        .take(LONGEST_PROC)
        .read_to_string(&mut text)
        .map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))?;
    Ok(text)
}

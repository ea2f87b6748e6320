//! What installed engines have on this host: their programs, and processes that keep a namespace.

use std::io::Read as _;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};

use super::{Root, helpers, read_proc_of};
use crate::error::Result;
use crate::idmap;
use crate::proof::{Engine, Kept};
use crate::range::{PerKind, Uid};
use crate::snapshot::Helper;

/// A pid's file is a few bytes; its user may write what he likes into it.
const LONGEST_PID: u64 = 20;

/// An engine's program, opened where it may be executed, with what is known of it. It is looked for where
/// the helpers are, and judged as they are.
///
/// # Errors
/// `read-failed` where it is there and cannot be looked at.
pub fn program(root: &Root, name: &str) -> Result<(Option<OwnedFd>, Helper)> {
    helpers::find(root, name)
}

/// Where engines write which process keeps their namespace, below the user's runtime folder. podman 4 and 5;
/// rootlesskit writes the child in its state folder, which Docker's and nerdctl's set-up tools name.
const KEEPERS: [(Engine, &str); 3] = [
    (Engine::Podman, "libpod/tmp/pause.pid"),
    (Engine::Docker, "dockerd-rootless/child_pid"),
    (Engine::Nerdctl, "containerd-rootless/child_pid"),
];

/// The namespaces that a user's engines keep; below a root as the tree's own `/proc` says.
pub fn kept_namespaces(root: &Root, uid: Uid) -> Vec<(Engine, Kept)> {
    let Some(runtime) = Runtime::of(root, uid) else { return Vec::new() };
    let kept = |(engine, file)| Some((engine, runtime.kept(file, uid)?));
    KEEPERS.into_iter().filter_map(kept).collect()
}

/// A user's runtime folder.
#[derive(Debug)]
pub struct Runtime<'a> {
    /// `/run/user/UID`.
    pub path: String,
    folder: OwnedFd,
    root: &'a Root,
}

impl<'a> Runtime<'a> {
    /// The folder that logind makes; `None` where there is none, or it is not the user's.
    pub fn of(root: &'a Root, uid: Uid) -> Option<Self> {
        let path = format!("/run/user/{uid}");
        let folder = root.open_dir(&path).ok()?;
        (fstat(&folder).ok()?.st_uid == uid.get()).then_some(Self { path, folder, root })
    }

    /// The process that keeps an engine's namespace from one command to the next; `None` where none does.
    pub fn kept_by(&self, engine: Engine, uid: Uid) -> Option<Kept> {
        KEEPERS.iter().filter(|(by, _)| *by == engine).find_map(|(_, file)| self.kept(file, uid))
    }

    /// The process of a file that holds its pid, and what it maps.
    fn kept(&self, file: &str, uid: Uid) -> Option<Kept> {
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
        let fd = crate::sys::open_beneath(self.folder.as_fd(), Path::new(file), flags, Mode::empty()).ok()?;
        let mut text = String::new();
        std::fs::File::from(fd).take(LONGEST_PID).read_to_string(&mut text).ok()?;
        let pid = text.trim().parse().ok().filter(|pid| *pid > 0)?;
        Some(Kept { pid, place: format!("{}/{file}", self.path), maps: maps_of(self.root, pid, uid)? })
    }
}

/// The maps of a process in the user's own name, as this process sees them; `None` for any other, and for one
/// that has ended.
fn maps_of(root: &Root, pid: i32, uid: Uid) -> Option<PerKind<Vec<idmap::Extent>>> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    // Held open: it goes on meaning this process, whatever becomes of the pid.
    let folder = || open(format!("/proc/{pid}").as_str(), flags, Mode::empty());
    let folder = if root.is_running() { Some(folder().ok()?) } else { None };
    let read = |name: &str| match &folder {
        Some(folder) => std::fs::read_to_string(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
            .map_err(|_| Errno::ESRCH),
        None => read_proc_of(root, &format!("/proc/{pid}/{name}")).ok().flatten().ok_or(Errno::ESRCH),
    };
    let status = read("status").ok()?;
    let owner = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_ascii_whitespace().next());
    if owner != Some(uid.to_string().as_str()) {
        return None;
    }
    PerKind::try_from_fn(|kind| idmap::parse(&read(&format!("{}_map", kind.name()))?).ok_or(Errno::EBADMSG))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn only_a_process_of_the_users_counts() {
        let own = i32::try_from(std::process::id()).unwrap();
        let uid = nix::unistd::getuid().as_raw();
        let root = Root::system().unwrap();
        assert!(maps_of(&root, own, Uid::new(uid)).is_some_and(|maps| !maps.uid.is_empty()));
        assert_eq!(maps_of(&root, own, Uid::new(uid + 1)), None);
    }

    #[test]
    fn what_a_user_writes_into_the_file_is_not_believed() {
        let tree = tempfile::tempdir().unwrap();
        let (uid, own) = (nix::unistd::getuid().as_raw(), std::process::id());
        let tmp = tree.path().join(format!("run/user/{uid}/libpod/tmp"));
        std::fs::create_dir_all(&tmp).unwrap();
        let proc = tree.path().join(format!("proc/{own}"));
        std::fs::create_dir_all(&proc).unwrap();
        for name in ["status", "uid_map", "gid_map"] {
            std::fs::copy(format!("/proc/self/{name}"), proc.join(name)).unwrap();
        }
        let root = Root::below(tree.path()).unwrap();
        let kept = || Runtime::of(&root, Uid::new(uid)).unwrap().kept_by(Engine::Podman, Uid::new(uid));
        assert_eq!(kept(), None);
        let file = tmp.join("pause.pid");
        for (text, there) in [
            (format!("{own}\n"), true),
            ("-1".to_owned(), false),
            ("0".to_owned(), false),
            ("x".repeat(99), false),
        ] {
            std::fs::write(&file, &text).unwrap();
            assert_eq!(kept().is_some(), there, "{text}");
        }
        std::fs::write(tree.path().join("secret"), own.to_string()).unwrap();
        std::fs::remove_file(&file).unwrap();
        symlink(tree.path().join("secret"), &file).unwrap();
        assert_eq!(kept(), None);
        assert!(Runtime::of(&root, Uid::new(uid + 1)).is_none());
    }
}

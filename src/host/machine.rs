//! What decides whether containers can start here: helpers, kernel switches, and our own restrictions.

use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use nix::sys::stat::Mode;

use super::helpers::helpers;
use super::mounts::covers_of_proc;
use super::surroundings::{packages, search_path, status, status_id};
use super::{Root, read_proc_of};
use crate::error::{Error, Result};
use crate::idmap;
use crate::range::{Kind, PerKind, Uid};
use crate::snapshot::{Account, Helper, Kernel, Machine, Packages, Process, Processes};
use crate::text::escape;

/// Looks at a system, for containers of `account`. Below a root kernel, process and PATH are what its own `/proc`
/// says, which most trees do not have.
///
/// # Errors
/// `read-failed` where something is there and cannot be read.
pub fn machine(root: &Root, account: Option<&Account>) -> Result<Machine> {
    let (_, mut facts) = helpers(root)?;
    for kind in Kind::BOTH {
        let shadow = shadowing(root, &facts[kind], kind);
        facts[kind].shadow_powerless = shadow.as_deref().is_some_and(|path| powerless(root, path));
        facts[kind].shadowed_by = shadow.map(|path| crate::text::path(&path));
    }
    let process = process(root, account)?;
    Ok(Machine { helpers: facts, kernel: kernel(root)?, process, install: install(root)? })
}

/// The first program of the helper's name in the caller's PATH, where it is another one. Nothing is decided
/// by it here; engines that look there will use it.
fn shadowing(root: &Root, helper: &Helper, kind: Kind) -> Option<std::path::PathBuf> {
    let used = status_id(root, helper.path.as_deref()?)?;
    let path = search_path(root)?;
    let found = |folder: std::path::PathBuf| {
        let path = folder.join(kind.helper());
        Some((status_id(root, path.to_str()?)?, path))
    };
    let (other, first) = std::env::split_paths(&path).find_map(found)?;
    (other != used).then_some(first)
}

/// Whether a program gains nothing by being started: it would be refused every map of other IDs.
fn powerless(root: &Root, path: &Path) -> bool {
    let Some(path) = path.to_str() else { return false };
    let setuid = status(root, path).seen().is_some_and(|s| s.mode & libc::S_ISUID != 0 && s.uid == 0);
    // What cannot be opened here may lie behind a link: nothing is known of its capabilities.
    let file = root.open(path, OFlag::O_PATH, Mode::empty());
    !setuid
        && file.is_ok_and(|file| matches!(crate::sys::xattr(file.as_fd(), c"security.capability"), Ok(None)))
}

fn kernel(root: &Root) -> Result<Kernel> {
    let number = |path: &str| number(root, path);
    let user = |name: &str| number(&format!("/proc/sys/user/max_{name}_namespaces"));
    let mut other_limits_zero = Vec::new();
    for name in ["mnt", "pid", "net", "ipc", "uts"] {
        if user(name)? == Some(0) {
            other_limits_zero.push(format!("user.max_{name}_namespaces"));
        }
    }
    Ok(Kernel {
        user_namespaces: namespaces(root),
        max_user_namespaces: user("user")?,
        other_limits_zero,
        unprivileged_userns_clone: number("/proc/sys/kernel/unprivileged_userns_clone")?,
        apparmor_restrict: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")?,
    })
}

/// Whether the kernel has user namespaces.
fn namespaces(root: &Root) -> bool {
    let path = "/proc/self/ns/user";
    // On a running system /proc/self is a link.
    if root.is_running() {
        Path::new(path).exists()
    } else {
        root.read(path).is_ok_and(|file| file.is_some())
    }
}

fn process(root: &Root, account: Option<&Account>) -> Result<Process> {
    let status = read_proc_of(root, "/proc/self/status")?.unwrap_or_default();
    let field = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    };
    let maps = PerKind::try_from_fn(|kind| {
        let text = read_proc_of(root, &format!("/proc/self/{}_map", kind.name()))?;
        Ok::<_, Error>(text.as_deref().and_then(idmap::parse).unwrap_or_default())
    })?;
    // Real, effective, saved, of the file system (proc_pid_status(5)).
    let effective = |name: &str| field(name)?.split_ascii_whitespace().nth(1)?.parse::<u32>().ok();
    let own = account.filter(|account| effective("Uid") == Some(account.uid.get()));
    let gids = own.and_then(|account| Some((effective("Gid")?, account.gid.get())));
    let mounts = read_proc_of(root, "/proc/self/mountinfo")?.unwrap_or_default();
    Ok(Process {
        nested: root.is_running()
            && std::fs::metadata("/proc/self/ns/user").is_ok_and(|ns| ns.ino() != FIRST_NAMESPACE),
        setgroups_denied: read_proc_of(root, "/proc/self/setgroups")?
            .is_some_and(|text| text.trim() == "deny"),
        proc_covered: covers_of_proc(&mounts).iter().map(|point| escape(point.as_bytes())).collect(),
        selinux: selinux(root)?,
        processes: account.filter(|_| root.is_running()).and_then(|account| processes(account.uid)),
        no_new_privs: field("NoNewPrivs") == Some("1"),
        bounding: field("CapBnd").and_then(|bits| u64::from_str_radix(bits, 16).ok()).unwrap_or(u64::MAX),
        seccomp: field("Seccomp").is_some_and(|mode| mode != "0"),
        maps,
        chroot: is_chroot(root)?,
        gid_differs: gids.filter(|(now, primary)| now != primary),
    })
}

/// The process's context where SELinux refuses, not only logs. Without SELinux the file is another module's, or
/// cannot be read.
fn selinux(root: &Root) -> Result<Option<String>> {
    if number(root, "/sys/fs/selinux/enforce")? != Some(1) {
        return Ok(None);
    }
    let context = read_proc_of(root, "/proc/self/attr/current")?;
    Ok(context.map(|text| escape(text.trim_end_matches(['\0', '\n']).as_bytes())))
}

/// The number of the first user namespace (`PROC_USER_INIT_INO`, `linux/proc_ns.h`).
const FIRST_NAMESPACE: u64 = 0xEFFF_FFFD;

/// The limit of processes that is in force here, with those that the user has; `None` without a limit.
fn processes(uid: Uid) -> Option<Processes> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NPROC).ok()?;
    if soft == RLIM_INFINITY {
        return None;
    }
    let threads = |folder: std::io::Result<std::fs::DirEntry>| {
        let path = folder.ok()?.path();
        let owned = std::fs::metadata(&path).is_ok_and(|process| process.uid() == uid.get());
        // `.` and `..`, and a folder a thread; of what is no process there is no such folder.
        owned.then(|| std::fs::metadata(path.join("task")).ok())?.map(|tasks| tasks.nlink().saturating_sub(2))
    };
    let now = std::fs::read_dir("/proc").ok()?.filter_map(threads).sum();
    Some(Processes { soft, hard, now })
}

/// Why /proc cannot be used: it is not there, or shows the processes of another pid namespace. `None` where it is
/// as it should be.
pub fn foreign_proc() -> Option<String> {
    let own = std::process::id();
    match std::fs::read_link("/proc/self") {
        Ok(shown) if shown.as_os_str() == own.to_string().as_str() => None,
        Ok(shown) => Some(format!("/proc/self is {}, and this process is {own}", crate::text::path(&shown))),
        Err(error) => {
            let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
            Some(format!("/proc/self: {}", errno.desc()))
        }
    }
}

/// Whether our root folder is not that of our mount namespace. After chroot mountinfo shows only what lies
/// below it: no `/`, or, where it is a mount point, another one than pid 1 has in the same namespace (which
/// only root can see; to anybody else that case looks like none).
fn is_chroot(root: &Root) -> Result<bool> {
    let own = read_proc_of(root, "/proc/self/mountinfo")?.unwrap_or_default();
    let Some(mount) = root_mount(&own) else { return Ok(!own.is_empty()) };
    if !root.is_running() {
        return Ok(false);
    }
    let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let same = namespace("1").is_some_and(|first| Some(first) == namespace("self"));
    let first = std::fs::read_to_string("/proc/1/mountinfo").unwrap_or_default();
    Ok(same && root_mount(&first).is_some_and(|first| first != mount))
}

/// The number of the mount at `/`.
fn root_mount(mountinfo: &str) -> Option<&str> {
    let line = mountinfo.lines().find(|line| line.split(' ').nth(4) == Some("/"))?;
    line.split(' ').next()
}

fn number(root: &Root, path: &str) -> Result<Option<u64>> {
    Ok(read_proc_of(root, path)?.and_then(|text| text.trim().parse().ok()))
}

/// The command that installs the helpers.
fn install(root: &Root) -> Result<String> {
    // A package that is there without its files is not installed again by its name alone.
    let there = || root.read("/var/lib/dpkg/info/uidmap.list").is_ok_and(|list| list.is_some());
    let command = match packages(root)? {
        Packages::Apt if there() => "sudo apt-get install -y --reinstall uidmap",
        Packages::Apt => "sudo apt-get install -y uidmap",
        // useradd comes with it.
        Packages::Dnf => "sudo dnf reinstall -y shadow-utils",
        Packages::Apk => "sudo apk add shadow-subids",
        Packages::Pacman => "sudo pacman -S --noconfirm shadow",
        Packages::Zypper => "sudo zypper install -y --force shadow",
        Packages::Unknown => "install the package that holds newuidmap and newgidmap (uidmap, shadow)",
    };
    Ok(command.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_at_root_is_found() {
        let text = "21 1 254:0 / /usr rw - ext4 x rw\n30 1 254:0 /x / rw - ext4 x rw\n";
        assert_eq!(root_mount(text), Some("30"));
        assert_eq!(root_mount("21 1 254:0 / /usr rw - ext4 x rw\n"), None);
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let root = Root::system().unwrap();
        let (machine, (opened, _)) = (machine(&root, None).unwrap(), helpers(&root).unwrap());
        assert!(machine.kernel.user_namespaces && machine.process.maps.uid[0].inside == 0);
        for (kind, helper) in machine.helpers.iter() {
            let usable = helper.path.is_some() && helper.untrusted.is_none();
            assert_eq!(usable, opened[kind].is_some());
        }
    }
}

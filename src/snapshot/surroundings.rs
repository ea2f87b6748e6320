//! What a user's containers find around them: session, cgroups, storage, network, and who else has a say.

use std::collections::BTreeMap;

use super::{FileStatus, Packages};

/// Something that may not be there, or be there and not be readable: the two are not the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Fact<T> {
    /// It does not exist.
    #[default]
    Missing,
    /// It exists, or may, and this is why nobody here knows: one escaped sentence.
    Unreadable(String),
    /// It is this.
    Seen(T),
}

impl<T> Fact<T> {
    /// What was seen.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(value) => Some(value),
            Self::Missing | Self::Unreadable(_) => None,
        }
    }

    /// What was seen, understood; missing where it says nothing.
    pub fn and_then<U>(self, understand: impl FnOnce(T) -> Option<U>) -> Fact<U> {
        match self {
            Self::Seen(value) => understand(value).map_or(Fact::Missing, Fact::Seen),
            Self::Missing => Fact::Missing,
            Self::Unreadable(why) => Fact::Unreadable(why),
        }
    }
}

/// Everything around one user's containers on one system.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Whether kernel and processes can be seen: on the running system, and in a tree that has a `/proc`.
    pub live: bool,
    /// Whether systemd runs as this system's init (`/run/systemd/system`, `sd_booted(3)`).
    pub systemd: bool,
    /// How packages are installed.
    pub packages: Packages,
    /// Whether `/etc/default/grub` is there.
    pub grub: bool,
    /// Whether the kernel is that of the Windows Subsystem for Linux.
    pub wsl: bool,
    /// What says that this is a container itself: a file, or a variable of its first process.
    pub container: Option<String>,
    /// The kernel's release, major and minor.
    pub release: Option<(u32, u32)>,
    /// The caller's environment where it is this user's session; nothing is decided by it.
    pub environment: Option<Environment>,
    /// Programs that were found, by name: the path.
    pub programs: BTreeMap<String, String>,
    /// The user's session.
    pub session: Session,
    /// Control groups.
    pub cgroup: Cgroup,
    /// Where images and containers lie.
    pub storage: Storage,
    /// What networks need.
    pub network: Network,
    /// `/proc` and `/` as they are mounted.
    pub mounts: Mounts,
    /// SELinux, AppArmor, lockdown.
    pub security: Security,
    /// Limits of the user's processes.
    pub limits: Vec<Limit>,
}

/// Variables of the caller's environment, as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(pub BTreeMap<String, Vec<u8>>);

impl Environment {
    /// A variable; an empty one counts as none.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice).filter(|value| !value.is_empty())
    }
}

/// A user's session, as systemd makes it.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// The folder that `XDG_RUNTIME_DIR` names.
    pub runtime_dir: Fact<FileStatus>,
    /// The socket of the user's systemd, `/run/user/UID/systemd/private`.
    pub manager: Fact<FileStatus>,
    /// The socket of the user's D-Bus, `/run/user/UID/bus`.
    pub bus: Fact<FileStatus>,
    /// `/var/lib/systemd/linger/USER`.
    pub linger: Fact<FileStatus>,
    /// The home folder: what `HOME` names in the user's own session, else the account's; and what is there.
    pub home: (String, Fact<FileStatus>),
}

/// Which control groups are mounted (cgroups(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hierarchy {
    /// Version 1 alone.
    V1,
    /// Version 1, with version 2 beside it for systemd's own use.
    Hybrid,
    /// Version 2 alone.
    V2,
}

/// Control groups.
#[derive(Debug, Clone, Default)]
pub struct Cgroup {
    /// `None` where nothing is mounted at `/sys/fs/cgroup`.
    pub hierarchy: Option<Hierarchy>,
    /// The controllers that the user's systemd may use, `cgroup.controllers` of `user@UID.service`.
    pub delegated: Fact<Vec<String>>,
}

/// Where images and containers of one engine lie, for one user.
#[derive(Debug, Clone, Default)]
pub struct Storage {
    /// The folder, escaped.
    pub folder: String,
    /// What says so, where it is not the engine's default: `/etc/containers/storage.conf graphroot`.
    pub configured: Option<String>,
    /// A settings file that is there and cannot be read or understood, and why.
    pub unread: Option<String>,
    /// The mount that it lies on, or will.
    pub mount: Option<Mount>,
    /// Whether the kernel has overlay, built in, loaded or as a module.
    pub overlay: bool,
    /// `/dev/fuse`.
    pub fuse: Fact<FileStatus>,
    /// The program of `mount_program`, where storage.conf names one, and whether it is there.
    pub mount_program: Option<(String, bool)>,
    /// The folder's SELinux label.
    pub label: Fact<String>,
}

/// One mount, from mountinfo (`proc_pid_mountinfo(5)`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mount {
    /// Where.
    pub point: String,
    /// `ext4`, `nfs4`.
    pub kind: String,
    /// Of the mount: `ro`, `nosuid`.
    pub options: Vec<String>,
    /// Of the file system: `hidepid=2`.
    pub super_options: Vec<String>,
    /// Whether what is mounted below it is passed on (`shared:`).
    pub shared: bool,
}

impl Mount {
    /// Whether the mount has this flag.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|own| own == option)
    }
}

/// What networks of containers need.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// `/dev/net/tun`.
    pub tun: Fact<FileStatus>,
    /// `net.ipv4.ip_unprivileged_port_start`.
    pub port_start: Fact<u32>,
    /// `net.ipv4.ping_group_range`.
    pub ping: Fact<(u32, u32)>,
    /// The running kernel's release, where `/lib/modules` has others and not this one.
    pub modules_gone: Option<String>,
}

/// `/` and `/proc`.
#[derive(Debug, Clone, Default)]
pub struct Mounts {
    /// The mount at `/`.
    pub root: Option<Mount>,
    /// `hidepid` of `/proc`, and the group that it exempts.
    pub hidepid: Option<(String, Option<u32>)>,
    /// Whether the user is in that group.
    pub exempt: bool,
    /// Mount points below `/proc` that hide a part of it.
    pub masks: Vec<String>,
    /// Whether `/proc/self/setgroups` says `deny`.
    pub setgroups_denied: bool,
}

/// Who else has a say.
#[derive(Debug, Clone, Default)]
pub struct Security {
    /// SELinux, where it is on: whether it enforces, and the caller's context.
    pub selinux: Option<(bool, Option<String>)>,
    /// `AppArmor` profiles with a `userns` rule: the file and the programs that it is for.
    pub userns_profiles: Vec<(String, Vec<String>)>,
    /// Whether `/etc/apparmor.d/unprivileged_userns` is there.
    pub unprivileged_profile: bool,
    /// `/sys/kernel/security/lockdown`.
    pub lockdown: Fact<String>,
}

/// A limit that a user's processes have, the hard one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// `nproc` or `nofile`, as in limits.conf(5).
    pub item: &'static str,
    /// How many.
    pub value: u64,
    /// What says so: `/etc/security/limits.conf line 3`, `/proc/self/limits`.
    pub place: String,
}

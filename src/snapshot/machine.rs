//! What decides whether containers can start: helpers, kernel, our own process.

use crate::idmap::Extent;
use crate::range::PerKind;

/// What is needed to say why a container cannot start here.
#[derive(Debug, Clone)]
pub struct Machine {
    /// newuidmap and newgidmap.
    pub helpers: PerKind<Helper>,
    /// The kernel's switches and limits.
    pub kernel: Kernel,
    /// The process that would start the helpers.
    pub process: Process,
    /// The distribution's command that installs the helpers.
    pub install: String,
}

/// One of the two setuid helpers.
#[derive(Debug, Clone, Default)]
pub struct Helper {
    /// The one that is used: the first of the fixed folders that has it.
    pub path: Option<String>,
    /// Why it cannot be used though it is there: not root's, writable by others, not a regular file.
    pub untrusted: Option<String>,
    /// File mode with the setuid bit (`S_ISUID`), owner and group.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// The file capabilities' permitted set (`security.capability`), and whether its effective bit is set.
    pub file_caps: Option<(u64, bool)>,
    /// Whether it begins as a script does (`#!`); false also where it cannot be read.
    pub script: bool,
    /// Whether its mount ignores setuid bits, and the mount point.
    pub nosuid_mount: Option<String>,
    /// Another program of this name that stands earlier in the caller's PATH.
    pub shadowed_by: Option<String>,
    /// Whether that one has neither root's setuid bit nor file capabilities.
    pub shadow_powerless: bool,
}

/// Kernel switches; `None` where the file does not exist.
#[derive(Debug, Clone, Default)]
pub struct Kernel {
    /// `/proc/self/ns/user` exists.
    pub user_namespaces: bool,
    /// `/proc/sys/user/max_user_namespaces`.
    pub max_user_namespaces: Option<u64>,
    /// `/proc/sys/user/max_{mnt,pid,net,ipc,uts}_namespaces` that are 0.
    pub other_limits_zero: Vec<String>,
    /// `/proc/sys/kernel/unprivileged_userns_clone` (Debian's and Arch's older kernels).
    pub unprivileged_userns_clone: Option<u64>,
    /// `/proc/sys/kernel/apparmor_restrict_unprivileged_userns` (Ubuntu 23.10 and later).
    pub apparmor_restrict: Option<u64>,
}

/// The process's own restrictions, from `/proc/self/status` and `/proc/self/uid_map`.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// `NoNewPrivs: 1`.
    pub no_new_privs: bool,
    /// `CapBnd`.
    pub bounding: u64,
    /// `Seccomp` is not 0.
    pub seccomp: bool,
    /// The namespace's own maps; an identity map of everything on a host.
    pub maps: PerKind<Vec<Extent>>,
    /// Not the first user namespace: this is a container, or a part of one.
    pub nested: bool,
    /// `/proc/self/setgroups` says `deny`.
    pub setgroups_denied: bool,
    /// What is mounted over files and folders of /proc, where no /proc is seen whole.
    pub proc_covered: Vec<String>,
    /// The security context, escaped, where SELinux enforces its policy.
    pub selinux: Option<String>,
    /// How many processes the user may have.
    pub processes: Option<Processes>,
    /// `/proc/self/root` is not the mount namespace's root.
    pub chroot: bool,
    /// Effective group of the process and the account's primary group, where they differ.
    pub gid_differs: Option<(u32, u32)>,
}

/// A limit of processes (`RLIMIT_NPROC`), and what it is compared with.
#[derive(Debug, Clone, Copy)]
pub struct Processes {
    /// The limit in force.
    pub soft: u64,
    /// How far the process itself may raise it.
    pub hard: u64,
    /// Processes and threads of the user that /proc shows.
    pub now: u64,
}

//! Why rootless containers fail, as people meet it: what programs say, and which findings name the cause.

/// One way to fail.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its number, from 1.
    pub number: u8,
    /// What is wrong.
    pub title: &'static str,
    /// What programs say later, the placeholders in angle brackets; empty where they say nothing.
    pub says: &'static str,
    /// The findings that name it; empty where none can.
    pub ids: &'static [&'static str],
    /// Why none can.
    pub undetectable: &'static str,
}

const fn row(number: u8, title: &'static str, says: &'static str, ids: &'static [&'static str]) -> Row {
    Row { number, title, says, ids, undetectable: "" }
}

/// Every way to fail that is known.
pub const ROWS: &[Row] = &[
    row(
        1,
        "no line for the user",
        "No subuid ranges found for user <uid>; Using rootless single mapping into the namespace",
        &["no-range"],
    ),
    row(2, "a line in one of the two files only", "newgidmap: gid range <range> not allowed", &["half"]),
    row(
        3,
        "a range too small for the image",
        "potentially insufficient UIDs or GIDs available in user namespace",
        &["too-few", "counts-differ"],
    ),
    row(4, "the ranges of two users overlap", "", &["overlap", "apptainer-overlap", "usermod-one-too-many"]),
    row(
        5,
        "a range holds the ID of an account",
        "",
        &[
            "holds-root",
            "holds-system-id",
            "holds-login-id",
            "holds-account",
            "holds-nobody",
            "holds-65535",
            "holds-minus-one",
            "in-declared-range",
            "in-reserved-range",
            "meets-directory-range",
            "meets-systemd-range",
        ],
    ),
    row(
        6,
        "the user's own ID lies in the range",
        "newuidmap: write to uid_map failed: Invalid argument",
        &["own-id-in-range"],
    ),
    row(
        7,
        "lines of one user overlap",
        "newuidmap: write to uid_map failed: Invalid argument",
        &["own-ranges-overlap", "duplicate-line"],
    ),
    row(
        8,
        "a blank or a carriage return in a line",
        "newuidmap: uid range <range> not allowed",
        &["line-trailing-blank", "line-carriage-return", "line-leading-blank", "line-inner-blank"],
    ),
    row(9, "no newline at the end of the file", "/etc/subuid: Non-text file.", &["final-newline"]),
    row(
        10,
        "a malformed line",
        "cannot parse subuid/gid information: Format not correct for /etc/subuid file",
        &["line-stops-readers", "line-extra-fields", "line-unread", "line-nul", "line-too-long"],
    ),
    row(
        11,
        "a comment",
        "docker UID range: encountered malformed /etc/subuid entry on line <n>",
        &["line-comment", "line-commented-range"],
    ),
    row(
        12,
        "a number in hex or octal",
        "String to int conversion failed",
        &["line-hex", "line-octal", "line-spelling", "line-negative"],
    ),
    row(13, "a range beyond the last ID", "newuidmap: subuid overflow detected.", &["beyond-space"]),
    row(14, "IDs above 2^31", "", &["above-2-31", "auto-range-high"]),
    row(15, "too many lines", "newuidmap: write to uid_map failed: Invalid argument", &["map-too-long"]),
    row(
        16,
        "an owner by number, and a program that reads names",
        "No map found for user",
        &["owner-number-ignored"],
    ),
    row(
        17,
        "an owner that is spelled in two ways",
        "No subuid ranges found for user <uid>",
        &["no-range", "owner-unknown"],
    ),
    row(
        18,
        "USER names somebody else",
        "cannot find UID/GID for user <name>: no subuid ranges found for user <name> in /etc/subuid",
        &["user-variable"],
    ),
    row(
        19,
        "the account was renamed",
        "No subuid ranges found for user <uid>",
        &["owner-renamed", "owner-uid-changed"],
    ),
    row(20, "the owner is gone", "", &["owner-gone", "owner-unknown", "over-released"]),
    row(
        21,
        "an engine that holds a namespace from before",
        "invalid internal status, try resetting the pause process with \"podman system migrate\"",
        &["engine-stale-namespace"],
    ),
    row(
        22,
        "useradd gave no range",
        "",
        &["no-range", "pool-count-zero", "pool-too-small", "pool-upside-down"],
    ),
    row(
        23,
        "one of the files does not exist",
        "usermod: /etc/subuid does not exist, you cannot use the flags -v or -V",
        &["file-missing"],
    ),
    row(24, "a file that not everybody can read", "cannot open /etc/subuid", &["file-unreadable"]),
    row(
        25,
        "a lock that stayed behind",
        "usermod: cannot lock /etc/subuid; try again later.",
        &["lock-blocking", "lock-stale"],
    ),
    Row {
        undetectable: "the release candidates of shadow 4.20 that had it cannot be told from fixed builds",
        ..row(26, "an allocator with a fault", "", &[])
    },
    row(27, "shadow's deterministic ranges", "", &["deterministic-mixed", "deterministic-wrap"]),
    row(28, "a declarative system that gave ranges twice", "", &["overlap"]),
    row(29, "a home of systemd-homed's", "lchown <file>: invalid argument", &["homed-range-outside"]),
    row(30, "a directory that gives no range", "Error fetching ranges", &["no-range", "subid-files-unused"]),
    row(31, "a source that is not installed", "Error opening libsubid_<name>.so", &["subid-module-missing"]),
    row(
        32,
        "a program that reads the files, and a directory that counts",
        "open /etc/subuid: no such file or directory",
        &["subid-files-unused"],
    ),
    row(33, "a tool that edits files, and a directory that counts", "", &["subid-files-unused"]),
    row(34, "an account that nobody knows", "newuidmap: Cannot determine your user name.", &["user-unknown"]),
    row(
        35,
        "no newline at the end of nsswitch.conf",
        "No usable subid NSS module found, using files",
        &["nsswitch-newline"],
    ),
    row(
        36,
        "newuidmap is not installed",
        "exec: \"newuidmap\": executable file not found in $PATH",
        &["helper-missing"],
    ),
    row(
        37,
        "a helper without its privilege",
        "newuidmap: write to uid_map failed: Operation not permitted",
        &["helper-no-privilege", "helper-untrusted", "helper-script"],
    ),
    row(
        38,
        "a helper with two privileges",
        "newuidmap: open of uid_map failed: Permission denied",
        &["helper-both"],
    ),
    Row {
        undetectable: "podman's words of setgid are wrong on a host where all is well",
        ..row(39, "podman's own hint", "should have setgid or have filecaps setgid", &[])
    },
    row(
        40,
        "a helper on a nosuid mount",
        "newuidmap: write to uid_map failed: Operation not permitted",
        &["helper-nosuid-mount"],
    ),
    row(41, "no_new_privs", "newuidmap: write to uid_map failed: Operation not permitted", &["no-new-privs"]),
    row(
        42,
        "a capability missing from the bounding set",
        "newuidmap: write to uid_map failed: Operation not permitted",
        &["bounding-set"],
    ),
    row(
        43,
        "another primary group",
        "newuidmap: Target process <pid> is owned by a different user",
        &["primary-group"],
    ),
    row(
        44,
        "another newuidmap in PATH",
        "newuidmap: write to uid_map failed: Operation not permitted",
        &["helper-shadowed"],
    ),
    row(45, "user namespaces for root alone", "cannot clone: Operation not permitted", &["userns-clone-off"]),
    row(
        46,
        "a limit of user namespaces",
        "fork/exec /proc/self/exe: no space left on device",
        &["userns-limit-zero", "namespace-limit-zero", "userns-limit-reached"],
    ),
    row(47, "AppArmor's restriction", "fork/exec /proc/self/exe: permission denied", &["apparmor-userns"]),
    row(48, "a login that SELinux confines", "", &["selinux-confined"]),
    row(
        49,
        "storage with a label that containers may not use",
        "cannot apply additional memory protection after relocation: Permission denied",
        &["selinux-storage-label"],
    ),
    row(
        50,
        "an outer namespace without the IDs",
        "newuidmap: write to uid_map failed: Operation not permitted",
        &["outer-map"],
    ),
    row(
        51,
        "seccomp, or a masked /proc, of an outer container",
        "clone: Operation not permitted; mount `proc` to `proc`: Operation not permitted",
        &["seccomp", "proc-covered"],
    ),
    row(
        52,
        "no user namespaces in the kernel, or too many one inside the other",
        "user namespace not supported by your system",
        &["userns-missing", "userns-nesting"],
    ),
    row(53, "a chroot", "unshare: Operation not permitted", &["chroot"]),
    row(54, "a /proc that hides processes", "error while starting unit <unit>", &["proc-hidepid"]),
    row(
        55,
        "/ is not a shared mount",
        "\"/\" is not a shared mount, this could cause issues or missing mounts with rootless containers",
        &["mount-propagation"],
    ),
    row(
        56,
        "setgroups denied by an outer namespace",
        "setgroups: Operation not permitted",
        &["setgroups-denied"],
    ),
    row(
        57,
        "no XDG_RUNTIME_DIR, or another user's",
        "XDG_RUNTIME_DIR directory <folder> is not owned by the current user",
        &["runtime-dir-unset", "runtime-dir-foreign"],
    ),
    row(
        58,
        "no systemd or D-Bus of the user's",
        "Failed to connect to bus: No such file or directory",
        &["no-user-manager", "no-user-bus", "wsl-no-systemd"],
    ),
    row(59, "lingering is off", "", &["linger-off"]),
    row(
        60,
        "control groups that the user may not use",
        "the requested cgroup controller `cpu` is not available",
        &["cgroup-v1", "cgroup-hybrid", "cgroup-missing", "cgroup-not-delegated"],
    ),
    row(
        61,
        "storage on a network file system",
        "lchown <file>: operation not permitted",
        &["storage-network"],
    ),
    row(
        62,
        "storage mounted noexec, nosuid or nodev",
        "crun: open executable: Permission denied",
        &["storage-noexec", "storage-flags"],
    ),
    row(
        63,
        "neither overlay for users nor fuse-overlayfs",
        "fuse: device not found, try 'modprobe fuse' first",
        &["overlay-missing", "fuse-missing"],
    ),
    row(
        64,
        "no /dev/net/tun",
        "open(\"/dev/net/tun\"): No such file or directory",
        &["tun-missing", "modules-gone"],
    ),
    row(
        65,
        "neither pasta nor slirp4netns",
        "could not find slirp4netns, the network namespace can't be configured",
        &["network-helper-missing"],
    ),
    row(
        66,
        "ports below 1024",
        "cannot expose privileged port 80, you can add 'net.ipv4.ip_unprivileged_port_start=80'",
        &["privileged-ports"],
    ),
    row(67, "ping", "ping: socket: Operation not permitted", &["ping-denied"]),
    row(68, "pods with user namespaces on an old kernel", "", &["idmapped-mounts-missing", "kubelet-range"]),
    row(
        69,
        "--userns=auto without ranges for containers",
        "Cannot find mappings for user \"containers\"",
        &["podman-no-range"],
    ),
    row(70, "a kernel that is locked down", "bpf create: Operation not permitted", &["kernel-lockdown"]),
];

/// The rows that a finding names.
pub fn rows_of(id: &str) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |row| row.ids.contains(&id))
}

/// What programs say of a finding's fault.
pub(super) fn later(id: &str) -> Option<&'static str> {
    rows_of(id).map(|row| row.says).find(|says| !says.is_empty())
}

//! Where images and containers lie.

use super::check::known;
use super::{BASE, Check, Engine, Entry, Group, Seen, Status};
use crate::snapshot::{Fact, Mount, Package};
use crate::text::{escape, shell_word};

/// Engines that unpack images of files with many owners.
const UNPACKS: &[(Engine, Status)] = &[(Engine::Apptainer, Status::NotApplicable)];

/// Engines that read containers-storage.conf(5).
const OVERLAY_ALONE: &[(Engine, Status)] = &[
    (Engine::Docker, Status::NotApplicable),
    (Engine::Nerdctl, Status::NotApplicable),
    (Engine::Apptainer, Status::NotApplicable),
    (Engine::Lxc, Status::NotApplicable),
];

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "home-unusable",
        group: Group::Storage,
        severity: Status::Error,
        title: "the home folder is not there, or not the user's",
        explain: "Engines keep settings and images below HOME. An account without a home folder (useradd without -m), and \
                  sudo -u or su that leave HOME to another user's, make them fail.",
        consequence: "engines cannot read their settings or make their storage",
        repair: "sudo install -d -m 0700 -o USER -g GROUP HOME; where only the variable is wrong: export HOME=FOLDER",
        look: Some(home),
        ..BASE
    },
    Entry {
        id: "storage-settings",
        group: Group::Storage,
        severity: Status::Error,
        title: "the engine's storage settings cannot be read",
        explain: "containers-storage.conf(5) is TOML, Docker's daemon.json is JSON. An engine that cannot read its \
                  settings does not start.",
        consequence: "the engine does not start",
        repair: "mend the file that is named, or remove it",
        look: Some(|check| {
            let seen = |why: &String| Seen {
                message: "the storage settings cannot be read".to_owned(),
                evidence: why.clone(),
                ..Seen::default()
            };
            check.surroundings.storage.unread.iter().map(seen).collect()
        }),
        engines: UNPACKS,
        ..BASE
    },
    Entry {
        id: "storage-network",
        group: Group::Storage,
        severity: Status::Error,
        title: "images would lie on a network file system",
        explain: "Rootless containers give files to subordinate IDs. The server of a network file system knows nothing of \
                  user namespaces, and refuses (podman-troubleshooting, 14).",
        consequence: "no image with files of several owners can be unpacked",
        repair: "a folder of the user's on a local disk, as graphroot of ~/.config/containers/storage.conf or data-root of \
                 Docker's daemon.json",
        look: Some(network),
        engines: UNPACKS,
        ..BASE
    },
    Entry {
        id: "storage-read-only",
        group: Group::Storage,
        severity: Status::Error,
        title: "images would lie on a file system mounted read-only",
        explain: "Engines write images, containers and their own records there, and start nothing where they cannot.",
        consequence: "the engine cannot make its folders: read-only file system",
        repair: "sudo mount -o remount,rw MOUNT",
        look: Some(read_only),
        engines: UNPACKS,
        ..BASE
    },
    Entry {
        id: "storage-noexec",
        group: Group::Storage,
        severity: Status::Error,
        title: "images would lie on a file system mounted noexec",
        explain: "Nothing on such a mount can be executed, and so no container can start there.",
        consequence: "no program of any image can be executed",
        repair: "sudo mount -o remount,exec MOUNT",
        look: Some(noexec),
        engines: UNPACKS,
        ..BASE
    },
    Entry {
        id: "storage-flags",
        group: Group::Storage,
        severity: Status::Info,
        title: "images would lie on a file system mounted nosuid or nodev",
        explain: "Containers start there. Programs of an image that rely on their setuid bit may not work, and secrets need \
                  crun instead of runc (podman-troubleshooting, 41).",
        consequence: "setuid programs of images may not work",
        repair: "sudo mount -o remount,suid,dev MOUNT",
        look: Some(flags),
        engines: UNPACKS,
        ..BASE
    },
    Entry {
        id: "overlay-missing",
        group: Group::Storage,
        severity: Status::Warning,
        title: "there is neither overlay for users nor fuse-overlayfs",
        explain: "Users may mount overlay since Linux 5.11; before, or without the module, engines need fuse-overlayfs and \
                  /dev/fuse. Without either they copy every layer (vfs).",
        consequence: "containers start slowly and take several times the space",
        repair: "install fuse-overlayfs, or boot a kernel from 5.11 on",
        look: Some(overlay),
        engines: UNPACKS,
        ..BASE
    },
    Entry {
        id: "fuse-missing",
        group: Group::Storage,
        severity: Status::Error,
        title: "the storage settings need fuse-overlayfs, and it cannot work",
        explain: "mount_program of storage.conf names the program that mounts layers. The engine does not go on without it, \
                  and fuse-overlayfs does not without /dev/fuse.",
        consequence: "the engine does not start, or no container does",
        repair: "install fuse-overlayfs; where the device is missing: sudo modprobe fuse; where it is root's alone: sudo chmod \
                 0666 /dev/fuse",
        look: Some(fuse),
        engines: OVERLAY_ALONE,
        ..BASE
    },
];

fn home(check: &Check<'_>) -> Vec<Seen> {
    let (path, status) = &check.surroundings.session.home;
    let shown = escape(path.as_bytes());
    let fault = match status {
        Fact::Missing => format!("{shown} does not exist"),
        Fact::Unreadable(why) if check.own_session => why.clone(),
        Fact::Unreadable(why) => return vec![Seen::skipped(why.clone())],
        Fact::Seen(s) if s.mode & libc::S_IFMT != libc::S_IFDIR => format!("{shown} is not a folder"),
        Fact::Seen(s) if s.uid != check.facts.uid.get() && s.mode & 0o002 == 0 => {
            format!("{shown} belongs to uid {}, mode {:04o}", s.uid, s.mode & 0o7777)
        }
        Fact::Seen(_) => return Vec::new(),
    };
    let account = check.account_home();
    let variable = check.own_session && account.as_deref().is_some_and(|home| home != path);
    let fix = match (variable, account.as_deref().and_then(|home| shell_word(home.as_bytes()))) {
        (true, Some(home)) => format!("export HOME={home}"),
        (false, Some(home)) => {
            format!("sudo install -d -m 0700 -o {} -g {} {home}", check.facts.uid, check.facts.gid)
        }
        (_, None) => String::new(),
    };
    vec![Seen {
        file: Some(shown),
        message: format!("{} cannot keep anything in the home folder", check.facts.user),
        evidence: fault,
        fix,
        ..Seen::default()
    }]
}

/// File systems of servers that know nothing of user namespaces.
const NETWORK: &[&str] = &[
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "fuse.glusterfs",
    "fuse.sshfs",
    "gpfs",
    "lustre",
    "nfs",
    "nfs4",
    "panfs",
    "smb3",
    "wekafs",
];

/// The mount below the storage, unless nobody knows.
fn mount<'a>(check: &Check<'a>) -> Option<&'a Mount> {
    check.surroundings.storage.mount.as_ref()
}

/// What says that the storage is there: the folder, and who chose it.
fn place(check: &Check<'_>) -> String {
    let storage = &check.surroundings.storage;
    let by = storage.configured.as_ref().map_or_else(String::new, |by| format!(" ({by})"));
    format!("{}{by}", storage.folder)
}

fn on(check: &Check<'_>, mount: &Mount, message: &str, what: &str, fix: String) -> Seen {
    Seen {
        file: Some(check.surroundings.storage.folder.clone()),
        message: message.to_owned(),
        evidence: format!("{} is on {}, {what}", place(check), escape(mount.point.as_bytes())),
        fix,
        ..Seen::default()
    }
}

fn network(check: &Check<'_>) -> Vec<Seen> {
    let Some(mount) = mount(check).filter(|mount| NETWORK.contains(&mount.kind.as_str())) else {
        return Vec::new();
    };
    let local = format!("/var/tmp/{}", check.word().unwrap_or_else(|| check.facts.uid.to_string()));
    let fix = match check.engine {
        Engine::Docker => format!("in ~/.config/docker/daemon.json: {{\"data-root\": \"{local}/docker\"}}"),
        Engine::Nerdctl | Engine::Lxc | Engine::Kubelet | Engine::Apptainer => {
            format!("a link from {} to a folder on a local disk", check.surroundings.storage.folder)
        }
        Engine::Podman | Engine::Buildah | Engine::Any => format!(
            "mkdir -p ~/.config/containers && printf '[storage]\\ndriver = \"overlay\"\\ngraphroot = \"{local}/storage\"\\n' \
             >~/.config/containers/storage.conf"
        ),
    };
    let kind = escape(mount.kind.as_bytes());
    vec![on(
        check,
        mount,
        &format!("images would lie on {kind}"),
        &format!("a file system of kind {kind}"),
        fix,
    )]
}

fn remount(mount: &Mount, options: &str) -> String {
    shell_word(mount.point.as_bytes())
        .map_or_else(String::new, |point| format!("sudo mount -o remount,{options} {point}"))
}

fn read_only(check: &Check<'_>) -> Vec<Seen> {
    let frozen = |mount: &&Mount| mount.has("ro") || mount.super_options.iter().any(|option| option == "ro");
    let Some(mount) = mount(check).filter(frozen) else { return Vec::new() };
    vec![on(check, mount, "images would lie on a read-only mount", "mounted read-only", remount(mount, "rw"))]
}

fn noexec(check: &Check<'_>) -> Vec<Seen> {
    let Some(mount) = mount(check).filter(|mount| mount.has("noexec")) else { return Vec::new() };
    vec![on(check, mount, "images would lie on a noexec mount", "mounted noexec", remount(mount, "exec"))]
}

fn flags(check: &Check<'_>) -> Vec<Seen> {
    let Some(mount) = mount(check) else { return Vec::new() };
    let flags: Vec<&str> = ["nosuid", "nodev"].into_iter().filter(|flag| mount.has(flag)).collect();
    if flags.is_empty() {
        return Vec::new();
    }
    let without: Vec<&str> = flags.iter().map(|flag| flag.trim_start_matches("no")).collect();
    let flags = flags.join(" and ");
    let fix = remount(mount, &without.join(","));
    vec![on(check, mount, &format!("images would lie on a {flags} mount"), &format!("mounted {flags}"), fix)]
}

/// The first kernel in which users may mount overlay.
const OVERLAY_FOR_USERS: (u32, u32) = (5, 11);

fn overlay(check: &Check<'_>) -> Vec<Seen> {
    let around = check.surroundings;
    let old = around.release.is_some_and(|release| release < OVERLAY_FOR_USERS);
    let program = around.programs.contains_key("fuse-overlayfs") && usable(&around.storage.fuse);
    if program || (!old && around.storage.overlay) {
        return Vec::new();
    }
    let why = match around.release {
        Some((major, minor)) if old => format!("Linux {major}.{minor} is before 5.11"),
        _ => "no overlay in /proc/filesystems, and no such module".to_owned(),
    };
    let fuse = if around.programs.contains_key("fuse-overlayfs") {
        "no usable /dev/fuse"
    } else {
        "no fuse-overlayfs"
    };
    vec![Seen {
        message: "layers of images cannot be mounted, and are copied".to_owned(),
        evidence: format!("{why}; {fuse}"),
        fix: if around.programs.contains_key("fuse-overlayfs") {
            device(check)
        } else {
            around.packages.install(Package::Fuse)
        },
        ..Seen::default()
    }]
}

/// Whether everybody may use a device.
fn usable(device: &Fact<crate::snapshot::FileStatus>) -> bool {
    device.seen().is_some_and(|status| status.mode & 0o006 == 0o006)
}

/// What makes `/dev/fuse` usable.
fn device(check: &Check<'_>) -> String {
    let around = check.surroundings;
    match (&around.storage.fuse, &around.container) {
        (Fact::Missing, Some(_)) => "start the outer container with --device /dev/fuse".to_owned(),
        (Fact::Missing, None) => "sudo modprobe fuse".to_owned(),
        _ => "sudo chmod 0666 /dev/fuse".to_owned(),
    }
}

fn fuse(check: &Check<'_>) -> Vec<Seen> {
    let storage = &check.surroundings.storage;
    let Some((program, found)) = &storage.mount_program else { return Vec::new() };
    if *found && usable(&storage.fuse) {
        return Vec::new();
    }
    if !found {
        return vec![Seen {
            file: Some(program.clone()),
            message: format!("mount_program names {program}, which is not there"),
            evidence: format!("no {program}"),
            fix: check.surroundings.packages.install(Package::Fuse),
            ..Seen::default()
        }];
    }
    known(&storage.fuse, |device_status| {
        let evidence = device_status.map_or_else(
            || "no /dev/fuse".to_owned(),
            |status| format!("/dev/fuse has mode {:04o}", status.mode & 0o7777),
        );
        Some(Seen {
            file: Some("/dev/fuse".to_owned()),
            message: format!("{program} needs /dev/fuse, which {} cannot use", check.facts.user),
            evidence,
            fix: device(check),
            ..Seen::default()
        })
    })
}

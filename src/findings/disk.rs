//! Both files as files: mode, owner, links, mounts.

use super::survey::path;
use super::{BASE, Entry, Group, Reach, Seen, Status, Survey, all, is_map};
use crate::range::Kind;
use crate::snapshot::{FileStatus, IdFile};

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "file-symlink",
        group: Group::Disk,
        severity: Status::Error,
        title: "subuid or subgid is a symbolic link",
        explain: "shadow opens both files with O_NOFOLLOW (lib/commonio.c): useradd and usermod fail, and \
                  newuidmap and getsubids see no range of anybody, while podman's own reader follows the link. \
                  Configuration management and shared /etc folders make such links.",
        consequence: "newuidmap grants nobody anything; useradd and usermod fail",
        repair: "sudo cp -p --remove-destination \"$(readlink -f FILE)\" FILE",
        audit: Some(|survey| all(each(survey, symlink))),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: "file-not-regular",
        group: Group::Disk,
        severity: Status::Error,
        title: "subuid or subgid is a folder, a device or a pipe",
        explain: "A container engine that binds a file which does not exist makes a folder in its place (docker \
                  -v /etc/subuid:…), and /dev/null is bound over files to hide them. No program can read ranges \
                  there, and one that opens a pipe waits for ever.",
        consequence: "nobody can be granted a range",
        repair: "sudo mv FILE FILE.odd, then sudo install -m 0644 /dev/null FILE",
        audit: Some(|survey| all(each(survey, not_regular))),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: "file-owner",
        group: Group::Disk,
        severity: Status::Critical,
        title: "subuid or subgid belongs to somebody else than root",
        explain: "The owner of a file can change it whatever its mode, and who can write a line into subuid can \
                  give himself the IDs of any account: newuidmap grants what the file says. shadow keeps the \
                  owner that it finds when it writes the file anew.",
        consequence: "its owner can become root on this host",
        repair: "sudo chown root:root FILE",
        audit: Some(|survey| all(each(survey, owner))),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: "file-writable",
        group: Group::Disk,
        severity: Status::Critical,
        title: "others than its owner can write subuid or subgid",
        explain: "Who can write a line alice:0:65536 into subuid makes alice root on the host: newuidmap grants \
                  what the file says, 0 included. shadow keeps the group's right to write when it writes the file \
                  anew (it takes the mode & 0664). The right mode is 0644.",
        consequence: "whoever can write to it can become root on this host",
        repair: "sudo chmod go-w FILE",
        audit: Some(|survey| all(each(survey, writable))),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: "file-unreadable",
        group: Group::Disk,
        severity: Status::Error,
        title: "subuid or subgid cannot be read by everybody",
        explain: "A newuidmap that is setuid root reads the file all the same, one with file capabilities (Fedora, \
                  Arch) does not and ends without a word up to shadow 4.19; podman, buildah and rootlesskit read \
                  the file as the user and say 'permission denied'. There is nothing secret in it.",
        consequence: "some programs find no range for anybody",
        repair: "sudo chmod a+r FILE",
        // Up to shadow 4.19 a helper without root's rights says nothing at all.
        explains: |step, words| {
            is_map(step) && (words.contains("without a word") || words.contains("cannot open"))
        },
        audit: Some(|survey| all(each(survey, unreadable))),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: "file-unread",
        group: Group::Disk,
        severity: Status::Error,
        title: "subuid or subgid could not be read",
        explain: "The file is there, and reading it failed or was given up at 256 MiB: ten times what a million \
                  lines take, and more than useradd and newuidmap can work with.",
        consequence: "what it grants is not known, and subidctl changes nothing",
        repair: "see what reading it says: sudo head -c 1000 FILE",
        audit: Some(|survey| all(each(survey, unread))),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: "file-missing",
        group: Group::Disk,
        severity: Status::Error,
        title: "one of subuid and subgid does not exist",
        explain: "Where a file is missing useradd skips that kind of ID without a word and exits 0 (shadow, \
                  src/useradd.c); a container needs both. That neither exists is fine: then this host gives no \
                  subordinate IDs at all.",
        consequence: "no container here gets both uids and gids",
        repair: "sudo install -m 0644 /dev/null FILE",
        audit: Some(|survey| all(missing(survey))),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: "file-mounted",
        group: Group::Disk,
        severity: Status::Error,
        title: "something is mounted on subuid or subgid",
        explain: "A mount point cannot be renamed over (EBUSY), and every tool that writes these files safely \
                  renames: useradd has already written passwd when it fails at subuid. Containers get such files \
                  by -v /etc/subuid:/etc/subuid.",
        consequence: "useradd, usermod and subidctl cannot change it",
        repair: "sudo umount FILE",
        audit: Some(|survey| all(each(survey, mounted))),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "file-immutable",
        group: Group::Disk,
        severity: Status::Info,
        title: "subuid or subgid is immutable or append-only",
        explain: "Somebody set the attribute with chattr, most likely to keep tools from changing the file. \
                  useradd then makes the account and fails at subuid; subidctl refuses before anything changes.",
        consequence: "nothing can change it until the attribute is taken off",
        repair: "sudo chattr -ia FILE",
        audit: Some(|survey| all(each(survey, immutable))),
        reach: Reach::Nobody,
        ..BASE
    },
];

/// Message, evidence and fix.
type Texts = (String, String, String);

fn each(survey: &Survey<'_>, look: fn(&Survey<'_>, Kind, &IdFile, FileStatus) -> Option<Texts>) -> Vec<Seen> {
    let seen = |kind: Kind| {
        let file = &survey.snapshot.files[kind];
        let (message, evidence, fix) = look(survey, kind, file, file.status?)?;
        Some(Seen { file: Some(path(kind)), message, evidence, fix, ..Seen::default() })
    };
    Kind::BOTH.into_iter().filter_map(seen).collect()
}

fn is(status: FileStatus, file_type: u32) -> bool {
    status.mode & libc::S_IFMT == file_type
}

/// `/etc/subuid: mode 0666, owner 0, group 0`.
fn described(survey: &Survey<'_>, kind: Kind, status: FileStatus) -> String {
    let full = survey.full(&path(kind));
    format!("{full}: mode {:04o}, owner {}, group {}", status.mode & 0o7777, status.uid, status.gid)
}

fn symlink(survey: &Survey<'_>, kind: Kind, _: &IdFile, status: FileStatus) -> Option<Texts> {
    let word = survey.word(&path(kind));
    is(status, libc::S_IFLNK).then(|| {
        (
            format!("{} is a symbolic link", path(kind)),
            format!("{} is a link, which shadow does not follow", survey.full(&path(kind))),
            format!("sudo cp -p --remove-destination \"$(readlink -f {word})\" {word}"),
        )
    })
}

fn not_regular(survey: &Survey<'_>, kind: Kind, _: &IdFile, status: FileStatus) -> Option<Texts> {
    let name = match status.mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFLNK => return None,
        libc::S_IFDIR => "a folder",
        libc::S_IFIFO => "a pipe",
        libc::S_IFSOCK => "a socket",
        _ => "a device",
    };
    let word = survey.word(&path(kind));
    Some((
        format!("{} is {name}", path(kind)),
        format!("{} is {name}", survey.full(&path(kind))),
        format!("sudo mv {word} {word}.odd\nsudo install -m 0644 /dev/null {word}"),
    ))
}

fn owner(survey: &Survey<'_>, kind: Kind, _: &IdFile, status: FileStatus) -> Option<Texts> {
    let foreign = status.uid != 0 && status.uid != survey.snapshot.disk.owner;
    (foreign && is(status, libc::S_IFREG)).then(|| {
        (
            format!("{} belongs to uid {}", path(kind), status.uid),
            described(survey, kind, status),
            format!("sudo chown root:root {}", survey.word(&path(kind))),
        )
    })
}

fn writable(survey: &Survey<'_>, kind: Kind, _: &IdFile, status: FileStatus) -> Option<Texts> {
    let who = match status.mode & 0o022 {
        0 => return None,
        0o020 => format!("group {}", status.gid),
        _ => "everybody".to_owned(),
    };
    is(status, libc::S_IFREG).then(|| {
        (
            format!("{who} can write to {}", path(kind)),
            described(survey, kind, status),
            format!("sudo chmod go-w {}", survey.word(&path(kind))),
        )
    })
}

fn unreadable(survey: &Survey<'_>, kind: Kind, _: &IdFile, status: FileStatus) -> Option<Texts> {
    (status.mode & 0o004 == 0 && is(status, libc::S_IFREG)).then(|| {
        (
            format!("{} can be read by root alone, or by a group", path(kind)),
            described(survey, kind, status),
            format!("sudo chmod a+r {}", survey.word(&path(kind))),
        )
    })
}

fn unread(survey: &Survey<'_>, kind: Kind, file: &IdFile, status: FileStatus) -> Option<Texts> {
    let trouble = file.trouble.as_ref().filter(|_| is(status, libc::S_IFREG))?;
    if status.mode & 0o004 == 0 {
        return None;
    }
    let word = survey.word(&path(kind));
    let message = format!("{} could not be read", path(kind));
    Some((message, format!("{trouble}: {}", trouble.why), format!("sudo head -c 1000 {word}")))
}

fn missing(survey: &Survey<'_>) -> Vec<Seen> {
    let there = |kind: Kind| survey.snapshot.files[kind].status.is_some();
    let absent = Kind::BOTH.into_iter().find(|kind| !there(*kind) && there(kind.other()));
    let seen = |kind: Kind| Seen {
        file: Some(path(kind)),
        message: format!("{} does not exist, and {} does", path(kind), path(kind.other())),
        evidence: format!("no {}", survey.full(&path(kind))),
        fix: format!("sudo install -m 0644 /dev/null {}", survey.word(&path(kind))),
        ..Seen::default()
    };
    absent.map(seen).into_iter().collect()
}

fn mounted(survey: &Survey<'_>, kind: Kind, _: &IdFile, _: FileStatus) -> Option<Texts> {
    survey.snapshot.disk.attributes[kind].mounted.then(|| {
        (
            format!("something is mounted on {}", path(kind)),
            format!("{} is the root of a mount", survey.full(&path(kind))),
            format!("sudo umount {}", survey.word(&path(kind))),
        )
    })
}

fn immutable(survey: &Survey<'_>, kind: Kind, _: &IdFile, _: FileStatus) -> Option<Texts> {
    survey.snapshot.disk.attributes[kind].unchangeable.then(|| {
        (
            format!("{} is immutable or append-only", path(kind)),
            format!("lsattr {} shows i or a", survey.full(&path(kind))),
            format!("sudo chattr -ia {}", survey.word(&path(kind))),
        )
    })
}

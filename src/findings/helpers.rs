//! newuidmap and newgidmap.

use super::{BASE, Entry, Facts, Group, Seen, Status, is_map, not_permitted};
use crate::range::Kind;
use crate::snapshot::Helper;
use crate::text::shell_word;

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "helper-missing",
        group: Group::Helpers,
        severity: Status::Error,
        title: "newuidmap or newgidmap is not installed",
        explain: "Only these two programs may write a user's ranges into the map of a container. They come \
                  with the package uidmap or shadow.",
        consequence: "no rootless container gets more than one ID",
        repair: "install the package with newuidmap: uidmap on Debian and Ubuntu, shadow-utils \
                 elsewhere",
        explains: |step, _| is_map(step),
        find: missing,
        ..BASE
    },
    Entry {
        id: "helper-untrusted",
        group: Group::Helpers,
        severity: Status::Error,
        title: "a helper could be replaced by others than root",
        explain: "A helper that runs with root's rights must be a regular file of root's, in a folder of \
                  root's, that nobody else can write to. Such a one is never started.",
        consequence: "whoever can write to it can become any user",
        repair: "install its package anew; where it is the folder: sudo chown root:root FOLDER && sudo chmod go-w FOLDER",
        explains: |step, _| is_map(step),
        find: |facts| each(facts, untrusted),
        ..BASE
    },
    Entry {
        id: "helper-script",
        group: Group::Helpers,
        severity: Status::Error,
        title: "a helper is a script",
        explain: "A setuid bit does nothing for a script: it runs with the caller's rights alone. Wrappers that \
                  add a log or another path are put in the helper's place, and work for nobody but root.",
        consequence: "newuidmap: write to uid_map failed: Operation not permitted",
        repair: "put the program of the distribution's package back in its place",
        explains: |step, _| is_map(step),
        find: |facts| each(facts, script),
        ..BASE
    },
    Entry {
        id: "helper-no-privilege",
        group: Group::Helpers,
        severity: Status::Error,
        title: "a helper is neither setuid root nor has its file capability",
        explain: "newuidmap needs CAP_SETUID and newgidmap CAP_SETGID, by the setuid bit or as a file \
                  capability with the effective bit. Copies of a system (tar, image builds, rsync without -X) \
                  lose either.",
        consequence: "the kernel refuses the map",
        repair: "sudo chmod u+s HELPER; where it has file capabilities: sudo setcap cap_setuid=ep \
                 HELPER (newgidmap: cap_setgid)",
        explains: |step, words| is_map(step) && not_permitted(words),
        find: |facts| each(facts, no_privilege),
        ..BASE
    },
    Entry {
        id: "helper-both",
        group: Group::Helpers,
        severity: Status::Error,
        title: "a helper is setuid root and has file capabilities as well",
        explain: "With both, the program runs as root with the file's capabilities alone, which do not let it \
                  open the map of another user's process.",
        consequence: "newuidmap: open of uid_map failed: Permission denied",
        repair: "sudo setcap -r HELPER",
        explains: |step, words| is_map(step) && not_permitted(words),
        find: |facts| each(facts, both),
        ..BASE
    },
    Entry {
        id: "helper-nosuid-mount",
        group: Group::Helpers,
        severity: Status::Error,
        title: "a helper lies on a file system mounted nosuid",
        explain: "On such a mount setuid bits and file capabilities have no effect.",
        consequence: "the kernel refuses the map",
        repair: "sudo mount -o remount,bind,suid MOUNT",
        explains: |step, words| is_map(step) && not_permitted(words),
        find: nosuid_mounts,
        ..BASE
    },
    Entry {
        id: "helper-shadowed",
        group: Group::Helpers,
        severity: Status::Warning,
        title: "PATH finds another program first",
        explain: "Engines take the first newuidmap of PATH. One without privileges (from nix, conda or a home \
                  folder) makes them fail where subidctl succeeds.",
        consequence: "engines may use the wrong helper",
        repair: "put /usr/bin before that folder in PATH",
        find: |facts| each(facts, shadowed),
        session: true,
        ..BASE
    },
];

fn each(facts: &Facts<'_>, find: fn(&Facts<'_>, Kind, &Helper) -> Option<Seen>) -> Vec<Seen> {
    facts.machine.helpers.iter().filter_map(|(kind, helper)| find(facts, kind, helper)).collect()
}

/// One finding where both are missing: one command installs both.
fn missing(facts: &Facts<'_>) -> Vec<Seen> {
    let kinds = Kind::BOTH.into_iter().filter(|kind| facts.machine.helpers[*kind].path.is_none());
    let names: Vec<&str> = kinds.map(Kind::helper).collect();
    let seen = |file: Option<&str>, message: String| Seen {
        file: file.map(str::to_owned),
        message,
        evidence: "looked for in /usr/bin, /bin, /usr/sbin, /sbin, /usr/local/bin".to_owned(),
        fix: facts.machine.install.clone(),
        ..Seen::default()
    };
    match names[..] {
        [] => Vec::new(),
        [name] => vec![seen(Some(name), format!("{name} is not installed"))],
        _ => vec![seen(None, format!("{} are not installed", names.join(" and ")))],
    }
}

fn untrusted(facts: &Facts<'_>, kind: Kind, helper: &Helper) -> Option<Seen> {
    let (path, why) = (helper.path.as_ref()?, helper.untrusted.as_ref()?);
    Some(Seen {
        file: Some(path.clone()),
        message: format!("{} cannot be trusted: {why}", kind.helper()),
        evidence: format!("{path}: mode {:04o}, owner {}: {why}", helper.mode, helper.uid),
        fix: match path.rsplit_once('/').map(|(folder, _)| shell_word(folder.as_bytes())) {
            Some(Some(folder)) if why.contains("folder") => {
                format!("sudo chown root:root {folder} && sudo chmod go-w {folder}")
            }
            _ => facts.machine.install.clone(),
        },
        ..Seen::default()
    })
}

fn script(facts: &Facts<'_>, kind: Kind, helper: &Helper) -> Option<Seen> {
    let path = usable(helper).filter(|_| helper.script)?;
    Some(Seen {
        file: Some(path.to_owned()),
        message: format!("{} is a script, which gets no rights from its setuid bit", kind.helper()),
        evidence: format!("{path} begins with #!"),
        fix: facts.machine.install.clone(),
        ..Seen::default()
    })
}

/// The bit of the capability that this helper needs (linux/capability.h).
const fn capability(kind: Kind) -> (u32, &'static str) {
    match kind {
        Kind::Uid => (7, "cap_setuid"),
        Kind::Gid => (6, "cap_setgid"),
    }
}

fn setuid_root(helper: &Helper) -> bool {
    helper.mode & libc::S_ISUID != 0 && helper.uid == 0
}

fn describe(helper: &Helper) -> String {
    let caps = match helper.file_caps {
        None => "no file capabilities".to_owned(),
        Some((bits, true)) => format!("file capabilities {bits:#x}, effective"),
        Some((bits, false)) => format!("file capabilities {bits:#x}, not effective"),
    };
    let path = helper.path.as_deref().unwrap_or_default();
    format!("{path}: mode {:04o}, owner {}, {caps}", helper.mode, helper.uid)
}

fn no_privilege(_: &Facts<'_>, kind: Kind, helper: &Helper) -> Option<Seen> {
    let path = usable(helper)?;
    let (bit, name) = capability(kind);
    let by_file = helper.file_caps.is_some_and(|(bits, effective)| bits & 1 << bit != 0 && effective);
    if by_file || (setuid_root(helper) && helper.file_caps.is_none()) {
        return None;
    }
    let word = shell_word(path.as_bytes())?;
    // A file with capabilities keeps its way of working; any other gets the setuid bit, which needs no
    // tool and no support of the file system.
    let fix = if helper.file_caps.is_some() {
        format!("sudo setcap {name}=ep {word}")
    } else {
        format!("sudo chmod u+s {word}")
    };
    Some(Seen {
        file: Some(path.to_owned()),
        message: format!("{} is neither setuid root nor has file capabilities", kind.helper()),
        evidence: describe(helper),
        fix,
        ..Seen::default()
    })
}

fn both(_: &Facts<'_>, kind: Kind, helper: &Helper) -> Option<Seen> {
    let path = usable(helper)?;
    if !setuid_root(helper) || helper.file_caps.is_none() {
        return None;
    }
    Some(Seen {
        file: Some(path.to_owned()),
        message: format!("{} is setuid root and has file capabilities", kind.helper()),
        evidence: describe(helper),
        fix: format!("sudo setcap -r {}", shell_word(path.as_bytes())?),
        ..Seen::default()
    })
}

/// One finding for one mount: one command mends it.
fn nosuid_mounts(facts: &Facts<'_>) -> Vec<Seen> {
    let mut seen = each(facts, nosuid_mount);
    let mounts = facts.machine.helpers.iter().map(|(_, helper)| helper.nosuid_mount.as_ref());
    if let [Some(uid), Some(gid)] = mounts.collect::<Vec<_>>()[..]
        && uid == gid
    {
        seen.truncate(1);
        for seen in &mut seen {
            "newuidmap and newgidmap lie on a nosuid mount".clone_into(&mut seen.message);
            seen.file = None;
        }
    }
    seen
}

fn nosuid_mount(_: &Facts<'_>, kind: Kind, helper: &Helper) -> Option<Seen> {
    let (path, mount) = (usable(helper)?, helper.nosuid_mount.as_ref()?);
    Some(Seen {
        file: Some(path.to_owned()),
        message: format!("{} lies on a nosuid mount", kind.helper()),
        evidence: format!(
            "{path} is on the mount {}, which has the option nosuid",
            crate::text::escape(mount.as_bytes())
        ),
        fix: format!("sudo mount -o remount,bind,suid {}", shell_word(mount.as_bytes())?),
        ..Seen::default()
    })
}

fn shadowed(_: &Facts<'_>, kind: Kind, helper: &Helper) -> Option<Seen> {
    let (path, other) = (usable(helper)?, helper.shadowed_by.as_ref()?);
    Some(Seen {
        file: Some(other.clone()),
        // One without privileges fails, one with some works.
        status: helper.shadow_powerless.then_some(Status::Error),
        message: format!("PATH finds {other} before {path}"),
        evidence: format!("{other} is the first {} in PATH", kind.helper()),
        ..Seen::default()
    })
}

fn usable(helper: &Helper) -> Option<&str> {
    if helper.untrusted.is_some() { None } else { helper.path.as_deref() }
}

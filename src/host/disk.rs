//! What lies around subuid and subgid: attributes, leftovers of interrupted programs, damaged records.

use std::ffi::CString;
use std::os::fd::AsFd as _;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::kill;
use nix::sys::stat::{Mode, fstat};
use nix::unistd::Pid;

use super::lockfile::{Holder, holder};
use super::{Root, records, trust};
use crate::error::{Code, Result};
use crate::range::{Kind, PerKind};
use crate::snapshot::{Attributes, Disk, Leftover, Remnant};

/// Looks around. Missing is normal, and what this caller may not see is left out: `audit` is for root.
///
/// # Errors
/// Where `/etc` is there and cannot be listed.
pub(super) fn disk(root: &Root) -> Result<Disk> {
    let owner = if root.is_running() { 0 } else { fstat(root.dir()).map_or(0, |top| top.st_uid) };
    let mut leftovers = Vec::new();
    for name in root.list("/etc")? {
        leftovers.extend(leftover(root, &name));
    }
    let conflicts = root.list(records::CONFLICTS).unwrap_or_default();
    leftovers.extend(conflicts.iter().map(|name| Leftover {
        remnant: Remnant::Conflict,
        path: format!("{}/{}", records::CONFLICTS, crate::text::escape(name)),
        evidence: "the journal of a change that could neither be finished nor taken back".to_owned(),
    }));
    let history = match records::history(root) {
        Ok(_) => Vec::new(),
        Err(error) if forbidden(error.code) => Vec::new(),
        Err(error) => vec![format!("{error}: {}", error.why)],
    };
    Ok(Disk {
        owner,
        attributes: PerKind::from_fn(|kind| attributes(root, kind)),
        leftovers,
        ledger: records::ledger(root).err(),
        history,
    })
}

/// Whether an error only says that the caller is not root.
fn forbidden(code: Code) -> bool {
    code == Code::ReadFailed && !nix::unistd::geteuid().is_root()
}

fn attributes(root: &Root, kind: Kind) -> Attributes {
    let Ok(etc) = root.open_dir("/etc") else { return Attributes::default() };
    let name = CString::new(kind.file()).unwrap_or_default();
    let mounted = crate::sys::is_mount_root(etc.as_fd(), &name).unwrap_or(false);
    let file = open(root, kind.file()).ok();
    let unchangeable = file.is_some_and(|file| trust::unchangeable(file.as_fd()));
    Attributes { unchangeable, mounted }
}

fn open(root: &Root, name: &str) -> nix::Result<std::os::fd::OwnedFd> {
    root.open(&format!("/etc/{name}"), OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty())
}

/// What a name in `/etc` means, where it is none of a program at work: while a lock has a living holder its
/// files are nobody's leftovers.
fn leftover(root: &Root, name: &[u8]) -> Option<Leftover> {
    let name = std::str::from_utf8(name).ok()?;
    let path = format!("/etc/{name}");
    let found = |remnant, evidence: &str| {
        Some(Leftover { remnant, path: path.clone(), evidence: evidence.to_owned() })
    };
    match meaning(name)? {
        Meaning::Lock => match judged(root, name)? {
            Holder::Alive(_) => None,
            Holder::Gone(pid) => found(Remnant::DeadLock, &format!("it names pid {pid}, which is gone")),
            Holder::Reused(pid) => found(
                Remnant::BlockingLock,
                &format!("it names pid {pid}, which is another process that began later"),
            ),
            Holder::Unknown(fault) => found(Remnant::BlockingLock, &format!("it {fault}")),
        },
        Meaning::LockOf(pid) if kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH) => {
            found(Remnant::Temporary, "a lock in the making, whose maker is gone")
        }
        Meaning::LockOf(_) => None,
        Meaning::New(kind) => {
            let held = judged(root, &format!("{}.lock", kind.file()));
            let at_work = matches!(held, Some(Holder::Alive(_)));
            if at_work { None } else { found(Remnant::Temporary, "a new file that never took its place") }
        }
        Meaning::Own => {
            let busy = judged(root, "subuid.lock").is_some_and(|held| matches!(held, Holder::Alive(_)))
                || open(root, ".subidctl.journal").err() != Some(Errno::ENOENT);
            if busy { None } else { found(Remnant::OwnTemporary, "made for a change that never began") }
        }
    }
}

/// The holder of a lock that is there.
fn judged(root: &Root, name: &str) -> Option<Holder> {
    match open(root, name) {
        Ok(file) => holder(file).ok().map(|(holder, _)| holder),
        // A link, a socket: shadow cannot take it over either.
        Err(Errno::ELOOP | Errno::ENXIO) => Some(Holder::Unknown("is not a regular file")),
        Err(_) => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// `subuid.lock`.
    Lock,
    /// `subuid.PID`, linked to `subuid.lock`; `subuid.lock.PID.tmp` where uutils makes it.
    LockOf(i32),
    /// shadow's new file: `subuid+` before 4.20, `subuid.cioXXXXXX` since.
    New(Kind),
    /// A name of subidctl's.
    Own,
}

fn meaning(name: &str) -> Option<Meaning> {
    if let Some(own) = name.strip_prefix(".subidctl.") {
        return ["subuid.", "subgid.", "journal.new"]
            .iter()
            .any(|p| own.starts_with(p))
            .then_some(Meaning::Own);
    }
    let (kind, rest) =
        Kind::BOTH.into_iter().find_map(|kind| Some((kind, name.strip_prefix(kind.file())?)))?;
    if rest == "+" {
        return Some(Meaning::New(kind));
    }
    let rest = rest.strip_prefix('.')?;
    if rest == "lock" {
        return Some(Meaning::Lock);
    }
    let random = rest.strip_prefix("cio").filter(|random| random.len() == 6);
    if random.is_some_and(|random| random.bytes().all(|b| b.is_ascii_alphanumeric())) {
        return Some(Meaning::New(kind));
    }
    let pid = rest.strip_prefix("lock.").and_then(|rest| rest.strip_suffix(".tmp")).unwrap_or(rest);
    let pid = pid.parse().ok().filter(|n| *n >= 1 && pid.bytes().all(|b| b.is_ascii_digit()));
    pid.map(Meaning::LockOf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_their_makers_mean() {
        for (name, expected) in [
            ("subuid", None),
            ("subuid-", None),
            ("subuid+", Some(Meaning::New(Kind::Uid))),
            ("subgid.cioAb3xYz", Some(Meaning::New(Kind::Gid))),
            ("subgid.cioAb3xY", None),
            ("subgid.bak", None),
            ("subgid.lock", Some(Meaning::Lock)),
            ("subgid.4711", Some(Meaning::LockOf(4711))),
            ("subgid.lock.4711.tmp", Some(Meaning::LockOf(4711))),
            ("subgid.0", None),
            ("subgid.+5", None),
            (".subidctl.subuid.new", Some(Meaning::Own)),
            (".subidctl.journal.new", Some(Meaning::Own)),
            (".subidctl.journal", None),
            (".subidctl.journal.damaged-1", None),
            ("passwd+", None),
        ] {
            assert_eq!(meaning(name), expected, "{name}");
        }
    }

    #[test]
    fn a_program_at_work_leaves_nothing() {
        let tree = tempfile::tempdir().unwrap();
        let etc = tree.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        let root = Root::below(tree.path()).unwrap();
        let found = || -> Vec<Remnant> { disk(&root).unwrap().leftovers.iter().map(|l| l.remnant).collect() };
        for name in ["subuid+", "subgid.cio000000", ".subidctl.subuid.new"] {
            std::fs::write(etc.join(name), "").unwrap();
        }
        assert_eq!(found(), [Remnant::OwnTemporary, Remnant::Temporary, Remnant::Temporary]);
        let alive = format!("{}\0", std::process::id());
        std::fs::write(etc.join("subuid.lock"), alive).unwrap();
        assert_eq!(found(), [Remnant::Temporary], "subgid's, which is not locked");
        std::fs::write(etc.join("subgid.lock"), "").unwrap();
        std::fs::write(etc.join("subuid.lock"), "999999999\0").unwrap();
        std::fs::write(etc.join(".subidctl.journal"), "").unwrap();
        let expected = [Remnant::Temporary, Remnant::BlockingLock, Remnant::Temporary, Remnant::DeadLock];
        assert_eq!(found().len(), expected.len());
        assert!(expected.iter().all(|remnant| found().contains(remnant)), "{:?}", found());
    }
}

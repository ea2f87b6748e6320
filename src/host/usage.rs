//! Who uses IDs at the moment: processes that run with them, and user namespaces that map them.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use super::namespaces;
use crate::range::{Kind, PerKind, Range, RangeSet};
use crate::snapshot::{Accounts, LiveExtent, Snapshot};

/// A process, and what it uses of the IDs that were asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The process.
    pub pid: i32,
    /// Its command line or, where it has none, its name; shortened, escaped.
    pub command: String,
    /// The IDs, without accounts' own: single ones that it runs with, ranges that its namespace maps.
    pub ids: Vec<(Kind, Range)>,
    /// Whether it is in a user namespace that maps them.
    pub maps: bool,
}

/// What uses IDs of some ranges.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of each namespace one process, and every process that runs with one of the IDs; by pid.
    pub users: Vec<User>,
    /// How many processes did not show their IDs.
    pub hidden: usize,
}

/// Bytes of a command line that are shown.
const SHOWN: usize = 60;

/// How often it is looked again while a process that was seen is about to end, and after which pause.
const LOOKS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(30);

/// Looks at every process that `/proc` shows, and at the namespaces that they are in. IDs that are an account's
/// or a group's own do not count: their processes use the account, whatever line holds its ID. Below a root
/// nothing runs.
pub fn usage(snapshot: &Snapshot, ranges: &PerKind<RangeSet>) -> Usage {
    if !snapshot.host.running {
        return Usage::default();
    }
    let look = || scan(Path::new("/proc"), &namespaces::live().extents, &snapshot.accounts, ranges);
    for _ in 1..LOOKS {
        let (usage, ending) = look();
        if !ending {
            return usage;
        }
        std::thread::sleep(PAUSE);
    }
    look().0
}

/// What is seen, and whether a process that stands for its namespace has ended: another one may be in it.
fn scan(
    proc: &Path,
    extents: &[LiveExtent],
    accounts: &Accounts,
    ranges: &PerKind<RangeSet>,
) -> (Usage, bool) {
    let watched: PerKind<RangeSet> = PerKind::from_fn(|kind| {
        let own: RangeSet = accounts.ids(kind).map(Range::single).collect();
        ranges[kind].iter().flat_map(|range| own.gaps(range).collect::<Vec<_>>()).collect()
    });
    let mut found: BTreeMap<i32, (Vec<(Kind, Range)>, bool)> = BTreeMap::new();
    for extent in extents {
        if let Some(met) = watched[extent.kind].first_overlap(extent.range) {
            let entry = found.entry(extent.pid).or_default();
            entry.0.push((extent.kind, met));
            entry.1 = true;
        }
    }
    let mut hidden = 0;
    for entry in std::fs::read_dir(proc).into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        match std::fs::read(entry.path().join("status")) {
            Ok(status) if !ended(&status) => {
                let ids = ids(&status, &watched);
                if !ids.is_empty() {
                    found.entry(pid).or_default().0.extend(ids);
                }
            }
            Ok(_) => {}
            // A process that has ended uses nothing.
            Err(e) if e.kind() == ErrorKind::NotFound || e.raw_os_error() == Some(libc::ESRCH) => {}
            Err(_) => hidden += 1,
        }
    }
    let users = found.into_iter().map(|(pid, (mut ids, maps))| {
        ids.sort_unstable();
        ids.dedup();
        User { pid, command: command(&proc.join(pid.to_string())), ids, maps }
    });
    let usage = Usage { users: users.collect(), hidden };
    let gone =
        |pid: i32| std::fs::read(proc.join(format!("{pid}/status"))).map_or(true, |status| ended(&status));
    let ending = usage.users.iter().any(|user| user.maps && gone(user.pid));
    (usage, ending)
}

/// Whether a process is past its last instruction: only its exit code is left, or its memory is gone already
/// (proc(5), `State`, `VmSize`; a kernel thread has none either, and it is root's).
fn ended(status: &[u8]) -> bool {
    let field = |name: &[u8]| status.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(name));
    let state = field(b"State:").unwrap_or_default();
    matches!(state.trim_ascii_start().first(), Some(b'Z' | b'X')) || field(b"VmSize:").is_none()
}

/// Those of a process's IDs that are watched: real, effective, saved and file system, and its groups (proc(5)).
fn ids(status: &[u8], watched: &PerKind<RangeSet>) -> Vec<(Kind, Range)> {
    let mut met = Vec::new();
    for line in status.split(|b| *b == b'\n') {
        let (kind, rest) = match (line.strip_prefix(b"Uid:"), line.strip_prefix(b"Gid:")) {
            (Some(rest), _) => (Kind::Uid, rest),
            (_, Some(rest)) => (Kind::Gid, rest),
            _ => match line.strip_prefix(b"Groups:") {
                Some(rest) => (Kind::Gid, rest),
                None => continue,
            },
        };
        let numbers =
            rest.split(u8::is_ascii_whitespace).filter_map(|n| std::str::from_utf8(n).ok()?.parse().ok());
        met.extend(numbers.filter(|id| watched[kind].contains(*id)).map(|id| (kind, Range::single(id))));
    }
    met
}

/// The command line, its NULs as blanks; of a process without one (or that ended) its name in brackets.
fn command(folder: &Path) -> String {
    let read = |name| std::fs::read(folder.join(name)).unwrap_or_default();
    let mut line = read("cmdline");
    while line.last() == Some(&0) {
        line.pop();
    }
    if line.is_empty() {
        return format!("[{}]", crate::text::escape(read("comm").trim_ascii_end()));
    }
    let long = line.len() > SHOWN;
    line.truncate(SHOWN);
    line.iter_mut().filter(|b| **b == 0).for_each(|b| *b = b' ');
    crate::text::escape(&line) + if long { "…" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::{Gid, Login, Uid};
    use crate::snapshot::{Account, Source};

    fn proc(processes: &[(&str, &str, &str)]) -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        for (pid, status, cmdline) in processes {
            let folder = proc.path().join(pid);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("status"), format!("VmSize:\t1 kB\n{status}")).unwrap();
            std::fs::write(folder.join("cmdline"), cmdline).unwrap();
            std::fs::write(folder.join("comm"), "name\x1b\n").unwrap();
        }
        proc
    }

    fn snapshot() -> Snapshot {
        let account = Account {
            name: Login::new(b"bob").unwrap(),
            uid: Uid::new(150),
            gid: Gid::new(151),
            home: crate::text::Part::default(),
            shell: crate::text::Part::default(),
            source: Source::File(1),
        };
        Snapshot { accounts: Accounts::new(vec![account], Vec::new()), ..Snapshot::default() }
    }

    fn seen(proc: &tempfile::TempDir, snapshot: &Snapshot) -> Vec<String> {
        let range = || Range::between(100, 199).into_iter().collect();
        let ranges = PerKind { uid: range(), gid: range() };
        let (usage, ending) = scan(proc.path(), &snapshot.namespaces.extents, &snapshot.accounts, &ranges);
        let row = |u: &User| {
            let ids: Vec<String> =
                u.ids.iter().map(|(kind, range)| format!("{} {range}", kind.name())).collect();
            format!("{} {} {}{}", u.pid, u.command, ids.join(","), if u.maps { " maps" } else { "" })
        };
        usage
            .users
            .iter()
            .map(row)
            .chain(ending.then(|| "ending".to_owned()))
            .chain((usage.hidden > 0).then(|| format!("{} hidden", usage.hidden)))
            .collect()
    }

    #[test]
    fn every_id_of_a_process_counts_but_accounts_own() {
        let status = |uids: &str, gids: &str, groups: &str| {
            format!("Name:\tx\nUid:\t{uids}\nGid:\t{gids}\nGroups:\t{groups}\nPid:\t120\n")
        };
        let (none, saved, group, own) = (
            status("99 200 0 0", "0 0 0 0", ""),
            status("0 0 120 0", "0 0 0 0", ""),
            status("0 0 0 0", "0 0 0 199", "5 100 "),
            status("150 150 150 150", "151 151 151 151", "151"),
        );
        let long = "a".repeat(70);
        let proc =
            proc(&[("7", &none, "n"), ("8", &saved, "sleep\x0060\0"), ("9", &group, ""), ("10", &own, "o")]);
        assert_eq!(
            seen(&proc, &snapshot()),
            ["8 sleep 60 uid 120-120", "9 [name\\x1b] gid 100-100,gid 199-199"]
        );
        std::fs::write(proc.path().join("8/cmdline"), &long).unwrap();
        assert!(seen(&proc, &snapshot())[0].starts_with(&format!("8 {}… uid", &long[..SHOWN])));
    }

    #[test]
    fn a_namespace_counts_by_what_it_maps_and_once() {
        let proc = proc(&[("8", "Uid:\t120 120 120 120\n", "pause")]);
        let mut snapshot = snapshot();
        let extent = |range: (u32, u32), pid| LiveExtent {
            kind: Kind::Uid,
            range: Range::between(range.0, range.1).unwrap(),
            pid,
        };
        snapshot.namespaces.extents =
            vec![extent((150, 150), 7), extent((190, 500), 8), extent((200, 300), 9)];
        assert_eq!(seen(&proc, &snapshot), ["8 pause uid 120-120,uid 190-199 maps"]);
    }

    #[test]
    fn what_has_ended_uses_nothing_but_its_namespace_is_looked_at_again() {
        let proc = proc(&[("7", "State:\tZ (zombie)\nUid:\t120 120 120 120\n", "")]);
        let mut snapshot = snapshot();
        assert_eq!(seen(&proc, &snapshot), [""; 0]);
        let range = Range::between(190, 500).unwrap();
        for pid in [7, 8] {
            snapshot.namespaces.extents = vec![LiveExtent { kind: Kind::Uid, range, pid }];
            assert_eq!(seen(&proc, &snapshot).last().unwrap(), "ending");
        }
    }

    #[test]
    fn what_cannot_be_read_is_counted_and_what_ended_is_not() {
        let proc = proc(&[("8", "", "")]);
        std::fs::create_dir(proc.path().join("9")).unwrap();
        std::fs::create_dir_all(proc.path().join("10/status")).unwrap();
        assert_eq!(seen(&proc, &snapshot()), ["1 hidden"]);
    }
}

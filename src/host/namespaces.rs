//! What running user namespaces map.

use std::collections::HashSet;
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};

use crate::idmap::{self, Extent};
use crate::range::{Kind, Range};
use crate::snapshot::{LiveExtent, Namespaces};

/// Inode numbers of the namespaces that the machine starts with (Linux, `include/linux/proc_ns.h`).
const INITIAL_USER: u64 = 0xEFFF_FFFD;
const INITIAL_PID: u64 = 0xEFFF_FFFC;

/// Looks at every process that `/proc` shows.
pub fn live() -> Namespaces {
    scan(Path::new("/proc"), nix::unistd::geteuid().is_root())
}

/// One process's two maps, as the kernel shows them to this process: IDs of its own namespace, also for a
/// namespace inside another.
type Maps = [Vec<Extent>; 2];

struct Scan {
    /// Inodes of the namespaces that were looked at or do not count.
    namespaces: HashSet<u64>,
    /// Maps of processes whose namespace cannot be told.
    maps: HashSet<Maps>,
    /// How many processes did not show their maps.
    hidden: usize,
    extents: Vec<LiveExtent>,
}

/// `privileged`: the process may see what `hidepid` hides, unless it is in a user namespace.
fn scan(proc: &Path, privileged: bool) -> Namespaces {
    let own = inode(&proc.join("self/ns/user"));
    let initial = match &own {
        Ok(own) => *own == INITIAL_USER,
        // A kernel without user namespaces.
        Err(error) => error.kind() == ErrorKind::NotFound && proc.join("self/ns/pid").is_symlink(),
    };
    let mut scan = Scan {
        namespaces: own.into_iter().chain([INITIAL_USER]).collect(),
        maps: maps(&proc.join("self")).into_iter().collect(),
        hidden: 0,
        extents: Vec::new(),
    };
    let mut unseen = Vec::new();
    match std::fs::read_dir(proc) {
        Err(error) => unseen.push(format!("/proc cannot be read: {error}")),
        Ok(entries) => {
            for entry in entries.flatten() {
                if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                    scan.process(pid, &entry.path());
                }
            }
        }
    }
    if scan.hidden > 0 {
        unseen.push(format!("{} processes do not show their ID maps to this one", scan.hidden));
    }
    if !inode(&proc.join("self/ns/pid")).is_ok_and(|own| own == INITIAL_PID) {
        unseen.push("processes outside this one's PID namespace cannot be seen".to_owned());
    }
    if !initial {
        unseen.push("what namespaces outside this one's user namespace map cannot be seen".to_owned());
    }
    match std::fs::read(proc.join("self/mountinfo")) {
        Err(error) => unseen.push(format!("/proc/self/mountinfo cannot be read: {error}")),
        Ok(mounts) => {
            if hides_processes(&mounts) && !(privileged && initial) {
                unseen.push("/proc is mounted with hidepid: processes of others cannot be seen".to_owned());
            }
            let pinned = pinned(&mounts).into_iter().filter(|(inode, _)| !scan.namespaces.contains(inode));
            unseen.extend(pinned.map(|(_, path)| {
                format!("a user namespace without a process is kept at {}", crate::text::escape(&path))
            }));
        }
    }
    Namespaces { extents: scan.extents, unseen }
}

impl Scan {
    fn process(&mut self, pid: i32, folder: &Path) {
        // Reading the link costs little, the maps more: of thousands of processes most share a namespace.
        let inode = match inode(&folder.join("ns/user")) {
            Ok(inode) if self.namespaces.contains(&inode) => return,
            Ok(inode) => Some(inode),
            // Everybody may read the maps, but the link only of processes that one may trace.
            Err(error) if error.kind() == ErrorKind::PermissionDenied => None,
            Err(error) => return self.missed(&error),
        };
        let maps = match maps(folder) {
            Ok(maps) => maps,
            Err(error) => return self.missed(&error),
        };
        let new = match inode {
            Some(inode) => self.namespaces.insert(inode),
            None => self.maps.insert(maps.clone()),
        };
        if new {
            for (kind, map) in Kind::BOTH.into_iter().zip(&maps) {
                let ranges = map.iter().filter_map(|extent| outside(*extent));
                self.extents.extend(ranges.map(|range| LiveExtent { kind, range, pid }));
            }
        }
    }

    /// A process that has ended is none; any other error hides what it maps.
    fn missed(&mut self, error: &Error) {
        let gone = error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH);
        self.hidden += usize::from(!gone);
    }
}

/// The IDs on the host; `None` for an identity extent, which a namespace has that maps everything, and for
/// one that this process's namespace has no IDs for.
fn outside(extent: Extent) -> Option<Range> {
    if extent.inside == extent.outside || extent.outside == u32::MAX {
        return None;
    }
    Range::clipped(u64::from(extent.outside), extent.count)
}

fn maps(folder: &Path) -> Result<Maps, Error> {
    let read = |kind: Kind| {
        let text = std::fs::read_to_string(folder.join(format!("{}_map", kind.name())))?;
        idmap::parse(&text).ok_or_else(|| Error::from(ErrorKind::InvalidData))
    };
    Ok([read(Kind::Uid)?, read(Kind::Gid)?])
}

/// The number in a link's text, `user:[4026531837]`.
fn inode(link: &Path) -> Result<u64, Error> {
    let text: PathBuf = std::fs::read_link(link)?;
    let number = text.to_str().and_then(|text| text.split_once(":[")?.1.strip_suffix(']')?.parse().ok());
    number.ok_or_else(|| Error::from(ErrorKind::InvalidData))
}

/// The fields of `mountinfo` (proc(5)) that matter here: root, mount point, type and the options of the
/// file system itself.
fn mounts(mountinfo: &[u8]) -> impl Iterator<Item = [&[u8]; 4]> {
    mountinfo.split(|b| *b == b'\n').filter_map(|line| {
        let mut words = line.split(|b| *b == b' ');
        let (root, point) = (words.nth(3)?, words.next()?);
        words.find(|word| *word == b"-")?;
        Some([root, point, words.next()?, words.nth(1)?])
    })
}

fn hides_processes(mountinfo: &[u8]) -> bool {
    let proc = mounts(mountinfo).filter(|[_, point, kind, _]| *point == b"/proc" && *kind == b"proc").last();
    proc.is_some_and(|[_, _, _, options]| {
        let mut options = options.split(|b| *b == b',').filter_map(|word| word.strip_prefix(b"hidepid="));
        options.any(|level| !matches!(level, b"0" | b"off"))
    })
}

/// User namespaces that a bind mount keeps, and where.
fn pinned(mountinfo: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let inode = |root: &[u8]| {
        let number = root.strip_prefix(b"user:[")?.strip_suffix(b"]")?;
        std::str::from_utf8(number).ok()?.parse().ok()
    };
    mounts(mountinfo)
        .filter(|[_, _, kind, _]| *kind == b"nsfs")
        .filter_map(|[root, point, ..]| Some((inode(root)?, point.to_vec())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const HOST: &str = "24 1 0:22 / /proc rw shared:1 - proc proc rw\n";

    /// A made-up /proc in which this process is in the namespaces that the machine starts with.
    fn proc() -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        process(&proc, "self", INITIAL_USER, "0 0 4294967295\n", "0 0 4294967295\n");
        symlink(format!("pid:[{INITIAL_PID}]"), proc.path().join("self/ns/pid")).unwrap();
        std::fs::write(proc.path().join("self/mountinfo"), HOST).unwrap();
        process(&proc, "1", INITIAL_USER, "0 0 4294967295\n", "0 0 4294967295\n");
        proc
    }

    fn process(proc: &tempfile::TempDir, pid: &str, namespace: u64, uids: &str, gids: &str) {
        let folder = proc.path().join(pid);
        std::fs::create_dir_all(folder.join("ns")).unwrap();
        symlink(format!("user:[{namespace}]"), folder.join("ns/user")).unwrap();
        std::fs::write(folder.join("uid_map"), uids).unwrap();
        std::fs::write(folder.join("gid_map"), gids).unwrap();
    }

    fn seen(proc: &tempfile::TempDir) -> Vec<String> {
        let mut seen: Vec<String> = scan(proc.path(), true)
            .extents
            .iter()
            .map(|e| format!("{} {} {}", e.pid, e.kind.name(), e.range))
            .collect();
        seen.sort();
        seen
    }

    #[test]
    fn each_namespace_counts_once_and_identity_not_at_all() {
        let proc = proc();
        process(&proc, "70", 7, "0 1000 1\n1 100000 65536\n", "0 1000 1\n1 200000 65536\n");
        process(&proc, "71", 7, "0 5 1\n", "");
        process(&proc, "80", 8, "0 0 4294967295\n", "0 4294967295 1\n");
        std::fs::create_dir(proc.path().join("90")).unwrap();
        // Of one namespace one process is looked at, whichever comes first.
        std::fs::remove_dir_all(proc.path().join("71")).unwrap();
        assert_eq!(
            seen(&proc),
            ["70 gid 1000-1000", "70 gid 200000-265535", "70 uid 1000-1000", "70 uid 100000-165535"]
        );
        process(&proc, "71", 7, "0 1000 1\n1 100000 65536\n", "0 1000 1\n1 200000 65536\n");
        assert_eq!(seen(&proc).len(), 4);
        assert_eq!(scan(proc.path(), true).unseen, [""; 0]);
    }

    #[test]
    fn a_process_that_ends_hides_no_other_of_its_namespace() {
        let proc = proc();
        for pid in ["70", "71", "72"] {
            process(&proc, pid, 7, "0 300000 10\n", "0 300000 10\n");
            std::fs::remove_file(proc.path().join(pid).join("gid_map")).unwrap();
        }
        assert_eq!(seen(&proc), [""; 0]);
        std::fs::write(proc.path().join("71/gid_map"), "0 300000 10\n").unwrap();
        assert_eq!(seen(&proc).len(), 2);
    }

    #[test]
    fn what_cannot_be_seen_is_said() {
        let proc = proc();
        process(&proc, "70", 7, "nonsense\n", "");
        let hidden = "24 1 0:22 / /proc rw - proc proc rw,hidepid=invisible\n";
        let bind =
            "25 1 0:4 user:[99] /run/my\\040ns rw - nsfs nsfs rw\n26 1 0:4 user:[8] /x rw - nsfs nsfs rw\n";
        process(&proc, "80", 8, "", "");
        std::fs::write(proc.path().join("self/mountinfo"), format!("{hidden}{bind}")).unwrap();
        let root = scan(proc.path(), true).unseen.join("\n");
        assert_eq!(root.lines().count(), 2, "{root}");
        assert!(root.contains("1 processes") && root.contains("/run/my") && !root.contains("hidepid"));
        assert!(scan(proc.path(), false).unseen.join("\n").contains("hidepid"));
        std::fs::remove_file(proc.path().join("self/ns/pid")).unwrap();
        std::fs::remove_file(proc.path().join("self/ns/user")).unwrap();
        symlink("user:[5]", proc.path().join("self/ns/user")).unwrap();
        let inside = scan(proc.path(), true).unseen.join("\n");
        assert!(
            inside.contains("PID namespace")
                && inside.contains("user namespace map")
                && inside.contains("hidepid")
        );
        let gone = scan(&proc.path().join("none"), true).unseen.join("\n");
        assert!(gone.contains("/proc cannot be read"));
    }

    #[test]
    fn hidepid_is_read_from_the_topmost_proc() {
        let mount = |options: &str| format!("24 1 0:22 / /proc rw - proc proc rw{options}\n");
        for (text, expected) in [
            (mount(""), false),
            (mount(",hidepid=0"), false),
            (mount(",hidepid=off"), false),
            (mount(",gid=4,hidepid=2"), true),
            (mount(",hidepid=2") + &mount(""), false),
            (mount(",hidepid=ptraceable"), true),
            ("24 1 0:22 / /proc rw - tmpfs hidepid=2 rw,hidepid=2\n".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(hides_processes(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        // The maps of this very process never count, wherever the tests run.
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(live().extents.iter().all(|extent| extent.pid != own));
    }
}

//! Mount points, from `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`).

use std::path::Path;

use super::{Root, read_proc_of};
use crate::error::Result;
use crate::snapshot::Mount;

/// The mount point that a path lies on; the path itself where it cannot be told.
pub(super) fn point_of(path: &str) -> String {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    mount_of(&parse(&text), Path::new(path)).map_or_else(|| path.to_owned(), |mount| mount.point.clone())
}

/// What is mounted, as this process sees it; below a root what its own mountinfo says.
pub(super) fn mounts(root: &Root) -> Result<Vec<Mount>> {
    Ok(parse(&read_proc_of(root, "/proc/self/mountinfo")?.unwrap_or_default()))
}

/// The mount that a path lies on: of several at one point the last, which covers the others.
pub(super) fn mount_of<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    mounts.iter().filter(|mount| path.starts_with(&mount.point)).max_by_key(|mount| mount.point.len())
}

/// `ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAG…] - KIND SOURCE SUPER-OPTIONS`.
fn parse(mountinfo: &str) -> Vec<Mount> {
    let options = |text: &str| text.split(',').map(str::to_owned).collect();
    let line = |line: &str| {
        let (own, rest) = line.split_once(" - ")?;
        let mut own = own.split(' ').skip(4);
        let mut rest = rest.split(' ');
        Some(Mount {
            point: unescape(own.next()?),
            options: options(own.next()?),
            shared: own.any(|tag| tag.starts_with("shared:")),
            kind: rest.next()?.to_owned(),
            super_options: options(rest.nth(1).unwrap_or_default()),
        })
    };
    mountinfo.lines().filter_map(line).collect()
}

/// What hides parts of /proc, as mountinfo lists it: other mounts below it. Nothing where any /proc of the same
/// processes is seen whole (LXC has one for this purpose): then the kernel lets a container have its own. Folders that
/// are empty by nature hide nothing (fs/namespace.c, `mnt_already_visible`).
pub(super) fn covers_of_proc(mountinfo: &str) -> Vec<String> {
    const EMPTY: [&str; 2] = ["/sys/fs/binfmt_misc", "/fs/nfsd"];
    let mounts: Vec<(&str, String, &str)> = mountinfo
        .lines()
        .filter_map(|line| {
            let (mount, kind) = line.split_once(" - ")?;
            let mut fields = mount.split(' ').skip(3);
            Some((fields.next()?, unescape(fields.next()?), kind.split(' ').next()?))
        })
        .collect();
    let covers = |proc: &str| -> Vec<String> {
        let below = mounts.iter().filter_map(|(_, point, _)| {
            let rest = point.strip_prefix(proc)?;
            (rest.starts_with('/') && !EMPTY.contains(&rest)).then(|| point.clone())
        });
        below.collect()
    };
    let procs = mounts.iter().filter(|(root, _, kind)| *root == "/" && *kind == "proc");
    procs.map(|(_, point, _)| covers(point)).min_by_key(Vec::len).unwrap_or_default()
}

/// Blank, tab, newline and backslash stand as three octal digits.
fn unescape(point: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(point.to_owned(), |point, (code, c)| point.replace(code, c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_point_counts() {
        let text = "21 1 254:0 / / rw - ext4 /dev/vda rw\n22 21 0:5 / /usr rw,nosuid - tmpfs none rw\n\
                    23 22 0:6 / /usr/bi rw - tmpfs none rw\n24 21 0:7 / /a\\040b rw - tmpfs none rw\n";
        let mounts = parse(text);
        let point = |path: &str| mount_of(&mounts, Path::new(path)).map(|mount| mount.point.as_str());
        assert_eq!(point("/usr/bin/newuidmap"), Some("/usr"));
        assert_eq!(point("/a b/x"), Some("/a b"));
        assert_eq!(mount_of(&[], Path::new("/x")), None);
    }

    #[test]
    fn a_line_has_its_options_tags_and_kind() {
        let text = "35 1 0:30 / / rw,relatime shared:1 - btrfs /dev/x rw,space_cache\n\
                    36 35 0:4 / /proc rw,nosuid master:2 shared:7 - proc proc rw,hidepid=2\n\
                    37 35 0:5 / / ro,noexec - overlay overlay ro\n";
        let mounts = parse(text);
        assert!(mounts[0].shared && mounts[1].shared && !mounts[2].shared);
        assert_eq!((mounts[1].kind.as_str(), mounts[1].super_options[1].as_str()), ("proc", "hidepid=2"));
        let root = mount_of(&mounts, Path::new("/home")).unwrap();
        assert!(root.has("noexec") && root.kind == "overlay", "the last of one point covers the others");
    }

    #[test]
    fn what_hides_parts_of_proc_is_found() {
        let proc = "24 23 0:4 / /proc rw - proc proc rw\n25 24 0:5 / /proc/sys/fs/binfmt_misc rw - autofs a rw\n\
                    26 23 0:6 / /process rw - tmpfs none rw\n";
        assert_eq!(covers_of_proc(proc), [""; 0]);
        let masked = format!(
            "{proc}27 24 0:4 /sys /proc/sys ro - proc proc rw\n28 24 0:7 /null /proc/keys rw - devtmpfs d rw\n"
        );
        assert_eq!(covers_of_proc(&masked), ["/proc/sys", "/proc/keys"]);
        let whole = masked + "29 23 0:4 / /dev/.lxc/proc rw - proc proc rw\n";
        assert_eq!(covers_of_proc(&whole), [""; 0]);
        assert_eq!(covers_of_proc(""), [""; 0]);
    }
}

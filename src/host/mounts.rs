//! Mount points, from `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`).

use std::path::Path;

/// The mount point that a path lies on; the path itself where it cannot be told.
pub(super) fn point_of(path: &str) -> String {
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    longest(&text, Path::new(path)).unwrap_or_else(|| path.to_owned())
}

fn longest(mountinfo: &str, path: &Path) -> Option<String> {
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).map(unescape);
    points.filter(|point| path.starts_with(point)).max_by_key(String::len)
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
        assert_eq!(longest(text, Path::new("/usr/bin/newuidmap")).as_deref(), Some("/usr"));
        assert_eq!(longest(text, Path::new("/a b/x")).as_deref(), Some("/a b"));
        assert_eq!(longest("", Path::new("/x")), None);
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

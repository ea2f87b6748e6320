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
}

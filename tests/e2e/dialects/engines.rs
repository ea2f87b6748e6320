//! Readers that are no part of shadow: Go's, and engines that ask shadow's library.

use subidctl::idfile::{Dialect, Document, Verdict};

use super::expect::{listed, reading};
use super::{generate, new_seed, system};
use crate::harness::{Output, Sandbox, needs, size, tree};

/// The ranges that an engine wants for um; `None` where it stops at the file.
type Wanted = Option<Vec<(i64, i64)>>;

/// What the table's row says that a Go reader wants for um.
fn in_the_table(file: &[u8]) -> Wanted {
    let document = Document::new(file.to_vec());
    let um = |owner: &[u8]| matches!(owner, b"um" | b"5000");
    let mut ranges = Vec::new();
    for (_, line) in Dialect::Go.lines(&document).ok()? {
        match Dialect::Go.read(&line) {
            Verdict::Grants { owner, start, count } if um(owner) => {
                ranges.push((i64::try_from(start).unwrap(), i64::try_from(count).unwrap()));
            }
            Verdict::Fails { owner } if owner.is_none_or(um) => return None,
            _ => {}
        }
    }
    ranges.sort_unstable();
    Some(ranges)
}

/// What an engine asked for or got: the words after um's own uid in the map, or in the command that failed.
fn wanted(output: &Output) -> Wanted {
    let Output { stdout, stderr, .. } = output;
    let stops = ["Cannot parse subuid/gid", "conversion failed", "includes the user UID"];
    if stops.iter().any(|stop| stderr.contains(stop)) {
        return None;
    }
    // `newuidmap PID [0 5000 1 …] failed` or `newuidmap PID 0 5000 1 …`
    let asked = stderr.split_once("idmap ").and_then(|(_, rest)| rest.split_once([']', '`']));
    let words = match asked {
        Some((words, _)) => {
            words.split_once(' ').unwrap_or_else(|| panic!("{output}")).1.trim_start_matches('[')
        }
        None if stderr.contains("No subuid ranges found") => "",
        None => stdout,
    };
    let words = words.split_ascii_whitespace().skip(3);
    let words: Vec<i64> = words.map(|word| word.parse().unwrap_or_else(|_| panic!("{output}"))).collect();
    let mut ranges: Vec<(i64, i64)> = words.chunks(3).map(|triple| (triple[1], triple[2])).collect();
    ranges.sort_unstable();
    // A negative number is as good as a stop: newuidmap never takes it.
    Some(ranges).filter(|ranges| ranges.iter().all(|(start, count)| *start >= 0 && *count >= 0))
}

fn put(sandbox: &Sandbox, file: &[u8]) {
    sandbox.write("/etc/subuid", file);
    sandbox.write("/etc/subgid", file);
}

#[test]
fn the_go_row_agrees_with_rootlesskit() {
    needs!("unshare", "nsenter", "cc");
    let (sandbox, _) = system(Some(&tree!("new")));
    let seed = new_seed();
    let (mut stopped, mut granted) = (0, 0);
    for file in generate::files(seed, size(60, 1000)) {
        put(&sandbox, &file);
        let run = sandbox.as_user("um").run("rootlesskit --subid-source=static cat /proc/self/uid_map");
        let (real, table) = (wanted(&run), in_the_table(&file));
        assert_eq!(real, table, "\"{}\", seed {seed}\n{run}", file.escape_ascii());
        stopped += u32::from(table.is_none());
        granted += u32::from(table.is_some_and(|ranges| !ranges.is_empty()));
    }
    assert!(stopped > 5 && granted > 5, "{stopped} {granted}");
}

/// Debian builds podman with libsubid: it reads as the installed shadow, and passes on what that lists.
#[test]
fn podman_reads_as_the_installed_shadow() {
    needs!("unshare", "nsenter", "podman", "cc");
    let seed = new_seed();
    let files = generate::files(seed, size(15, 100));
    let ask = |tree: Option<&std::path::Path>| {
        let (sandbox, dialect) = system(tree);
        sandbox.run("while umount /sys/fs/cgroup/unified 2>/dev/null; do :; done").ok();
        for file in &files {
            put(&sandbox, file);
            // The pause process keeps the map of its first run.
            let end = "cd /run/user/5000 && if test -e libpod/tmp/pause.pid; then kill $(cat libpod/tmp/pause.pid); fi; \
                rm -rf /run/user/5000/*";
            let run = "podman --storage-driver vfs unshare cat /proc/self/uid_map";
            let run = sandbox.as_user("um").run(run);
            sandbox.run(end).ok();
            let entries = reading(dialect, file).unwrap_or_default();
            let listed = listed(dialect, &entries, b"um", false).into_iter();
            let mut table: Vec<(i64, i64)> =
                listed.map(|(a, b)| (a.cast_signed(), b.cast_signed())).collect();
            table.sort_unstable();
            // podman takes no negative number, and no range with the user in it.
            let stops = |(start, count): &(i64, i64)| {
                *start < 0 || *count < 0 || (*start <= 5000 && 5000 < start.saturating_add(*count))
            };
            let table = Some(table).filter(|ranges| !ranges.iter().any(stops));
            assert_eq!(wanted(&run), table, "\"{}\", seed {seed}\n{run}", file.escape_ascii());
        }
    };
    let new = tree!("new");
    std::thread::scope(|scope| {
        let threads = [None, Some(&*new)].map(|tree| scope.spawn(move || ask(tree)));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

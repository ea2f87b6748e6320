//! Files that IDs own, for people and as a field of the document.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::range::{PerKind, RangeSet};
use crate::snapshot::OwnedFiles;
use crate::text::{path, thousands};

/// What was looked for where, and what was found.
#[derive(Debug, Clone, Copy)]
pub struct Scan<'a> {
    /// The folders, as they were named.
    pub paths: &'a [PathBuf],
    /// The IDs.
    pub ranges: &'a PerKind<RangeSet>,
    /// The files.
    pub found: &'a OwnedFiles,
}

/// So many owners are listed, those of the most files first.
const OWNERS: usize = 8;

/// So many reasons, and so many mount points, are listed.
const REASONS: usize = 5;

/// The files, or that there are none.
pub fn scan_text(scan: Scan<'_>) -> String {
    let Scan { paths, found, .. } = scan;
    if scan.ranges.iter().all(|(_, ranges)| ranges.iter().next().is_none()) {
        return "There are no IDs to look for.\n".to_owned();
    }
    let (ids, below) = (ids(scan.ranges), paths.iter().map(|p| path(p)).collect::<Vec<_>>().join(", "));
    let mut out = match found.files {
        0 => format!("No file of {ids} was found below {below}.\n"),
        1 => format!("1 file of {ids} below {below}:\n"),
        n => format!("{} files of {ids} below {below}:\n", thousands(n)),
    };
    for file in &found.sample {
        let _ = writeln!(out, "  {}:{}  {}", file.uid, file.gid, path(&file.path));
    }
    let more = found.files.saturating_sub(u64::try_from(found.sample.len()).unwrap_or(u64::MAX));
    if more > 0 {
        let _ = writeln!(out, "  and {} more; by owner: {}", thousands(more), owners(found));
    }
    if found.errors > 0 {
        let shown: Vec<&str> = found.failed.iter().take(REASONS).map(String::as_str).collect();
        let dots = if found.errors > shown.len() as u64 { ", …" } else { "" };
        let _ =
            writeln!(out, "{} could not be looked at: {}{dots}", thousands(found.errors), shown.join(", "));
    }
    if !found.beyond.is_empty() {
        let shown: Vec<String> = found.beyond.iter().take(REASONS).map(|p| path(p)).collect();
        let dots = if found.beyond.len() > shown.len() { ", …" } else { "" };
        let _ =
            writeln!(out, "Not entered, since other file systems begin there: {}{dots}", shown.join(", "));
        let _ = writeln!(out, "To look there too, name them after --scan.");
    }
    out
}

/// `165536-231071`, or both where uids and gids differ.
fn ids(ranges: &PerKind<RangeSet>) -> String {
    let list = |set: &RangeSet| match set.iter().map(|range| range.to_string()).collect::<Vec<_>>() {
        all if all.is_empty() => "none".to_owned(),
        all => all.join(", "),
    };
    if ranges.uid == ranges.gid {
        return list(&ranges.uid);
    }
    format!("uids {} and gids {}", list(&ranges.uid), list(&ranges.gid))
}

fn owners(found: &OwnedFiles) -> String {
    let mut all: Vec<_> = found.by_id.iter().collect();
    all.sort_by_key(|(id, files)| (std::cmp::Reverse(**files), **id));
    let named = all.iter().take(OWNERS);
    let mut named: Vec<String> =
        named.map(|((kind, id), files)| format!("{} {id} {}", kind.name(), thousands(**files))).collect();
    if all.len() > OWNERS {
        named.push("…".to_owned());
    }
    named.join(", ")
}

/// The field `scan`.
pub fn scan_json(scan: Scan<'_>) -> Value {
    let found = scan.found;
    let by_id = found.by_id.iter();
    json!({
        "paths": scan.paths.iter().map(|p| lossy(p)).collect::<Vec<_>>(),
        "files": found.files,
        "errors": found.errors,
        "sample": found.sample.iter().map(|f| {
            let mut value = json!({ "path": lossy(&f.path), "uid": f.uid, "gid": f.gid });
            super::add_hex(&mut value, "path_hex", f.path.as_os_str().as_encoded_bytes());
            value
        }).collect::<Vec<_>>(),
        "by_id": by_id.map(|((kind, id), n)| json!({ "kind": kind, "id": id, "files": n })).collect::<Vec<_>>(),
        "failed": found.failed,
        "beyond": found.beyond.iter().map(|p| lossy(p)).collect::<Vec<_>>(),
    })
}

fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::{Kind, Range};
    use crate::snapshot::OwnedFile;

    #[test]
    fn few_files_are_named_and_many_counted() {
        let ranges = PerKind::from_fn(|_| Range::between(100, 199).into_iter().collect());
        let paths = ["/home".into(), "/a\x1b".into()];
        let mut found = OwnedFiles::default();
        let text = |found: &OwnedFiles| scan_text(Scan { paths: &paths, ranges: &ranges, found });
        assert_eq!(text(&found), "No file of 100-199 was found below /home, /a\\x1b.\n");
        found.files = 1;
        found.sample = vec![OwnedFile { path: "/home/x\ny".into(), uid: 100, gid: 0 }];
        found.by_id = (100..110).map(|id| ((Kind::Uid, id), u64::from(id) * 10)).collect();
        assert_eq!(text(&found), "1 file of 100-199 below /home, /a\\x1b:\n  100:0  /home/x\\ny\n");
        (found.files, found.errors, found.failed) =
            (12_001, 2, vec!["/home/z: Permission denied".to_owned()]);
        let text = text(&found);
        assert!(text.starts_with("12,001 files of"), "{text}");
        assert!(
            text.contains("  and 12,000 more; by owner: uid 109 1,090, uid 108 1,080,")
                && text.contains(", …\n")
        );
        assert!(text.ends_with("2 could not be looked at: /home/z: Permission denied, …\n"), "{text}");
        let beyond = ["/home/a", "/home/b\n", "/c", "/d", "/e", "/f"].map(PathBuf::from).to_vec();
        let text = scan_text(Scan { paths: &paths, ranges: &ranges, found: &OwnedFiles { beyond, ..found } });
        assert!(
            text.contains(
                "\nNot entered, since other file systems begin there: /home/a, /home/b\\n, /c, /d, /e, …\n"
            ),
            "{text}"
        );
    }
}

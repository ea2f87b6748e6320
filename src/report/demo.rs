//! The words of `demo`: what a newcomer reads between what the commands print.

use std::fmt::Write as _;

use super::Style;
use crate::idfile::{Digest, Document};
use crate::idmap::Extent;
use crate::proof::Proof;
use crate::range::{Kind, PerKind};
use crate::text::escape;

/// The beginning.
pub const SCENE: &str = "A rootless container needs IDs that are its user's alone: a range in\n\
    /etc/subuid and /etc/subgid. Here is a made-up host with the users tscherf\n\
    (uid 1000) and dora (uid 1001), and both files empty. It is a world of its\n\
    own: nothing on your host changes.\n";

/// The headings, each with the command that does the same on a real host.
pub const PLAN: (&str, &str) = ("Which IDs would tscherf get?", "subidctl plan tscherf");
/// See [`PLAN`].
pub const APPLY: (&str, &str) =
    ("Both files change together, or neither does.", "sudo subidctl apply tscherf");
/// See [`PLAN`].
pub const VERIFY: (&str, &str) =
    ("Does it work? A real container, made by the real newuidmap.", "sudo subidctl verify tscherf");
/// See [`PLAN`].
pub const REFUSAL: (&str, &str) = ("dora wants the same IDs.", "subidctl plan --range 100000:65536 dora");

/// A heading and the command below it.
pub fn step(number: usize, (heading, command): (&str, &str), style: Style) -> String {
    let heading = style.paint("1", &format!("{number}. {heading}"));
    format!("\n{heading}\n$ {command}\n")
}

/// The content of both files.
pub fn files(files: PerKind<&Document>) -> String {
    let mut out = String::new();
    for kind in Kind::BOTH {
        for line in files[kind].as_bytes().split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let _ = writeln!(out, "/etc/{}: {}", kind.file(), escape(line));
        }
    }
    out
}

/// The container: its maps, and its first process from both sides. The host is the made-up one.
pub fn container(proof: &Proof) -> String {
    let mut out = String::new();
    for kind in Kind::BOTH {
        let _ = writeln!(out, "{}_map:  {:>10} {:>10} {:>10}", kind.name(), "inside", "host", "count");
        for Extent { inside, outside, count } in &proof.inside[kind] {
            let _ = writeln!(out, "          {inside:>10} {outside:>10} {count:>10}");
        }
    }
    if let Some(seen) = &proof.identity {
        out.push_str("The same process from both sides:\n");
        let _ = writeln!(out, "inside : pid {}  uid {} (root)", seen.inside_pid, seen.inside_uid);
        let uid = seen.world_uid.unwrap_or(seen.host_uid);
        let _ = writeln!(out, "host   : pid {}  uid {uid} ({})", seen.host_pid, proof.user);
    }
    out
}

/// The end: the real host's files, before and after.
pub fn host_files(before: &PerKind<Option<Digest>>, after: &PerKind<Option<Digest>>) -> String {
    let mut out = format!("\nhost files {}\n", if before == after { "unchanged" } else { "CHANGED" });
    for kind in Kind::BOTH {
        let _ = writeln!(out, "/etc/{}, sha256", kind.file());
        for (when, digest) in [("before", before[kind]), ("after", after[kind])] {
            let digest = digest.map_or_else(|| "it does not exist".to_owned(), |d| d.to_string());
            let _ = writeln!(out, "  {when:<6} {digest}");
        }
    }
    out
}

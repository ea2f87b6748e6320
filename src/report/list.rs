//! Who owns what, and what is free.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::Style;
use super::fit::hanging;
use super::table::table;
use crate::idfile::canonical_line;
use crate::planner::{Free, Owned};
use crate::range::{Kind, PerKind};
use crate::text::{escape, thousands};

/// Where ranges come from: the two files.
pub const FILES: &str = "files";
/// Where ranges come from: a directory, through shadow's module of nsswitch.conf's `subid:` line.
pub const NSS: &str = "nss";

/// Owners as a table; a range that is the same in both files is one row.
///
/// `directory`: accounts may be known elsewhere too.
pub fn list_text(owned: &[Owned<'_>], free: Option<&PerKind<Free>>, directory: bool, style: Style) -> String {
    let rows = rows(owned);
    let mut out = if rows.is_empty() {
        "no ranges\n".to_owned()
    } else {
        table(["OWNER", ">UID", ">FIRST", ">LAST", ">IDS", "IN", "NOTE"], &rows, style.width, |(o, files)| {
            cells(o, files, directory)
        })
    };
    if let Some(free) = free {
        out.push('\n');
        for line in free_text(free).lines() {
            out.push_str(&hanging(line, 0, 2, style.width));
            out.push('\n');
        }
    }
    out
}

/// Ranges with the files that have them, in order of IDs.
fn rows<'a, 'b>(owned: &'b [Owned<'a>]) -> Vec<(&'b Owned<'a>, &'static str)> {
    let alike = |o: &Owned<'a>| (o.range, o.owner, o.released, o.canonical);
    let mut sorted: Vec<&Owned<'a>> = owned.iter().collect();
    sorted.sort_unstable_by_key(|o| (alike(o), o.kind, o.line));
    let mut rows = Vec::with_capacity(sorted.len());
    for same in sorted.chunk_by(|a, b| alike(a) == alike(b)) {
        // A file may say the same twice.
        let (uids, gids) = same.split_at(same.partition_point(|o| o.kind == Kind::Uid));
        let (fewer, more, file) =
            if uids.len() < gids.len() { (uids.len(), gids, "subgid") } else { (gids.len(), uids, "subuid") };
        rows.extend(more.iter().enumerate().map(|(n, o)| (*o, if n < fewer { "both" } else { file })));
    }
    rows
}

fn cells(o: &Owned<'_>, files: &str, directory: bool) -> [String; 7] {
    let note = match (o.released, o.canonical) {
        (true, _) => "released: nobody gets it",
        (false, false) => "programs read this line differently",
        (false, true) if o.uid.is_none() && directory => "no local account",
        (false, true) if o.uid.is_none() => "no such account",
        _ => "",
    };
    [
        escape(o.owner),
        o.uid.map_or_else(|| "-".to_owned(), |uid| uid.to_string()),
        o.range.first().to_string(),
        o.range.last().to_string(),
        thousands(o.range.count().get()),
        files.to_owned(),
        note.to_owned(),
    ]
}

fn free_text(free: &PerKind<Free>) -> String {
    let line = |name: &str, f: &Free| {
        let hole = f.largest.map_or_else(String::new, |r| {
            format!(", the largest hole {r} ({} IDs)", thousands(r.count().get()))
        });
        format!("free for {name}: {} IDs{hole}\n", thousands(f.ids))
    };
    if free.uid == free.gid {
        return line("both files", &free.uid);
    }
    line("subuid", &free.uid) + &line("subgid", &free.gid)
}

/// `subidctl.list.v1`, made while it is written: of a million ranges nobody wants a copy.
pub fn list_json<'a>(
    owned: &'a [Owned<'a>],
    source: &'a str,
    free: Option<&PerKind<Free>>,
) -> impl Serialize + use<'a> {
    let side = |f: &Free| json!({ "ids": f.ids, "largest": f.largest.map_or(0, |r| r.count().get()) });
    ListJson {
        schema: "subidctl.list.v1",
        ranges: Ranges { owned, source },
        free: free.map(|free| json!({ "uid": side(&free.uid), "gid": side(&free.gid) })),
    }
}

#[derive(Serialize)]
struct ListJson<'a> {
    schema: &'static str,
    ranges: Ranges<'a>,
    free: Option<Value>,
}

struct Ranges<'a> {
    owned: &'a [Owned<'a>],
    source: &'a str,
}

impl Serialize for Ranges<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.owned.iter().map(|o| range_json(o, self.source)))
    }
}

fn range_json(o: &Owned<'_>, source: &str) -> Value {
    let mut value = json!({
        "kind": o.kind.name(),
        "owner": String::from_utf8_lossy(o.owner),
        "uid": o.uid,
        "start": o.range.first(),
        "count": o.range.count().get(),
        "line": (o.line > 0).then_some(o.line),
        "source": source,
        "released": o.released,
    });
    super::add_hex(&mut value, "owner_hex", o.owner);
    value
}

/// Lines in subuid's syntax, of one kind: what a map or another host's file can be made from.
pub fn subid_lines(owned: &[Owned<'_>], kind: Kind) -> Vec<u8> {
    let mut out = Vec::new();
    for o in owned.iter().filter(|o| o.kind == kind && !o.released && o.canonical) {
        out.extend(canonical_line(o.owner, o.range));
        out.push(b'\n');
    }
    out
}

//! Who owns what, and what is free.

use serde_json::{Value, json};

use super::table::table;
use crate::idfile::canonical_line;
use crate::planner::{Free, Owned};
use crate::range::{Kind, PerKind, Range};
use crate::text::{escape, thousands};

/// Where ranges come from: the two files.
pub const FILES: &str = "files";
/// Where ranges come from: a directory, through shadow's module of nsswitch.conf's `subid:` line.
pub const NSS: &str = "nss";

/// Owners as a table; a range that is the same in both files is one row.
///
/// `directory`: accounts may be known elsewhere too.
pub fn list_text(owned: &[Owned], free: Option<&PerKind<Free>>, directory: bool) -> String {
    let mut rows: Vec<(Range, Vec<String>)> = Vec::new();
    let key = |o: &Owned| (o.owner.clone(), o.range, o.released, o.canonical);
    let mut gids: std::collections::HashMap<_, usize> = std::collections::HashMap::new();
    for o in owned.iter().filter(|o| o.kind == Kind::Gid) {
        *gids.entry(key(o)).or_default() += 1;
    }
    for o in owned.iter().filter(|o| o.kind == Kind::Uid) {
        let both = gids.get_mut(&key(o)).filter(|n| **n > 0);
        let files = if both.is_some() { "both" } else { "subuid" };
        if let Some(n) = both {
            *n -= 1;
        }
        rows.push((o.range, row(o, files, directory)));
    }
    for o in owned.iter().filter(|o| o.kind == Kind::Gid) {
        if let Some(n) = gids.get_mut(&key(o)).filter(|n| **n > 0) {
            *n -= 1;
            rows.push((o.range, row(o, "subgid", directory)));
        }
    }
    rows.sort_by_key(|(range, _)| *range);
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(_, row)| row).collect();
    let mut out = if rows.is_empty() {
        "no ranges\n".to_owned()
    } else {
        table(&["OWNER", ">UID", ">FIRST", ">LAST", ">IDS", "IN", "NOTE"], &rows)
    };
    if let Some(free) = free {
        out.push('\n');
        out.push_str(&free_text(free));
    }
    out
}

fn row(o: &Owned, files: &str, directory: bool) -> Vec<String> {
    let note = match (o.released, o.canonical) {
        (true, _) => "released: nobody gets it",
        (false, false) => "programs read this line differently",
        (false, true) if o.uid.is_none() && directory => "no local account",
        (false, true) if o.uid.is_none() => "no such account",
        _ => "",
    };
    vec![
        escape(&o.owner),
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

/// `subidctl.list.v1`.
pub fn list_json(owned: &[Owned], source: &str, free: Option<&PerKind<Free>>) -> Value {
    let ranges: Vec<Value> = owned.iter().map(|o| range_json(o, source)).collect();
    let free = free.map(|free| {
        let side = |f: &Free| json!({ "ids": f.ids, "largest": f.largest.map_or(0, |r| r.count().get()) });
        json!({ "uid": side(&free.uid), "gid": side(&free.gid) })
    });
    json!({ "schema": "subidctl.list.v1", "ranges": ranges, "free": free })
}

fn range_json(o: &Owned, source: &str) -> Value {
    let mut value = json!({
        "kind": o.kind.name(),
        "owner": String::from_utf8_lossy(&o.owner),
        "uid": o.uid,
        "start": o.range.first(),
        "count": o.range.count().get(),
        "line": (o.line > 0).then_some(o.line),
        "source": source,
        "released": o.released,
    });
    super::add_hex(&mut value, "owner_hex", &o.owner);
    value
}

/// Lines in subuid's syntax, of one kind: what a map or another host's file can be made from.
pub fn subid_lines(owned: &[Owned], kind: Kind) -> Vec<u8> {
    let mut out = Vec::new();
    for o in owned.iter().filter(|o| o.kind == kind && !o.released && o.canonical) {
        out.extend(canonical_line(&o.owner, o.range));
        out.push(b'\n');
    }
    out
}

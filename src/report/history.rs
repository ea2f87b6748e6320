//! What was changed, when and by whom: a table, one change in detail, and `subidctl.history.v1`.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::table::table;
use super::{Style, add_hex};
use crate::idfile::{Document, Edit};
use crate::range::{Kind, Range};
use crate::state::{HistoryEntry, RangeNote, Timeline, iso};
use crate::text::{escape, thousands, to_hex};

/// How many changes a terminal is shown.
const SHOWN: usize = 50;
/// How many lines of one change a terminal is shown, first and last, where there are more than 100.
const LINES: (usize, usize, usize) = (100, 20, 5);

/// What only the host knows: its time zone and its accounts.
pub struct Local<'a> {
    /// Seconds that local time is ahead of UTC at a time.
    pub offset: &'a dyn Fn(i64) -> i32,
    /// The names of login uids, escaped.
    pub names: &'a HashMap<u32, String>,
}

impl Local<'_> {
    fn time(&self, entry: &HistoryEntry) -> String {
        iso(entry.time, (self.offset)(entry.time))
    }

    /// Who was logged in, by name where there is one.
    fn login(&self, entry: &HistoryEntry) -> String {
        match entry.login_uid {
            Some(uid) => self.names.get(&uid).cloned().unwrap_or_else(|| format!("uid {uid}")),
            None => "-".to_owned(),
        }
    }
}

/// A line a change, newest first.
pub fn history_text(
    timeline: &Timeline,
    entries: &[&HistoryEntry],
    local: &Local<'_>,
    style: Style,
) -> String {
    if entries.is_empty() {
        return "no changes\n".to_owned();
    }
    let shown = if style.full { entries.len() } else { SHOWN };
    let row = |entry: &&HistoryEntry| {
        // Minutes, and no zone: a table is read on the host.
        let time = local.time(entry).chars().take(16).collect();
        let command = escape(entry.record.command.as_bytes());
        [entry.transaction.clone(), time, command, local.login(entry), what(timeline, entry)]
    };
    let rows: Vec<[String; 5]> = entries.iter().rev().take(shown).map(row).collect();
    let mut out = table(["TRANSACTION", "TIME", "COMMAND", "WHO", "WHAT"], &rows, style.width, Clone::clone);
    if entries.len() > shown {
        let _ = writeln!(out, "… {} older: -v", number(entries.len() - shown));
    }
    out
}

/// The users with their ranges, or how many of both, and what became of the change.
fn what(timeline: &Timeline, entry: &HistoryEntry) -> String {
    // The lines of a range that is forgotten may have been lost before: then the ledger alone knew it.
    let forgot = entry.record.forgot.iter().filter_map(|note| match note {
        RangeNote::Released { owner, range, .. } => Some((owner.clone(), *range)),
        RangeNote::Returned { .. } => None,
    });
    let touched = ranges(entry).into_iter().map(|(_, owner, range)| (owner, range));
    let mut ranges: Vec<(Vec<u8>, Range)> = touched.chain(forgot).collect();
    ranges.sort();
    ranges.dedup();
    let mut owners: Vec<&[u8]> = ranges.iter().map(|(owner, _)| &owner[..]).collect();
    owners.dedup();
    let mut text = match (&ranges[..], &owners[..]) {
        ([], _) => "no range".to_owned(),
        ([(owner, range)], _) => format!("{} {range}", escape(owner)),
        (all, [owner]) => format!("{} {} ranges", escape(owner), number(all.len())),
        (all, owners) => format!("{} users, {} ranges", number(owners.len()), number(all.len())),
    };
    for note in notes(timeline, entry) {
        let _ = write!(text, ", {note}");
    }
    text
}

/// What became of a change, and what it is to others, by the last part of their names.
fn notes(timeline: &Timeline, entry: &HistoryEntry) -> Vec<String> {
    let short = |id: &str| escape(id.rsplit('-').next().unwrap_or(id).as_bytes());
    let mut notes = Vec::new();
    if let Some(target) = &entry.record.undoes {
        notes.push(format!("undoes {}", short(target)));
    }
    if let Some(by) = timeline.undone_by(&entry.transaction) {
        notes.push(format!("undone by {}", short(&by.transaction)));
    }
    if entry.recovered {
        notes.push("finished by recovery".to_owned());
    }
    if entry.taken_back {
        notes.push("taken back by recovery".to_owned());
    }
    notes
}

/// The ranges of the touched lines: of the line afterwards, or where it went, of the line before.
fn ranges(entry: &HistoryEntry) -> Vec<(Kind, Vec<u8>, Range)> {
    let edits = entry.files.iter().flat_map(|(kind, touched)| {
        touched.iter().flat_map(|touched| touched.edits.iter()).map(move |edit| (kind, edit))
    });
    let claims = |(kind, edit): (Kind, Edit<'_>)| -> Vec<_> {
        let line = Document::new(edit.new.or(edit.old).unwrap_or_default().to_vec());
        line.claims().map(|claim| (kind, claim.owner.to_vec(), claim.range)).collect()
    };
    edits.flat_map(claims).collect()
}

/// One change with everything that is known of it, its lines as a diff.
pub fn entry_text(timeline: &Timeline, entry: &HistoryEntry, local: &Local<'_>, style: Style) -> String {
    let mut rows = vec![
        ("change", entry.transaction.clone()),
        ("time", local.time(entry)),
        ("command", escape(entry.record.command.as_bytes())),
    ];
    let login = match entry.login_uid {
        Some(uid) if local.names.contains_key(&uid) => format!("{} (login uid {uid})", local.login(entry)),
        Some(uid) => format!("login uid {uid}"),
        None => "nobody was logged in (no login uid)".to_owned(),
    };
    rows.push(("who", format!("{login}, as uid {}", entry.uid)));
    if let Some(claim) = &entry.record.claim {
        rows.push(("sudo says", escape(claim.as_bytes())));
    }
    if let Some(target) = &entry.record.undoes {
        rows.push(("undoes", escape(target.as_bytes())));
    }
    if let Some(by) = timeline.undone_by(&entry.transaction) {
        rows.push(("undone by", by.transaction.clone()));
    }
    if entry.recovered {
        rows.push(("note", "it was interrupted, and recovery finished it".to_owned()));
    }
    if entry.taken_back {
        rows.push(("note", "it was interrupted, and recovery took back what was done of it".to_owned()));
    }
    let mut out: String = rows.iter().map(|(name, value)| format!("{name:9} : {value}\n")).collect();
    for (kind, touched) in entry.files.iter() {
        let Some(touched) = touched else { continue };
        let lines: Vec<(char, &str, String)> = touched.edits.iter().flat_map(sides).collect();
        let _ = writeln!(out, "\n/etc/{}", kind.file());
        let (above, head, tail) = LINES;
        let cut = !style.full && lines.len() > above;
        for (index, (sign, sgr, line)) in lines.iter().enumerate() {
            if cut && index == head {
                let _ = writeln!(out, "  … {} more: -v", number(lines.len() - head - tail));
            }
            if cut && index >= head && index + tail < lines.len() {
                continue;
            }
            let _ = writeln!(out, "{}", style.paint(sgr, &format!("{sign}{line}")));
        }
    }
    out
}

fn sides(edit: Edit<'_>) -> impl Iterator<Item = (char, &'static str, String)> {
    let old = edit.old.into_iter().map(|line| ('-', "31", escape(line)));
    old.chain(edit.new.into_iter().map(|line| ('+', "32", escape(line))))
}

/// `subidctl.history.v1`, oldest first.
pub fn history_json(timeline: &Timeline, entries: &[&HistoryEntry], local: &Local<'_>) -> Value {
    let entries: Vec<Value> = entries.iter().map(|entry| entry_json(timeline, entry, local)).collect();
    json!({ "schema": "subidctl.history.v1", "entries": entries })
}

fn entry_json(timeline: &Timeline, entry: &HistoryEntry, local: &Local<'_>) -> Value {
    let mut ranges_of: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for (kind, owner, range) in ranges(entry) {
        let mut value = json!({
            "owner": String::from_utf8_lossy(&owner), "start": range.first(), "count": range.count().get(),
        });
        add_hex(&mut value, "owner_hex", &owner);
        ranges_of.entry(kind.file()).or_default().push(value);
    }
    let file = |(kind, touched): (Kind, &Option<crate::state::Touched>)| {
        let touched = touched.as_ref()?;
        let edits = touched.edits.iter().map(|e| {
            json!({
                "line": e.line,
                "old_hex": e.old.map(to_hex),
                "new_hex": e.new.map(to_hex),
            })
        });
        Some(json!({
            "path": format!("/etc/{}", kind.file()),
            "before_sha256": touched.before,
            "after_sha256": touched.after,
            "edits": edits.collect::<Vec<_>>(),
            "ranges": ranges_of.remove(kind.file()).unwrap_or_default(),
        }))
    };
    let files: Vec<Value> = entry.files.iter().filter_map(file).collect();
    json!({
        "transaction": entry.transaction,
        "time": entry.time,
        "date": local.time(entry),
        "command": entry.record.command,
        "owners": entry.record.owners,
        "login_uid": entry.login_uid,
        "login_user": entry.login_uid.and_then(|uid| local.names.get(&uid)),
        "uid": entry.uid,
        "claim": entry.record.claim,
        "undoes": entry.record.undoes,
        "undone_by": timeline.undone_by(&entry.transaction).map(|by| &by.transaction),
        "recovered": entry.recovered,
        "taken_back": entry.taken_back,
        "files": files,
    })
}

fn number(n: usize) -> String {
    thousands(u64::try_from(n).unwrap_or(u64::MAX))
}

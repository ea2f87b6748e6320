//! The catalogue itself: all entries as a list, and the page of one.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Style;
use super::findings::{label, wrapped};
use super::fit::hanging;
use crate::findings::{Engine, Entry, ROWS, Row, Status, catalogue, rows_of};

/// Where titles begin.
const TITLES: usize = 48;

/// All entries: what each is for this engine, group, id and title, a line each.
pub fn entries_text(engine: Engine, style: Style) -> String {
    let mut out = String::new();
    for entry in catalogue() {
        let severity = entry.severity_for(engine);
        let (word, color) = if severity == Status::NotApplicable { ("-", "2") } else { label(severity) };
        let severity = style.paint(color, &format!("{word:<8}"));
        let title = hanging(entry.title, TITLES, TITLES, style.width);
        let _ = writeln!(out, "{severity}  {:<10}  {:<24}  {title}", entry.group.name(), entry.id);
    }
    out
}

/// All entries, with what each is for each engine, and the ways to fail that it names.
pub fn entries_json() -> Value {
    let entry = |entry: &'static Entry| {
        let engines = Engine::ALL
            .into_iter()
            .map(|engine| (engine.name().to_owned(), json!(entry.severity_for(engine))));
        let rows = rows_of(entry.id).map(|row| row.number).collect::<Vec<_>>();
        json!({
            "id": entry.id,
            "group": entry.group,
            "severity": entry.severity,
            "title": entry.title,
            "audit": entry.in_audit(),
            "check": entry.in_check(),
            "engines": engines.collect::<serde_json::Map<_, _>>(),
            "rows": rows,
        })
    };
    let row = |row: &Row| {
        json!({
            "number": row.number,
            "title": row.title,
            "says": row.says,
            "ids": row.ids,
            "undetectable": row.undetectable,
        })
    };
    json!({
        "schema": "subidctl.findings.v1",
        "kind": "list",
        "entries": catalogue().map(entry).collect::<Vec<_>>(),
        "rows": ROWS.iter().map(row).collect::<Vec<_>>(),
    })
}

/// The page of one entry.
pub fn explain_text(entry: &Entry, style: Style) -> String {
    let mut out = format!("{}: {}\n\n", style.paint("1", entry.id), entry.title);
    out.push_str(&wrapped("  ", "  ", entry.explain));
    let (severity, color) = label(entry.severity);
    let _ = writeln!(out, "\n  severity  {}", style.paint(color, severity));
    let _ = writeln!(out, "  group     {}", entry.group.name());
    let mut part = |name: &str, words: &str| {
        out.push_str(&wrapped(&format!("  {name:<8}  "), &" ".repeat(12), words));
    };
    part("so", entry.consequence);
    for row in rows_of(entry.id).filter(|row| !row.says.is_empty()) {
        part("shows", row.says);
    }
    part("repair", entry.repair);
    out
}

/// `subidctl.explain.v1`.
pub fn explain_json(entry: &Entry) -> Value {
    json!({
        "schema": "subidctl.explain.v1",
        "id": entry.id,
        "group": entry.group,
        "severity": entry.severity,
        "title": entry.title,
        "explain": entry.explain,
        "consequence": entry.consequence,
        "later": rows_of(entry.id).map(|row| row.says).filter(|says| !says.is_empty()).collect::<Vec<_>>(),
        "repair": entry.repair,
    })
}

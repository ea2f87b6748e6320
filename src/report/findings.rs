//! What was found wrong: for people, worst first, and as `subidctl.findings.v1`.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Style;
use crate::findings::{Entry, Finding, Status};
use crate::text::thousands;

/// How many findings of one id are printed one by one, unless everything is asked for.
const SHOWN: usize = 10;

/// Columns of prose; what is pasted is never broken.
const PROSE: usize = 76;

/// The findings, a paragraph each. What is the same in both files is one paragraph; what is only worth
/// knowing is one line an id.
pub fn findings_text(findings: &[Finding], style: Style) -> String {
    let rows = joined(findings);
    let mut of_id: HashMap<&str, usize> = HashMap::new();
    let mut out = String::new();
    for (index, (places, finding)) in rows.iter().enumerate() {
        let shown = of_id.entry(finding.id).or_default();
        *shown += 1;
        if !style.full && finding.status == Status::Info {
            if *shown == 1 {
                let all = rows.iter().filter(|(_, other)| other.id == finding.id).map(|(places, _)| places);
                out.push_str(&noted(finding, &all.map(String::as_str).collect::<Vec<_>>(), style));
            }
            continue;
        }
        if style.full || *shown <= SHOWN {
            out.push_str(&paragraph(finding, places, style));
        }
        let last = rows.get(index + 1).is_none_or(|(_, next)| next.id != finding.id);
        if last && !style.full && *shown > SHOWN {
            let more = thousands(u64::try_from(*shown - SHOWN).unwrap_or(u64::MAX));
            let _ = writeln!(out, "… {more} more of {}: -v shows all of them\n", finding.id);
        }
    }
    out
}

/// Findings with their places; twins of both files are one.
fn joined(findings: &[Finding]) -> Vec<(String, &Finding)> {
    let mut rows: Vec<(String, &Finding)> = Vec::new();
    let mut index: HashMap<_, usize> = HashMap::new();
    for finding in findings {
        let twin = (
            finding.id,
            finding.owner.as_deref(),
            finding.line,
            finding.evidence.as_str(),
            finding.fix.as_str(),
        );
        let place = place(finding);
        match index.get(&twin).and_then(|at| rows.get_mut(*at)) {
            Some((places, first)) if finding.line.is_some() && first.file != finding.file => {
                places.push_str(", ");
                places.push_str(&place);
            }
            _ => {
                index.insert(twin, rows.len());
                rows.push((place, finding));
            }
        }
    }
    rows
}

fn place(finding: &Finding) -> String {
    match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{file} line {line}"),
        (Some(file), None) => file.clone(),
        (None, _) => String::new(),
    }
}

fn label(status: Status) -> (&'static str, &'static str) {
    match status {
        Status::Critical => ("critical", "1;31"),
        Status::Error => ("error", "31"),
        Status::Warning => ("warning", "33"),
        Status::Info => ("info", "36"),
        Status::Ok => ("ok", "32"),
        Status::Skipped => ("skipped", "2"),
        Status::NotApplicable => ("not applicable", "2"),
    }
}

/// ```text
/// critical  overlap  /etc/subuid line 2
///           100000-165535 of alice are also bob's (/etc/subuid line 1)
///   line    alice:100000:65536
///   so      each of the two is root over files of the other's containers
///   fix     sudo subidctl apply --replace alice
/// ```
fn paragraph(finding: &Finding, places: &str, style: Style) -> String {
    let (word, color) = label(finding.status);
    let mut out = format!("{}  {}", style.paint(color, &format!("{word:<8}")), style.paint("1", finding.id));
    if !places.is_empty() {
        let _ = write!(out, "  {places}");
    }
    out.push('\n');
    out.push_str(&prose("", &finding.message));
    if !finding.evidence.is_empty() {
        let name = if finding.line.is_some() { "line" } else { "seen" };
        let _ = writeln!(out, "  {name:<7} {}", finding.evidence);
    }
    out.push_str(&prose("so", &finding.consequence));
    let mut name = "fix";
    for line in finding.fix.lines() {
        let _ = writeln!(out, "  {name:<7} {line}");
        name = "";
    }
    out.push('\n');
    out
}

/// `info      line-comment  12 lines: /etc/subuid line 1, /etc/subuid line 3, … a comment: nobody reads it`
fn noted(finding: &Finding, places: &[&str], style: Style) -> String {
    const NAMED: usize = 3;
    let (word, color) = label(finding.status);
    let mut named = places.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    if places.len() > NAMED {
        let _ = write!(named, " and {} more", places.len() - NAMED);
    }
    let head =
        format!("{}  {}  {named}\n", style.paint(color, &format!("{word:<8}")), style.paint("1", finding.id));
    let what = if places.len() == 1 { &finding.message } else { &finding.consequence };
    head + &prose("", what) + "\n"
}

/// A name and words, broken at blanks.
fn prose(name: &str, words: &str) -> String {
    let mut out = String::new();
    let mut line = format!("  {name:<7}");
    for word in words.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > PROSE && line.len() > 9 {
            out.push_str(&line);
            out.push('\n');
            line = " ".repeat(9);
        }
        line.push(' ');
        line.push_str(word);
    }
    out.push_str(&line);
    out.push('\n');
    out
}

/// How many of what, and what to do first; nothing where there is nothing.
pub fn summary_text(findings: &[Finding]) -> String {
    let plural = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let counts = [
        (Status::Critical, "critical", "critical"),
        (Status::Error, "error", "errors"),
        (Status::Warning, "warning", "warnings"),
        (Status::Info, "note", "notes"),
    ]
    .into_iter()
    .map(|(status, one, many)| (findings.iter().filter(|f| f.status == status).count(), one, many))
    .filter(|(count, _, _)| *count > 0)
    .map(|(count, one, many)| plural(count, one, many))
    .collect::<Vec<_>>()
    .join(", ");
    let first = first_fix(findings).map(|fix| format!(" First: {fix}")).unwrap_or_default();
    if counts.is_empty() { String::new() } else { format!("{counts}.{first}\n") }
}

/// The fix of the worst finding, its first line; nothing where all are only worth knowing.
fn first_fix(findings: &[Finding]) -> Option<&str> {
    let worst =
        findings.iter().find(|f| matches!(f.status, Status::Critical | Status::Error | Status::Warning));
    worst.and_then(|finding| finding.fix.lines().next())
}

/// `subidctl.findings.v1`.
pub fn findings_json(findings: &[Finding]) -> Value {
    let count = |status| findings.iter().filter(|f| f.status == status).count();
    json!({
        "schema": "subidctl.findings.v1",
        "findings": findings,
        "summary": {
            "ok": count(Status::Ok),
            "info": count(Status::Info),
            "warning": count(Status::Warning),
            "error": count(Status::Error),
            "critical": count(Status::Critical),
            "skipped": count(Status::Skipped),
            "first_fix": first_fix(findings),
        },
    })
}

/// The page of one entry.
pub fn explain_text(entry: &Entry, style: Style) -> String {
    let mut out = format!("{}: {}\n\n", style.paint("1", entry.id), entry.title);
    out.push_str(&prose("", entry.explain).replace("\n          ", "\n  ").replacen("          ", "  ", 1));
    let (severity, color) = label(entry.severity);
    let _ = writeln!(out, "\n  severity  {}", style.paint(color, severity));
    let _ = writeln!(out, "  group     {}", entry.group.name());
    out.push_str(&prose("so", entry.consequence));
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
    })
}

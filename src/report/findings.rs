//! What was found wrong: for people, worst first, and as `subidctl.findings.v1`.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Style;
use crate::findings::{Finding, Status};
use crate::text::thousands;

/// How many findings of one id are printed one by one, unless everything is asked for.
const SHOWN: usize = 10;

/// Columns of prose; what is pasted is never broken.
const PROSE: usize = 76;

/// A finding as it is printed: with the places of both files where it is the same in both.
struct Row<'a> {
    finding: &'a Finding,
    places: String,
    fix: String,
}

/// The findings, a paragraph each, those of one id together. What is the same in both files is one paragraph;
/// what is only worth knowing is one line an id.
pub fn findings_text(findings: &[Finding], style: Style) -> String {
    let rows = joined(findings);
    let mut out = String::new();
    for same in rows.chunk_by(|a, b| a.finding.id == b.finding.id && a.finding.status == b.finding.status) {
        let Some(first) = same.first() else { continue };
        if !style.full && first.finding.status == Status::Info {
            let places: Vec<&str> = same.iter().map(|row| row.places.as_str()).collect();
            out.push_str(&noted(first.finding, &places, style));
            continue;
        }
        let shown = if style.full { same.len() } else { same.len().min(SHOWN) };
        same.iter().take(shown).for_each(|row| out.push_str(&paragraph(row, style)));
        if shown < same.len() {
            let more: usize = same.iter().skip(shown).map(|row| row.finding.count).sum();
            let more = thousands(u64::try_from(more).unwrap_or(u64::MAX));
            let _ = writeln!(out, "… {more} more of {}: -v shows all of them\n", first.finding.id);
        }
    }
    out
}

/// Findings with their places, in order of the ids' first: twins of both files are one.
fn joined<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Vec<Row<'a>> {
    let mut rows: Vec<(usize, Row<'_>)> = Vec::new();
    let mut twins: HashMap<_, usize> = HashMap::new();
    let mut ids: HashMap<_, usize> = HashMap::new();
    for finding in findings {
        let order = ids.len();
        let order = *ids.entry((finding.id, finding.status)).or_insert(order);
        let twin = twin(finding);
        let place = place(finding);
        let first = twins.get(&twin).and_then(|at| rows.get_mut(*at)).map(|(_, row)| row);
        let both = first.filter(|row| finding.line.is_some() && row.finding.file != finding.file);
        if let Some((fix, row)) = both.and_then(|row| Some((both_fixes(&row.fix, &finding.fix)?, row))) {
            row.places = format!("{}, {place}", row.places);
            row.fix = fix;
            twins.remove(&twin);
        } else {
            twins.insert(twin, rows.len());
            rows.push((order, Row { finding, places: place, fix: finding.fix.clone() }));
        }
    }
    rows.sort_by_key(|(order, _)| *order);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// What a finding has in common with the one of the other file that is the same.
fn twin(finding: &Finding) -> impl Eq + std::hash::Hash + '_ {
    let owners = (finding.owner.as_deref(), finding.other.as_deref());
    (finding.id, owners, finding.line, finding.evidence.as_str())
}

/// One fix for both files: the lines are the same, or end in the file that they change, and then name both.
fn both_fixes(one: &str, other: &str) -> Option<String> {
    if one.lines().count() != other.lines().count() {
        return None;
    }
    let both = |(one, other): (&str, &str)| {
        if one == other {
            return Some(one.to_owned());
        }
        let ((before, _), (same, file)) = (one.rsplit_once(' ')?, other.rsplit_once(' ')?);
        (before == same).then(|| format!("{one} {file}"))
    };
    let lines: Option<Vec<String>> = one.lines().zip(other.lines()).map(both).collect();
    lines.map(|lines| lines.join("\n"))
}

fn place(finding: &Finding) -> String {
    match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{file} line {line}"),
        (Some(file), None) => file.clone(),
        (None, _) => String::new(),
    }
}

pub(super) fn label(status: Status) -> (&'static str, &'static str) {
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
fn paragraph(row: &Row<'_>, style: Style) -> String {
    let Row { finding, places, fix } = row;
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
    if let Some(later) = finding.later.filter(|later| !finding.consequence.contains(later)) {
        out.push_str(&prose("shows", later));
    }
    let mut name = "fix";
    for line in fix.lines() {
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
    wrapped(&format!("  {name:<7} "), &" ".repeat(10), words)
}

/// Words behind the beginning of their first line, the next lines behind another.
pub(super) fn wrapped(first: &str, rest: &str, words: &str) -> String {
    let (mut out, mut line, mut begins) = (String::new(), first.to_owned(), true);
    for word in words.split(' ') {
        if !begins && line.chars().count() + 1 + word.chars().count() > PROSE {
            out.push_str(&line);
            out.push('\n');
            rest.clone_into(&mut line);
            begins = true;
        }
        if !begins {
            line.push(' ');
        }
        line.push_str(word);
        begins = false;
    }
    out + &line + "\n"
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
    .map(|(status, one, many)| (number(findings, status), one, many))
    .filter(|(count, _, _)| *count > 0)
    .map(|(count, one, many)| plural(count, one, many))
    .collect::<Vec<_>>()
    .join(", ");
    // All of it: what a command releases, the next one gives.
    let first = worst(findings).and_then(|worst| {
        let same = findings.iter().filter(|finding| twin(finding) == twin(worst));
        joined(same).into_iter().next()
    });
    let first = first.map_or_else(String::new, |Row { fix, .. }| match fix.lines().count() {
        0 | 1 => format!(" First: {fix}"),
        _ => fix.lines().fold(" First:".to_owned(), |all, line| all + "\n  " + line),
    });
    if counts.is_empty() { String::new() } else { format!("{counts}.{first}\n") }
}

/// The worst finding; nothing where all are only worth knowing.
fn worst(findings: &[Finding]) -> Option<&Finding> {
    findings.iter().find(|f| matches!(f.status, Status::Critical | Status::Error | Status::Warning))
}

/// `subidctl.findings.v1`, for the command that found them.
pub fn findings_json(kind: &'static str, findings: &[Finding]) -> impl serde::Serialize {
    Document {
        schema: "subidctl.findings.v1",
        kind,
        findings,
        summary: json!({
            "ok": number(findings, Status::Ok),
            "info": number(findings, Status::Info),
            "warning": number(findings, Status::Warning),
            "error": number(findings, Status::Error),
            "critical": number(findings, Status::Critical),
            "skipped": number(findings, Status::Skipped),
            "not_applicable": number(findings, Status::NotApplicable),
            "first_fix": worst(findings).map(|finding| &finding.fix),
        }),
    }
}

/// The document, written from the findings as they are: a value of it would be many times as large.
#[derive(serde::Serialize)]
struct Document<'a> {
    schema: &'static str,
    kind: &'static str,
    findings: &'a [Finding],
    summary: Value,
}

/// How many faults of a severity there are, listed or not.
fn number(findings: &[Finding], status: Status) -> usize {
    findings.iter().filter(|f| f.status == status).map(|f| f.count).sum()
}

/// What was not looked at, one line each with its reason, and how many were right.
pub fn unseen_text(findings: &[Finding], style: Style) -> String {
    let mut out = String::new();
    for finding in findings.iter().filter(|f| matches!(f.status, Status::Skipped | Status::NotApplicable)) {
        let (word, color) = label(finding.status);
        let _ = writeln!(out, "{}  {}  {}", style.paint(color, word), finding.id, finding.message);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::{Survey, audit};
    use crate::idfile::Document;
    use crate::policy::Policy;
    use crate::snapshot::Snapshot;

    fn found(file: &[u8]) -> Vec<Finding> {
        let mut snapshot = Snapshot::default();
        for kind in crate::range::Kind::BOTH {
            snapshot.files[kind].document = Some(Document::new(file.to_vec()));
        }
        let policy = Policy::default();
        audit(&Survey::new(&snapshot, &policy)).findings
    }

    #[test]
    fn the_first_fix_is_of_both_files() {
        let text = summary_text(&found(b"a:100000:10\nb:x\n"));
        assert!(text.ends_with("First: sudo sed -i '2s/^/# /' /etc/subuid /etc/subgid\n"), "{text}");
    }

    #[test]
    fn a_line_that_meets_two_owners_is_two_paragraphs_of_both_files() {
        let mut found = found(b"eve:100000:10\nbob:100010:10\ncarol:100009:11\n");
        found.retain(|finding| finding.id == "overlap");
        let text = findings_text(&found, Style::default());
        let shown: Vec<&str> =
            text.lines().filter(|line| line.contains("line 3") || line.contains("also")).collect();
        assert_eq!(
            shown,
            [
                "critical  overlap  /etc/subuid line 3, /etc/subgid line 3",
                "          100009 of carol is also eve's (/etc/subuid line 1)",
                "critical  overlap  /etc/subuid line 3, /etc/subgid line 3",
                "          100010-100019 of carol are also bob's (/etc/subuid line 2)",
            ]
        );
    }
}

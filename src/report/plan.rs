//! A plan for people and as `subidctl.plan.v1`.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use foldhash::fast::RandomState;
use serde_json::{Value, json};

use super::Style;
use super::diff::{changed_lines, unified};
use super::fit::hanging;
use crate::planner::{
    Action, Assignment, Plan, Refusal, SCHEMA, SavedAssignment, SavedEdit, SavedFile, UNDO,
};
use crate::range::Kind;
use crate::snapshot::Snapshot;
use crate::text::{escaped, shell_word, thousands};

/// A plan with the facts that it was made from.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The facts.
    pub snapshot: &'a Snapshot,
    /// The plan.
    pub plan: &'a Plan,
}

/// How many users' lines are printed one by one on a terminal.
const USERS_SHOWN: usize = 50;

impl Shown<'_> {
    /// Digests and diffs of both files.
    pub fn files(&self, style: Style) -> Vec<SavedFile> {
        let file = |kind: Kind| {
            let (before, planned) = (&self.snapshot.files[kind], &self.plan.files[kind]);
            let unchanged = planned.edits.is_empty();
            let after = if unchanged { before.digest } else { Some(planned.after.digest()) };
            let path = format!("/etc/{}", kind.file());
            SavedFile {
                path,
                before_sha256: before.digest,
                after_sha256: after,
                diff: self.diff(kind, style),
            }
        };
        Kind::BOTH.map(file).to_vec()
    }

    /// The diff of one file; empty where it stays.
    fn diff(&self, kind: Kind, style: Style) -> String {
        let (before, planned) = (&self.snapshot.files[kind], &self.plan.files[kind]);
        if planned.edits.is_empty() {
            return String::new();
        }
        unified(&format!("/etc/{}", kind.file()), before.document.as_ref(), &planned.after, style)
    }
}

/// Both diffs, then a line a user.
pub fn plan_text(shown: Shown<'_>, style: Style) -> String {
    let diffs = Kind::BOTH.map(|kind| shown.diff(kind, style));
    // Room for a line a user, so that text of megabytes is not moved while it grows.
    let room = if style.full { 128 * shown.plan.assignments.len() } else { 0 };
    let mut out = String::with_capacity(diffs.iter().map(String::len).sum::<usize>() + room);
    out.extend(diffs);
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&repairs_text(shown.plan, style));
    let users = by_user(&shown.plan.assignments);
    let idle = shown.plan.idle.iter().map(|sentence| format!("{sentence}\n"));
    let many = !style.full && users.len() > USERS_SHOWN;
    if many {
        out.push_str(&summary(shown.plan));
        return out;
    }
    let begin = out.len();
    for (user, assignments) in &users {
        user_text(&mut out, user, assignments);
    }
    out.extend(idle);
    if style.width == 0 {
        return out;
    }
    for sentence in out.split_off(begin).lines() {
        out.push_str(&hanging(sentence, 0, 2, style.width));
        out.push('\n');
    }
    out
}

/// What is mended, a line a finding: `mends duplicate-line: /etc/subuid lines 4, 9`; or put back by an undo,
/// which adds at the end what was removed.
fn repairs_text(plan: &Plan, style: Style) -> String {
    const NAMED: usize = 10;
    let mut places: BTreeMap<(&str, Kind, bool), Vec<usize>> = BTreeMap::new();
    for repair in &plan.repairs {
        let added = repair.edit.old.is_none();
        places.entry((&repair.finding, repair.kind, added)).or_default().push(repair.edit.line);
    }
    let mut out = String::new();
    for ((finding, kind, added), lines) in places {
        let named = if style.full { lines.len() } else { NAMED };
        let mut text = lines.iter().take(named).map(usize::to_string).collect::<Vec<_>>().join(", ");
        if lines.len() > named {
            let _ = write!(text, " and {} more", lines.len() - named);
        }
        let word = if lines.len() == 1 { "line" } else { "lines" };
        let file = kind.file();
        let _ = match finding {
            UNDO if added => writeln!(out, "puts back {} {word} at the end of /etc/{file}", lines.len()),
            UNDO => writeln!(out, "puts back /etc/{file} {word} {text}"),
            _ => writeln!(out, "mends {finding}: /etc/{file} {word} {text}"),
        };
    }
    out
}

/// Assignments of each user, in order of the first one.
fn by_user(assignments: &[Assignment]) -> Vec<(&[u8], Vec<&Assignment>)> {
    let mut order: Vec<(&[u8], Vec<&Assignment>)> = Vec::new();
    let mut index: HashMap<&[u8], usize, RandomState> = HashMap::default();
    for a in assignments {
        // Mostly the one before is the same user's.
        if let Some((_, list)) = order.last_mut().filter(|(user, _)| a.user == **user) {
            list.push(a);
            continue;
        }
        let at = *index.entry(&a.user).or_insert_with(|| {
            order.push((&a.user, Vec::new()));
            order.len() - 1
        });
        if let Some((_, list)) = order.get_mut(at) {
            list.push(a);
        }
    }
    order
}

fn user_text(out: &mut String, user: &[u8], assignments: &[&Assignment]) {
    let name = escaped(user);
    if assignments.iter().all(|a| a.action == Action::Keep) {
        let of = |kind| -> Vec<String> {
            assignments.iter().filter(|a| a.kind == kind).map(|a| a.range.to_string()).collect()
        };
        let (uids, gids) = (of(Kind::Uid), of(Kind::Gid));
        let ids: u64 =
            assignments.iter().filter(|a| a.kind == Kind::Uid).map(|a| a.range.count().get()).sum();
        let has = if uids == gids {
            format!("{} in both files", uids.join(", "))
        } else {
            format!("{} in subuid and {} in subgid", uids.join(", "), gids.join(", "))
        };
        let _ = writeln!(out, "{name}: has {has} ({ids} IDs, enough). No changes.");
        return;
    }
    for (files, a) in both_files(assignments) {
        let what = match a.action {
            Action::Add => "gets",
            Action::Keep => "keeps",
            Action::Release => "releases",
            Action::Reclaim => "takes back",
            Action::Forget => "forgets",
        };
        let ids = a.range.count();
        let _ = writeln!(out, "{name}: {what} {} {files} ({ids} IDs): {}", a.range, a.reason);
    }
}

/// Joins what happens alike in both files.
fn both_files<'a>(assignments: &[&'a Assignment]) -> Vec<(&'static str, &'a Assignment)> {
    let mut rows: Vec<(&'static str, &Assignment)> = Vec::with_capacity(1);
    for a in assignments {
        let same = |(_, b): &&mut (&str, &Assignment)| (b.range, b.action) == (a.range, a.action);
        match rows.iter_mut().find(same) {
            // A line that stands twice goes twice, and is said once.
            Some((_, b)) if b.kind == a.kind => {}
            Some((files, _)) => *files = "in both files",
            None if a.kind == Kind::Uid => rows.push(("in subuid", a)),
            None => rows.push(("in subgid", a)),
        }
    }
    rows
}

/// Of many users: how many get what, by the reason's kind.
fn summary(plan: &Plan) -> String {
    let mut kinds: BTreeMap<(&str, &str), (usize, u64)> = BTreeMap::new();
    for a in plan.assignments.iter().filter(|a| a.kind == Kind::Uid) {
        let action = match a.action {
            Action::Add => "get a range",
            Action::Keep => "keep what they have",
            Action::Release => "release a range",
            Action::Reclaim => "take a range back",
            Action::Forget => "forget a range",
        };
        let entry = kinds.entry((action, &*a.reason)).or_default();
        entry.0 += 1;
        entry.1 += a.range.count().get();
    }
    let mut out = String::new();
    for ((action, reason), (ranges, ids)) in kinds {
        let ranges = thousands(u64::try_from(ranges).unwrap_or(u64::MAX));
        let _ = writeln!(out, "{ranges} users {action} ({} IDs): {reason}", thousands(ids));
    }
    let lines = thousands(u64::try_from(changed_lines(&plan.files.uid.edits)).unwrap_or(u64::MAX));
    let _ = writeln!(out, "{lines} lines change in subuid; -v prints a line a user");
    out
}

/// Warnings, a line each.
pub fn warnings_text(plan: &Plan, style: Style) -> String {
    let label = style.paint("33", "warning:");
    let words = |message: &str, code: &str| hanging(&format!("{message} [{code}]"), 9, 2, style.width);
    plan.warnings.iter().map(|w| format!("{label} {}\n", words(&w.message, w.code))).collect()
}

/// What to do next, for a single user whose name can be pasted: `To see that it works: subidctl verify
/// alice`, or how to take back what was only released.
pub fn next_hint(plan: &Plan) -> Option<String> {
    let user = &plan.assignments.first().filter(|a| a.uid.is_some())?.user;
    let single = plan.assignments.iter().all(|a| a.user == *user);
    let word = shell_word(user).filter(|_| single)?;
    if plan.assignments.iter().all(|a| a.action == Action::Forget) {
        return None;
    }
    if plan.assignments.iter().all(|a| a.action == Action::Release) {
        return Some(format!("For the same account to take it back: sudo subidctl apply --reclaim {word}\n"));
    }
    Some(format!("To see that it works: subidctl verify {word}\n"))
}

/// `subidctl.plan.v1`.
pub fn plan_json(shown: Shown<'_>) -> Value {
    let Shown { snapshot, plan } = shown;
    let assignments: Vec<SavedAssignment> = plan.assignments.iter().map(SavedAssignment::from).collect();
    json!({
        "schema": SCHEMA,
        "changed": plan.changed(),
        "host": snapshot.host,
        "root": snapshot.host.root,
        "facts": snapshot.facts,
        "files": shown.files(Style { full: true, ..Style::default() }),
        "assignments": assignments,
        "edits": plan.repairs.iter().map(SavedEdit::from).collect::<Vec<_>>(),
        "warnings": plan.warnings,
        "refusals": plan.refusals.iter().map(refusal).collect::<Vec<_>>(),
    })
}

fn refusal(r: &Refusal) -> Value {
    json!({
        "owner": r.owner,
        "code": r.code,
        "exit": r.error.code.exit(),
        "message": r.error.what,
        "why": r.error.why,
        "fix": r.error.fix,
    })
}

//! Giving ranges back on demand: all of an owner's, or one of them.

use std::collections::BTreeMap;

use super::judge::lines_of;
use super::{Action, Assignment, Evidence, Owner, Plan, Refusal, Warning, finish};
use crate::error::{Code, Error, Result};
use crate::idfile::{Claim, Document};
use crate::policy::Policy;
use crate::range::{Kind, PerKind, Range};
use crate::snapshot::Snapshot;
use crate::text::shell_word;

/// Who gives what back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// In the order asked for.
    pub owners: Vec<Owner>,
    /// Only the lines that lie in this range; `None`: all.
    pub range: Option<Range>,
}

/// Plans to mark lines as released. An owner without a line is idle, which is no refusal.
///
/// A line is released whole or not at all: podman and its like count an owner's IDs through from line to
/// line, so that every ID after a part that went would mean another ID inside the owner's containers.
///
/// # Errors
/// A fault of subidctl itself that the invariants caught. A range that is no line of the owner is a refusal.
pub fn release(snapshot: &Snapshot, policy: &Policy, request: &Release) -> Result<Plan> {
    let mut lines = lines_of(snapshot, request.owners.iter());
    let mut plan = Plan::default();
    for (index, owner) in request.owners.iter().enumerate() {
        let mine = PerKind::from_fn(|kind| lines[kind].remove(&index).unwrap_or_default());
        match of_owner(owner, &mine, request.range) {
            Ok(given) if given.is_empty() => {
                plan.idle.push(format!("{} has nothing to release. No changes.", owner.shown()));
            }
            Ok(given) => plan.assignments.extend(given),
            Err(error) => {
                plan.refusals.push(Refusal { owner: owner.shown(), code: error.code.as_str(), error });
            }
        }
    }
    let mut plan = finish(snapshot, policy, plan, Evidence::Ledger)?;
    let unmarked = unmarked(&plan);
    plan.warnings.extend(unmarked);
    Ok(plan)
}

fn of_owner(owner: &Owner, lines: &PerKind<Vec<Claim<'_>>>, range: Option<Range>) -> Result<Vec<Assignment>> {
    let mut given = Vec::new();
    for kind in Kind::BOTH {
        for claims in live(&lines[kind]).into_values() {
            let asked = range.is_none_or(|range| claims.iter().any(|c| c.range.overlaps(range)));
            if !asked {
                continue;
            }
            if let Some(range) = range
                && let Some(claim) = claims.iter().find(|c| !range.covers(c.range))
            {
                return Err(part(owner, kind, claim, range));
            }
            given.extend(claims.iter().map(|claim| assignment(owner, kind, claim)));
        }
    }
    let released = |range: Range| {
        Kind::BOTH.into_iter().any(|k| lines[k].iter().any(|c| c.released && c.range.overlaps(range)))
    };
    match range {
        Some(range) if given.is_empty() && !released(range) => absent(owner, lines, range).map(|()| given),
        _ => Ok(given),
    }
}

/// The lines that still grant something, each with its claims: two where readers see different numbers.
fn live<'a>(claims: &[Claim<'a>]) -> BTreeMap<usize, Vec<Claim<'a>>> {
    let mut lines: BTreeMap<usize, Vec<Claim<'a>>> = BTreeMap::new();
    for claim in claims.iter().filter(|c| !c.released) {
        lines.entry(claim.line).or_default().push(*claim);
    }
    lines
}

fn assignment(owner: &Owner, kind: Kind, claim: &Claim<'_>) -> Assignment {
    Assignment {
        kind,
        user: owner.label.clone(),
        owner: claim.owner.to_vec(),
        uid: owner.uid(),
        range: claim.range,
        action: Action::Release,
        reason: "nobody gets them next".to_owned(),
    }
}

/// The range cuts a line.
fn part(owner: &Owner, kind: Kind, claim: &Claim<'_>, range: Range) -> Error {
    let fix = match shell_word(&owner.label) {
        Some(name) => {
            format!("to release all of the line: sudo subidctl release --range {} {name}", claim.range)
        }
        None => format!("name all of the line: --range {}", claim.range),
    };
    Error::new(Code::RangeTaken, format!("{range} is not a whole range of {}", owner.shown()))
        .why(format!(
            "/etc/{} line {} is {}; without a part of it, IDs after that part would mean others inside containers",
            kind.file(),
            claim.line,
            claim.range
        ))
        .fix(fix)
}

/// How many lines an error lists.
const LISTED: usize = 5;

/// The owner has lines, but none there.
fn absent(owner: &Owner, lines: &PerKind<Vec<Claim<'_>>>, range: Range) -> Result<()> {
    let all = || {
        Kind::BOTH.into_iter().flat_map(|kind| {
            let live = lines[kind].iter().filter(|c| !c.released);
            live.map(move |c| format!("{} (/etc/{} line {})", c.range, kind.file(), c.line))
        })
    };
    let count = all().count();
    if count == 0 {
        return Ok(());
    }
    let more = if count > LISTED { format!(" and {} more", count - LISTED) } else { String::new() };
    let listed: Vec<String> = all().take(LISTED).collect();
    Err(Error::new(Code::RangeTaken, format!("{} has no IDs of {range}", owner.shown()))
        .why(format!("the lines of this owner are {}{more}", listed.join(", ")))
        .fix("name one of them, or leave --range out to release all"))
}

/// Lines that go without a mark, since others hold all their IDs: a mark would take those from them.
fn unmarked(plan: &Plan) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for (kind, planned) in plan.files.iter() {
        for old in planned.edits.iter().filter(|e| e.new.is_none()).filter_map(|e| e.old.as_ref()) {
            let line = Document::new(old.clone());
            warnings.extend(line.claims().map(|claim| {
                let (owner, file) = (crate::text::escape(claim.owner), kind.file());
                let message = format!(
                    "{} of {owner} is not marked as released in {file}: other lines hold its IDs",
                    claim.range
                );
                Warning { code: "not-marked", owner, message }
            }));
        }
    }
    warnings
}

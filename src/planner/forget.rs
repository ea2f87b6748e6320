//! Ending a release for good: the IDs are anybody's again.

use super::{Action, Assignment, Evidence, Owner, Plan, Refusal, Warning, finish};
use crate::error::{Code, Error, Result};
use crate::idfile::Claim;
use crate::policy::Policy;
use crate::range::{Kind, Range};
use crate::snapshot::{Released, Snapshot};
use crate::text::{Part, escape, shell_word};

/// What is forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forget {
    /// Exactly this released range.
    pub range: Range,
    /// Only of these owners; empty: whoever released it.
    pub owners: Vec<Owner>,
}

/// Plans to remove the `!` lines of a range, and what the ledger remembers of it, also where its line was
/// lost. Where nobody released anything there the plan is idle.
///
/// # Errors
/// A fault of subidctl itself that the invariants caught. A range that is not released, or not exactly that,
/// is a refusal.
pub fn forget(snapshot: &Snapshot, policy: &Policy, request: &Forget) -> Result<Plan> {
    let mut plan = Plan::default();
    let range = request.range;
    match assignments(snapshot, request) {
        Ok(found) if found.is_empty() => {
            plan.idle.push(format!("Nobody released {range}: nothing to forget. No changes."));
        }
        Ok(found) => {
            plan.assignments = found;
            plan.warnings.push(Warning {
                code: "ids-free-again",
                owner: String::new(),
                message: format!(
                    "the next user may get {range}, and with it every file that these IDs still own; \
                     to look for such files first: subidctl release -n --forget {range} --scan PATH"
                ),
            });
        }
        Err(error) => plan.refusals.push(Refusal {
            owner: request.owners.first().map_or_else(String::new, Owner::shown),
            code: error.code.as_str(),
            error,
        }),
    }
    finish(snapshot, policy, plan, Evidence::Ledger)
}

fn assignments(snapshot: &Snapshot, request: &Forget) -> Result<Vec<Assignment>> {
    let range = request.range;
    let named: Vec<(Part, &Owner)> = request
        .owners
        .iter()
        .flat_map(|o| o.spellings(&snapshot.accounts).into_iter().map(move |spelling| (spelling, o)))
        .collect();
    let wanted = |owner: &[u8]| named.is_empty() || named.iter().any(|(spelling, _)| *spelling == *owner);
    let mut found: Vec<Assignment> = Vec::new();
    let mut meets = None;
    for kind in Kind::BOTH {
        let claims: Vec<Claim<'_>> =
            snapshot.files[kind].claims().filter(|c| c.range.overlaps(range)).collect();
        for claim in &claims {
            let exact = claim.released && wanted(claim.owner) && claim.range == range;
            // With its line would go whatever else a program reads in it.
            let alone = || snapshot.files[kind].claims().filter(|c| c.line == claim.line).count() == 1;
            if exact && alone() {
                found.push(assignment(kind, claim.owner, range, "for good; the IDs are free again"));
            } else {
                meets = meets.or(Some((kind, *claim)));
            }
        }
        let ledger = snapshot.released.iter().filter(|r| r.kind == kind && r.range == range);
        let lost = |r: &&Released| {
            wanted(&r.owner) && !claims.iter().any(|c| c.released && c.owner == r.owner && c.range == range)
        };
        let reason = "for good; its line was lost before, and only the ledger knew it";
        found.extend(ledger.filter(lost).map(|r| assignment(kind, &r.owner, range, reason)));
    }
    match meets {
        Some((kind, claim)) if found.is_empty() => Err(not_released(kind, &claim, range)),
        _ => Ok(found),
    }
}

fn assignment(kind: Kind, owner: &[u8], range: Range, reason: &str) -> Assignment {
    Assignment {
        kind,
        user: owner.into(),
        owner: owner.into(),
        uid: None,
        range,
        action: Action::Forget,
        reason: reason.into(),
    }
}

/// What stands there is not exactly a released line of that range.
fn not_released(kind: Kind, claim: &Claim<'_>, range: Range) -> Error {
    let (owner, line) = (escape(claim.owner), format!("/etc/{} line {}", kind.file(), claim.line));
    let error = Error::new(Code::RangeTaken, format!("{range} cannot be forgotten; nothing was changed"));
    let name = shell_word(claim.owner).unwrap_or_else(|| "USER".to_owned());
    match (claim.released, claim.range == range) {
        (false, _) => error
            .why(format!("{owner} has {} ({line}): it is not released", claim.range))
            .fix(format!("release it first: sudo subidctl release --range {} {name}", claim.range)),
        (true, true) if claim.is_canonical() => error
            .why(format!("{owner} released it ({line}), nobody else"))
            .fix(format!("sudo subidctl release --forget {range} {name}")),
        (true, true) => error
            .why(format!("not every program reads {line} alike, so it may hold further IDs"))
            .fix(format!(
                "write the line as !{name}:{}:{} by hand, then run it again",
                range.first(),
                range.count()
            )),
        (true, false) => error
            .why(format!("what {owner} released there is {} ({line})", claim.range))
            .fix(format!("name exactly that: sudo subidctl release --forget {} {name}", claim.range)),
    }
}

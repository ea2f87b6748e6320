//! Giving ranges back, and taking them back.

use super::allocate::{Allocator, OWN_IDS, taken_error};
use super::case::Case;
use super::judge::Held;
use super::taken::{Witness, witnesses};
use super::target::Target;
use super::{Action, Assignment, Plan};
use crate::error::{Code, Error};
use crate::idfile::Claim;
use crate::range::{Kind, Range, Uid};
use crate::snapshot::{Released, Snapshot};
use crate::text::{Part, shell_word};

/// Releases every line of the user that is not, without a fault, a part of what the user shall have: what is
/// right already can stay, and released it would be in the way of itself.
pub(super) fn all_but(case: &mut Case<'_>, targets: &[Target]) {
    let right = |held: &Held<'_>| {
        held.fault.is_none() && targets.iter().any(|target| target.range.covers(held.claim.range))
    };
    for kind in Kind::BOTH {
        let wrong = case.live(kind).filter(|held| !right(held));
        let wrong: Vec<_> = wrong.map(|h| (Part::from(h.claim.owner), h.claim.range)).collect();
        for (owner, range) in wrong {
            case.assign(kind, owner, range, Action::Release, "released: replaced by the right one".into());
        }
        case.held[kind].retain(|held| held.claim.released || right(held));
    }
}

/// Takes back every released line of the same account: name and uid must equal what the ledger noted.
pub(super) fn reclaim(
    allocator: &Allocator<'_>,
    case: &mut Case<'_>,
) -> Result<(), (Option<&'static str>, Error)> {
    for kind in Kind::BOTH {
        let released: Vec<_> = case.held[kind].iter().filter(|h| h.claim.released).map(|h| h.claim).collect();
        for claim in released {
            if let Some(why) =
                doubt(allocator.snapshot, case, kind, claim).filter(|_| !allocator.request.unproven)
            {
                return Err((None, unknown(case, kind, claim, why)));
            }
            if let Some(why) = obstacle(allocator, case, kind, claim) {
                let line = format!("/etc/{} line {}", kind.file(), claim.line);
                let error = Error::new(
                    Code::RangeTaken,
                    format!("{} ({line}) cannot be given back to {}", claim.range, case.want.owner.shown()),
                );
                return Err((None, error.why(why).fix("leave --reclaim out: then another range is given")));
            }
            let reason = match doubt(allocator.snapshot, case, kind, claim) {
                None => "taken back by the same account",
                Some(_) => "taken back, as asked; nothing shows that it was this account's",
            };
            case.assign(kind, claim.owner.into(), claim.range, Action::Reclaim, reason.into());
        }
    }
    let has_any = Kind::BOTH.into_iter().any(|kind| !case.held[kind].is_empty());
    if !has_any {
        let who = case.want.owner.shown();
        let error = Error::new(Code::RangeTaken, format!("{who} has nothing to take back"))
            .why("no line of subuid or subgid is marked as released by this owner")
            .fix("leave --reclaim out: then a range is given");
        return Err((None, error));
    }
    Ok(())
}

/// Why nobody knows that a released line was this account's.
fn doubt(snapshot: &Snapshot, case: &Case<'_>, kind: Kind, claim: Claim<'_>) -> Option<String> {
    let (owner, range) = (&case.want.owner, claim.range);
    if same_account(snapshot, kind, claim.owner, owner.uid(), range) {
        return None;
    }
    let noted =
        snapshot.released.iter().find(|r| (r.kind, r.range) == (kind, range) && r.owner == claim.owner);
    Some(match (noted.and_then(|r| r.uid), owner.uid()) {
        (Some(then), Some(now)) => format!("uid {then} released it, and {} is uid {now}", owner.shown()),
        _ => "subidctl's ledger does not say which uid released it".to_owned(),
    })
}

/// Nothing shows whose it was: only a person can know.
fn unknown(case: &Case<'_>, kind: Kind, claim: Claim<'_>, why: String) -> Error {
    let owner = case.want.owner.shown();
    let line = format!("/etc/{} line {}", kind.file(), claim.line);
    let insist = match shell_word(&case.want.owner.label) {
        Some(name) => format!("if this is the same person: sudo subidctl apply --reclaim --force {name}"),
        None => "if this is the same person, add --force".to_owned(),
    };
    Error::new(Code::RangeTaken, format!("nothing shows that {} ({line}) was this {owner}'s", claim.range))
        .why(why)
        .fix(format!("{insist}; else leave --reclaim out: then another range is given"))
}

/// The ranges that a plan gives back to accounts of which the ledger does not say that they released them.
pub fn unproven<'a>(snapshot: &Snapshot, plan: &'a Plan) -> Vec<&'a Assignment> {
    let back = plan.assignments.iter().filter(|a| a.action == Action::Reclaim);
    back.filter(|a| !same_account(snapshot, a.kind, &a.owner, a.uid, a.range)).collect()
}

/// Why a released line cannot come back.
fn obstacle(allocator: &Allocator<'_>, case: &Case<'_>, kind: Kind, claim: Claim<'_>) -> Option<String> {
    let (owner, range) = (&case.want.owner, claim.range);
    if owner.own_ids().any(|id| range.overlaps(id)) {
        return Some(OWN_IDS.to_owned());
    }
    let met = witnesses(allocator.snapshot, allocator.policy, kind).find(|(taken, witness)| {
        let own = match witness {
            Witness::Line(other) => other.line == claim.line,
            Witness::Ledger(released) => released.range == range,
            // Most likely the owner's own container, from before the release.
            // Or, as for a range that is kept, a warning.
            Witness::Namespace(_) | Witness::Site(_) => true,
            _ => false,
        };
        !own && taken.overlaps(range)
    });
    met.map(|(_, witness)| format!("it meets {}", witness.phrase(kind, allocator.policy)))
}

/// Why a released range is not given back.
pub(super) const NOT_THEIRS: &str =
    "the ledger does not say that the account with this name and uid released it";

/// Whether the ledger says that this very account, by name and uid, released the range.
pub(super) fn same_account(
    snapshot: &Snapshot,
    kind: Kind,
    owner: &[u8],
    uid: Option<Uid>,
    range: Range,
) -> bool {
    let same = |r: &Released| (r.kind, r.range, r.uid) == (kind, range, uid) && r.owner == owner;
    uid.is_some() && snapshot.released.iter().any(same)
}

/// Why a window, map or asked range cannot be given: if the same account released it, how to take it back.
pub(super) fn blocked(
    allocator: &Allocator<'_>,
    case: &Case<'_>,
    kind: Kind,
    range: Range,
    by: &str,
) -> Error {
    let released = case.held[kind].iter().map(|h| h.claim).find(|c| c.released && c.range == range);
    let reclaimable = released.is_some_and(|claim| {
        doubt(allocator.snapshot, case, kind, claim).is_none()
            && obstacle(allocator, case, kind, claim).is_none()
    });
    let error =
        taken_error(&case.want.owner, range, &format!("in subordinate {}s it meets {by}", kind.name()));
    let word = shell_word(&case.want.owner.label);
    match word.filter(|_| reclaimable) {
        Some(name) => error.fix(format!(
            "the same account released it; to take it back: sudo subidctl apply --reclaim {name}"
        )),
        None => error,
    }
}

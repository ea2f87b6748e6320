//! Giving ranges back, and taking them back.

use super::Action;
use super::allocate::{Allocator, taken_error};
use super::case::Case;
use crate::error::{Code, Error};
use crate::range::{Kind, Range};
use crate::text::shell_word;

/// Releases every line of the user.
pub(super) fn all(case: &mut Case<'_>) {
    for kind in Kind::BOTH {
        let live: Vec<_> = case.live(kind).map(|h| (h.claim.owner.to_vec(), h.claim.range)).collect();
        for (owner, range) in live {
            case.assign(kind, owner, range, Action::Release, "released: replaced by the right one");
        }
        case.held[kind].retain(|h| h.claim.released);
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
            if !same_account(allocator, case, kind, claim.range) {
                let line = format!("/etc/{} line {}", kind.file(), claim.line);
                let error = Error::new(
                    Code::RangeTaken,
                    format!("{} ({line}) cannot be given back to {}", claim.range, case.want.owner.shown()),
                );
                let why = "the ledger does not say that the account with this name and uid released it";
                let fix = "give another range: the old one may hold a stranger's files";
                return Err((None, error.why(why).fix(fix)));
            }
            case.assign(
                kind,
                claim.owner.to_vec(),
                claim.range,
                Action::Reclaim,
                "taken back by the same account",
            );
        }
    }
    Ok(())
}

/// Whether the ledger says that this very account, by name and uid, released the range.
fn same_account(allocator: &Allocator<'_>, case: &Case<'_>, kind: Kind, range: Range) -> bool {
    let (owner, uid) = (&case.want.owner, case.want.owner.uid());
    let spellings = owner.spellings(&allocator.snapshot.accounts);
    allocator.snapshot.released.iter().any(|r| {
        r.kind == kind && r.range == range && r.uid == uid && uid.is_some() && spellings.contains(&r.owner)
    })
}

/// Why a window, map or asked range cannot be given: if the same account released it, how to take it back.
pub(super) fn blocked(
    allocator: &Allocator<'_>,
    case: &Case<'_>,
    kind: Kind,
    range: Range,
    by: &str,
) -> Error {
    let own_released = case.held[kind].iter().any(|h| h.claim.released && h.claim.range == range);
    let error =
        taken_error(&case.want.owner, range, &format!("in subordinate {}s it meets {by}", kind.name()));
    let word = shell_word(&case.want.owner.label);
    match word.filter(|_| own_released && same_account(allocator, case, kind, range)) {
        Some(name) => error.fix(format!(
            "the same account released it; to take it back: sudo subidctl apply --reclaim {name}"
        )),
        None => error,
    }
}

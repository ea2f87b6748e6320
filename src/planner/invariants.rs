//! What must hold of every plan, whoever made it: checked on our own plans and on those that are read.

use super::release::{NOT_THEIRS, same_account};
use super::rule::{Rules, window_place};
use super::taken::{Witness, standing};
use super::{Action, Assignment, Plan, Planned};
use crate::error::{Code, Error, Result};
use crate::policy::Policy;
use crate::range::{Kind, LAST_USABLE, Login, PerKind, Range, RangeSet};
use crate::snapshot::Snapshot;
use crate::text::escape;

/// What shows that a released range was this account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The ledger, by name and uid.
    Ledger,
    /// The caller: an entry of the history, or a person who insists.
    Caller,
}

/// Checks a plan's assignments and the files that they lead to.
///
/// # Errors
/// `stale`, with the first rule that is broken: an added or reclaimed range that meets another line, an
/// account, a reserved, declared or released range, the owner's own IDs, or ends beyond 4294967294; an added
/// one that meets a running namespace, IDs that a directory declares or another user's window slot; an owner
/// that a line cannot carry; a kept line that is not there.
pub fn check(snapshot: &Snapshot, policy: &Policy, plan: &Plan, evidence: Evidence) -> Result<()> {
    // What an entry of the history puts back is judged by the way back itself.
    let repairs = if evidence == Evidence::Caller { &[] } else { &plan.repairs[..] };
    if let Some(repair) = super::repair::unsafe_one(snapshot, repairs) {
        let (file, line) = (repair.kind.file(), repair.edit.line);
        return Err(Error::new(Code::Stale, "the plan cannot be applied; nothing was changed")
            .why(format!("its edit of /etc/{file} line {line} is none of the safe repairs"))
            .fix("make a new plan: subidctl audit --fix --out FILE"));
    }
    for kind in Kind::BOTH {
        let mine: Vec<&Assignment> = plan.assignments.iter().filter(|a| a.kind == kind).collect();
        if mine.is_empty() {
            continue;
        }
        check_kind(snapshot, policy, kind, &mine, &plan.files[kind], evidence)?;
    }
    Ok(())
}

/// Whether lines that a recovery would put into the files hold no account's, reserved or declared ID.
///
/// # Errors
/// One sentence.
pub fn check_lines(
    snapshot: &Snapshot,
    policy: &Policy,
    lines: &PerKind<Vec<Vec<u8>>>,
) -> std::result::Result<(), String> {
    for (kind, lines) in lines.iter() {
        let document = crate::idfile::Document::new(lines.join(&b'\n'));
        for claim in document.claims().filter(|claim| !claim.released) {
            let met = standing(snapshot, policy, kind).find(|(taken, _)| taken.overlaps(claim.range));
            if let Some((_, witness)) = met {
                let (owner, range) = (escape(claim.owner), claim.range);
                return Err(format!("{range} of {owner} meets {}", witness.phrase(kind, policy)));
            }
        }
    }
    Ok(())
}

fn refuse(a: &Assignment, why: &str) -> Error {
    let (range, owner) = (a.range, escape(&a.owner));
    Error::new(Code::Stale, format!("the plan cannot be applied: {range} for {owner} in {}", a.kind.file()))
        .why(why.to_owned())
        .fix("make a new plan: subidctl plan")
}

fn check_kind(
    snapshot: &Snapshot,
    policy: &Policy,
    kind: Kind,
    mine: &[&Assignment],
    planned: &Planned,
    evidence: Evidence,
) -> Result<()> {
    // Who only gives back needs no rule, and settings that make no sense do not stop it.
    let gives = mine.iter().any(|a| a.action == Action::Add);
    let windows = if gives { Rules::new(snapshot, policy)?.windows } else { Vec::new() };
    let barred: RangeSet = standing(snapshot, policy, kind).map(|(range, _)| range).collect();
    let kept = mine.iter().filter(|a| a.action == Action::Keep);
    if let Some(a) = kept.into_iter().find(|a| barred.first_overlap(a.range).is_some()) {
        return Err(refuse(a, "it keeps IDs of an account, or reserved or declared ones"));
    }
    let given: Vec<&&Assignment> =
        mine.iter().filter(|a| matches!(a.action, Action::Add | Action::Reclaim)).collect();
    for a in &given {
        let account = snapshot.accounts.by_owner(&a.owner);
        let plain = Login::part(a.owner.clone()).is_some_and(|name| name.is_plain());
        // A number without an account would be whoever gets that uid later.
        if !plain && account.is_none_or(|user| a.owner != user.uid.to_string()) {
            return Err(refuse(a, "no line can carry this owner"));
        }
        if a.range.last() > LAST_USABLE {
            return Err(refuse(a, "it ends beyond the last usable ID"));
        }
        if barred.first_overlap(a.range).is_some() {
            let by = standing(snapshot, policy, kind).find(|(taken, _)| taken.overlaps(a.range));
            return Err(refuse(
                a,
                &by.map_or_else(String::new, |(_, w)| format!("it meets {}", w.phrase(kind, policy))),
            ));
        }
        if account.is_some_and(|u| a.range.contains(u.uid.get()) || a.range.contains(u.gid.get())) {
            return Err(refuse(a, "it holds the owner's own uid or primary gid"));
        }
        let foreign = windows.iter().find(|w| {
            let own = account.and_then(|u| w.slot(u.uid.get()));
            w.span().is_some_and(|span| span.overlaps(a.range)) && own.is_none_or(|own| !own.covers(a.range))
        });
        if let Some(window) = foreign.filter(|_| a.action == Action::Add) {
            return Err(refuse(
                a,
                &format!("it lies in the window of {}", window_place(snapshot, policy, window)),
            ));
        }
        let live = snapshot.namespaces.extents.iter().find(|n| n.kind == kind && n.range.overlaps(a.range));
        if let Some(live) = live.filter(|_| a.action == Action::Add) {
            return Err(refuse(a, &format!("a running user namespace (pid {}) uses its IDs", live.pid)));
        }
        let site = snapshot.site.of_accounts(kind).find(|s| s.range.overlaps(a.range));
        if let Some(site) = site.filter(|_| a.action == Action::Add) {
            return Err(refuse(a, &format!("it meets {}", Witness::Site(site).phrase(kind, policy))));
        }
        let released = snapshot.released.iter().find(|r| r.kind == kind && r.range.overlaps(a.range));
        if let Some(released) = released.filter(|r| a.action == Action::Add || r.range != a.range) {
            return Err(refuse(a, &format!("{} released it (subidctl's ledger)", escape(&released.owner))));
        }
        let proven =
            || evidence == Evidence::Caller || same_account(snapshot, kind, &a.owner, a.uid, a.range);
        if a.action == Action::Reclaim && !proven() {
            return Err(refuse(a, NOT_THEIRS));
        }
    }
    lines(mine, planned)
}

/// Every given or kept range stands in the resulting file; a given one shares no ID with another line.
fn lines(mine: &[&Assignment], planned: &Planned) -> Result<()> {
    // Each with its range beside it: they are searched for every line.
    let given = mine.iter().filter(|a| matches!(a.action, Action::Add | Action::Reclaim));
    let mut given: Vec<(Range, &Assignment)> = given.map(|a| (a.range, *a)).collect();
    given.sort_by_key(|(range, _)| *range);
    let mut kept: Vec<(&[u8], Range)> =
        mine.iter().filter(|a| a.action == Action::Keep).map(|a| (&a.owner[..], a.range)).collect();
    kept.sort_unstable();
    kept.dedup();
    let (mut seen, mut found) = (vec![false; given.len()], vec![false; kept.len()]);
    for claim in planned.after.claims() {
        let is_kept = kept.binary_search(&(claim.owner, claim.range)).ok();
        let is_kept = is_kept.filter(|_| !claim.released && claim.is_canonical());
        if let Some(found) = is_kept.and_then(|index| found.get_mut(index)) {
            *found = true;
        }
        // Given ranges do not overlap one another (checked here, too), so both ends are sorted.
        let end = given.partition_point(|(range, _)| range.first() <= claim.range.last());
        let below = given.iter().take(end).rev().zip(seen.iter_mut().take(end).rev());
        for ((range, a), seen) in below {
            if range.last() < claim.range.first() {
                break;
            }
            let own =
                a.owner == claim.owner && claim.range == *range && !claim.released && claim.is_canonical();
            if !own || std::mem::replace(seen, true) {
                return Err(refuse(a, &format!("it overlaps {} of {}", claim.range, escape(claim.owner))));
            }
        }
    }
    if let Some(((_, a), _)) = given.iter().zip(&seen).find(|(_, seen)| !**seen) {
        return Err(refuse(a, "its line would not be in the file"));
    }
    match kept.iter().zip(&found).find(|(_, found)| !**found) {
        Some(((owner, range), _)) => {
            let missing = mine.iter().find(|a| a.owner == *owner && a.range == *range);
            Err(missing.map_or_else(
                || Error::new(Code::Stale, "a kept line is not there"),
                |a| refuse(a, "the line that it keeps is not in the file"),
            ))
        }
        None => Ok(()),
    }
}

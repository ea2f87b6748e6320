//! Putting a change back: the entry of the history, backwards. What was given is released and not removed, so
//! that nobody gets it next; what was released comes back; any other line becomes what it was.

use std::collections::{HashMap, HashSet};

use super::edits::compose;
use super::invariants::{Evidence, check};
use super::release::{NOT_THEIRS, same_account};
use super::taken::{Witness, standing};
use super::{Action, Assignment, Plan, Repair, Warning, finish};
use crate::error::{Code, Error, Result};
use crate::idfile::{Claim, Document, Edit, LineEdit};
use crate::policy::Policy;
use crate::range::{Kind, Range};
use crate::snapshot::{Accounts, Snapshot};
use crate::state::HistoryEntry;
use crate::text::{escape, shell_word};

/// What [`Repair::finding`] says where a line is put back.
pub const UNDO: &str = "undo";

/// Plans the way back from a change: all of it or nothing. `later` are the entries after it, oldest first.
///
/// # Errors
/// `stale` where a line that the change left is not there any more, with the later change that touched it;
/// `range-taken` where what would come back meets somebody else's IDs.
pub fn undo(
    snapshot: &Snapshot,
    policy: &Policy,
    entry: &HistoryEntry,
    later: &[HistoryEntry],
) -> Result<Plan> {
    let mut way = Way { snapshot, entry, later, plan: Plan::default() };
    for kind in Kind::BOTH {
        way.back(kind)?;
    }
    let mut plan = way.plan;
    if plan.assignments.is_empty() && plan.repairs.is_empty() {
        return Err(Error::new(
            Code::Stale,
            format!("the change {} leaves nothing to undo", entry.transaction),
        )
        .why("it changed no line: it only ended a file in a newline, or recovery took it back")
        .fix("subidctl history lists the changes; name another"));
    }
    let refused = |why: String| {
        Error::new(Code::RangeTaken, format!("the change {} cannot be undone", entry.transaction))
            .why(why)
            .fix("see who has the IDs (subidctl who ID), or give other ones: subidctl plan USER")
    };
    plan.files = compose(snapshot, &plan.assignments, &plan.repairs).map_err(refused)?;
    check(snapshot, policy, &plan, Evidence::Caller)
        .map_err(|e| refused(format!("{}: {}", e.what, e.why)))?;
    for repair in &plan.repairs {
        harmless(snapshot, policy, repair, &plan.files[repair.kind].after).map_err(refused)?;
    }
    same_people(snapshot, &plan).map_err(|(why, fix)| {
        let error = refused(why);
        fix.into_iter().fold(error, Error::fix)
    })?;
    released_whole(&plan)?;
    plan.warnings = nobody(snapshot, &plan);
    finish(snapshot, policy, plan, Evidence::Caller)
}

struct Way<'a> {
    snapshot: &'a Snapshot,
    entry: &'a HistoryEntry,
    later: &'a [HistoryEntry],
    plan: Plan,
}

impl Way<'_> {
    /// Turns each line edit of a file around.
    fn back(&mut self, kind: Kind) -> Result<()> {
        let Some(touched) = &self.entry.files[kind] else { return Ok(()) };
        let document = self.snapshot.files[kind].document.as_ref();
        let mut stands: HashMap<&[u8], Vec<usize>> = HashMap::new();
        let mut end = 1;
        for line in document.iter().flat_map(|document| document.lines()) {
            stands.entry(line.raw).or_default().push(line.number);
            end = line.number + 1;
        }
        let mut used = HashSet::new();
        for edit in touched.edits.iter().filter(|edit| edit.old != edit.new) {
            let line = match edit.new {
                None => end,
                Some(now) => {
                    let lines = stands.get(now).map(Vec::as_slice).unwrap_or_default();
                    let free = |line: &&usize| !used.contains(*line);
                    let same = lines.iter().filter(free).find(|line| **line == edit.line);
                    let found = same.or_else(|| lines.iter().find(free));
                    *found.ok_or_else(|| self.changed(kind, now))?
                }
            };
            // Any number of lines may be added at the end.
            let _ = edit.new.is_some() && used.insert(line);
            self.turn(kind, Edit { line, old: edit.new, new: edit.old }.to_owned());
        }
        Ok(())
    }

    /// One edit: by its meaning where it has one for ranges, else by its bytes.
    fn turn(&mut self, kind: Kind, edit: LineEdit) {
        let (now, then) = (edit.old.as_deref().map(sole), edit.new.as_deref().map(sole));
        let same = |a: &Plain, b: &Plain| (&a.owner, a.range) == (&b.owner, b.range);
        let (range, action) = match (now, then) {
            (Some(Some(now)), None) => {
                let action = if now.released { Action::Forget } else { Action::Release };
                (now, action)
            }
            (Some(Some(now)), Some(Some(then))) if same(&now, &then) && now.released != then.released => {
                let action = if now.released { Action::Reclaim } else { Action::Release };
                (now, action)
            }
            _ => return self.plan.repairs.push(Repair { kind, edit, finding: UNDO.to_owned() }),
        };
        let account = self.snapshot.accounts.by_owner(&range.owner);
        self.plan.assignments.push(Assignment {
            kind,
            user: account.map_or_else(|| range.owner[..].into(), |a| a.name.as_part().clone()),
            owner: range.owner.into(),
            uid: account.map(|a| a.uid),
            range: range.range,
            action,
            reason: format!(
                "undoes {} {}",
                escape(self.entry.record.command.as_bytes()),
                self.entry.transaction
            )
            .into(),
        });
    }

    /// The error for a line that the change left and that is not there any more.
    fn changed(&self, kind: Kind, line: &[u8]) -> Error {
        // The last entry that took the line away or made it stand again.
        let names = |e: &&HistoryEntry| {
            let mut edits = e.files[kind].iter().flat_map(|touched| touched.edits.iter());
            edits.find_map(|edit| {
                let (old, new) = (edit.old == Some(line), edit.new == Some(line));
                (old || new).then_some(old)
            })
        };
        let last = self.later.iter().rev().find_map(|e| names(&e).map(|took| (e, took)));
        let error = Error::new(
            Code::Stale,
            format!(
                "the change {} cannot be undone: /etc/{} has no line {} any more",
                self.entry.transaction,
                kind.file(),
                escape(line)
            ),
        );
        match last {
            Some((by, true)) => error
                .why(format!(
                    "{} changed it at {} ({})",
                    escape(by.record.command.as_bytes()),
                    crate::state::date(by.time),
                    by.transaction
                ))
                .fix(format!("undo that one first: sudo subidctl undo {}", by.transaction)),
            _ => error.why("it was not changed by subidctl, as far as its history goes").fix(
                "see what stands there now: subidctl list; and what the change did: sudo subidctl history "
                    .to_owned()
                    + &self.entry.transaction,
            ),
        }
    }
}

/// What a line says that all readers take alike.
struct Plain {
    owner: Vec<u8>,
    range: Range,
    released: bool,
}

fn sole(raw: &[u8]) -> Option<Plain> {
    let line = Document::new(raw.to_vec());
    let mut claims = line.claims();
    match (claims.next(), claims.next()) {
        (Some(claim), None) if claim.is_canonical() => {
            Some(Plain { owner: claim.owner.to_vec(), range: claim.range, released: claim.released })
        }
        _ => None,
    }
}

/// Whether two spellings are one owner.
fn same_owner(accounts: &Accounts, a: &[u8], b: &[u8]) -> bool {
    let uid = |owner| accounts.by_owner(owner).map(|account| account.uid);
    a == b || uid(a).is_some_and(|uid_a| uid(b) == Some(uid_a))
}

/// A line that is put back takes no IDs that the present line does not take and somebody else has, and gives
/// no stranger what the name once had.
fn harmless(
    snapshot: &Snapshot,
    policy: &Policy,
    repair: &Repair,
    after: &Document,
) -> std::result::Result<(), String> {
    let kind = repair.kind;
    let line = |raw: &Option<Vec<u8>>| Document::new(raw.clone().unwrap_or_default());
    let (now, then) = (line(&repair.edit.old), line(&repair.edit.new));
    let own = |claim: &Claim<'_>, owner: &[u8]| same_owner(&snapshot.accounts, claim.owner, owner);
    for claim in then.claims() {
        let had = |c: Claim<'_>| {
            c.range.covers(claim.range) && c.released == claim.released && own(&c, claim.owner)
        };
        if now.claims().any(had) {
            continue;
        }
        let meets = |phrase: String| format!("{} of {} meets {phrase}", claim.range, escape(claim.owner));
        // Nor does anybody hold what is marked as released, and be it his own.
        let other = after.claims().find(|c| {
            c.range.overlaps(claim.range) && (c.released != claim.released || !own(c, claim.owner))
        });
        if let Some(other) = other {
            return Err(meets(Witness::Line(other).phrase(kind, policy)));
        }
        if claim.released {
            continue;
        }
        let barred = standing(snapshot, policy, kind).find(|(taken, _)| taken.overlaps(claim.range));
        if let Some((_, witness)) = barred {
            return Err(meets(witness.phrase(kind, policy)));
        }
        let foreign = |r: &&crate::snapshot::Released| {
            r.kind == kind
                && r.range.overlaps(claim.range)
                && !same_owner(&snapshot.accounts, &r.owner, claim.owner)
        };
        if let Some(released) = snapshot.released.iter().find(foreign) {
            return Err(meets(Witness::Ledger(released).phrase(kind, policy)));
        }
        // A stranger may have the name by now: it holds the IDs today, or the ledger knows the account.
        let holds = |c: Claim<'_>| !c.released && c.range.covers(claim.range) && own(&c, claim.owner);
        let uid = snapshot.accounts.by_owner(claim.owner).map(|account| account.uid);
        if !snapshot.files[kind].claims().any(holds)
            && !same_account(snapshot, kind, claim.owner, uid, claim.range)
        {
            return Err(format!("{} of {}: {NOT_THEIRS}", claim.range, escape(claim.owner)));
        }
    }
    Ok(())
}

/// A range comes back to the account that had it: a stranger may have the name by now, and where the ledger
/// was lost only a person can know.
fn same_people(snapshot: &Snapshot, plan: &Plan) -> std::result::Result<(), (String, Option<String>)> {
    for a in plan.assignments.iter().filter(|a| a.action == Action::Reclaim) {
        // Nobody gets what has no account, and whoever may is warned of.
        let Some(now) = a.uid else { continue };
        let noted =
            snapshot.released.iter().find(|r| (r.kind, r.range) == (a.kind, a.range) && a.owner == r.owner);
        let owner = escape(&a.owner);
        match noted.and_then(|r| r.uid) {
            Some(then) if then == now => {}
            Some(then) => {
                let why =
                    format!("{} was released by {owner} with uid {then}; {owner} is uid {now} now", a.range);
                return Err((why, None));
            }
            None => {
                let why = format!(
                    "subidctl's ledger does not say which uid released {}; {owner} is uid {now} now",
                    a.range
                );
                let fix = shell_word(&a.user).map(|name| {
                    format!("if this is the same person: sudo subidctl apply --reclaim --force {name}")
                });
                return Err((why, fix));
            }
        }
    }
    Ok(())
}

/// What is released is not held by a second line of the same owner: it would be said and not done.
fn released_whole(plan: &Plan) -> Result<()> {
    for a in plan.assignments.iter().filter(|a| a.action == Action::Release) {
        let mut claims = plan.files[a.kind].after.claims();
        let holds = |c: &Claim<'_>| !c.released && a.owner == c.owner && c.range.overlaps(a.range);
        if let Some(claim) = claims.find(holds) {
            let (file, owner) = (a.kind.file(), escape(&a.owner));
            let error =
                Error::new(Code::Stale, format!("{} cannot be taken from {owner} by this undo", a.range))
                    .why(format!("a second line of /etc/{file} gives {owner} {} too", claim.range));
            return Err(match shell_word(&a.user) {
                Some(name) => error.fix(format!("sudo subidctl release --range {} {name}", a.range)),
                None => error.fix("subidctl audit names the lines"),
            });
        }
    }
    Ok(())
}

/// Owners who get IDs back and have no account.
fn nobody(snapshot: &Snapshot, plan: &Plan) -> Vec<Warning> {
    let mut owners: Vec<&[u8]> = plan
        .assignments
        .iter()
        .filter(|a| a.action == Action::Reclaim && snapshot.accounts.by_owner(&a.owner).is_none())
        .map(|a| &a.owner[..])
        .collect();
    owners.dedup();
    owners
        .into_iter()
        .map(|owner| Warning {
            code: "owner-unknown",
            owner: escape(owner),
            message: format!("{} has no account: whoever gets that name gets the IDs", escape(owner)),
        })
        .collect()
}

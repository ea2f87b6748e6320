//! One user after another: what is there, what is missing, what is given.

use std::cell::OnceCell;
use std::sync::Arc;

use super::case::{Case, Served};
use super::judge::{Holdings, holdings};
use super::request::{Owner, Request, Want};
use super::room::Fillers;
use super::rule::{Pool, Rules};
use super::taken::Taken;
use super::target::Target;
use super::{Action, Refusal, Warning, release, room};
use crate::error::{Code, Error};
use crate::idmap;
use crate::policy::Policy;
use crate::range::{Count, Kind, PerKind, Range};
use crate::snapshot::Snapshot;
use crate::text::shell_word;

/// State while a plan is made.
pub(super) struct Allocator<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) policy: &'a Policy,
    pub(super) rules: &'a Rules,
    pub(super) request: &'a Request,
    pub(super) taken: Taken<'a>,
    held: PerKind<Holdings<'a>>,
    /// What fills each pool, once somebody finds no room.
    pub(super) fillers: PerKind<OnceCell<Fillers>>,
}

impl<'a> Allocator<'a> {
    pub(super) fn new(
        snapshot: &'a Snapshot,
        policy: &'a Policy,
        rules: &'a Rules,
        request: &'a Request,
    ) -> Self {
        let held = holdings(snapshot, policy, request);
        Self {
            snapshot,
            policy,
            rules,
            request,
            taken: Taken::new(snapshot, policy, &rules.windows),
            held,
            fillers: PerKind::from_fn(|_| OnceCell::new()),
        }
    }

    /// What the user of this index has, before anything is given.
    pub(super) fn case(&mut self, index: usize, want: &'a Want) -> Case<'a> {
        let held = PerKind::from_fn(|kind| self.held[kind].remove(&index).unwrap_or_default());
        let written = want.owner.written(self.policy.owner);
        Case { want, held, served: Served::default(), written }
    }

    /// Serves the user of this index.
    pub(super) fn serve(&mut self, index: usize, want: &'a Want) -> Result<Served, Refusal> {
        let mut case = self.case(index, want);
        let given = self.taken.given();
        let result = self.serve_case(&mut case);
        match result {
            Ok(()) => Ok(case.served),
            Err((code, error)) => {
                // A user who is refused has nothing, and is in nobody's way.
                self.taken.take_back(given);
                Err(Refusal { owner: want.owner.shown(), code: code.unwrap_or(error.code.as_str()), error })
            }
        }
    }

    fn serve_case(&mut self, case: &mut Case<'a>) -> Result<(), (Option<&'static str>, Error)> {
        if self.request.reclaim {
            release::reclaim(self, case)?;
        }
        let targets = self.targets(case.want).map_err(|e| (None, e))?;
        let fault = Kind::BOTH.into_iter().find_map(|kind| {
            let held = case.held[kind].iter().find(|h| h.fault.is_some())?;
            held.fault.as_ref().map(|(id, why)| (kind, held.claim, *id, why.clone()))
        });
        if let Some((kind, claim, id, why)) = fault {
            if !self.request.replace {
                return Err((Some(id), faulty(&case.want.owner, kind, claim.line, claim.range, &why)));
            }
            release::all_but(case, targets.as_deref().unwrap_or_default());
        } else if self.request.replace && Kind::BOTH.into_iter().any(|kind| too_many(case, kind)) {
            release::all_but(case, targets.as_deref().unwrap_or_default());
        }
        match targets {
            Some(targets) if case.want.range.is_some() => {
                if self.request.replace {
                    release::all_but(case, &targets);
                }
                self.give_targets(case, &targets).map_err(|e| (None, e))
            }
            Some(targets) => self.by_rule(case, &targets),
            None => self.first_fit(case).map_err(|e| (None, e)),
        }
    }

    /// Window or map: the right ranges, unless the user has others.
    fn by_rule(
        &mut self,
        case: &mut Case<'a>,
        targets: &[Target],
    ) -> Result<(), (Option<&'static str>, Error)> {
        let Some((_, what)) = differs(case, targets) else {
            return self.give_targets(case, targets).map_err(|e| (None, e));
        };
        if self.request.replace {
            release::all_but(case, targets);
            return self.give_targets(case, targets).map_err(|e| (None, e));
        }
        let fix = if reaches_beyond(case, targets) {
            "a line reaches beyond that range: release it, and forget it once nothing uses its IDs".to_owned()
        } else {
            replace_command(&case.want.owner)
        };
        let incomplete = Kind::BOTH.into_iter().any(|kind| !case.has_any(kind));
        if incomplete {
            let error = Error::new(Code::Finding, format!("{} {what}", case.want.owner.shown()))
                .why("the other file has no line for this user, and a rule that is not kept cannot say which")
                .fix(fix);
            return Err((Some("range-differs"), error));
        }
        let owner = case.want.owner.shown();
        case.served.warnings.push(Warning {
            code: "range-differs",
            message: format!("{owner} {what}; to change it: {fix}"),
            owner,
        });
        case.keep_all("kept, though the rule gives another");
        Ok(())
    }

    /// Gives exactly these ranges in both files, as far as they are missing.
    fn give_targets(&mut self, case: &mut Case<'a>, targets: &[Target]) -> Result<(), Error> {
        for target in targets {
            for kind in Kind::BOTH {
                // A part that the user has stays, and the rest is given.
                let missing: Vec<Range> = case.ranges(kind).gaps(target.range).collect();
                if missing.is_empty() {
                    continue;
                }
                if let Some(by) = missing.iter().find_map(|range| self.taken.blocker(kind, *range)) {
                    return Err(release::blocked(self, case, kind, target.range, &by));
                }
                if case.want.owner.own_ids().any(|id| target.range.overlaps(id)) {
                    return Err(taken_error(&case.want.owner, target.range, OWN_IDS));
                }
                let half = case.covers(kind.other(), target.range);
                let reason = if half {
                    format!("other half missing; {}", target.reason)
                } else {
                    target.reason.clone()
                };
                let reason: Arc<str> = reason.into();
                for range in missing {
                    self.add(case, kind, range, Arc::clone(&reason));
                }
            }
        }
        case.keep_all("already there");
        Ok(())
    }

    fn first_fit(&mut self, case: &mut Case<'a>) -> Result<(), Error> {
        let wanted = PerKind::try_from_fn(|kind| match case.want.count {
            Some(count) => Ok(count.get()),
            None => self.rules.count(kind).map(Count::get),
        })?;
        let had = PerKind::from_fn(|kind| case.total(kind));
        for kind in Kind::BOTH {
            self.mirror(case, kind, wanted[kind]);
        }
        let align = self.policy.alignment();
        let missing = PerKind::try_from_fn(|kind| {
            let missing = wanted[kind].saturating_sub(case.total(kind));
            let aligned = missing.checked_next_multiple_of(u64::from(align)).unwrap_or(u64::MAX);
            if missing == 0 {
                return Ok(None);
            }
            Count::new(aligned).map(Some).ok_or_else(|| too_large(case.want, kind, aligned))
        })?;
        let both = missing.uid.zip(missing.gid);
        if let Some((uids, gids)) = both {
            let window = self.rules.pool(Kind::Uid)?.range.intersection(self.rules.pool(Kind::Gid)?.range);
            let found = window.and_then(|w| self.taken.first_fit_both(w, uids.max(gids), align));
            if let Some(found) = found {
                for (kind, count) in [(Kind::Uid, uids), (Kind::Gid, gids)] {
                    let first = crate::range::SubId::new(found.first());
                    let range = Range::new(first, count).unwrap_or(found);
                    let reason = first_fit_reason(self.rules.pool(kind)?, had[kind], wanted[kind]);
                    self.add(case, kind, range, reason);
                }
                case.keep_all("already there");
                return Ok(());
            }
        }
        for kind in Kind::BOTH {
            let Some(count) = missing[kind] else { continue };
            let pool = self.rules.pool(kind)?;
            let found = self.taken.first_fit(kind, &case.want.owner, pool.range, count, align);
            let range = found.ok_or_else(|| room::none(self, case.want, kind, count, pool))?;
            let reason = first_fit_reason(self.rules.pool(kind)?, had[kind], wanted[kind]);
            self.add(case, kind, range, reason);
        }
        if missing.uid.is_some() || missing.gid.is_some() {
            let owner = case.want.owner.shown();
            let message =
                format!("{owner}: the ranges in subuid and subgid differ, since no start is free in both");
            case.served.warnings.push(Warning { code: "files-differ", owner, message });
        }
        case.keep_all("already there");
        Ok(())
    }

    /// The other half: ranges of the other file that this one lacks, where they are free.
    fn mirror(&mut self, case: &mut Case<'a>, kind: Kind, wanted: u64) {
        if case.total(kind) >= wanted {
            return;
        }
        let others: Vec<Range> = case.live(kind.other()).map(|h| h.claim.range).collect();
        for range in others {
            let missing = case.total(kind) < wanted && !case.covers(kind, range);
            if missing && self.taken.is_free(kind, range) {
                self.add(
                    case,
                    kind,
                    range,
                    format!("other half missing; as in {}", kind.other().file()).into(),
                );
            }
        }
    }

    fn add(&mut self, case: &mut Case<'a>, kind: Kind, range: Range, reason: Arc<str>) {
        self.taken.give(kind, range, case.want.owner.label.clone());
        case.assign(kind, case.written.clone(), range, Action::Add, reason);
    }
}

/// Whether a user has more ranges of a kind than any container's map can hold: each is right, and all are of no use.
fn too_many(case: &Case<'_>, kind: Kind) -> bool {
    let ranges: Vec<Range> = case.live(kind).map(|held| held.claim.range).collect();
    let own = case.want.owner.own_ids().next().map_or(0, Range::first);
    idmap::podman(own, &ranges).is_some_and(|map| !idmap::fits(&map))
}

/// In which file a user has ranges, but not those that the rule names, and a phrase that says so.
pub(super) fn differs(case: &Case<'_>, targets: &[Target]) -> Option<(Kind, String)> {
    let covered = |kind| targets.iter().all(|t| case.covers(kind, t.range));
    let kind = Kind::BOTH.into_iter().find(|kind| !covered(*kind) && case.has_any(*kind))?;
    let has: Vec<String> = case.live(kind).map(|h| h.claim.range.to_string()).collect();
    let right: Vec<String> = targets.iter().map(|t| t.range.to_string()).collect();
    let reason = targets.first().map_or("", |t| t.reason.as_str());
    let what =
        format!("has {} in /etc/{}, not {} of the {reason}", has.join(", "), kind.file(), right.join(", "));
    Some((kind, what))
}

/// Whether a line of the user's has IDs of the right ranges and others: as long as it is there, released or not, its IDs
/// are nobody's to get.
fn reaches_beyond(case: &Case<'_>, targets: &[Target]) -> bool {
    let beyond = |range: Range| targets.iter().any(|t| t.range.overlaps(range) && !t.range.covers(range));
    Kind::BOTH.into_iter().any(|kind| case.live(kind).any(|held| beyond(held.claim.range)))
}

fn first_fit_reason(pool: &Pool, had: u64, wanted: u64) -> Arc<str> {
    let first = &pool.reason;
    if had == 0 { Arc::clone(first) } else { format!("enlarged: has {had} of {wanted} IDs; {first}").into() }
}

/// More IDs than there are, once the policy's alignment has rounded them up.
fn too_large(want: &Want, kind: Kind, aligned: u64) -> Error {
    let what = format!("no room for {aligned} {}s for {}", kind.name(), want.owner.shown());
    Error::new(Code::NoRoom, what)
        .why("there are 4294967296 IDs, and align in the policy rounds the count up")
        .fix("ask for fewer IDs")
}

/// `sudo subidctl apply --replace bob`, or a sentence where the name cannot be pasted.
fn replace_command(owner: &Owner) -> String {
    match shell_word(&owner.label) {
        Some(name) => format!("sudo subidctl apply --replace {name}"),
        None => "apply --replace with this user's uid".to_owned(),
    }
}

fn faulty(owner: &Owner, kind: Kind, line: usize, range: Range, why: &str) -> Error {
    Error::new(
        Code::Finding,
        format!("{} has {range} (/etc/{} line {line}), which does not count", owner.shown(), kind.file()),
    )
    .why(why.to_owned())
    .fix(format!("to release it and give another: {}", replace_command(owner)))
}

/// Why a range is not given.
pub(super) const OWN_IDS: &str = "it holds the user's own uid or primary gid";

/// The asked range is not free.
pub(super) fn taken_error(owner: &Owner, range: Range, why: &str) -> Error {
    Error::new(Code::RangeTaken, format!("{range} cannot be given to {}", owner.shown()))
        .why(why.to_owned())
        .fix("choose another range, or leave the choice to subidctl")
}

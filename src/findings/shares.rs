//! Whether owners have what they should: in both files, enough, and what the policy's rule gives.

use super::owned::{Owned, Spellings};
use super::survey::{path, user_word};
use super::{ANOTHER, BASE, Entry, Group, Seen, Status, Survey, all};
use crate::idmap::{fits, podman, text_len};
use crate::planner::{Deviation, deviations, usual_count};
use crate::range::{Kind, PerKind, Range};
use crate::snapshot::Account;
use crate::text::{counted, thousands};

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "half",
        group: Group::Owners,
        severity: Status::Error,
        title: "an owner has a range in one of the two files only",
        explain: "A container needs uids and gids. A useradd that was killed between its two files, a file that \
                  did not exist when the user was made, or usermod -v without -w leave one half: newgidmap then \
                  refuses ('gid range … not allowed'), or the engine falls back to a single ID with a warning \
                  that nobody reads.",
        consequence: "rootless containers of this user fail, or get a single ID",
        repair: "sudo subidctl apply USER",
        audit: Some(|survey| all(half(survey))),
        ..BASE
    },
    Entry {
        id: "too-few",
        group: Group::Owners,
        severity: Status::Warning,
        title: "an owner has fewer IDs than usual here",
        explain: "Images use IDs up to 65534 (nobody), so that 65536 are what login.defs and all engines assume; \
                  with fewer, unpacking fails on the first file of a higher ID: 'potentially insufficient UIDs or \
                  GIDs available in user namespace'. Measured is what the policy's count or login.defs say.",
        consequence: "images with files of higher IDs cannot be unpacked",
        repair: "sudo subidctl apply USER",
        audit: Some(|survey| all(too_few(survey))),
        ..BASE
    },
    Entry {
        id: "counts-differ",
        group: Group::Owners,
        severity: Status::Warning,
        title: "an owner has more uids than gids, or the other way round",
        explain: "Both files may hold different IDs: inside the container they are numbered alike. Different \
                  counts are another thing: an ID that can be a user and not a group fails when a file gets it as \
                  both. It comes from one of two usermod calls that failed.",
        consequence: "files whose group lies beyond the smaller of the two cannot be unpacked",
        repair: "sudo subidctl apply --count N USER",
        audit: Some(|survey| all(counts(survey))),
        ..BASE
    },
    Entry {
        id: "range-differs",
        group: Group::Owners,
        severity: Status::Warning,
        title: "an owner has another range than the policy's rule gives",
        explain: "With windows or a map, a user's range is the same on every host, so that files on shared disks \
                  keep their owners. This one was given before there was a rule, or by another tool. subidctl \
                  keeps such a range, since a change orphans the files in it, until it is told to replace it.",
        consequence: "the user's files have other owners here than on the hosts that follow the rule",
        repair: ANOTHER,
        audit: Some(|survey| all(by_rule(survey, false))),
        ..BASE
    },
    Entry {
        id: "not-in-policy",
        group: Group::Owners,
        severity: Status::Warning,
        title: "an owner has a range, and the policy has no rule for this owner",
        explain: "The policy's windows or map decide who has which range, and they do not know this user: the uid \
                  lies in no window, or the map has no line. The range works, and no other host has it.",
        consequence: "the range is nobody's on other hosts, and may be given to somebody else there",
        repair: "add a rule for the user to the policy, or: sudo subidctl release USER",
        audit: Some(|survey| all(by_rule(survey, true))),
        ..BASE
    },
];

/// What one account has.
#[derive(Debug)]
pub(super) struct Share<'a> {
    account: &'a Account,
    of: PerKind<Lines>,
}

/// What an account has in one file.
#[derive(Debug, Default)]
struct Lines {
    count: usize,
    /// How many IDs, each counted once.
    ids: u64,
    /// The highest ID so far.
    reach: Option<u32>,
    /// The claim of the first line, as an index of the survey's.
    first: Option<usize>,
    /// Whether any line is one that not all programs read alike.
    odd: bool,
}

impl Lines {
    /// Adds a claim; they come in order of their first IDs.
    fn add(&mut self, index: usize, claims: &[Owned<'_>]) {
        let Some(claim) = claims.get(index) else { return };
        let (first, last) = (claim.range.first(), claim.range.last());
        // New is what lies beyond all that was there before; beyond the last ID of all there is nothing.
        let begin = self.reach.map_or(Some(first), |reach| Some(first.max(reach.checked_add(1)?)));
        let new = begin.and_then(|begin| Range::between(begin, last));
        self.ids = self.ids.saturating_add(new.map_or(0, |new| new.count().get()));
        self.reach = self.reach.max(Some(last));
        self.count += 1;
        self.odd |= !claim.is_canonical();
        let before = self.first.and_then(|first| claims.get(first));
        if before.is_none_or(|before| claim.line < before.line) {
            self.first = Some(index);
        }
    }
}

impl<'a> Share<'a> {
    /// The claim of the first line of the file.
    fn first<'s>(&self, survey: &'s Survey<'a>, kind: Kind) -> Option<&'s Owned<'a>> {
        self.of[kind].first.and_then(|index| survey.claims[kind].get(index))
    }

    /// Whether every line is one that all programs read alike: else that is what is wrong first.
    fn plain(&self) -> bool {
        Kind::BOTH.into_iter().all(|kind| !self.of[kind].odd)
    }
}

/// The accounts that own anything, by uid.
pub(super) fn shares<'a>(spellings: &Spellings<'a>, claims: &PerKind<Vec<Owned<'a>>>) -> Vec<Share<'a>> {
    let mut shares: Vec<Option<Share<'a>>> = Vec::new();
    shares.resize_with(spellings.len(), || None);
    for kind in Kind::BOTH {
        for (index, claim) in claims[kind].iter().enumerate().filter(|(_, claim)| !claim.is_dormant()) {
            let Some(account) = spellings.account(claim) else { continue };
            let Some(share) = shares.get_mut(spellings.holder(claim).index()) else { continue };
            let new = || Share { account, of: PerKind::from_fn(|_| Lines::default()) };
            share.get_or_insert_with(new).of[kind].add(index, &claims[kind]);
        }
    }
    let mut shares: Vec<Share<'a>> = shares.into_iter().flatten().collect();
    shares.sort_by_key(|share| share.account.uid);
    shares
}

fn half(survey: &Survey<'_>) -> Vec<Seen> {
    // A file that is missing as a whole is another fault.
    if survey.snapshot.files.iter().any(|(_, file)| file.document.is_none()) {
        return Vec::new();
    }
    let of_share = |share: &Share<'_>| {
        let has = Kind::BOTH.into_iter().find(|kind| share.of[kind.other()].count == 0)?;
        let claim = share.first(survey, has)?;
        let message = format!("{} has {}s and no {}s", share.account.name, has.name(), has.other().name());
        let fix = format!("sudo subidctl apply {}", user_word(share.account));
        Some(Seen {
            evidence: format!("{}; nothing in {}", survey.raw(has, claim.line), path(has.other())),
            ..survey.of_claim(has, claim, message, fix)
        })
    };
    survey.shares.iter().filter_map(of_share).collect()
}

fn too_few(survey: &Survey<'_>) -> Vec<Seen> {
    let usual = usual_count(survey.snapshot, survey.policy);
    let mut seen = Vec::new();
    for share in survey.shares.iter().filter(|share| share.plain()) {
        for kind in Kind::BOTH {
            let (Some(usual), ids) = (usual[kind], share.of[kind].ids) else { continue };
            let Some(claim) = share.first(survey, kind).filter(|_| ids < usual.get()) else { continue };
            let (has, usual) = (counted(ids, kind.name()), thousands(usual.get()));
            let message = format!("{} has {has}, and {usual} are usual here", share.account.name);
            let fix = format!("sudo subidctl apply {}", user_word(share.account));
            seen.push(survey.of_claim(kind, claim, message, fix));
        }
    }
    seen
}

fn counts(survey: &Survey<'_>) -> Vec<Seen> {
    let of_share = |share: &Share<'_>| {
        let ids = PerKind::from_fn(|kind| share.of[kind].ids);
        let fewer = if ids.uid < ids.gid { Kind::Uid } else { Kind::Gid };
        if ids.uid == ids.gid || ids[fewer] == 0 || !share.plain() {
            return None;
        }
        let (uids, gids) = (counted(ids.uid, "uid"), counted(ids.gid, "gid"));
        let message = format!("{} has {uids} and {gids}", share.account.name);
        let fix = format!("sudo subidctl apply --count {} {}", ids[fewer.other()], user_word(share.account));
        Some(survey.of_claim(fewer, share.first(survey, fewer)?, message, fix))
    };
    survey.shares.iter().filter_map(of_share).collect()
}

/// What is not as windows or map say; nothing where the rule itself makes no sense, which `plan` says.
fn by_rule(survey: &Survey<'_>, no_rule: bool) -> Vec<Seen> {
    let shares = &survey.shares;
    let accounts: Vec<&Account> =
        shares.iter().filter(|share| share.plain()).map(|share| share.account).collect();
    let found = deviations(survey.snapshot, survey.policy, &accounts).unwrap_or_default();
    let seen = |deviation: Deviation| {
        let at = shares.binary_search_by_key(&deviation.account.uid, |share| share.account.uid).ok()?;
        let share = shares.get(at)?;
        let claim = share.first(survey, deviation.kind).filter(|claim| claim.line == deviation.line)?;
        let name = &deviation.account.name;
        let (message, fix) = if no_rule {
            let fix = format!(
                "add a rule for {name} to the policy, or: sudo subidctl release {}",
                user_word(share.account)
            );
            (format!("{name} has a range, and {}", deviation.what), fix)
        } else {
            (format!("{name} {}", deviation.what), survey.another(claim.owner))
        };
        Some(survey.of_claim(deviation.kind, claim, message, fix))
    };
    found.into_iter().filter(|deviation| deviation.no_rule == no_rule).filter_map(seen).collect()
}

/// Accounts with more ranges than the kernel takes in one map.
pub(super) fn too_long(survey: &Survey<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for kind in Kind::BOTH {
        for (share, ranges) in many(survey, kind) {
            let own = match kind {
                Kind::Uid => share.account.uid.get(),
                Kind::Gid => share.account.gid.get(),
            };
            let Some(map) = podman(own, &ranges).filter(|map| !fits(map)) else { continue };
            let (name, lines) = (&share.account.name, ranges.len());
            seen.push(Seen {
                file: Some(path(kind)),
                owner: Some(name.as_bytes().to_vec()),
                message: format!("{name} has {lines} {} ranges, more than a map can hold", kind.name()),
                evidence: format!(
                    "a map of {} extents and {} bytes; 340 and 4095 are possible",
                    map.len(),
                    text_len(&map)
                ),
                fix: survey.another(name.as_bytes()),
                ..Seen::default()
            });
        }
    }
    seen
}

/// So many ranges fit into a map whatever their numbers are: with the user's own ID and nothing put together, each
/// extent takes no more than 33 bytes of 4095.
const ALWAYS_FIT: usize = 100;

/// The accounts with more ranges than that in one file, and these ranges, ascending.
fn many<'s, 'a>(survey: &'s Survey<'a>, kind: Kind) -> Vec<(&'s Share<'a>, Vec<Range>)> {
    let shares = survey.shares.iter().filter(|share| share.of[kind].count > ALWAYS_FIT);
    let mut many: Vec<_> = shares.map(|share| (share, Vec::new())).collect();
    if many.is_empty() {
        return many;
    }
    for claim in survey.live(kind) {
        let uid = survey.account_of(claim).map(|account| account.uid);
        let at = uid.and_then(|uid| many.binary_search_by_key(&uid, |(share, _)| share.account.uid).ok());
        if let Some((_, ranges)) = at.and_then(|at| many.get_mut(at)) {
            ranges.push(claim.range);
        }
    }
    many
}

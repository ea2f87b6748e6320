//! Whether owners have what they should: in both files, enough, and what the policy's rule gives.

use std::collections::BTreeMap;

use super::survey::{path, user_word};
use super::{BASE, Entry, Group, Seen, Status, Survey};
use crate::idfile::Claim;
use crate::idmap::{fits, podman, text_len};
use crate::planner::{Deviation, deviations, usual_count};
use crate::range::{Kind, PerKind, Range, RangeSet, Uid};
use crate::snapshot::Account;
use crate::text::thousands;

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
        audit: Some(half),
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
        audit: Some(too_few),
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
        audit: Some(counts),
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
        audit: Some(|survey| by_rule(survey, false)),
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
        audit: Some(|survey| by_rule(survey, true)),
        ..BASE
    },
];

/// What one account has.
struct Share<'a> {
    account: &'a Account,
    /// All its lines, and in which file.
    claims: PerKind<Vec<Claim<'a>>>,
}

impl<'a> Share<'a> {
    fn ranges(&self, kind: Kind) -> Vec<Range> {
        self.claims[kind].iter().map(|claim| claim.range).collect()
    }

    fn ids(&self, kind: Kind) -> u64 {
        self.ranges(kind).into_iter().collect::<RangeSet>().ids()
    }

    /// The first line of the file.
    fn first(&self, kind: Kind) -> Option<&Claim<'a>> {
        self.claims[kind].iter().min_by_key(|claim| claim.line)
    }

    /// Whether every line is one that all programs read alike: else that is what is wrong first.
    fn plain(&self) -> bool {
        Kind::BOTH.into_iter().all(|kind| self.claims[kind].iter().all(Claim::is_canonical))
    }
}

/// The accounts that own anything, by uid.
fn shares<'a>(survey: &Survey<'a>) -> BTreeMap<Uid, Share<'a>> {
    let mut shares: BTreeMap<Uid, Share<'a>> = BTreeMap::new();
    for kind in Kind::BOTH {
        for claim in survey.live(kind) {
            let Some(account) = survey.account(claim.owner) else { continue };
            let new = || Share { account, claims: PerKind::from_fn(|_| Vec::new()) };
            shares.entry(account.uid).or_insert_with(new).claims[kind].push(*claim);
        }
    }
    shares
}

fn half(survey: &Survey<'_>) -> Vec<Seen> {
    // A file that is missing as a whole is another fault.
    if survey.snapshot.files.iter().any(|(_, file)| file.document.is_none()) {
        return Vec::new();
    }
    let of_share = |share: &Share<'_>| {
        let has = Kind::BOTH.into_iter().find(|kind| share.claims[kind.other()].is_empty())?;
        let claim = share.first(has)?;
        let message = format!("{} has {}s and no {}s", share.account.name, has.name(), has.other().name());
        let fix = format!("sudo subidctl apply {}", user_word(share.account));
        Some(Seen {
            evidence: format!("{}; nothing in {}", survey.raw(has, claim.line), path(has.other())),
            ..survey.of_claim(has, claim, message, fix)
        })
    };
    shares(survey).values().filter_map(of_share).collect()
}

fn too_few(survey: &Survey<'_>) -> Vec<Seen> {
    let usual = usual_count(survey.snapshot, survey.policy);
    let mut seen = Vec::new();
    for share in shares(survey).values().filter(|share| share.plain()) {
        for kind in Kind::BOTH {
            let (Some(usual), ids) = (usual[kind], share.ids(kind)) else { continue };
            let Some(claim) = share.first(kind).filter(|_| ids < usual.get()) else { continue };
            let (has, usual, name) = (thousands(ids), thousands(usual.get()), kind.name());
            let message = format!("{} has {has} {name}s, and {usual} are usual here", share.account.name);
            let fix = format!("sudo subidctl apply {}", user_word(share.account));
            seen.push(survey.of_claim(kind, claim, message, fix));
        }
    }
    seen
}

fn counts(survey: &Survey<'_>) -> Vec<Seen> {
    let of_share = |share: &Share<'_>| {
        let ids = PerKind::from_fn(|kind| share.ids(kind));
        let fewer = if ids.uid < ids.gid { Kind::Uid } else { Kind::Gid };
        if ids.uid == ids.gid || ids[fewer] == 0 || !share.plain() {
            return None;
        }
        let (uids, gids) = (thousands(ids.uid), thousands(ids.gid));
        let message = format!("{} has {uids} uids and {gids} gids", share.account.name);
        let fix = format!("sudo subidctl apply --count {} {}", ids[fewer.other()], user_word(share.account));
        Some(survey.of_claim(fewer, share.first(fewer)?, message, fix))
    };
    shares(survey).values().filter_map(of_share).collect()
}

/// What is not as windows or map say; nothing where the rule itself makes no sense, which `plan` says.
fn by_rule(survey: &Survey<'_>, no_rule: bool) -> Vec<Seen> {
    let shares = shares(survey);
    let accounts: Vec<&Account> =
        shares.values().filter(|share| share.plain()).map(|share| share.account).collect();
    let found = deviations(survey.snapshot, survey.policy, &accounts).unwrap_or_default();
    let seen = |deviation: Deviation| {
        let share = shares.get(&deviation.account.uid)?;
        let claim = share.claims[deviation.kind].iter().find(|claim| claim.line == deviation.line)?;
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
    for share in shares(survey).values() {
        for kind in Kind::BOTH {
            let own = match kind {
                Kind::Uid => share.account.uid.get(),
                Kind::Gid => share.account.gid.get(),
            };
            let ranges = share.ranges(kind);
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

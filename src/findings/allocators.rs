//! Other programs that take or give IDs on this host.

use super::check::KUBELET_ALONE;
use super::moves::Moves;
use super::owned::Owned;
use super::survey::path;
use super::{BASE, Entry, Group, Reach, Seen, Status, Survey, all};
use crate::policy::CEILING;
use crate::range::{Count, Kind, Range, RangeSet};
use crate::snapshot::{Allocator, SiteOwner, SiteRange};
use crate::text::{escape, shell_word, thousands};

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "meets-directory-range",
        group: Group::Allocators,
        severity: Status::Warning,
        title: "a range lies where SSSD or winbind map directory accounts",
        explain: "SSSD computes the uids of AD accounts into ldap_idmap_range_min to ldap_idmap_range_max \
                  (200000 to 2000200000 unless set), winbind into its idmap ranges. They do not know of subuid: an \
                  account that logs in for the first time may get an ID inside the range, and the owner's \
                  containers then own that account's files. Looked for where nsswitch.conf names sss or winbind.",
        consequence: "a directory account may get an ID of somebody's containers",
        repair: "sudo subidctl release --range OLD USER, then sudo subidctl apply USER; where \
                 useradd's pool has no room beside the directory, apply --range NEW USER",
        audit: Some(|survey| all(meets(survey, &[Allocator::Sssd, Allocator::Winbind]))),
        ..BASE
    },
    Entry {
        id: "meets-systemd-range",
        group: Group::Allocators,
        severity: Status::Warning,
        title: "a range lies where systemd takes IDs for its containers",
        explain: "systemd-nspawn and machined pick a block of 65536 IDs between 524288 and 1879048191 for each \
                  container, after asking NSS for its first ID alone; subuid is not in NSS, so a block that is \
                  somebody's subordinate range looks free (systemd's UIDS-GIDS document). Machines are in use here \
                  where /var/lib/machines, /etc/systemd/nspawn or machines.target.wants hold anything.",
        consequence: "a machine's files may belong to somebody's containers, and the other way round",
        repair: "reserve systemd's range in the policy, then: sudo subidctl apply --replace USER",
        audit: Some(|survey| all(meets(survey, &[Allocator::SystemdContainers]))),
        ..BASE
    },
    Entry {
        id: "homed-range-outside",
        group: Group::Allocators,
        severity: Status::Warning,
        title: "the range of a systemd-homed user lies outside what homed maps",
        explain: "A home folder of systemd-homed is an ID-mapped mount that carries the user's own ID and 524288 \
                  to 1879048191, and nothing else: files of all other IDs belong to nobody, and unpacking an image \
                  ends in 'lchown: invalid argument' (systemd issues 21952 and 29297). Users of homed are known by \
                  their records in /var/lib/systemd/home and their homes (NAME.home, NAME.homedir).",
        consequence: "files of this user's containers cannot be kept in the home folder",
        repair: "sudo subidctl release --range OLD USER, then sudo subidctl apply --range NEW USER \
                 with IDs from 524288 on",
        audit: Some(|survey| all(homed(survey))),
        ..BASE
    },
    Entry {
        id: "lxd-no-range",
        group: Group::Allocators,
        severity: Status::Error,
        title: "LXD or Incus has no range of root's",
        explain: "Without /etc/subuid and /etc/subgid they use 1000000 to 1000999999. Once the files exist they use \
                  root's lines alone, which must hold at least 65536 IDs of each kind (Incus' page \
                  'userns-idmap'); a million or more lets containers be isolated from each other. Looked for where \
                  /var/lib/incus or /var/lib/lxd hold data. LXD as a snap has an /etc of its own.",
        consequence: "no unprivileged container of LXD or Incus starts",
        repair: "sudo subidctl apply root",
        audit: Some(|survey| all(needs(survey, Allocator::Lxd))),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "docker-no-range",
        group: Group::Allocators,
        severity: Status::Error,
        title: "Docker's userns-remap names a user without a range",
        explain: "dockerd reads the ranges of that user and group when it starts, and does not start without. Only \
                  for the name 'default', and only while there is no account dockremap, it makes account and ranges \
                  by itself (daemon_unix.go). Read from userns-remap in /etc/docker/daemon.json.",
        consequence: "dockerd does not start",
        repair: "sudo subidctl apply USER",
        audit: Some(|survey| all(needs(survey, Allocator::Docker))),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "podman-no-range",
        group: Group::Allocators,
        severity: Status::Error,
        title: "root's podman gives containers IDs of an owner without a range",
        explain: "With --userns=auto root's podman takes the IDs of each container from the lines of containers, or of \
                  whom root-auto-userns-user in /etc/containers/storage.conf names. No account of that name is needed. \
                  Looked for where that key is set, or a unit in /etc/containers/systemd says UserNS=auto.",
        consequence: "Cannot find mappings for user \"containers\"",
        repair: "sudo subidctl apply --allow-unknown-owner --count 1048576 OWNER",
        audit: Some(|survey| all(needs(survey, Allocator::Podman))),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "kubelet-range",
        group: Group::Allocators,
        severity: Status::Error,
        title: "the kubelet's range is not one that it takes",
        explain: "Where an account kubelet exists, pods with user namespaces get their IDs from its line, as \
                  getsubids tells it: exactly one, the same in both files, start and count multiples of 65536, not \
                  below 65536, and 65536 IDs for each of maxPods (Kubernetes' page 'user-namespaces'). Looked for \
                  where /var/lib/kubelet exists; maxPods is read from config.yaml there, else it is 110.",
        consequence: "the kubelet does not start",
        repair: "sudo subidctl release --range OLD kubelet, then sudo subidctl apply --range NEW \
                 kubelet",
        audit: Some(|survey| all(kubelet(survey))),
        reach: Reach::Everybody,
        engines: KUBELET_ALONE,
        ..BASE
    },
    Entry {
        id: "site-unread",
        group: Group::Allocators,
        severity: Status::Warning,
        title: "the configuration of another program that gives IDs could not be read",
        explain: "sssd.conf is for root alone, smb.conf may include other files or live in a registry, and \
                  daemon.json may be no JSON. What they say is then not known, which is not the same as nothing: \
                  a range that looks free may be theirs.",
        consequence: "ranges were not compared with what that program gives out",
        repair: "see that root can read the file and that it says what it should, then: sudo \
                 subidctl audit",
        audit: Some(|survey| all(unread(survey))),
        reach: Reach::Nobody,
        ..BASE
    },
];

/// What makes a range above 2^31 what it is, before that is said of it in general.
pub(super) static HIGH: &[Entry] = &[
    Entry {
        id: "meets-freeipa-range",
        group: Group::Ranges,
        severity: Status::Warning,
        title: "a range lies where FreeIPA gives subordinate IDs",
        explain: "A FreeIPA server hands out ranges of 65536 from 2147483648 on (its design page \
                  'subordinate-ids'), the same on every client and beside the files: the server does not see what \
                  stands in them. A host is a client where /etc/ipa/default.conf exists.",
        consequence: "the server may give the same IDs to somebody else",
        repair: "sudo subidctl release --range OLD USER, then sudo subidctl apply USER; where the \
                 pool has no room, apply --range NEW USER",
        audit: Some(|survey| all(meets(survey, &[Allocator::FreeIpa]))),
        ..BASE
    },
    Entry {
        id: "auto-range-high",
        group: Group::Ranges,
        severity: Status::Info,
        title: "podman's pool for --userns=auto lies above 2^31",
        explain: "Root's podman takes the IDs of each --userns=auto container from the lines of the name containers, \
                  which podman's own manual puts at 2147483647:2147483648. The kernel has no trouble with such IDs; \
                  software that takes them for negative numbers has.",
        consequence: "some programs in those containers may fail",
        repair: "nothing to do unless a program in such a container fails",
        audit: Some(|survey| all(auto(survey))),
        ..BASE
    },
];

/// Every live line, file by file.
fn lines<'s, 'a>(survey: &'s Survey<'a>) -> impl Iterator<Item = (Kind, &'s Owned<'a>)> {
    let of_kind = |kind: Kind| survey.claims[kind].iter().map(move |claim| (kind, claim));
    Kind::BOTH.into_iter().flat_map(of_kind).filter(|(_, claim)| !claim.released)
}

/// Lines that meet what these programs declare.
fn meets<'s>(survey: &'s Survey<'s>, by: &[Allocator]) -> Vec<Seen> {
    let declared: Vec<&SiteRange> =
        survey.snapshot.site.declared.iter().filter(|range| by.contains(&range.by)).collect();
    let Some(first) = declared.first() else { return Vec::new() };
    let mut moves = Moves::new(survey, first);
    let mut seen = Vec::new();
    for (kind, claim) in lines(survey) {
        let meets = |site: &&&SiteRange| {
            site.kind.is_none_or(|of| of == kind)
                && site.range.overlaps(claim.range)
                && !exempt(survey, claim, site)
        };
        let Some(site) = declared.iter().find(meets) else { continue };
        let both = site.range.intersection(claim.range).unwrap_or(claim.range);
        let message = format!(
            "{both} of {} may also be given out by {} ({}, {})",
            escape(claim.owner),
            site.by.name(),
            site.name,
            site.place
        );
        seen.push(survey.of_claim(kind, claim, message, moves.fix(survey, claim, site)));
    }
    seen
}

/// A user of homed must be in systemd's range; and where the policy reserves it, a line there is a fault by
/// that rule.
fn exempt<'a>(survey: &Survey<'a>, claim: &Owned<'a>, site: &SiteRange) -> bool {
    let homed = |need: &&SiteOwner| need.by == Allocator::Homed;
    let reserved = || survey.policy.reserve.iter().any(|reserve| reserve.range.overlaps(claim.range));
    let of_homed = || survey.snapshot.site.owners.iter().filter(homed).any(|n| theirs(survey, n, claim));
    site.by == Allocator::SystemdContainers && (reserved() || of_homed())
}

/// Whether a line is the one that a program looks for, by name or by uid.
fn theirs<'a>(survey: &Survey<'a>, need: &SiteOwner, claim: &Owned<'a>) -> bool {
    let uid = |account: &crate::snapshot::Account| account.uid;
    claim.owner == need.owner
        || survey
            .account_of(claim)
            .map(uid)
            .is_some_and(|of_line| survey.snapshot.accounts.by_owner(&need.owner).map(uid) == Some(of_line))
}

fn homed(survey: &Survey<'_>) -> Vec<Seen> {
    let Some(mapped) = Range::between(524_288, 1_879_048_191) else { return Vec::new() };
    let users: Vec<&SiteOwner> =
        survey.snapshot.site.owners.iter().filter(|need| need.by == Allocator::Homed).collect();
    if users.is_empty() {
        return Vec::new();
    }
    let outside = |(kind, claim): (Kind, &Owned<'_>)| {
        let user = users.iter().find(|user| theirs(survey, user, claim))?;
        if mapped.covers(claim.range) {
            return None;
        }
        let message = format!(
            "{} of {}, whom systemd-homed keeps ({}), is not within {mapped}",
            claim.range,
            escape(claim.owner),
            user.place
        );
        let fix = within(survey, &[claim], claim.owner, mapped, claim.range.count());
        Some(survey.of_claim(kind, claim, message, fix))
    };
    lines(survey).filter_map(outside).collect()
}

/// The commands that give an owner so many IDs instead of those: free in both files, from a multiple of 65536
/// on.
fn within(survey: &Survey<'_>, old: &[&Owned<'_>], owner: &[u8], window: Range, count: Count) -> String {
    let taken: RangeSet =
        Kind::BOTH.into_iter().flat_map(|kind| &survey.claims[kind]).map(|claim| claim.range).collect();
    let (Some(range), Some(name)) = (taken.first_fit(window, count, 65536), shell_word(owner)) else {
        return format!("give {} {} IDs within {window}", escape(owner), thousands(count.get()));
    };
    let mut lines: Vec<String> =
        old.iter().map(|claim| format!("sudo subidctl release --range {} {name}", claim.range)).collect();
    lines.dedup();
    lines.push(format!("sudo subidctl apply --range {range} {name}"));
    lines.join("\n")
}

/// The live lines of an owner that another program needs, sorted by their place in the file.
fn own<'s, 'a>(survey: &'s Survey<'a>, kind: Kind, need: &SiteOwner) -> Vec<&'s Owned<'a>> {
    let claims = survey.claims[kind].iter().filter(|claim| !claim.released);
    let mut own: Vec<_> = claims.filter(|claim| theirs(survey, need, claim)).collect();
    own.sort_by_key(|claim| claim.line);
    own
}

/// An owner that a program needs and whose lines hold too little.
fn needs(survey: &Survey<'_>, by: Allocator) -> Vec<Seen> {
    let mut seen = Vec::new();
    for need in survey.snapshot.site.owners.iter().filter(|need| need.by == by) {
        let known = survey.snapshot.accounts.by_owner(&need.owner).is_some();
        // dockerd makes this account and its ranges.
        if by == Allocator::Docker && need.owner == b"dockremap" && !known {
            continue;
        }
        let kinds = Kind::BOTH.into_iter().filter(|kind| need.kind.is_none_or(|of| of == *kind));
        for kind in kinds.filter(|kind| survey.snapshot.files[*kind].document.is_some()) {
            let largest = own(survey, kind, need).iter().map(|claim| claim.range.count().get()).max();
            if largest.is_some_and(|count| count >= need.ids) {
                continue;
            }
            let has = largest.map_or("no line".to_owned(), |n| format!("no more than {} IDs", thousands(n)));
            let owner = escape(&need.owner);
            seen.push(Seen {
                file: Some(path(kind)),
                owner: Some(need.owner.clone()),
                message: format!("{} needs a line of {owner}, who has {has} in {}", by.name(), path(kind)),
                evidence: need.place.clone(),
                fix: match shell_word(&need.owner) {
                    // No account needs to have this name; a million IDs are enough for many containers.
                    Some(name) if by == Allocator::Podman && !known => {
                        format!("sudo subidctl apply --allow-unknown-owner --count 1048576 {name}")
                    }
                    Some(name) => format!("sudo subidctl apply {name}"),
                    None => format!("give {owner} a range"),
                },
                ..Seen::default()
            });
        }
    }
    seen
}

fn kubelet(survey: &Survey<'_>) -> Vec<Seen> {
    let needs = survey.snapshot.site.owners.iter();
    let needs = needs.filter(|need| {
        need.by == Allocator::Kubelet && survey.snapshot.accounts.by_name(&need.owner).is_some()
    });
    needs.flat_map(|need| kubelet_lines(survey, need)).collect()
}

fn kubelet_lines(survey: &Survey<'_>, need: &SiteOwner) -> Vec<Seen> {
    let window = Range::between(65536, CEILING.saturating_sub(1));
    let mut old: Vec<&Owned<'_>> = Kind::BOTH.into_iter().flat_map(|kind| own(survey, kind, need)).collect();
    old.sort_by_key(|claim| claim.range);
    let fix = || match (window, Count::new(need.ids)) {
        (Some(window), Some(count)) => within(survey, &old, &need.owner, window, count),
        _ => format!("set maxPods to 32768 or less; {}", need.place),
    };
    let mut found: [Option<Range>; 2] = [None; 2];
    for (kind, slot) in Kind::BOTH.into_iter().zip(&mut found) {
        let lines = own(survey, kind, need);
        let Some(first) = lines.first() else {
            let message = format!("the kubelet has no line in {}", path(kind));
            let (file, owner) = (Some(path(kind)), Some(need.owner.clone()));
            return vec![Seen {
                file,
                owner,
                message,
                evidence: need.place.clone(),
                fix: fix(),
                ..Seen::default()
            }];
        };
        let range = first.range;
        let fault = if lines.len() > 1 {
            format!("the kubelet has {} lines in {}, and takes only one", lines.len(), path(kind))
        } else if range.first() < 65536 || range.first() % 65536 != 0 {
            format!("the kubelet's range {range} does not begin at a multiple of 65536")
        } else if range.count().get() % 65536 != 0 {
            format!("the kubelet's range {range} does not hold a multiple of 65536 IDs")
        } else if range.count().get() < need.ids {
            let (has, ids) = (thousands(range.count().get()), thousands(need.ids));
            format!("the kubelet has {has} IDs and needs {ids} ({})", need.place)
        } else {
            *slot = Some(range);
            continue;
        };
        return vec![survey.of_claim(kind, first, fault, fix())];
    }
    match found {
        [Some(uids), Some(gids)] if uids != gids => {
            let message = format!("the kubelet's uids {uids} and gids {gids} differ");
            let first = own(survey, Kind::Gid, need).into_iter().next();
            first.map(|claim| survey.of_claim(Kind::Gid, claim, message, fix())).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn auto(survey: &Survey<'_>) -> Vec<Seen> {
    let high = lines(survey).filter(|(_, c)| c.owner == b"containers" && c.range.last() >= CEILING);
    let seen = high.map(|(kind, claim)| {
        let message = format!("{} of containers goes beyond 2^31", claim.range);
        survey.of_claim(kind, claim, message, String::new())
    });
    seen.collect()
}

fn unread(survey: &Survey<'_>) -> Vec<Seen> {
    let seen = survey.snapshot.site.unread.iter().map(|sentence| {
        // `SSSD's ID ranges are not known: cannot read …`
        let (message, evidence) = sentence.split_once(": ").unwrap_or((sentence, sentence));
        Seen { message: message.to_owned(), evidence: evidence.to_owned(), ..Seen::default() }
    });
    seen.collect()
}

//! The user's own lines, as far as they keep a container from starting.

use super::{BASE, Check, Entry, Facts, Group, Seen, Status, all, is_map};
use crate::idmap::{MAX_EXTENTS, PAGE, podman, text_len};
use crate::proof::Step;
use crate::range::Kind;
use crate::text::{escape, shell_word};

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "no-range",
        group: Group::Files,
        severity: Status::Error,
        title: "the user has no subordinate IDs",
        explain: "Without a line in both /etc/subuid and /etc/subgid a container has one ID, and images with files \
                  of other users cannot be unpacked.",
        consequence: "rootless containers get a single ID",
        repair: "sudo subidctl apply USER",
        explains: |step, _| step == Step::Prepare,
        find: no_range,
        look: Some(none_here),
        ..BASE
    },
    Entry {
        id: "map-too-long",
        group: Group::Files,
        severity: Status::Error,
        title: "the user has more ranges than a map can hold",
        explain: "The kernel takes 340 extents, written as less than one page of text (user_namespaces(7)).",
        consequence: "newuidmap: write to uid_map failed: Invalid argument",
        repair: "sudo subidctl apply --replace USER gives fewer, larger ranges",
        // So many that not even who makes the container can be told of them.
        explains: |step, words| {
            is_map(step) && words.contains("Invalid argument") || step == Step::Prepare && words == TOO_LONG
        },
        find: |facts| each(facts, too_long),
        audit: Some(|survey| all(super::shares::too_long(survey))),
        ..BASE
    },
];

/// What is said of a map that is longer than any message.
const TOO_LONG: &str = "Message too long";

/// Message, evidence and fix.
type Texts = (String, String, String);

pub(super) fn each(facts: &Facts<'_>, find: fn(&Facts<'_>, Kind) -> Option<Texts>) -> Vec<Seen> {
    let seen = |kind: Kind| {
        let (message, evidence, fix) = find(facts, kind)?;
        Some(Seen { file: Some(format!("/etc/{}", kind.file())), message, evidence, fix, ..Seen::default() })
    };
    Kind::BOTH.into_iter().filter_map(seen).collect()
}

fn user(facts: &Facts<'_>) -> String {
    shell_word(facts.user.as_bytes()).unwrap_or_else(|| format!("+{}", facts.uid))
}

fn own(facts: &Facts<'_>, kind: Kind) -> u32 {
    match kind {
        Kind::Uid => facts.uid.get(),
        Kind::Gid => facts.gid.get(),
    }
}

/// One finding where both files lack it: one command mends both.
fn no_range(facts: &Facts<'_>) -> Vec<Seen> {
    let kinds: Vec<Kind> = Kind::BOTH.into_iter().filter(|kind| facts.ranges[*kind].is_empty()).collect();
    let words = |word: fn(Kind) -> String| kinds.iter().map(|kind| word(*kind)).collect::<Vec<_>>();
    let (files, names) =
        (words(|kind| format!("/etc/{}", kind.file())), words(|kind| format!("{}s", kind.name())));
    let seen = || Seen {
        file: if let [file] = &files[..] { Some(file.clone()) } else { None },
        message: format!("{} has no subordinate {}", facts.user, names.join(" and no subordinate ")),
        evidence: format!("no line of {} ({}) that every program reads alike", facts.user, facts.uid),
        fix: format!("sudo subidctl apply {}", user(facts)),
        ..Seen::default()
    };
    if kinds.is_empty() { Vec::new() } else { vec![seen()] }
}

/// [`no_range`], with what the files and nsswitch.conf know of it.
fn none_here(check: &Check<'_>) -> Vec<Seen> {
    let switch = &check.survey.snapshot.nsswitch;
    let directory = switch.directory().filter(|_| check.survey.snapshot.host.running);
    let mut seen = no_range(&check.facts);
    for seen in &mut seen {
        if let Some(module) = directory {
            let name = escape(module.name.as_bytes());
            seen.file = Some(switch.path.clone());
            seen.evidence = format!(
                "{} line {}: subid: {name}; getsubids has no range of {}, and the files do not count",
                switch.path, switch.subid.line, check.facts.user
            );
            seen.fix = if module.name == "sss" {
                format!("ipa subid-generate --owner {}", user(&check.facts))
            } else {
                format!("sudo sed -i '{}s/.*/subid: files/' /etc/nsswitch.conf", switch.subid.line)
            };
        } else if let Some((file, line, owner)) = nobodys(check) {
            seen.evidence = format!(
                "{}; {file} line {line} is of {owner}, and no account has that name: was {} renamed?",
                seen.evidence, check.facts.user
            );
        }
    }
    seen
}

/// The first line that grants IDs to a name that no account has.
fn nobodys(check: &Check<'_>) -> Option<(String, usize, String)> {
    let of = |kind: Kind| {
        let mut claims = check.survey.live(kind);
        let claim = claims.find(|claim| check.survey.account_of(claim).is_none())?;
        Some((format!("/etc/{}", kind.file()), claim.line, escape(claim.owner)))
    };
    Kind::BOTH.into_iter().find_map(of)
}

pub(super) fn own_id(facts: &Facts<'_>, kind: Kind) -> Option<Texts> {
    let id = own(facts, kind);
    let range = facts.ranges[kind].iter().find(|range| range.contains(id))?;
    let name = kind.name();
    Some((
        format!("{}'s own {name} {id} lies in the range {range}", facts.user),
        format!("/etc/{} gives {range} to {}, whose {name} is {id}", kind.file(), facts.user),
        replace(facts),
    ))
}

pub(super) fn overlap(facts: &Facts<'_>, kind: Kind) -> Option<Texts> {
    let ranges = facts.ranges[kind];
    let (first, second) = ranges
        .iter()
        .enumerate()
        .find_map(|(i, a)| Some((*a, *ranges.get(i + 1..)?.iter().find(|b| a.overlaps(**b))?)))?;
    Some((
        format!("two ranges of {} overlap", facts.user),
        format!("/etc/{} gives {} both {first} and {second}", kind.file(), facts.user),
        replace(facts),
    ))
}

fn too_long(facts: &Facts<'_>, kind: Kind) -> Option<Texts> {
    let ranges = facts.ranges[kind];
    let map = podman(own(facts, kind), ranges)?;
    let bytes = text_len(&map);
    (map.len() > MAX_EXTENTS || bytes >= PAGE).then(|| {
        (
            format!("{} has {} {} ranges", facts.user, ranges.len(), kind.name()),
            format!(
                "a map of {} extents and {bytes} bytes, of {MAX_EXTENTS} and {} possible",
                map.len(),
                PAGE - 1
            ),
            replace(facts),
        )
    })
}

/// The ranges go, and a right one comes.
fn replace(facts: &Facts<'_>) -> String {
    format!("sudo subidctl apply --replace {}", user(facts))
}

//! The user's own lines, as far as they keep a container from starting.

use super::{BASE, Entry, Facts, Group, Seen, Status, all, is_map};
use crate::idmap::{MAX_EXTENTS, PAGE, podman, text_len};
use crate::proof::Step;
use crate::range::Kind;
use crate::text::shell_word;

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
        find: |facts| each(facts, no_range),
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
        explains: |step, words| is_map(step) && words.contains("Invalid argument"),
        find: |facts| each(facts, too_long),
        audit: Some(|survey| all(super::shares::too_long(survey))),
        ..BASE
    },
];

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

fn no_range(facts: &Facts<'_>, kind: Kind) -> Option<Texts> {
    facts.ranges[kind].is_empty().then(|| {
        (
            format!("{} has no subordinate {}s", facts.user, kind.name()),
            format!(
                "no line of {} (or {}) in /etc/{} that every program reads alike",
                facts.user,
                facts.uid,
                kind.file()
            ),
            format!("sudo subidctl apply {}", user(facts)),
        )
    })
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

//! What other tools' faults leave in the files.

use super::lines::rewritten;
use super::owned::Owned;
use super::{ANOTHER, BASE, Entry, Group, Seen, Status, Survey, all};
use crate::idfile::Claim;
use crate::policy::CEILING;
use crate::range::{Kind, Range};
use crate::text::{escape, shell_word};

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "apptainer-overlap",
        group: Group::Ranges,
        severity: Status::Critical,
        title: "a range that Apptainer chose meets another one",
        explain: "apptainer config fakeroot --add takes 65536 IDs from 4294836224 downwards and only asks whether the \
                  first of them lies in a line: a line that begins inside its range is missed (fakeroot.go; seen with \
                  1.4.5). Its lines have the uid for an owner. It also deletes comments, and takes no lock of \
                  shadow's.",
        consequence: "each of the two is root over files of the other's containers",
        repair: ANOTHER,
        audit: Some(|survey| all(apptainer(survey))),
        ..BASE
    },
    Entry {
        id: "disabled-elsewhere",
        group: Group::Peers,
        severity: Status::Info,
        title: "a line that was disabled, and that subidctl's ledger does not know",
        explain: "apptainer config fakeroot --disable puts ! before a line (!1000:4294836224:65536), as subidctl does \
                  for released ranges: nobody is granted it, and nobody else gets its IDs. Who disabled this one, and \
                  when, is not known here; apptainer config fakeroot --enable brings it back.",
        consequence: "its IDs stay unused",
        repair: "nothing to do: nobody is granted it",
        audit: Some(|survey| all(disabled(survey))),
        ..BASE
    },
];

/// Said only where that ID is nobody's yet: else it is an overlap.
pub(super) static WIDE: &[Entry] = &[Entry {
    id: "usermod-one-too-many",
    group: Group::Peers,
    severity: Status::Warning,
    title: "a range with one ID too many, as usermod -S gives",
    explain: "usermod -S of shadow 4.20 takes the last ID for one past it and gives 65537 IDs where 65536 were \
              meant (seen with 4.20.3). With computed ranges (SUB_UID_DETERMINISTIC) the last one is the next \
              account's first. The fix takes that one ID away; no container of 65536 IDs uses it.",
    consequence: "the last ID may be the first of somebody else's range",
    repair: "sudo usermod --del-subuids ID-ID USER (--del-subgids), or sudo sed -i to write \
             65536 for 65537",
    audit: Some(|survey| all(one_too_many(survey))),
    alone: true,
    ..BASE
}];

/// The highest start that Apptainer gives; the others follow in steps of 65536, downwards.
const TOP: u32 = 4_294_836_224;

/// Whether a line looks as Apptainer writes it.
fn by_apptainer(claim: &Claim<'_>) -> bool {
    let first = claim.range.first();
    claim.owner.iter().all(u8::is_ascii_digit)
        && (CEILING..=TOP).contains(&first)
        && first.is_multiple_of(65536)
        && claim.range.count().get() == 65536
}

fn apptainer(survey: &Survey<'_>) -> Vec<Seen> {
    let mut seen = Vec::new();
    for kind in Kind::BOTH {
        // Of the lines so far, in order of their first IDs, the one that reaches highest; and of Apptainer's.
        let (mut reach, mut own): (Option<&Owned<'_>>, Option<&Owned<'_>>) = (None, None);
        for claim in survey.claims[kind].iter().filter(|claim| !claim.released) {
            let its = by_apptainer(claim);
            let before = if its { reach } else { own };
            if let Some(other) = before.filter(|other| other.range.overlaps(claim.range))
                && survey.holder(other) != survey.holder(claim)
            {
                seen.extend([meeting(survey, kind, claim, other), meeting(survey, kind, other, claim)]);
            }
            if reach.is_none_or(|held| held.range.last() < claim.range.last()) {
                reach = Some(claim);
            }
            if its {
                own = Some(claim);
            }
        }
    }
    // Of a line that meets several the first is enough.
    let mut said = std::collections::HashSet::new();
    seen.retain(|seen| said.insert((seen.file.clone(), seen.line)));
    seen
}

/// Says of one of two lines that it meets the other. Apptainer's goes, whichever it is.
fn meeting(survey: &Survey<'_>, kind: Kind, claim: &Claim<'_>, other: &Claim<'_>) -> Seen {
    let common = claim.range.intersection(other.range).unwrap_or(claim.range);
    let (owner, name) = (escape(claim.owner), escape(other.owner));
    let message =
        format!("{common} of {owner} are also {name}'s ({} line {})", super::survey::path(kind), other.line);
    let theirs = if by_apptainer(claim) { claim } else { other };
    let fix = match survey.account(theirs.owner) {
        Some(account) => format!("sudo subidctl apply --replace +{}", account.uid),
        None => survey.another(theirs.owner),
    };
    survey.of_claim(kind, claim, message, fix)
}

fn one_too_many(survey: &Survey<'_>) -> Vec<Seen> {
    let seen = |kind: Kind| {
        let wide = survey.live(kind).filter(|claim| is_wide(claim));
        wide.map(move |claim| {
            let range = Range::between(claim.range.first(), claim.range.last() - 1).unwrap_or(claim.range);
            let message = format!("{} of {} is {range} and one ID more", claim.range, escape(claim.owner));
            survey.of_claim(kind, claim, message, one_fewer(survey, kind, claim))
        })
    };
    Kind::BOTH.into_iter().flat_map(seen).collect()
}

/// Whether a line has one ID too many, as usermod -S gives.
pub(super) fn is_wide(claim: &Claim<'_>) -> bool {
    claim.range.count().get() == 65537 && claim.is_canonical()
}

/// The command that takes that ID away.
pub(super) fn one_fewer(survey: &Survey<'_>, kind: Kind, claim: &Claim<'_>) -> String {
    let flag = match kind {
        Kind::Uid => "--del-subuids",
        Kind::Gid => "--del-subgids",
    };
    let last = claim.range.last();
    let account = survey.account(claim.owner).map(|account| account.name.as_bytes());
    match account.filter(|name| *name == claim.owner).and_then(shell_word) {
        // Below a root that command would change the host's own file.
        Some(name) if survey.snapshot.host.running => format!("sudo usermod {flag} {last}-{last} {name}"),
        _ => Range::between(claim.range.first(), last - 1)
            .and_then(|range| rewritten(claim.owner, range))
            .and_then(|line| survey.sed(kind, claim.line, &format!("s/.*/{line}/")))
            .unwrap_or_else(|| format!("write 65536 for 65537 in line {}", claim.line)),
    }
}

fn disabled(survey: &Survey<'_>) -> Vec<Seen> {
    let known: std::collections::HashSet<_> =
        survey.snapshot.released.iter().map(|r| (r.kind, r.owner.as_slice(), r.range)).collect();
    let seen = |kind: Kind| {
        let known = &known;
        let theirs = survey.claims[kind].iter().filter(move |claim| {
            claim.released
                && claim.owner.iter().all(u8::is_ascii_digit)
                && !known.contains(&(kind, claim.owner, claim.range))
        });
        theirs.map(move |claim| {
            let owner = escape(claim.owner);
            let message =
                format!("{} of uid {owner} is disabled; the ledger does not know by whom", claim.range);
            survey.of_claim(kind, claim, message, String::new())
        })
    };
    Kind::BOTH.into_iter().flat_map(seen).collect()
}

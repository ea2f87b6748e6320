//! Which IDs the lines hold, and whose else they are.

use super::survey::path;
use super::{BASE, Entry, Group, Seen, Status, Survey};
use crate::range::Kind;
use crate::text::{escape, shell_word};

pub(super) static ENTRIES: &[Entry] = &[Entry {
    id: "overlap",
    group: Group::Ranges,
    severity: Status::Critical,
    title: "two owners hold the same IDs",
    explain: "Whoever of the two starts a container there can read, change and give away the files of the \
                  other's containers. Nothing in shadow prevents it: usermod -v, editors and scripts write such \
                  lines without a word.",
    consequence: "each of the two is root over files of the other's containers",
    audit: Some(overlaps),
    ..BASE
}];

/// A line that begins within the reach of another owner's line.
fn overlaps(survey: &Survey<'_>) -> Vec<Seen> {
    let of_kind = |kind: Kind| {
        let mut seen = Vec::new();
        // The claim that reaches highest so far, of each of two owners.
        let mut reach: [Option<&crate::idfile::Claim<'_>>; 2] = [None, None];
        for claim in survey.claims[kind].iter().filter(|claim| !claim.released) {
            let other = reach.into_iter().flatten().find(|other| {
                other.line != claim.line
                    && other.range.overlaps(claim.range)
                    && !survey.same_owner(other.owner, claim.owner)
            });
            if let Some(other) = other {
                seen.push(overlap(survey, kind, claim, other));
            }
            let own = reach
                .iter()
                .position(|held| held.is_some_and(|held| survey.same_owner(held.owner, claim.owner)));
            let further = |held: Option<&crate::idfile::Claim<'_>>| {
                held.is_none_or(|held| held.range.last() < claim.range.last())
            };
            match own {
                Some(index) if further(reach[index]) => reach[index] = Some(claim),
                Some(_) => {}
                None => {
                    let lower = usize::from(
                        reach[0].map(|held| held.range.last()) > reach[1].map(|held| held.range.last()),
                    );
                    if further(reach[lower]) {
                        reach[lower] = Some(claim);
                    }
                }
            }
        }
        seen
    };
    Kind::BOTH.into_iter().flat_map(of_kind).collect()
}

fn overlap(
    survey: &Survey<'_>,
    kind: Kind,
    claim: &crate::idfile::Claim<'_>,
    other: &crate::idfile::Claim<'_>,
) -> Seen {
    // Whoever was there first keeps the IDs.
    let (later, first) = if claim.line > other.line { (claim, other) } else { (other, claim) };
    let common = later.range.intersection(first.range).unwrap_or(later.range);
    let message = format!(
        "{common} of {} are also {}'s ({} line {})",
        escape(later.owner),
        escape(first.owner),
        path(kind),
        first.line
    );
    let fix = match shell_word(later.owner) {
        Some(name) => format!("sudo subidctl apply --replace {name}"),
        None => "give the later of the two another range".to_owned(),
    };
    survey.of_claim(kind, later, message, fix)
}

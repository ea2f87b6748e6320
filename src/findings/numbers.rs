//! Lines whose numbers make no range, or one at the upper end of the IDs.

use super::lines::odd;
use super::{BASE, Entry, Found, Group, Sight, Status, Survey};
use crate::idfile::Oddity;
use crate::policy::CEILING;
use crate::range::Kind;

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: Oddity::BeyondSpace.id(),
        group: Group::Ranges,
        severity: Status::Critical,
        title: "a range passes the last ID, 4294967295, or has all IDs",
        explain: "IDs have 32 bits. shadow up to 4.19 takes such a line all the same and computes with 64 bits; 4.20 \
                  drops it (shadow db3ca9f9), and newuidmap then says that the range is not allowed, or before \
                  'subuid overflow detected'. All IDs, 0:4294967296, are more than 4.20 can count. Made by hand, \
                  mostly by a last ID in the place of the count.",
        consequence: "what the owner gets depends on the version of shadow, and can be other IDs than the file says",
        repair: "sudo subidctl apply --replace USER; or sudo sed -i to take the line out",
        audit: Some(|survey| odd(survey, Oddity::BeyondSpace)),
        ..BASE
    },
    Entry {
        id: Oddity::CountZero.id(),
        group: Group::Ranges,
        severity: Status::Critical,
        title: "a range has no IDs: its count is 0",
        explain: "useradd writes such a line where SUB_UID_COUNT is 0 (shadow pull request 399). newuidmap up to \
                  4.19 takes start + count - 1 for the last ID whatever the count is: 'bob:0:0' ends where 64 bits \
                  end and grants every ID of the host, root's too (shadow 9463d57b); with any other start it \
                  grants nothing. podman asks for a map with an empty extent, which the kernel refuses.",
        consequence: "with start 0 the owner can become root of this host; else containers fail",
        repair: "sudo sed -i to make the line a comment, without its colons",
        audit: Some(|survey| odd(survey, Oddity::CountZero)),
        ..BASE
    },
];

/// What is said of a range only where nothing else is.
pub(super) static HIGH: &[Entry] = &[Entry {
    id: "above-2-31",
    group: Group::Ranges,
    severity: Status::Warning,
    title: "a range lies above 2^31",
    explain: "The kernel takes IDs up to 4294967294, but software that keeps them in signed numbers sees them \
                  as negative: devpts options, setfsuid, tar and database columns (systemd, UIDS-GIDS). \
                  Apptainer's 'config fakeroot' hands out from 4294836224 downwards and FreeIPA from 2147483648 \
                  on; userborn never goes there.",
    consequence: "some software fails on these IDs, or takes them for errors",
    repair: "where it is in nobody's way, leave it; else: sudo subidctl apply --replace USER",
    audit: Some(above),
    alone: true,
    ..BASE
}];

fn above<'s>(survey: &'s Survey<'s>) -> Found<'s> {
    let of_kind = move |kind: Kind| {
        let high = survey.live(kind).filter(|claim| claim.range.last() >= CEILING);
        let words = move |claim: &crate::idfile::Claim<'_>| {
            let owner = crate::text::escape(claim.owner);
            let message = format!("{} of {owner} lies above 2147483647", claim.range);
            let fix = format!("where it is in nobody's way, leave it; else: {}", survey.another(claim.owner));
            survey.of_claim(kind, claim, message, fix)
        };
        high.map(move |claim| Sight::line(kind, claim.line, move || words(claim)))
    };
    Box::new(Kind::BOTH.into_iter().flat_map(of_kind))
}

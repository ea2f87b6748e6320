//! Lines that programs read differently by their blanks and numbers, and what mends odd lines.

use super::lines::{granted, meant, odd, rewritten};
use super::{AS_MEANT, BASE, Entry, Group, Status, Survey};
use crate::idfile::{Dialect, Oddity};
use crate::policy::CEILING;
use crate::range::{Kind, Range};

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: Oddity::CarriageReturn.id(),
        group: Group::Lines,
        severity: Status::Error,
        title: "a line ends in a carriage return",
        explain: "The file was edited on Windows, or came through a tool that writes CR LF. shadow takes the CR \
                  for a part of the count and rejects the line; podman trims it and asks newuidmap for a range \
                  that it does not know: 'uid range [1-65537) -> [100000-165536) not allowed', although the line \
                  is there for everyone to see.",
        consequence: "engines ask for a range that newuidmap refuses",
        repair: AS_MEANT,
        audit: Some(|survey| odd(survey, Oddity::CarriageReturn)),
        ..BASE
    },
    Entry {
        id: Oddity::TrailingBlank.id(),
        group: Group::Lines,
        severity: Status::Error,
        title: "a line ends in white space",
        explain: "shadow takes the blank for a part of the count and rejects the line; podman trims it and asks \
                  newuidmap for a range that it does not know: 'uid range [1-65537) -> [100000-165536) not \
                  allowed' (podman issue 21071). Tabs and no-break spaces, which cannot be seen, do it too.",
        consequence: "engines ask for a range that newuidmap refuses",
        repair: AS_MEANT,
        audit: Some(|survey| odd(survey, Oddity::TrailingBlank)),
        ..BASE
    },
    Entry {
        id: Oddity::LeadingBlank.id(),
        group: Group::Lines,
        severity: Status::Error,
        title: "a line begins with white space",
        explain: "For shadow the blank is a part of the owner's name, which then is nobody's; podman trims it and \
                  asks newuidmap for a range that it grants to nobody. Indented heredocs of scripts write such \
                  lines.",
        consequence: "engines ask for a range that newuidmap refuses",
        repair: AS_MEANT,
        audit: Some(|survey| odd(survey, Oddity::LeadingBlank)),
        ..BASE
    },
    Entry {
        id: Oddity::InnerBlank.id(),
        group: Group::Lines,
        severity: Status::Error,
        title: "a line has white space beside a colon",
        explain: "Before a number shadow skips it, as strtoul does, and Go programs fail for this user; behind a \
                  number nobody reads the line; beside the owner it is a part of the name, and no account has \
                  that name.",
        consequence: "rootless containers of this user fail, or have no range",
        repair: AS_MEANT,
        audit: Some(|survey| odd(survey, Oddity::InnerBlank)),
        ..BASE
    },
    Entry {
        id: Oddity::Negative.id(),
        group: Group::Lines,
        severity: Status::Error,
        title: "a number is negative",
        explain: "shadow up to 4.14 reads it with strtoul, which makes a number near 2^64 of it; 4.15 rejects the \
                  line (shadow f14670ee), and Go programs ignore it. Made by a script whose subtraction went \
                  below zero.",
        consequence: "nobody can use the range, and old versions of shadow compute with a huge number",
        repair: "sudo sed -i to make the line a comment, without its colons",
        audit: Some(|survey| odd(survey, Oddity::Negative)),
        ..BASE
    },
    Entry {
        id: Oddity::Hex.id(),
        group: Group::Lines,
        severity: Status::Error,
        title: "a number is hexadecimal or binary",
        explain: "shadow reads numbers with base 0, so 0x186a0 is 100000 for newuidmap and useradd, and with glibc \
                  2.38 or later 0b11 is 3; podman, buildah and rootlesskit read decimal and fail for this user: \
                  'String to int conversion failed'.",
        consequence: "podman, buildah and rootlesskit fail for this user",
        repair: AS_MEANT,
        audit: Some(|survey| odd(survey, Oddity::Hex)),
        ..BASE
    },
    Entry {
        id: Oddity::Octal.id(),
        group: Group::Lines,
        severity: Status::Error,
        title: "a number is octal for some programs and decimal for others",
        explain: "A number with a leading zero is octal for shadow, as in C: 0700000 is 229376 for newuidmap and \
                  useradd. podman and its kin read it as decimal 700000 and ask for IDs that newuidmap does not \
                  grant. Both places count as taken. printf '%07d' writes such numbers; one with an 8 or 9 in it \
                  is no octal number, and shadow ignores the line.",
        consequence: "engines ask for other IDs than newuidmap grants, and containers fail",
        repair: AS_MEANT,
        audit: Some(|survey| odd(survey, Oddity::Octal)),
        ..BASE
    },
    Entry {
        id: Oddity::Spelling.id(),
        group: Group::Lines,
        severity: Status::Warning,
        title: "a number is written otherwise than in plain decimal, and read alike",
        explain: "strtoul and Go's Atoi both skip a plus sign, and 07 is seven in octal, which shadow reads, and \
                  in decimal, which Go programs read. So all programs known today see the same range; scripts \
                  that look for digits do not, and the next such number need not be harmless: 010 is eight for \
                  shadow and ten for podman.",
        consequence: "works with the programs known today; scripts and strict parsers miss the line",
        repair: "sudo subidctl audit --fix",
        audit: Some(|survey| odd(survey, Oddity::Spelling)),
        ..BASE
    },
];

/// Makes a comment of a line that is no range for shadow either.
const COMMENT: &str = "{s/^/# /;s/:/ /g;}";

/// Pools begin above accounts, of 16 bits, and end below the [`CEILING`].
const LOW: u32 = 65536;

/// What mends an odd line.
pub(super) fn fix(survey: &Survey<'_>, kind: Kind, line: usize, oddity: Oddity) -> String {
    let raw = survey.bytes(kind, line);
    let sed = |change: &str| {
        survey.sed(kind, line, change).unwrap_or_else(|| format!("edit line {line} of /etc/{}", kind.file()))
    };
    match oddity {
        // As the entry says.
        Oddity::Comment | Oddity::Blank | Oddity::Spelling => String::new(),
        Oddity::CommentedRange => format!("nothing to do; to free the IDs: {}", sed("s/:/ /")),
        Oddity::StopsReaders | Oddity::NisMarker => sed("s/^/# /"),
        Oddity::OddOwner => sed(COMMENT),
        _ => {
            let (meant, shadow) = (meant(raw), granted(Dialect::Shadow413, raw));
            // Some readers grant nothing of it now: a decision that must pass the test of a new range.
            let rewrite = |owner: &[u8], range: Range| {
                let new = rewritten(owner, range).filter(|_| survey.sound[kind].contains(&(line, range)))?;
                Some(sed(&format!("s/.*/{new}/")))
            };
            let account = meant.and_then(|(owner, _)| survey.snapshot.accounts.by_owner(owner));
            let exists = meant.is_some_and(|(_, range)| range.last() < u32::MAX);
            // What it is good for, and the command.
            let mut ways: Vec<(&str, String)> = Vec::new();
            // What is replaced stays taken, and of a line that holds all between those no pool would have any left.
            let others = |range: Range| range.first() > LOW || range.last() < CEILING;
            // No plan writes into a file with a NUL.
            if account.is_some() && oddity != Oddity::Nul {
                let replaced = meant.filter(|(_, range)| others(*range));
                ways.extend(replaced.map(|(owner, _)| ("give other IDs", survey.another(owner))));
            }
            if let Some((owner, range)) = meant.filter(|_| exists && oddity != Oddity::BeyondSpace) {
                let other = shadow.filter(|(_, other)| *other != range);
                let label = if other.is_some() { "keep the IDs that podman reads" } else { "keep the IDs" };
                ways.extend(rewrite(owner, range).map(|sed| (label, sed)));
                let other = other.and_then(|(owner, other)| rewrite(owner, other));
                ways.extend(other.map(|sed| ("keep the IDs that newuidmap reads", sed)));
            }
            // What granted nothing that exists keeps no IDs either; else shadow still reads the comment.
            let grants = !matches!(
                oddity,
                Oddity::Unread | Oddity::CountZero | Oddity::Negative | Oddity::BeyondSpace
            );
            // A NUL stops readers of a comment as well.
            let out = match oddity {
                Oddity::Nul => "d",
                _ if grants => "s/^/# /",
                _ => COMMENT,
            };
            ways.push(("take the line out", sed(out)));
            let worded = ways.iter().enumerate().map(|(index, (label, way))| match index {
                0 => way.clone(),
                _ => format!("or, to {label}: {way}"),
            });
            worded.collect::<Vec<_>>().join("\n")
        }
    }
}

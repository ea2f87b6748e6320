//! Whose the lines are: owners without an account, and accounts that are no longer what they were.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::lines::rewritten;
use super::owned::Owned;
use super::survey::user_word;
use super::{BASE, Entry, Found, Group, Reach, Seen, Sight, Status, Survey, all};
use crate::idfile::{Claim, Oddity};
use crate::range::{Kind, Login, Uid};
use crate::snapshot::{Account, Allocator, Known, SiteOwner};
use crate::text::{escape, shell_word};

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "owner-leading-zero",
        group: Group::Owners,
        severity: Status::Error,
        title: "an owner is a uid with a leading zero",
        explain: "shadow up to 4.19 compares the text with the uid in plain decimal, so that 01001 is nobody, and \
                  so do podman and its kin; 4.20 reads it as a number and grants the range to uid 1001. printf \
                  '%05d' writes such owners.",
        consequence: "the range belongs to nobody, or with shadow 4.20 to the account with this uid",
        repair: "sudo sed -i to write the uid in plain decimal",
        audit: Some(|survey| unknown(survey, Why::LeadingZero)),
        ..BASE
    },
    Entry {
        id: "owner-renamed",
        group: Group::Owners,
        severity: Status::Error,
        title: "the account that owned a range has another name now",
        explain: "usermod -l renames the account and leaves /etc/subuid and /etc/subgid as they are (shadow 4.13). \
                  The account has no ranges under its new name, and whoever gets the old name inherits the range \
                  with the files in it. subidctl knows it by the uid that its ledger noted.",
        consequence: "the user's containers fail, and the next account of the old name inherits the range",
        repair: "sudo sed -i to write the new name; or, to give other IDs: sudo subidctl release \
                 OLD-NAME and sudo subidctl apply NEW-NAME",
        audit: Some(|survey| unknown(survey, Why::Renamed)),
        ..BASE
    },
    Entry {
        id: "owner-uid-changed",
        group: Group::Owners,
        severity: Status::Warning,
        title: "the owner's uid is not the one that the range was given to",
        explain: "Either usermod -u changed the uid of the account, or the account was deleted and another one of \
                  that name inherited the range: useradd takes a line of the name for the new user's, and gives \
                  none. subidctl noted the uid in its ledger when it gave the range. A line with the uid as its \
                  owner loses its account with usermod -u.",
        consequence: "the range may be another person's now, with the files of the former one",
        repair: "where it is the same person, nothing, or sudo sed -i to write the new uid; else: \
                 sudo subidctl apply --replace USER",
        audit: Some(uid_changed),
        ..BASE
    },
    Entry {
        id: "owner-gone",
        group: Group::Owners,
        severity: Status::Warning,
        title: "no account has the uid that owns a range",
        explain: "userdel removes the lines of the name and leaves those of the uid (shadow 4.13). The next \
                  account that gets this uid inherits the range and the files in it. 'subidctl release' keeps \
                  the IDs from being given to anybody.",
        consequence: "the next account with this uid inherits the range and the files in it",
        repair: "sudo subidctl release UID, or release --stale for all of them",
        audit: Some(|survey| unknown(survey, Why::Gone)),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "owner-unknown",
        group: Group::Owners,
        severity: Status::Warning,
        title: "no account has the name that owns a range",
        explain: "The account was deleted by a tool that does not know these files, or the line was copied from \
                  another host or written for a user of a directory that this host does not ask. useradd gives \
                  the range to the next account of that name, without a word, and so do all engines. Root's podman \
                  --userns=auto alone needs no account for its pool; one keeps the name from others. Where a \
                  directory did not answer, nobody knows, and nothing is said against the line.",
        consequence: "the next account of this name inherits the range and the files in it",
        repair: "sudo subidctl release USER, or release --stale for all of them",
        audit: Some(no_account),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "owner-number-ignored",
        group: Group::Owners,
        severity: Status::Warning,
        title: "a program here does not find ranges by uid",
        explain: "newuidmap, podman and rootlesskit find a line by the name and by the uid of its owner. \
                  lxc-usernsexec compares the name alone; so did older Incus (issue 575) and Docker (moby issue \
                  40926). Where such a program is installed, a line by uid is invisible to it.",
        consequence: "that program finds no range for this user",
        repair: "sudo sed -i to write the name in place of the uid",
        audit: Some(by_number),
        ..BASE
    },
];

/// Why an owner has no account.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why<'a> {
    /// A number with a leading zero.
    LeadingZero,
    /// The ledger's uid has another name.
    Renamed,
    /// The ledger's account has another uid.
    Moved(&'a Account),
    /// A plain number.
    Gone,
    /// A name.
    Unknown,
}

/// The ledger's owners by their spelling.
fn ledger<'a>(survey: &Survey<'a>) -> HashMap<&'a [u8], &'a Known, RandomState> {
    survey.snapshot.known.iter().map(|known| (&known.owner[..], known)).collect()
}

/// A line without an account, with the reason and, for a renamed one, the account.
struct Nobodys<'s> {
    kind: Kind,
    claim: &'s Owned<'s>,
    why: Why<'s>,
    account: Option<&'s Account>,
}

/// The lines without an account, in order of their IDs; each once, however many ranges programs see in it.
fn nobodys<'s>(survey: &'s Survey<'s>) -> impl Iterator<Item = Nobodys<'s>> {
    let ledger = ledger(survey);
    let accounts = &survey.snapshot.accounts;
    let by_uid: HashMap<Uid, &Account> =
        survey.snapshot.known.iter().filter_map(|k| Some((k.uid?, accounts.by_name(&k.owner)?))).collect();
    let why = move |owner: &[u8]| -> (Why<'s>, Option<&'s Account>) {
        let number = owner.iter().all(u8::is_ascii_digit);
        if number && owner.len() > 1 && owner.starts_with(b"0") {
            return (Why::LeadingZero, None);
        }
        if let Some(uid) = std::str::from_utf8(owner).ok().and_then(Uid::parse) {
            return by_uid
                .get(&uid)
                .map_or((Why::Gone, None), |account| (Why::Moved(account), Some(account)));
        }
        let known = ledger.get(owner).and_then(|known| accounts.by_uid(known.uid?));
        known.map_or((Why::Unknown, None), |account| (Why::Renamed, Some(account)))
    };
    let of_kind = move |kind: Kind| {
        let mut told = HashSet::new();
        survey
            .live(kind)
            .filter(|claim| survey.account_of(claim).is_none() && possible(claim))
            .filter(|claim| !is_name_alone(survey, claim.owner))
            .filter(move |claim| claim.is_canonical() || told.insert(claim.line))
            .map(move |claim| (kind, claim))
    };
    Kind::BOTH.into_iter().flat_map(of_kind).map(move |(kind, claim)| {
        let (why, account) = why(claim.owner);
        Nobodys { kind, claim, why, account }
    })
}

/// Whether root's podman takes IDs from this owner, who needs no account.
fn is_name_alone(survey: &Survey<'_>, owner: &[u8]) -> bool {
    let podman = |need: &SiteOwner| need.by == Allocator::Podman && need.owner == owner;
    survey.snapshot.site.owners.iter().any(podman)
}

/// Whether the owner can be an account's at all.
fn possible(claim: &Claim<'_>) -> bool {
    Login::new(claim.owner).is_some()
        && !matches!(
            claim.oddity,
            Some(
                Oddity::OddOwner
                    | Oddity::NisMarker
                    | Oddity::LeadingBlank
                    | Oddity::InnerBlank
                    | Oddity::Nul
            )
        )
}

/// Whether a directory may know accounts that were not asked for or did not answer.
fn unanswered(survey: &Survey<'_>, owner: &[u8]) -> bool {
    let snapshot = survey.snapshot;
    let beyond = |source: &String| !matches!(source.as_str(), "files" | "compat" | "systemd");
    let unasked = !snapshot.host.running && snapshot.nsswitch.passwd.sources.iter().any(beyond);
    unasked || snapshot.accounts.lookups.owners.contains(owner)
}

fn unknown<'s>(survey: &'s Survey<'s>, wanted: Why<'static>) -> Found<'s> {
    let certain = matches!(wanted, Why::Renamed | Why::LeadingZero);
    let found = nobodys(survey).filter(move |line| line.why == wanted);
    let found = found.filter(move |line| certain || !unanswered(survey, line.claim.owner));
    let words = move |Nobodys { kind, claim, account, .. }: Nobodys<'s>| {
        let owner = escape(claim.owner);
        let (message, fix) = match account {
            Some(account) => {
                let now = user_word(account);
                let message = format!("{owner} is called {} now (uid {})", account.name, account.uid);
                let rename = rewrite(survey, kind, claim, account.name.as_bytes());
                let anew = format!("{}\nsudo subidctl apply {now}", survey.another(claim.owner));
                (
                    message,
                    rename.map_or(anew.clone(), |rename| {
                        format!("{rename}\nor, to give other IDs: {}", anew.replace('\n', " && "))
                    }),
                )
            }
            None if wanted == Why::LeadingZero => {
                let digits = claim.owner.iter().position(|b| *b != b'0').and_then(|at| claim.owner.get(at..));
                let plain = digits.and_then(|owner| rewrite(survey, kind, claim, owner));
                let message =
                    format!("{owner} is no name of an account, and as a number only shadow 4.20 reads it");
                (message, plain.unwrap_or_else(|| survey.another(claim.owner)))
            }
            None => (format!("no account has the uid {owner}"), survey.another(claim.owner)),
        };
        let other = account.map(|account| account.name.as_bytes().to_vec());
        Seen { other, ..survey.of_claim(kind, claim, message, fix) }
    };
    Box::new(found.map(move |line| Sight::line(line.kind, line.claim.line, move || words(line))))
}

/// The command that writes another owner into a line.
fn rewrite(survey: &Survey<'_>, kind: Kind, claim: &Claim<'_>, owner: &[u8]) -> Option<String> {
    let line = rewritten(owner, claim.range)?;
    survey.sed(kind, claim.line, &format!("s/.*/{line}/"))
}

fn no_account<'s>(survey: &'s Survey<'s>) -> Found<'s> {
    let found = nobodys(survey).filter(|line| line.why == Why::Unknown);
    let found = found.filter(move |line| !unanswered(survey, line.claim.owner));
    let seen = found.map(move |Nobodys { kind, claim, .. }| {
        let message = move || format!("no account is named {}", escape(claim.owner));
        if let Some(fix) = keeper(survey, claim.owner) {
            let message = message() + ": root's podman takes IDs of it";
            let seen = survey.of_claim(kind, claim, message, fix);
            return Sight::Seen(Seen { status: Some(Status::Info), ..seen });
        }
        let words = move || survey.of_claim(kind, claim, message(), survey.another(claim.owner));
        Sight::line(kind, claim.line, words)
    });
    Box::new(seen.chain(open(survey).map(Sight::Seen)))
}

/// For the owner whose lines root's `podman --userns=auto` divides where its configuration names no other (of whom
/// nothing is said here): it needs no account, and this is the command that keeps the name from who comes later.
fn keeper(survey: &Survey<'_>, owner: &[u8]) -> Option<String> {
    if owner != b"containers" {
        return None;
    }
    let tree = survey.snapshot.host.root.trim_end_matches('/');
    let tree =
        if tree.is_empty() { String::new() } else { format!(" --root {}", shell_word(tree.as_bytes())?) };
    Some(format!("sudo useradd{tree} --system --no-create-home {}", shell_word(owner)?))
}

/// The owners of whom nobody knows, since a directory was silent.
fn open(survey: &Survey<'_>) -> Option<Seen> {
    let unsure = |line: &Nobodys<'_>| {
        matches!(line.why, Why::Unknown | Why::Gone) && unanswered(survey, line.claim.owner)
    };
    let open = nobodys(survey).filter(unsure).count();
    let lookups = &survey.snapshot.accounts.lookups;
    let switch = &survey.snapshot.nsswitch;
    let asked =
        format!("{} line {}, passwd: {}", switch.path, switch.passwd.line, switch.passwd.sources.join(" "));
    (open > 0).then(|| Seen {
        message: format!("the owners of {open} lines could not be looked up"),
        evidence: lookups.unanswered.first().cloned().unwrap_or(asked),
        fix: "run it again where the directory answers".to_owned(),
        status: Some(Status::Skipped),
        ..Seen::default()
    })
}

fn uid_changed<'s>(survey: &'s Survey<'s>) -> Found<'s> {
    let ledger = ledger(survey);
    let named = move |(kind, claim): (Kind, &'s Owned<'s>)| {
        let account = survey.account_of(claim)?;
        let known = ledger.get(claim.owner)?.uid?;
        let words = move || {
            let message = format!(
                "{} has the uid {}, and had {known} when the range was given",
                account.name, account.uid
            );
            let fix = format!("where it is the same person, nothing; else: {}", survey.another(claim.owner));
            survey.of_claim(kind, claim, message, fix)
        };
        (known != account.uid).then(|| Sight::line(kind, claim.line, words))
    };
    let lines = Kind::BOTH.into_iter().flat_map(|kind| survey.live(kind).map(move |claim| (kind, claim)));
    let moved = nobodys(survey).filter_map(move |Nobodys { kind, claim, why, .. }| {
        let Why::Moved(account) = why else { return None };
        Some(Sight::line(kind, claim.line, move || {
            let message = format!(
                "{} has the uid {} now, and the line is of {}",
                account.name,
                account.uid,
                escape(claim.owner)
            );
            let sed = rewrite(survey, kind, claim, account.uid.to_string().as_bytes());
            survey.of_claim(kind, claim, message, sed.unwrap_or_else(|| survey.another(claim.owner)))
        }))
    });
    Box::new(lines.filter_map(named).chain(moved))
}

fn by_number<'s>(survey: &'s Survey<'s>) -> Found<'s> {
    let Some(reader) = survey.snapshot.name_readers.first() else { return all(Vec::new()) };
    let lines = Kind::BOTH.into_iter().flat_map(|kind| survey.live(kind).map(move |claim| (kind, claim)));
    Box::new(lines.filter_map(move |(kind, claim)| {
        let account = survey.account_of(claim).filter(|account| account.name.as_bytes() != claim.owner)?;
        Some(Sight::line(kind, claim.line, move || {
            let message = format!("{reader} looks for {} and not for {}", account.name, escape(claim.owner));
            let sed = rewrite(survey, kind, claim, account.name.as_bytes());
            survey.of_claim(kind, claim, message, sed.unwrap_or_else(|| survey.another(claim.owner)))
        }))
    }))
}

#[cfg(test)]
#[path = "owners_tests.rs"]
mod tests;

//! All owners and the whole host at once: what `audit` looks at, and what it finds.

use std::collections::{HashMap, HashSet};

use super::owned::{Holder, Owned, Spellings};
use super::shares::{Share, shares};
use super::{Finding, Group, Seen, Sight, catalogue};
use crate::idfile::{Claim, Document, Oddity, oddity};
use crate::planner::{Barred, Met};
use crate::policy::Policy;
use crate::range::{Kind, PerKind, Range};
use crate::snapshot::{Account, Snapshot};
use crate::text::{escape, shell_word, thousands};

/// The facts of an audit, with what several entries need worked out once: an entry may walk over all lines,
/// but not over all lines for each line.
#[derive(Debug)]
pub struct Survey<'a> {
    /// The facts.
    pub snapshot: &'a Snapshot,
    /// What should be.
    pub policy: &'a Policy,
    /// What the lines take, in order of first IDs, then of lines.
    pub(super) claims: PerKind<Vec<Owned<'a>>>,
    /// Lines that are not as they should be written, by number.
    pub(super) odd: PerKind<Vec<(usize, Oddity)>>,
    /// The gravest of what the IDs of claims meet, by the claim's index.
    pub(super) met: PerKind<Vec<(usize, Met)>>,
    /// What odd lines take that would pass as a new range: it meets nothing, on no other line either.
    pub(super) sound: PerKind<HashSet<(usize, Range)>>,
    /// Whose the lines are.
    spellings: Spellings<'a>,
    /// What each account has that owns anything, by uid.
    pub(super) shares: Vec<Share<'a>>,
}

/// What an audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// The worst first; of one severity in order of files and lines.
    pub findings: Vec<Finding>,
}

impl<'a> Survey<'a> {
    /// Works out what the entries share.
    pub fn new(snapshot: &'a Snapshot, policy: &'a Policy) -> Self {
        let documents = |kind: Kind| snapshot.files[kind].document.iter();
        let (spellings, claims) = Spellings::of(snapshot);
        let odd: PerKind<Vec<_>> = PerKind::from_fn(|kind| {
            let lines = documents(kind).flat_map(Document::odd_lines);
            lines.filter_map(|line| Some((line.number, oddity(line.raw)?))).collect()
        });
        let met: PerKind<Vec<_>> = PerKind::from_fn(|kind| {
            let barred = Barred::new(snapshot, policy, kind);
            let live = claims[kind].iter().enumerate().filter(|(_, claim)| !claim.is_dormant());
            live.filter_map(|(index, claim)| Some((index, barred.first(claim.range)?))).collect()
        });
        let sound = PerKind::from_fn(|kind| sound(snapshot, kind, &claims[kind], &odd[kind], &met[kind]));
        let shares = shares(&spellings, &claims);
        Self { snapshot, policy, claims, odd, met, sound, spellings, shares }
    }

    /// The account that an owner field means.
    pub(super) fn account(&self, owner: &[u8]) -> Option<&'a Account> {
        self.snapshot.accounts.by_owner(owner)
    }

    /// The account whose a claim is, at once.
    pub(super) fn account_of(&self, claim: &Owned<'a>) -> Option<&'a Account> {
        self.spellings.account(claim)
    }

    /// Whose a claim is.
    pub(super) fn holder(&self, claim: &Owned<'a>) -> Holder {
        self.spellings.holder(claim)
    }

    /// How many holders there are: each is below that.
    pub(super) fn holders(&self) -> usize {
        self.spellings.len()
    }

    /// The claims that grant their IDs to somebody, in order of first IDs.
    pub(super) fn live(&self, kind: Kind) -> impl Iterator<Item = &Owned<'a>> {
        self.claims[kind].iter().filter(|claim| !claim.is_dormant())
    }

    /// The command that gives an owner another range, or takes the range back where no account has that
    /// name; words where the name cannot be pasted.
    pub(super) fn another(&self, owner: &[u8]) -> String {
        match (self.account(owner), shell_word(owner)) {
            (Some(account), _) => format!("sudo subidctl apply --replace {}", user_word(account)),
            (None, Some(name)) => format!("sudo subidctl release {name}"),
            (None, None) => "remove the line: its owner is no name that can be typed".to_owned(),
        }
    }

    /// `sudo sed -i '3s/.*/bob:100000:65536/' /etc/subuid`: a change of one line that keeps the numbers of
    /// all others; `None` where the script or the file cannot be pasted.
    pub(super) fn sed(&self, kind: Kind, line: usize, change: &str) -> Option<String> {
        let root = self.snapshot.host.root.trim_end_matches('/');
        let file = shell_word(format!("{root}{}", path(kind)).as_bytes())?;
        Some(format!("sudo sed -i {} {file}", shell_word(format!("{line}{change}").as_bytes())?))
    }

    /// A line's bytes, escaped, as evidence.
    pub(super) fn raw(&self, kind: Kind, line: usize) -> String {
        let raw = escape(self.bytes(kind, line));
        if raw.is_empty() { "(an empty line)".to_owned() } else { raw }
    }

    /// A line's bytes, without its newline.
    pub(super) fn bytes(&self, kind: Kind, line: usize) -> &'a [u8] {
        self.snapshot.files[kind].document.as_ref().and_then(|file| file.line(line)).unwrap_or_default()
    }

    /// A path of the system that is looked at, as the caller reaches it: below `--root`, in that folder.
    pub(super) fn full(&self, path: &str) -> String {
        format!("{}{path}", self.snapshot.host.root.trim_end_matches('/'))
    }

    /// [`Survey::full`] as a word of a command.
    pub(super) fn word(&self, path: &str) -> String {
        shell_word(self.full(path).as_bytes()).unwrap_or_else(|| path.to_owned())
    }

    /// Commands of subidctl's, for the tree that is looked at: what is wrong there must not be mended here.
    pub(super) fn there(&self, fix: String) -> String {
        if self.snapshot.host.running || !fix.contains("subidctl ") {
            return fix;
        }
        let there = format!("subidctl -R {} ", self.word(""));
        let line = |line: &str| match line.strip_prefix("subidctl ") {
            Some(rest) => there.clone() + rest,
            // After words for a person, or as root.
            None => ["sudo ", ": "].iter().fold(line.to_owned(), |line, before| {
                line.replace(&format!("{before}subidctl "), &format!("{before}{there}"))
            }),
        };
        fix.lines().map(line).collect::<Vec<_>>().join("\n")
    }

    /// What was seen of a claim's line.
    pub(super) fn of_claim(&self, kind: Kind, claim: &Claim<'_>, message: String, fix: String) -> Seen {
        Seen {
            file: Some(path(kind)),
            line: Some(claim.line),
            owner: Some(claim.owner.to_vec()),
            message,
            evidence: self.raw(kind, claim.line),
            fix,
            ..Seen::default()
        }
    }
}

/// See [`Survey::sound`]: one pass over all ranges, in order of their first IDs.
fn sound(
    snapshot: &Snapshot,
    kind: Kind,
    claims: &[Owned<'_>],
    odd: &[(usize, Oddity)],
    met: &[(usize, Met)],
) -> HashSet<(usize, Range)> {
    if odd.is_empty() {
        return HashSet::new();
    }
    let odd: HashSet<usize> = odd.iter().map(|(line, _)| *line).collect();
    let mine = claims.iter().enumerate().filter(|(_, claim)| odd.contains(&claim.line));
    let mut sound: HashSet<(usize, Range)> = mine.map(|(_, claim)| (claim.line, claim.range)).collect();
    for (index, _) in met {
        sound.remove(&(claims[*index].line, claims[*index].range));
    }
    // Line 0 is the ledger.
    let released = snapshot.released.iter().filter(|released| released.kind == kind);
    let mut all: Vec<(Range, usize)> = claims.iter().map(|claim| (claim.range, claim.line)).collect();
    all.extend(released.map(|released| (released.range, 0)));
    all.sort_unstable();
    // The two lines that reach highest so far, the highest first.
    let mut reach: Vec<(u32, usize)> = Vec::new();
    for (index, (range, line)) in all.iter().enumerate() {
        let before = reach.iter().any(|(last, other)| other != line && *last >= range.first());
        let mut behind = all.iter().skip(index + 1).take_while(|(next, _)| next.first() <= range.last());
        if before || behind.any(|(_, other)| other != line) {
            sound.remove(&(*line, *range));
        }
        reach.push((range.last(), *line));
        reach.sort_unstable_by(|a, b| b.cmp(a));
        reach.dedup_by_key(|(_, line)| *line);
        reach.truncate(2);
    }
    sound
}

/// An account as a word of a command.
pub(super) fn user_word(account: &Account) -> String {
    shell_word(account.name.as_bytes()).unwrap_or_else(|| format!("+{}", account.uid))
}

/// `/etc/subuid` or `/etc/subgid`.
pub(super) fn path(kind: Kind) -> String {
    format!("/etc/{}", kind.file())
}

/// Every fault of the files and the host. Of one line only the first finding of a group is reported: what
/// follows from it would say the same in other words. An entry's place in the catalogue is its precedence.
pub fn audit(survey: &Survey<'_>) -> Audit {
    let mut told = Told::new(survey);
    let mut findings: Vec<Finding> = Vec::new();
    for entry in catalogue() {
        let (mut here, mut listed, mut rest) = (Vec::new(), 0, None::<Finding>);
        for sight in entry.audit.into_iter().flat_map(|look| look(survey)) {
            if let Some(place) = sight.place() {
                let line = told.line(&place);
                if *line & bit(entry.group) != 0 || (entry.alone && *line != 0) {
                    continue;
                }
                *line |= NAMED;
                here.push(place);
            }
            // What is only counted is not put into words: there may be a million.
            if let (true, Some(rest), Sight::Line(..)) = (listed == LISTED, &mut rest, &sight) {
                rest.count += 1;
                continue;
            }
            let seen = sight.words();
            if seen.status.is_none() && listed == LISTED {
                let rest = rest.get_or_insert_with(|| Finding { count: 0, ..entry.finding(seen) });
                rest.count += 1;
                continue;
            }
            listed += 1;
            let finding = entry.finding(seen);
            findings.push(Finding { fix: survey.there(finding.fix), ..finding });
        }
        for place in here {
            *told.line(&place) |= bit(entry.group);
        }
        findings.extend(rest.map(|first| unlisted(survey, first)));
    }
    findings.sort_by(|a, b| (a.status.rank(), place(a)).cmp(&(b.status.rank(), place(b))));
    Audit { findings }
}

/// How many findings of one entry are listed. A file of a million lines with one fault each has one cause, and
/// nobody reads a million times what it is.
const LISTED: usize = 10_000;

/// What stands for the findings that are not listed, of which this is the first.
fn unlisted(survey: &Survey<'_>, first: Finding) -> Finding {
    let (file, line) = (first.file.unwrap_or_default(), first.line.unwrap_or_default());
    let more = thousands(u64::try_from(first.count).unwrap_or(u64::MAX));
    Finding {
        file: None,
        line: None,
        owner: None,
        message: format!("{more} more of the same are not listed"),
        evidence: format!("the first of them: {file} line {line}: {}", first.evidence),
        fix: survey.there("mend those that are listed, then: sudo subidctl audit".to_owned()),
        ..first
    }
}

/// A line that something was found in.
pub(super) enum Place {
    /// Of one of the two files: there may be millions.
    Ours(Kind, usize),
    Other(String, usize),
}

impl Place {
    pub(super) fn of(seen: &Seen) -> Option<Self> {
        let (file, line) = (seen.file.as_deref().unwrap_or_default(), seen.line?);
        let ours = Kind::BOTH.into_iter().find(|kind| file.strip_prefix("/etc/") == Some(kind.file()));
        Some(ours.map_or_else(|| Self::Other(file.to_owned(), line), |kind| Self::Ours(kind, line)))
    }
}

/// What was told of each line: a bit a group, and one that anything was.
struct Told {
    ours: PerKind<Vec<u32>>,
    others: HashMap<(String, usize), u32>,
    /// A line that is not there.
    nowhere: u32,
}

const NAMED: u32 = 1 << 31;

/// A group's.
const fn bit(group: Group) -> u32 {
    1 << group as u16
}

impl Told {
    fn new(survey: &Survey<'_>) -> Self {
        let lines =
            |kind: Kind| survey.snapshot.files[kind].document.as_ref().map_or(0, Document::line_count);
        let ours = PerKind::from_fn(|kind| vec![0; lines(kind) + 1]);
        Self { ours, others: HashMap::new(), nowhere: 0 }
    }

    fn line(&mut self, place: &Place) -> &mut u32 {
        match place {
            Place::Ours(kind, line) => self.ours[*kind].get_mut(*line).unwrap_or(&mut self.nowhere),
            Place::Other(file, line) => self.others.entry((file.clone(), *line)).or_default(),
        }
    }
}

/// By file, subuid before subgid as everywhere, and by line; what is not listed behind what is.
fn place(finding: &Finding) -> (bool, bool, Option<&str>, Option<usize>) {
    let file = finding.file.as_deref();
    (finding.count > 1, file == Some("/etc/subgid"), file, finding.line)
}

//! All owners and the whole host at once: what `audit` looks at, and what it finds.

use std::collections::{HashMap, HashSet};

use super::{Finding, Group, Seen, Status, catalogue};
use crate::idfile::{Claim, Document};
use crate::policy::Policy;
use crate::range::{Kind, PerKind};
use crate::snapshot::{Account, Snapshot};
use crate::text::{escape, shell_word};

/// The facts of an audit, with what several entries need worked out once: an entry may walk over all lines,
/// but not over all lines for each line.
#[derive(Debug)]
pub struct Survey<'a> {
    /// The facts.
    pub snapshot: &'a Snapshot,
    /// What should be.
    pub policy: &'a Policy,
    /// The lines of each file, without their newlines; the first is line 1.
    pub(super) lines: PerKind<Vec<&'a [u8]>>,
    /// What the lines take, in order of first IDs, then of lines.
    pub(super) claims: PerKind<Vec<Claim<'a>>>,
    /// The account that each owner field means.
    accounts: HashMap<&'a [u8], Option<&'a Account>>,
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
        let lines =
            PerKind::from_fn(|kind| documents(kind).flat_map(Document::lines).map(|line| line.raw).collect());
        let claims: PerKind<Vec<Claim<'a>>> = PerKind::from_fn(|kind| {
            let mut claims: Vec<_> = documents(kind).flat_map(Document::claims).collect();
            claims.sort_by_key(|claim| (claim.range, claim.line));
            claims
        });
        let mut accounts = HashMap::new();
        for claim in Kind::BOTH.into_iter().flat_map(|kind| &claims[kind]) {
            accounts.entry(claim.owner).or_insert_with(|| snapshot.accounts.by_owner(claim.owner));
        }
        Self { snapshot, policy, lines, claims, accounts }
    }

    /// The account that an owner field of a claim means.
    pub(super) fn account(&self, owner: &[u8]) -> Option<&'a Account> {
        self.accounts.get(owner).copied().flatten()
    }

    /// Whether two owner fields mean the same account, or are spelled alike.
    pub(super) fn same_owner(&self, a: &[u8], b: &[u8]) -> bool {
        a == b || self.account(a).zip(self.account(b)).is_some_and(|(a, b)| a.uid == b.uid)
    }

    /// A line's bytes, escaped, as evidence.
    pub(super) fn raw(&self, kind: Kind, line: usize) -> String {
        let raw = line.checked_sub(1).and_then(|index| self.lines[kind].get(index));
        escape(raw.copied().unwrap_or_default())
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
    fn there(&self, fix: String) -> String {
        if self.snapshot.host.running || !fix.contains("subidctl ") {
            return fix;
        }
        let there = format!("subidctl -R {} ", self.word(""));
        let line = |line: &str| match line.strip_prefix("subidctl ") {
            _ if line.contains(&there) => line.to_owned(),
            Some(rest) => there.clone() + rest,
            None => line.replace("sudo subidctl ", &format!("sudo {there}")),
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
        }
    }
}

/// `/etc/subuid` or `/etc/subgid`.
pub(super) fn path(kind: Kind) -> String {
    format!("/etc/{}", kind.file())
}

/// Every fault of the files and the host. Of one line only the first finding of a group is reported: what
/// follows from it would say the same in other words. An entry's place in the catalogue is its precedence.
pub fn audit(survey: &Survey<'_>) -> Audit {
    let mut seen: HashSet<(Group, Option<String>, usize)> = HashSet::new();
    let mut findings: Vec<Finding> = Vec::new();
    for entry in catalogue() {
        let mut here = HashSet::new();
        let found = entry.audit.map(|look| look(survey)).unwrap_or_default();
        for mut finding in found.into_iter().map(|seen| entry.finding(seen)) {
            finding.fix = survey.there(finding.fix);
            if let Some(line) = finding.line {
                let place = (finding.group, finding.file.clone(), line);
                if seen.contains(&place) {
                    continue;
                }
                here.insert(place);
            }
            findings.push(finding);
        }
        seen.extend(here);
    }
    findings.sort_by(|a, b| (rank(a), &a.file, a.line).cmp(&(rank(b), &b.file, b.line)));
    Audit { findings }
}

/// The worst first.
fn rank(finding: &Finding) -> usize {
    const ORDER: [Status; 4] = [Status::Critical, Status::Error, Status::Warning, Status::Info];
    ORDER.iter().position(|status| *status == finding.status).unwrap_or(ORDER.len())
}

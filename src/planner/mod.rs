//! (`Snapshot`, `Policy`, `Request`) → `Plan`, or a refusal with its reasons. Pure: no clock, no
//! randomness, no environment. The result is checked against the invariants before anyone sees it.

mod allocate;
mod barred;
mod case;
mod deviation;
#[cfg(test)]
mod directory_tests;
mod edits;
mod effective;
mod forget;
mod give_back;
mod hooked;
mod invariants;
mod judge;
mod release;
mod repair;
#[cfg(test)]
mod replace_tests;
mod request;
mod reserved;
mod room;
mod rule;
mod sample;
mod saved;
mod space;
mod stale;
mod supply;
mod taken;
mod target;
#[cfg(test)]
mod tests;
mod undo;
#[cfg(test)]
mod untrusted_tests;
mod view;

pub use barred::{Barred, Met};
pub use deviation::{Deviation, deviations, usual_count};
pub use edits::{Planned, Repair, compose};
pub use effective::{Effective, EffectiveSetting, KeptFree, SettingValue, effective};
pub use forget::{Forget, forget};
pub use give_back::{Release, release};
pub use hooked::{gave_back, has_both, hooked};
pub use invariants::{Evidence, check, check_lines};
pub use release::unproven;
pub use repair::{lost, repairs};
pub use request::{Owner, Request, Want};
pub use sample::{Holders, sample};
pub use saved::{SCHEMA, SavedAssignment, SavedEdit, SavedFile, SavedPlan};
pub use space::{Mark, Space, Use, space};
pub use stale::{Gone, stale, unknown_owners};
pub use supply::{Place, Supply};
pub use taken::taken;
pub use undo::{UNDO, undo};
pub use view::{Free, Owned, WhoAnswer, free, owners, successor, who};

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::{Code, Error, Result};
use crate::idfile::{Dialect, Document, Verdict};
use crate::policy::Policy;
use crate::range::{Kind, PerKind, Range, Uid};
use crate::snapshot::Snapshot;
use crate::text::Part;

/// What happens to one range of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A new line.
    Add,
    /// The line stays.
    Keep,
    /// `owner:…` becomes `!owner:…`.
    Release,
    /// `!owner:…` becomes `owner:…` again.
    Reclaim,
    /// `!owner:…` goes for good: the IDs are free again.
    Forget,
}

/// One range of one file and why it is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Which file.
    pub kind: Kind,
    /// The owner as people know it: the account's name.
    pub user: Part,
    /// The owner as the file spells it.
    pub owner: Part,
    /// The account's uid, where there is one.
    pub uid: Option<Uid>,
    /// The IDs.
    pub range: Range,
    /// What happens.
    pub action: Action,
    /// Why, in one phrase, escaped.
    pub reason: Arc<str>,
}

/// Something to know that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Warning {
    /// A stable name: `range-differs`, `pool-meets-window`, …
    pub code: &'static str,
    /// Whom it concerns, escaped; empty for the host.
    pub owner: String,
    /// One sentence, escaped.
    pub message: String,
}

/// A user who gets nothing, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Whom it concerns, escaped.
    pub owner: String,
    /// The finding's id where a fault of the files is the reason, else the error's code.
    pub code: &'static str,
    /// The three lines, and the exit code.
    pub error: Error,
}

/// What would be done.
#[must_use]
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// One for each range concerned, in order of the users asked for.
    pub assignments: Vec<Assignment>,
    /// Lines that are mended, whoever's they are.
    pub repairs: Vec<Repair>,
    /// Edits and content of each file afterwards.
    pub files: PerKind<Planned>,
    /// Things to know.
    pub warnings: Vec<Warning>,
    /// Who has nothing to be changed, one sentence each, escaped.
    pub idle: Vec<String>,
    /// Who is refused. One refused user refuses the whole request, unless `--keep-going`.
    pub refusals: Vec<Refusal>,
}

impl Plan {
    /// Whether anything would change: a file, or what the ledger alone remembers.
    pub fn changed(&self) -> bool {
        self.files.iter().any(|(_, planned)| !planned.edits.is_empty())
            || self.assignments.iter().any(|a| a.action == Action::Forget)
    }

    /// The exit code that the refusals ask for; `None` without any.
    pub fn refused(&self) -> Option<Code> {
        self.refusals.iter().map(|r| r.error.code).min_by_key(|code| precedence(code.exit()))
    }
}

/// Which of several exit codes wins: the lowest rank.
pub fn precedence(exit: u8) -> usize {
    const ORDER: [u8; 10] = [130, 2, 5, 8, 6, 7, 1, 4, 3, 0];
    ORDER.iter().position(|code| *code == exit).unwrap_or(0)
}

/// Makes the plan for a request.
///
/// # Errors
/// Only what concerns the whole request: `login.defs` that makes no sense, or a fault of subidctl itself
/// that the invariants caught. A user who cannot be served is a refusal in the plan.
pub fn plan(snapshot: &Snapshot, policy: &Policy, request: &Request) -> Result<Plan> {
    let rules = rule::Rules::new(snapshot, policy)?;
    let mut allocator = allocate::Allocator::new(snapshot, policy, &rules, request);
    // Mostly a range of each kind for each user.
    let assignments = Vec::with_capacity(2 * request.wants.len());
    let mut plan = Plan { warnings: rules.warnings(), assignments, ..Plan::default() };
    for (index, want) in request.wants.iter().enumerate() {
        match allocator.serve(index, want) {
            Ok(served) => {
                plan.assignments.extend(served.assignments);
                plan.warnings.extend(served.warnings);
            }
            Err(refusal) => plan.refusals.push(refusal),
        }
    }
    finish(snapshot, policy, plan, if request.unproven { Evidence::Caller } else { Evidence::Ledger })
}

/// Works out the files of a plan, checks the result against the invariants, and adds what is to know.
fn finish(snapshot: &Snapshot, policy: &Policy, mut plan: Plan, evidence: Evidence) -> Result<Plan> {
    plan.files = compose(snapshot, &plan.assignments, &plan.repairs)
        .map_err(|why| broken(&format!("the edits do not fit the files ({why})")))?;
    no_nul(snapshot, &plan)?;
    check(snapshot, policy, &plan, evidence).map_err(|error| broken(&error.why))?;
    plan.warnings.extend(host_warnings(snapshot, &plan));
    Ok(plan)
}

/// No line can be put safely into a file with a NUL: shadow up to 4.18 reads the line behind it as a part of
/// it, and later ones refuse the file as a whole.
fn no_nul(snapshot: &Snapshot, plan: &Plan) -> Result<()> {
    for (kind, _) in plan.files.iter().filter(|(_, planned)| !planned.edits.is_empty()) {
        let mut lines = snapshot.files[kind].document.iter().flat_map(Document::odd_lines);
        if let Some(line) = lines.find(|line| line.raw.contains(&0)) {
            let (file, number) = (kind.file(), line.number);
            let path = format!("{}/etc/{file}", snapshot.host.root.trim_end_matches('/'));
            let path = crate::text::shell_word(path.as_bytes()).unwrap_or_else(|| "that file".to_owned());
            return Err(Error::new(Code::Finding, format!("/etc/{file} line {number} has a NUL byte"))
                .why("older programs swallow the line behind it, newer ones read nothing of the file")
                .fix(format!(
                    "look at the line, then remove it: sed -n {number}l {path}; sudo sed -i {number}d {path}"
                )));
        }
    }
    Ok(())
}

/// The invariants caught a plan of our own.
fn broken(why: &str) -> Error {
    Error::new(Code::System, "subidctl made a plan that breaks its own rules; nothing was changed")
        .why(why.to_owned())
        .fix("this is a fault of subidctl: please report it with both files and the policy")
}

/// What to know of the host and of both files, whoever made the plan.
pub fn host_warnings(snapshot: &Snapshot, plan: &Plan) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut warn = |code, message: String| warnings.push(Warning { code, owner: String::new(), message });
    for (kind, file) in snapshot.files.iter() {
        let stops = |raw| matches!(Dialect::Go.read(raw), Verdict::Fails { owner: None });
        let line = file.document.iter().flat_map(Document::odd_lines).find(|line| stops(line.raw));
        if let Some(line) = line {
            let (file, raw) = (kind.file(), crate::text::escape(line.raw));
            let who = Dialect::Go.name();
            warn(
                "line-stops-readers",
                format!("/etc/{file} line {} stops {who} for every user: {raw}", line.number),
            );
        }
    }
    for kept in directory_meetings(snapshot, plan) {
        warn("meets-directory-range", kept);
    }
    if let Some(why) = &snapshot.ledger_damaged {
        warn("ledger-unusable", format!("{why}; what was released is known from lines with ! alone"));
    }
    if !plan.changed() {
        return warnings;
    }
    for (kind, file) in snapshot.files.iter() {
        let planned = &plan.files[kind];
        if planned.edits.is_empty() {
            continue;
        }
        match &file.document {
            None => warn(
                "file-created",
                format!(
                    "/etc/{} does not exist: creating it makes useradd give ranges to new users",
                    kind.file()
                ),
            ),
            Some(document) if !document.ends_in_newline() => {
                warn(
                    "final-newline",
                    format!("/etc/{} does not end in a newline: one is added", kind.file()),
                );
            }
            Some(_) => {}
        }
    }
    for sentence in &snapshot.namespaces.unseen {
        warn("namespaces-unseen", sentence.clone());
    }
    for sentence in &snapshot.site.unread {
        warn("site-unread", sentence.clone());
    }
    for sentence in &snapshot.accounts.lookups.unanswered {
        warn("lookup-unanswered", sentence.clone());
    }
    let added = plan.assignments.iter().filter(|a| a.action == Action::Add).map(|a| a.range);
    let high: BTreeSet<Range> = added.filter(|range| range.last() >= crate::policy::CEILING).collect();
    for range in high {
        warn(
            "above-2-31",
            format!("{range} lies above 2^31: software that takes IDs for signed numbers fails"),
        );
    }
    if let Some(module) = snapshot.nsswitch.subid_module.as_ref().filter(|m| !m.found) {
        let path = &snapshot.nsswitch.path;
        let (line, name) = (snapshot.nsswitch.subid.line, crate::text::escape(module.name.as_bytes()));
        warn(
            "subid-module-missing",
            format!(
                "{path} line {line} names subid: {name}, but libsubid_{name}.so is not installed: the files count"
            ),
        );
    }
    warnings
}

/// One sentence for each range that a directory declares and that ranges of this plan's users lie in.
fn directory_meetings(snapshot: &Snapshot, plan: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    for site in snapshot.site.declared.iter().filter(|site| site.by.of_accounts()) {
        let meets = |a: &&Assignment| {
            matches!(a.action, Action::Keep | Action::Reclaim)
                && site.kind.is_none_or(|kind| kind == a.kind)
                && site.range.overlaps(a.range)
        };
        let mut met: Vec<(Range, &[u8])> =
            plan.assignments.iter().filter(meets).map(|a| (a.range, &a.user[..])).collect();
        met.sort_unstable();
        met.dedup();
        let Some((range, user)) = met.first() else { continue };
        let (user, by) =
            (crate::text::escape(user), taken::Witness::Site(site).phrase(Kind::Uid, &Policy::default()));
        let more = match met.len() {
            1 => String::new(),
            n => format!(
                ", and so do {} more",
                crate::text::thousands(u64::try_from(n - 1).unwrap_or(u64::MAX))
            ),
        };
        found.push(format!("{range} of {user} meets {by}{more}"));
    }
    found
}

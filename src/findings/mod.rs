//! The catalogue of faults. One static table: an entry has its id, group, severity, text, the steps of a
//! container that it can explain, and a function from facts to findings. One file a group.

mod files;
mod helpers;
mod kernel;

use crate::proof::{Failure, Step};
use crate::range::{Gid, Login, PerKind, Range, Uid};
use crate::snapshot::Machine;

/// What findings are made from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Helpers, kernel, our own restrictions.
    pub machine: &'a Machine,
    /// The account.
    pub user: &'a Login,
    /// Its uid.
    pub uid: Uid,
    /// Its primary group.
    pub gid: Gid,
    /// Its ranges, in the order of the files.
    pub ranges: PerKind<&'a [Range]>,
}

/// Which part of the system an entry is about; what `check --only` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// newuidmap and newgidmap.
    Helpers,
    /// Kernel switches and the restrictions of this process.
    Kernel,
    /// /etc/subuid and /etc/subgid.
    Files,
}

/// How bad it is, or that there is nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Looked at, and right.
    Ok,
    /// Worth knowing.
    Info,
    /// Works, with a drawback.
    Warning,
    /// Does not work.
    Error,
    /// Dangerous.
    Critical,
    /// Could not be looked at.
    Skipped,
    /// Makes no sense here.
    NotApplicable,
}

/// One fault that was found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The entry's.
    pub id: &'static str,
    /// The entry's.
    pub group: Group,
    /// The entry's severity.
    pub status: Status,
    /// The file concerned.
    pub file: Option<String>,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// Whose line, escaped.
    pub owner: Option<String>,
    /// One line: what is wrong.
    pub message: String,
    /// One line: what comes of it.
    pub consequence: String,
    /// What was seen that says so: a path, mode, capability, sysctl.
    pub evidence: String,
    /// One command, or one sentence where no command mends it.
    pub fix: String,
}

/// One entry of the catalogue.
#[derive(Debug)]
pub struct Entry {
    /// Stable name.
    pub id: &'static str,
    /// Its group.
    pub group: Group,
    /// What each of its findings is.
    pub severity: Status,
    /// One line.
    pub title: &'static str,
    /// A paragraph for `explain`.
    pub explain: &'static str,
    /// What comes of it, one line.
    pub consequence: &'static str,
    /// Whether it explains that this step failed with these words.
    explains: fn(Step, &str) -> bool,
    /// Looks for it.
    find: fn(&Facts<'_>) -> Vec<Seen>,
}

/// What an entry's function saw.
#[derive(Debug, Default)]
struct Seen {
    file: Option<String>,
    message: String,
    evidence: String,
    fix: String,
}

impl Entry {
    /// Every finding of this entry.
    pub fn find(&self, facts: &Facts<'_>) -> Vec<Finding> {
        let finding = |seen: Seen| Finding {
            id: self.id,
            group: self.group,
            status: self.severity,
            file: seen.file,
            line: None,
            owner: (self.group == Group::Files).then(|| facts.user.to_string()),
            message: seen.message,
            consequence: self.consequence.to_owned(),
            evidence: seen.evidence,
            fix: seen.fix,
        };
        (self.find)(facts).into_iter().map(finding).collect()
    }
}

/// All entries, the more specific cause before the more general.
pub fn catalogue() -> impl Iterator<Item = &'static Entry> {
    [files::ENTRIES, helpers::ENTRIES, kernel::ENTRIES].into_iter().flatten()
}

/// Why a step failed: the first entry that explains such a failure and finds its fault here.
pub fn cause(step: Step, words: String, facts: &Facts<'_>) -> Failure {
    let explained = catalogue()
        .filter(|entry| (entry.explains)(step, &words))
        .find_map(|entry| entry.find(facts).into_iter().find(|finding| concerns(finding, step)));
    let (cause, message, evidence, fix) = match explained {
        Some(finding) => (finding.id.to_owned(), finding.message, finding.evidence, finding.fix),
        None => unexplained(step, &words, facts),
    };
    Failure { step, helper_message: words, cause, message, evidence, fix }
}

/// A fault of newgidmap does not explain why newuidmap failed.
fn concerns(finding: &Finding, step: Step) -> bool {
    let about = |name: &str| finding.file.as_deref().is_some_and(|file| file.ends_with(name));
    match step {
        Step::UidMap => !about("newgidmap") && !about("subgid"),
        Step::GidMap => !about("newuidmap") && !about("subuid"),
        _ => true,
    }
}

/// How the words begin that stand for those of a helper that did not end in time.
pub const NO_ANSWER: &str = "no answer in time";

/// Where nothing in the catalogue explains it: what can be said all the same.
fn unexplained(step: Step, words: &str, facts: &Facts<'_>) -> (String, String, String, String) {
    let user = crate::text::shell_word(facts.user.as_bytes()).unwrap_or_else(|| facts.uid.to_string());
    let helper = is_map(step);
    let trace = || format!("sudo strace -f subidctl verify {user}");
    let (cause, message, evidence, fix) = if helper && words.contains("not allowed") {
        let message = "the helper does not take the line that subidctl reads as the user's";
        ("range-not-granted", message, words, format!("subidctl plan {user}"))
    } else if helper && words.starts_with(NO_ANSWER) {
        let message = "the helper waits, most likely for a name service";
        ("no-answer", message, "it did not end in time", format!("getent passwd {user}"))
    } else if step == Step::Timeout {
        ("no-answer", "the container did not answer", "the deadline passed", trace())
    } else {
        ("unexplained", "no known fault of this host explains it", words, trace())
    };
    (cause.to_owned(), message.to_owned(), evidence.to_owned(), fix)
}

/// What the kernel says of a missing right.
fn not_permitted(words: &str) -> bool {
    words.contains("Operation not permitted")
        || words.contains("Permission denied")
        || words.contains("Could not set caps")
}

fn is_map(step: Step) -> bool {
    matches!(step, Step::UidMap | Step::GidMap)
}

#[cfg(test)]
mod tests;

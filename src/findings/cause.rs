//! Why a step of a container failed.

use super::order::causes;
use super::{Check, Entry, Facts, Finding, Group, Reach, catalogue, check, entry, is_map};
use crate::proof::{Failure, Step};

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

/// The same failure as the files show it, line by line: what `check` finds of this user, and what explains the step or
/// brings about the cause that was named. The failure as it was where that is nothing.
pub fn in_files(failure: Failure, looked: &Check<'_>) -> Failure {
    let roots: Vec<&str> = causes(&failure.cause).collect();
    let unexplained = entry(&failure.cause).is_none_or(|entry| entry.reach == Reach::Nobody);
    let wanted = |entry: &Entry| {
        let same = entry.id == failure.cause || roots.contains(&entry.id);
        entry.in_audit() && (same || unexplained && (entry.explains)(failure.step, &failure.helper_message))
    };
    let concerns = |finding: &Finding| finding.status.is_fault() && concerns(finding, failure.step);
    match check(looked, wanted).into_iter().find(concerns) {
        Some(finding) => from_files(failure, finding),
        None => failure,
    }
}

/// A finding of a line says who reads what; what is wrong with it is the entry's title.
fn from_files(failure: Failure, finding: Finding) -> Failure {
    let place = match (&finding.file, finding.line) {
        (Some(file), Some(line)) => format!("{file} line {line}: {}", finding.evidence),
        _ => finding.evidence,
    };
    let title = entry(finding.id).filter(|_| finding.group == Group::Lines).map(|entry| entry.title);
    let (message, evidence) = match title {
        Some(title) => (title.to_owned(), format!("{place} ({})", finding.message)),
        None => (finding.message, place),
    };
    let fix = finding.fix.lines().next().unwrap_or_default().to_owned();
    Failure { cause: finding.id.to_owned(), message, evidence, fix, ..failure }
}

/// A failure whose cause is known before any container is begun.
pub fn named(id: &str, step: Step, words: String, evidence: String, fix: String) -> Failure {
    let message = entry(id).map_or_else(String::new, |entry| entry.title.to_owned());
    Failure { step, helper_message: words, cause: id.to_owned(), message, evidence, fix }
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

/// How the words begin of a root for CMD that cannot be used; its path follows.
pub const GIVEN_ROOT: &str = "the root";

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
    } else if matches!(step, Step::Unshare | Step::Probe) && words.contains("No space left on device") {
        return full(facts);
    } else if step == Step::Command && words.starts_with(GIVEN_ROOT) {
        let message = "the folder that was to be CMD's root cannot be used by the user";
        let path =
            words.trim_start_matches(GIVEN_ROOT).trim_start().rsplit_once(": ").map_or("", |(path, _)| path);
        let way =
            crate::text::shell_word(path.as_bytes()).map_or_else(String::new, |path| format!(" {path}"));
        ("root-unusable", message, words, format!("namei -l{way}"))
    } else if step == Step::Timeout {
        ("no-answer", "the container did not answer", "the deadline passed", trace())
    } else {
        ("unexplained", "no known fault of this host explains it", words, trace())
    };
    (cause.to_owned(), message.to_owned(), evidence.to_owned(), fix)
}

/// What a namespace begins with that nobody limited.
const UNLIMITED: u64 = i32::MAX as u64;

/// The kernel has no room for one more user namespace: nobody limits it to none, which the catalogue would have said.
fn full(facts: &Facts<'_>) -> (String, String, String, String) {
    let (machine, most) = (facts.machine, facts.machine.kernel.max_user_namespaces.unwrap_or(UNLIMITED));
    let (cause, message, evidence, fix) = if machine.process.nested && most >= UNLIMITED {
        (
            "userns-nesting",
            "there is no room for a user namespace in this one",
            "this is a user namespace in another, without a limit of its own: 32 levels, or a limit outside"
                .to_owned(),
            "run it in fewer containers, one inside the other".to_owned(),
        )
    } else {
        (
            "userns-limit-reached",
            "there are as many user namespaces as are allowed",
            format!("/proc/sys/user/max_user_namespaces is {most}, for each user"),
            format!("sudo sysctl -w user.max_user_namespaces={}", most.saturating_mul(2).max(28633)),
        )
    };
    (cause.to_owned(), message.to_owned(), evidence, fix)
}

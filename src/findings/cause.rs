//! Why a step of a container failed.

use super::{Facts, Finding, catalogue, is_map};
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

//! Every situation of `tests/situations.tsv`, really made: `check` names it and nothing else, podman meets it, and
//! the printed commands mend it.

use std::panic::catch_unwind;

use serde_json::Value;

use super::{PODMAN_RUN, check, comparison, entered, fresh, ids, prelude};
use crate::harness::{Sandbox, needs, size};

/// One line of the table.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) situation: &'static str,
    /// Makes it, as root.
    script: &'static str,
    /// What `check` finds.
    finding: &'static str,
    /// `fails` or `works`: `podman run` in spite of it.
    podman: &'static str,
    /// An expression for `grep -E` that a text matches which names the cause.
    words: &'static str,
    /// Why its fix is not run.
    why_not: Option<&'static str>,
}

pub(super) fn rows() -> impl Iterator<Item = Row> {
    let lines = include_str!("../../situations.tsv").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [situation, _, _, script, finding, podman, words, why_not @ ..] = &fields[..] else {
            panic!("a line needs 7 fields: {line}");
        };
        Row { situation, script, finding, podman, words, why_not: why_not.first().copied() }
    })
}

impl Row {
    /// Makes it, and asks both.
    fn check(&self) {
        let sandbox = fresh();
        prelude(&sandbox, &format!("session\n{}", self.script));
        self.named_alone(&check(&sandbox).json());
        sandbox.write("/tmp/words", self.words);
        let named = entered(&sandbox, "subidctl check --for podman 2>&1 | grep -Eif /tmp/words").code == 0;
        assert_eq!(named, comparison::names(self.situation), "{} in tests/peers.txt", self.situation);
        let podman = entered(&sandbox, PODMAN_RUN);
        assert_eq!(podman.code == 0, self.podman == "works", "{}: {podman}", self.situation);
        if self.why_not.is_none() {
            self.mend(&sandbox);
        }
    }

    /// Asserts that this is found and that nothing else is an error; what follows from it is skipped, and says so.
    fn named_alone(&self, document: &Value) {
        let found = ids(document, &["info", "warning", "error", "critical"]);
        let errors = ids(document, &["error", "critical"]);
        let known = self.finding != "-";
        assert_eq!(found.contains(self.finding), known, "{}: {found:?} {document:#}", self.situation);
        assert!(errors.iter().all(|id| id == self.finding), "{}: {errors:?} {document:#}", self.situation);
        for finding in document["findings"].as_array().unwrap() {
            let message = finding["message"].as_str().unwrap();
            let explained = message.starts_with(&format!("because {}", self.finding));
            assert!(finding["status"] != "skipped" || explained, "{}: {finding:#}", self.situation);
        }
    }

    /// Runs what `check` prints, first for the breakage and then for what stood behind it (an empty file that comes
    /// back has no line), until there is no error and nothing of the breakage. Then podman runs.
    fn mend(&self, sandbox: &Sandbox) {
        // The podman that ran keeps the IDs that it got; whether this works is up to the breakage.
        let _ = entered(sandbox, "podman system migrate");
        for _ in 0..3 {
            let document = check(sandbox).json();
            let Some(fix) = self.fix(&document) else { break };
            // The first of several ways. Asked for a yes there is nobody to answer.
            let command = fix.lines().next().unwrap().replace("subidctl apply ", "subidctl apply --yes ");
            let _ = match command.strip_prefix("sudo ") {
                Some(roots) => sandbox.run(roots).ok(),
                None => entered(sandbox, &command).ok(),
            };
        }
        let document = check(sandbox).ok().json();
        assert_eq!(self.fix(&document), None, "{}: {document:#}", self.situation);
        let podman = entered(sandbox, PODMAN_RUN).ok();
        assert!(podman.stdout.contains("         1     "), "{}: a single ID: {podman}", self.situation);
    }

    /// The fix of the breakage, or of the first error.
    fn fix(&self, document: &Value) -> Option<String> {
        let findings = || document["findings"].as_array().into_iter().flatten();
        let is = |finding: &Value, statuses: &[&str]| statuses.iter().any(|s| finding["status"] == *s);
        let own =
            findings().find(|f| f["id"] == self.finding && is(f, &["info", "warning", "error", "critical"]));
        let fix = own.or_else(|| findings().find(|f| is(f, &["error", "critical"])))?;
        fix["fix"].as_str().map(str::to_owned)
    }
}

#[test]
fn every_situation_is_named_alone_and_mended() {
    needs!(
        "unshare",
        "nsenter",
        "useradd",
        "podman",
        "crun",
        "newuidmap",
        "busybox",
        "slirp4netns",
        "setcap",
        "cc"
    );
    // Situations by a part of their name, to look at them alone.
    let only = std::env::var("SUBIDCTL_SITUATION").unwrap_or_default();
    let rows = rows().filter(|row| row.situation.contains(&only));
    let rows: Vec<Row> = rows.take(size(100, 100) as usize).collect();
    let wrong: Vec<&str> =
        rows.iter().filter(|row| catch_unwind(|| row.check()).is_err()).map(|row| row.situation).collect();
    assert!(!rows.is_empty() && wrong.is_empty(), "of {} situations: {wrong:#?}", rows.len());
}

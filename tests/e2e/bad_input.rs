//! Bad input, one test each: the exit code, the three lines with the first word for word, and both files as
//! they were.

mod disks;
mod documents;
mod files;
mod interrupts;
mod locks;
mod operands;
mod output;

use crate::harness::{Output, Sandbox};

/// Both files' type, mode, owner, inode, size, time of change and content, and the names beside them.
fn witness(sandbox: &Sandbox) -> String {
    let look = "for f in subuid subgid; do stat -c '%n %F %a %u:%g %i %s %y' /etc/$f; \
        if [ -f /etc/$f ]; then sha256sum < /etc/$f; fi; done 2>&1; ls -A /etc | grep -vx .pwd.lock";
    sandbox.run(look).ok().stdout
}

/// Asserts that the error is three lines, the last ones written, and that the first is this one.
#[track_caller]
fn three_lines(output: &Output, first: &str) {
    let lines: Vec<&str> = output.stderr.lines().skip_while(|line| !line.starts_with("subidctl: ")).collect();
    let [what, why, fix, pasted @ ..] = &lines[..] else { panic!("not three lines\n{output}") };
    // A fix may end in lines to paste into a file.
    assert!(pasted.iter().all(|line| line.starts_with("    ")), "{output}");
    assert_eq!(*what, format!("subidctl: {first}"), "{output}");
    assert!(why.strip_prefix("  why: ").is_some_and(|why| !why.trim().is_empty()), "{output}");
    assert!(fix.strip_prefix("  fix: ").is_some_and(|fix| !fix.trim().is_empty()), "{output}");
}

/// Runs a command that must be refused with this exit code, error code and first line, and change nothing;
/// then once more for its document.
#[track_caller]
fn refused(sandbox: &Sandbox, command: &str, exit: i32, code: &str, first: &str) -> Output {
    let before = witness(sandbox);
    let human = sandbox.run(command).exits(exit);
    three_lines(&human, first);
    let json = sandbox.run(&command.replacen("subidctl ", "subidctl --json ", 1)).exits(exit);
    let document = json.json();
    let found = [&document["code"], &document["refusals"][0]["code"]];
    assert!(found.iter().any(|found| **found == code), "expected {code}\n{json}");
    if document["schema"] == "subidctl.error.v1" {
        for line in ["message", "why", "fix"] {
            assert!(document[line].as_str().is_some_and(|text| !text.is_empty()), "{document:#}");
        }
        assert_eq!(
            (document["exit"].as_i64(), document["message"].as_str()),
            (Some(exit.into()), Some(first))
        );
    }
    assert_eq!(witness(sandbox), before, "{command} changed something");
    human
}

//! What is refused: with a code, three lines, and nothing changed.

use super::alice_and_bob;
use crate::harness::{Sandbox, needs};

/// Runs a command that must be refused with this exit code and one of the codes (`a|b`), and change nothing.
#[track_caller]
fn refused(sandbox: &Sandbox, command: &str, exit: i32, code: &str) -> serde_json::Value {
    let before = (sandbox.id_files(), sandbox.names("/etc"));
    let human = sandbox.run(command).exits(exit);
    assert!(!human.stderr.is_empty() || !human.stdout.is_empty(), "{human}");
    let output = sandbox.run(&format!("{command} --json")).exits(exit);
    let document = output.json();
    let found = [&document["code"], &document["refusals"][0]["code"]];
    assert!(
        found.iter().any(|found| code.split('|').any(|code| **found == code)),
        "expected {code}\n{output}"
    );
    assert_eq!(before, (sandbox.id_files(), sandbox.names("/etc")), "{command} changed something");
    document
}

#[test]
fn one_refused_user_refuses_all_unless_told_to_keep_going() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    let before = sandbox.id_files();
    let plan = sandbox.run("subidctl apply --yes --json alice nobody1 nobody2").exits(1);
    plan.says("nobody1").says("nobody2");
    assert_eq!(sandbox.id_files(), before);
    sandbox.run("subidctl apply --yes --keep-going alice nobody1").exits(4).says("nobody1");
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\nalice:165536:65536\n");
}

#[test]
fn a_kept_range_that_meets_another_is_a_finding() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("bob", 1002)
        .subids("bob:100000:65536\nalice:120000:65536\n")
        .start();
    let before = sandbox.id_files();
    sandbox.run("subidctl apply --yes alice").exits(4).never_says("No changes").says("bob");
    assert_eq!(sandbox.id_files(), before);
}

#[test]
fn nobody_is_named_with_two_ranges() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.write("/root/list", "alice:300000:65536\nalice:400000:65536\n");
    refused(&sandbox, "subidctl apply --yes --from /root/list", 2, "usage");
    refused(&sandbox, "subidctl apply --yes --from /root/list +1001", 2, "usage");
    sandbox.write("/root/list", "alice:300000:65536\n+1001\nalice\n");
    sandbox.run("subidctl apply --yes --from /root/list").ok();
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\nalice:300000:65536\n");
}

#[test]
fn foreign_bytes_never_reach_the_terminal() {
    needs!("unshare", "nsenter");
    let evil = b"bob:100000:65536\n\x1b[31mred:200000:10\n\xe2\x80\xaerlo:300000:10\n";
    let sandbox = Sandbox::new().user("alice", 1001).user("bob", 1002).subids(evil).start();
    for command in
        ["list", "plan alice", "who 200001", "list --json", "apply --yes alice", "plan $(printf '\\033[31m')"]
    {
        let output = sandbox.run(&format!("subidctl {command}"));
        for text in [&output.stdout, &output.stderr] {
            let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(bad), "{command}: {text:?}");
        }
    }
    sandbox.run("subidctl list").ok().says("\\x1b[31mred").says("\\u{202e}rlo");
}

//! Policies and plans that cannot be used.

use super::refused;
use crate::e2e::alice_and_bob;
use crate::harness::{Output, needs};

const POLICY: &str = "/etc/subidctl/policy.toml";

/// Apply under this policy is refused for this line of it.
#[track_caller]
fn bad_policy(policy: &str, line: u32) -> Output {
    let sandbox = alice_and_bob();
    sandbox.write(POLICY, policy);
    let first = format!("the policy {POLICY} cannot be used: line {line}");
    refused(&sandbox, "subidctl apply --yes alice", 2, "invalid-policy", &first)
}

#[test]
fn a_wrong_key_is_named_with_the_nearest_right_one() {
    needs!("unshare", "nsenter");
    bad_policy("# ours\nstratgey = \"windows\"\n", 2).says("no key stratgey").says("did you mean strategy?");
}

#[test]
fn a_wrong_type_or_value_is_named_with_the_right_one() {
    needs!("unshare", "nsenter");
    bad_policy("count = \"many\"\n", 1).says("count must be a whole number");
    bad_policy("count = 0\n", 1).says("from 1 to");
    bad_policy("\nstrategy = \"magic\"\n", 2).says("\"first-fit\"");
    bad_policy("[users]\nnames = \"alice\"\n", 2).says("a list of texts");
    bad_policy("min = 5\nmax = 4\n", 2).says("line 1");
    bad_policy("count = \n", 1);
}

#[test]
fn overlapping_windows_are_named_both() {
    needs!("unshare", "nsenter");
    let windows = "[[window]]\nuids = \"1000-1999\"\nstart = 200000\ncount = 65536\n\
        [[window]]\nuids = \"2000-2999\"\nstart = 300000\ncount = 65536\n";
    bad_policy(windows, 5).says("300000-65835999 overlaps 200000-65735999 of line 1");
}

#[test]
fn a_policy_that_others_can_write_decides_nothing() {
    needs!("unshare", "nsenter");
    let first = format!("{POLICY} cannot be trusted");
    let breakages = [
        format!("chmod 666 {POLICY}"),
        format!("chown alice {POLICY}"),
        format!("mv {POLICY} /etc/other.toml; ln -s /etc/other.toml {POLICY}"),
    ];
    for breakage in breakages {
        let sandbox = alice_and_bob();
        sandbox.write(POLICY, "count = 1000\n");
        sandbox.run(&breakage).ok();
        refused(&sandbox, "subidctl apply --yes alice", 1, "untrusted-file", &first);
    }
}

#[test]
fn a_plan_that_is_truncated_or_of_another_schema_is_none() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl plan --out /root/p.json alice").ok();
    let first = "the plan /root/bad.json cannot be read";
    for spoil in
        ["head -c 300", "head -c 0", "sed 's/plan.v1/plan.v9/'", "sed 's/\"edits\": \\[\\]/\"edits\": [{}]/'"]
    {
        sandbox.run(&format!("{spoil} /root/p.json > /root/bad.json; chmod 644 /root/bad.json")).ok();
        refused(&sandbox, "subidctl apply --yes --plan /root/bad.json", 2, "invalid-plan", first)
            .says("subidctl plan --out FILE");
    }
}

#[test]
fn a_plan_that_was_edited_is_refused() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl plan --out /root/p.json alice").ok();
    sandbox.run("sed 's/+alice:165536/+alice:265536/' /root/p.json > /root/diff.json").ok();
    let first = "the plan /root/diff.json cannot be applied; nothing was changed";
    refused(&sandbox, "subidctl apply --yes --plan /root/diff.json", 6, "stale", first).says("edited");
    // An edited range: the very first ID, and another user's.
    for start in ["0", "100000"] {
        sandbox.run(&format!("sed 's/165536/{start}/g' /root/p.json > /root/range.json")).ok();
        sandbox.run("subidctl apply --yes --plan /root/range.json").exits(6);
    }
    assert_eq!(sandbox.id_text(), ["bob:100000:65536\n"; 2]);
}

#[test]
fn a_plan_of_another_host_is_refused() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl plan --out /root/p.json alice").ok();
    sandbox
        .run("sed 's/\"hostname\": \"[^\"]*\"/\"hostname\": \"elsewhere\"/' /root/p.json > /root/h.json")
        .ok();
    let first = "the plan /root/h.json is not for this host";
    refused(&sandbox, "subidctl apply --yes --plan /root/h.json", 6, "other-host", first).says("elsewhere");
}

#[test]
fn a_stale_plan_is_refused() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl plan --out /root/p.json alice").ok();
    let first = "the plan /root/p.json cannot be applied; nothing was changed";
    sandbox.run("echo carol:300000:10 >> /etc/subgid").ok();
    refused(&sandbox, "subidctl apply --yes --plan /root/p.json", 6, "stale", first).says("/etc/subgid");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl plan --out /root/p.json alice").ok();
    sandbox.run("sed -i s/^alice:x:1001/alice:x:1009/ /etc/passwd").ok();
    refused(&sandbox, "subidctl apply --yes --plan /root/p.json", 6, "stale", first).says("alice");
}

#[test]
fn a_plan_of_somebody_else_is_not_trusted() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl plan --out /root/p.json alice").ok();
    for copy in [
        "install -o alice -m 0644 /root/p.json /root/bad.json",
        "install -m 0666 /root/p.json /root/bad.json",
        "ln -s p.json /root/bad.json",
        "mkfifo /root/bad.json",
    ] {
        sandbox.run(&format!("rm -f /root/bad.json; {copy}")).ok();
        let first = "/root/bad.json cannot be trusted";
        refused(&sandbox, "subidctl apply --yes --plan /root/bad.json", 1, "untrusted-file", first);
    }
}

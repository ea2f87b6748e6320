//! The policy: windows, maps, and what is refused at load.

use super::warnings;
use crate::harness::{Sandbox, needs};

const WINDOWS: &str = "strategy = \"windows\"\n\n[[window]]\nuids = \"1200001000-1200005999\"\n\
    start = 1300037632\ncount = 65536\n";

#[test]
fn the_same_windows_give_the_same_line_on_every_host() {
    needs!("unshare", "nsenter");
    for old in ["", "bob:100000:65536\n# by hand\nzed:165536:65536\n"] {
        let sandbox = Sandbox::new()
            .user("lena", 1_200_001_007)
            .file("/etc/subidctl/policy.toml", WINDOWS)
            .subids(old)
            .start();
        sandbox.run("subidctl apply --yes lena").ok();
        let expected = format!("{old}lena:1300496384:65536\n");
        assert_eq!(sandbox.id_text(), [expected.clone(), expected]);
    }
}

#[test]
fn a_uid_in_no_window_is_refused_by_name() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("lena", 1_200_001_007)
        .file("/etc/subidctl/policy.toml", WINDOWS)
        .start();
    let refused = sandbox.run("subidctl apply --yes --json alice").exits(1);
    let plan = refused.json();
    assert!(plan["code"] == "no-rule" || plan["refusals"][0]["code"] == "no-rule", "{refused}");
    refused.says("alice");
    sandbox.run("subidctl apply --yes --count 100000 lena").exits(2);
    assert_eq!(sandbox.id_text(), ["", ""]);
}

#[test]
fn windows_that_meet_something_are_refused_at_load() {
    needs!("unshare", "nsenter");
    let window =
        |uids: &str, start: u64| format!("[[window]]\nuids = \"{uids}\"\nstart = {start}\ncount = 65536\n");
    let policies = [
        // Each other.
        (window("1000-1999", 200_000) + &window("2000-2999", 300_000), ["line 5", "line 1"]),
        // A directory range.
        (
            "directory = [{ name = \"ad\", first = 200000, last = 300000 }]\n".to_owned()
                + &window("1000-1999", 250_000),
            ["line 2", "line 1"],
        ),
        // Past 2^31.
        (window("1000-1999", 2_147_400_000), ["line 1", "2147400000 passes 2^31"]),
    ];
    for (policy, named) in policies {
        let sandbox = Sandbox::new().user("alice", 1001).file("/etc/subidctl/policy.toml", &policy).start();
        let refused = sandbox.run("subidctl plan alice").exits(2).says("/etc/subidctl/policy.toml");
        for name in named {
            assert!(refused.stderr.contains(name), "{name} in {refused}\n{policy}");
        }
    }
}

#[test]
fn a_wrong_key_is_named_with_its_line_and_the_nearest_right_one() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .file("/etc/subidctl/policy.toml", "# ours\nstratgey = \"windows\"\n")
        .start();
    sandbox.run("subidctl plan alice").exits(2).says("stratgey").says("strategy").says("line 2");
    sandbox.write("/etc/subidctl/policy.toml", "count = 1000\n");
    sandbox.run("subidctl plan alice").ok().says("100000-100999");
    sandbox.run("chmod 666 /etc/subidctl/policy.toml; subidctl plan alice").exits(1);
    sandbox.write("/root/other.toml", "count = 2000\n");
    sandbox.run("subidctl plan --policy /root/other.toml alice").ok().says("100000-101999");
}

#[test]
fn a_map_gives_everybody_what_it_says_and_nobody_else_anything() {
    needs!("unshare", "nsenter");
    let first = Sandbox::new().user("alice", 1001).user("bob", 1002).start();
    first.run("subidctl apply --yes bob alice").ok();
    let map = first.run("subidctl list --subid").ok().stdout;
    let second = Sandbox::new()
        .user("alice", 1001)
        .user("carol", 1003)
        .file("/etc/subidctl/policy.toml", "strategy = \"map\"\nmap = \"/etc/subidctl/map\"\n")
        .file("/etc/subidctl/map", &map)
        .start();
    second.run("subidctl apply --yes carol").exits(1).says("carol");
    second.run("subidctl apply --yes alice").ok();
    assert_eq!(second.id_text(), ["alice:165536:65536\n", "alice:165536:65536\n"]);
}

#[test]
fn a_range_that_is_not_the_rules_is_kept_and_said_or_replaced() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .user("lena", 1_200_001_007)
        .file("/etc/subidctl/policy.toml", WINDOWS)
        .subids("lena:100000:65536\n")
        .start();
    let kept = sandbox.run("subidctl apply --yes --json lena").ok().json();
    assert_eq!(warnings(&kept), ["range-differs"], "{kept:#}");
    assert_eq!(sandbox.id_text(), ["lena:100000:65536\n", "lena:100000:65536\n"]);
    sandbox.run("subidctl apply --yes --replace lena").ok();
    let text = "!lena:100000:65536\nlena:1300496384:65536\n";
    assert_eq!(sandbox.id_text(), [text, text]);
}

#[test]
fn a_pool_that_meets_a_window_is_a_warning_and_first_fit_stays_out() {
    needs!("unshare", "nsenter");
    let policy = "[[window]]\nuids = \"5000-5999\"\nstart = 100000\ncount = 65536\n";
    let sandbox = Sandbox::new().user("alice", 1001).file("/etc/subidctl/policy.toml", policy).start();
    let plan = sandbox.run("subidctl plan --json alice").ok().json();
    // One for each file.
    assert_eq!(warnings(&plan), ["pool-meets-window"; 2], "{plan:#}");
    sandbox.run("subidctl apply --yes alice").ok();
    assert_eq!(sandbox.text("/etc/subuid"), format!("alice:{}:65536\n", 100_000 + 1000 * 65536));
    sandbox.run("subidctl apply --yes --range 200000:65536 alice").exits(6);
}

#[test]
fn login_defs_deterministic_is_one_window() {
    needs!("unshare", "nsenter");
    let defs = "UID_MIN 1000\nUID_MAX 5000\nSUB_UID_DETERMINISTIC yes\nSUB_UID_MIN 200000\nSUB_UID_MAX 600000000\n\
        SUB_UID_COUNT 65536\nSUB_GID_DETERMINISTIC yes\nSUB_GID_MIN 200000\nSUB_GID_MAX 600000000\nSUB_GID_COUNT 65536\n";
    let sandbox = Sandbox::new().user("alice", 1003).file("/etc/login.defs", defs).start();
    sandbox.run("subidctl apply --yes alice").ok();
    let line = format!("alice:{}:65536\n", 200_000 + 3 * 65536);
    assert_eq!(sandbox.id_text(), [line.clone(), line]);
}

#[test]
fn a_policy_whose_users_are_nobody_here_is_in_order() {
    needs!("unshare", "nsenter");
    let policy = "[users]\nnames = [\"alice\"]\nexclude = [\"alice\"]\n";
    let sandbox = Sandbox::new().user("alice", 1001).file("/etc/subidctl/policy.toml", policy).start();
    sandbox.run("subidctl plan --exit-code").ok().says("Nobody is selected");
    assert_eq!(sandbox.run("subidctl apply --yes --json").ok().json()["changed"], false);
    // Who names users means somebody.
    sandbox.run("printf '# nobody\\n' | subidctl plan --from -").exits(2);
}

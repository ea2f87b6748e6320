//! `list` and `who`.

use super::alice_and_bob;
use crate::harness::{Sandbox, assert_shown, needs};

#[test]
fn list_shows_owners_ranges_and_free_space() {
    needs!("unshare", "nsenter", "su");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice").ok();
    assert_shown("list", &sandbox.as_user("alice").run("subidctl list").ok().stdout);
    let one = sandbox.run("subidctl list alice").ok();
    one.says("alice").never_says("bob");
}

#[test]
fn list_in_json_keeps_its_contract() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .file("/etc/subuid", "alice:100000:65536\n!gone:165536:65536\nghost:300000:10\n")
        .file("/etc/subgid", "alice:100000:65536\n")
        .start();
    let list = sandbox.run("subidctl list --json").ok().json();
    assert_eq!(list["schema"], "subidctl.list.v1");
    let ranges = list["ranges"].as_array().unwrap();
    let of = |kind: &str, owner: &str| {
        ranges.iter().find(|r| r["kind"] == kind && r["owner"] == owner).unwrap_or_else(|| panic!("{list:#}"))
    };
    let alice = of("uid", "alice");
    let expected = serde_json::json!({ "kind": "uid", "owner": "alice", "uid": 1001, "start": 100_000, "count": 65536,
        "line": 1, "source": "files", "released": false });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(&alice[field], value, "{field} in {alice:#}");
    }
    assert_eq!(of("uid", "ghost")["uid"], serde_json::Value::Null);
    let released = ranges.iter().find(|r| r["released"] == true).unwrap();
    assert_eq!((&released["start"], &released["line"]), (&165_536.into(), &2.into()));
    for kind in ["uid", "gid"] {
        assert!(list["free"][kind]["ids"].as_u64().unwrap() > 1_000_000, "{list:#}");
        assert!(list["free"][kind]["largest"].as_u64().unwrap() > 1_000_000, "{list:#}");
    }
}

#[test]
fn list_subid_prints_lines_that_subuid_takes() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice").ok();
    assert_eq!(sandbox.run("subidctl list --subid").ok().stdout, "bob:100000:65536\nalice:165536:65536\n");
    assert_eq!(sandbox.run("subidctl list --subid alice").ok().stdout, "alice:165536:65536\n");
}

#[test]
fn who_says_whose_an_id_is_and_which_one_inside() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice").ok();
    // Inside 0 is alice herself, 1 is 165536.
    let who = sandbox.run("subidctl who 165600").ok().says("alice").says("65");
    assert_shown("who", &who.stdout);
    sandbox.run("subidctl who 100000").ok().says("bob");
    sandbox.run("subidctl who 1001").ok().says("alice");
    sandbox.run("subidctl who 0").ok().says("root");
    let json = sandbox.run("subidctl who --json 165600 500000000").ok().json();
    assert_eq!(json["schema"], "subidctl.who.v1");
    sandbox.run("subidctl who 4294967296").exits(2);
    sandbox.run("subidctl who").exits(2);
}

#[test]
fn the_real_tools_agree_with_list() {
    needs!("unshare", "nsenter", "getsubids");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice").ok();
    assert_eq!(sandbox.run("getsubids alice").ok().stdout, "0: alice 165536 65536\n");
    assert_eq!(sandbox.run("getsubids -g alice").ok().stdout, "0: alice 165536 65536\n");
}

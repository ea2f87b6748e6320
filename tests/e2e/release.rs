//! `release`: ranges go back, and nobody gets them next.

use super::alice_and_bob;
use crate::harness::{FILE_CALLS, Sandbox, needs};

const RELEASED: &str = "bob:100000:65536\n!alice:165536:65536\n";

/// bob with `100000:65536`, and alice with what subidctl gave her.
fn given() -> Sandbox {
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice").ok();
    sandbox
}

/// Asks newuidmap for the first ID of alice's range.
const MAP: &str =
    "unshare -U sleep 60 & sleep 0.5; newuidmap $! 0 165536 1; code=$?; kill $!; wait $!; exit $code";

fn ledger(sandbox: &Sandbox) -> serde_json::Value {
    serde_json::from_str(&sandbox.text("/var/lib/subidctl/ledger.json")).unwrap()
}

#[test]
fn what_is_released_nobody_gets_next() {
    needs!("unshare", "nsenter", "useradd", "userdel", "getsubids", "newuidmap");
    let sandbox = given();
    sandbox.as_user("alice").run(MAP).ok();
    sandbox.run("subidctl release alice </dev/null").exits(2).says("--yes").says("-alice:165536:65536");
    let shown = sandbox.run("subidctl release --yes alice").ok();
    shown
        .says("alice: releases 165536-231071 in both files (65536 IDs): nobody gets them next")
        .says("sudo subidctl apply --reclaim alice")
        .never_says("verify alice");
    assert_eq!(sandbox.id_text(), [RELEASED, RELEASED]);

    // The system's own programs: the account is granted nothing, and neither is a later one of that name.
    sandbox.run("getsubids alice").exits(1);
    sandbox.as_user("alice").run(MAP).exits(1).says("not allowed");
    sandbox.run("userdel alice && useradd new && useradd alice").ok();
    let text = sandbox.text("/etc/subuid");
    assert_eq!(text, format!("{RELEASED}new:231072:65536\nalice:296608:65536\n"));

    sandbox.run("subidctl who 165536").ok().says("released by alice: 165536-231071");
    sandbox.run("subidctl list alice").ok().says("released: nobody gets it");
    let entry = &ledger(&sandbox)["released"][0];
    assert_eq!((&entry["uid"], &entry["range"]), (&1001.into(), &"165536:65536".into()), "{entry}");
}

#[test]
fn a_second_release_changes_nothing() {
    needs!("unshare", "nsenter", "strace");
    let sandbox = given();
    let done = sandbox.run("subidctl release --yes --json alice").ok().json();
    assert_eq!((&done["changed"], &done["committed"]), (&true.into(), &true.into()), "{done:#}");
    assert_eq!(done["assignments"][0]["action"], "release");
    let before = (sandbox.id_files(), ledger(&sandbox));
    let (again, trace) = sandbox.traced(FILE_CALLS, "subidctl release alice");
    again.ok().says("alice has nothing to release. No changes.");
    assert_eq!(trace.with(".pwd.lock"), Vec::<&str>::new());
    assert_eq!(trace.writes(), Vec::<&str>::new());
    assert_eq!(before, (sandbox.id_files(), ledger(&sandbox)));
    let again = sandbox.run("subidctl release --json alice").ok().json();
    assert_eq!((&again["changed"], &again["committed"]), (&false.into(), &false.into()), "{again:#}");
}

#[test]
fn who_releases_must_be_named_and_known() {
    needs!("unshare", "nsenter");
    let sandbox = given();
    let before = sandbox.id_files();
    sandbox.run("subidctl release --yes").exits(2).says("USER");
    sandbox.run("subidctl release --yes mallory").exits(1).says("no user is named 'mallory'");
    sandbox.run("subidctl release --yes alice mallory").exits(1);
    sandbox.run("subidctl release --yes --range 5:5 --stale").exits(2);
    assert_eq!(sandbox.id_files(), before);
    sandbox.run("subidctl release --yes --keep-going alice mallory").exits(4).says("mallory");
    assert_eq!(sandbox.id_text(), [RELEASED, RELEASED]);
}

#[test]
fn an_owner_without_an_account_is_named_as_the_files_spell_it() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .subids("carol:100000:65536\n1005:165536:65536\n1006:231072:65536\n1001:300000:10\nalice:310000:10\n")
        .start();
    sandbox.run("subidctl release --yes carol 1005 +1006 +1001").ok();
    let text =
        "!carol:100000:65536\n!1005:165536:65536\n!1006:231072:65536\n!1001:300000:10\n!alice:310000:10\n";
    assert_eq!(sandbox.id_text(), [text, text]);
}

#[test]
fn one_of_several_ranges_goes_and_a_part_of_one_is_refused() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().user("alice", 1001).subids("alice:100000:1000\nalice:200000:1000\n").start();
    let part = sandbox.run("subidctl release --yes --range 200000-200099 alice").exits(6);
    part.says("/etc/subuid line 2 is 200000-200999").says("subidctl release --range 200000-200999 alice");
    sandbox
        .run("subidctl release --yes --range 5:5 alice")
        .exits(6)
        .says("100000-100999 (/etc/subuid line 1)");
    sandbox.run("subidctl release --yes --range x alice").exits(2);
    sandbox.run("subidctl release --yes --range 200000:1000 alice").ok();
    let text = "alice:100000:1000\n!alice:200000:1000\n";
    assert_eq!(sandbox.id_text(), [text, text]);
    sandbox.run("subidctl release --range 200000:1000 alice").ok().says("nothing to release");
    // A range around lines: all of them.
    sandbox.run("subidctl release --yes --range 0-4294967294 alice").ok();
    assert_eq!(sandbox.text("/etc/subuid"), "!alice:100000:1000\n!alice:200000:1000\n");
}

#[test]
fn odd_lines_are_marked_for_every_reader() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("bob", 1002)
        .file("/etc/subuid", "alice:0620:10\nalice:100000:10:x\nalice:200000:10\nbob:200000:10\nlast:7:1")
        .start();
    let done = sandbox.run("subidctl release --yes alice").ok();
    done.says("200000-200009 of alice is not marked as released in subuid: other lines hold its IDs");
    // 0620 is 400 for C and 620 for Go; a fourth field stops Go for everybody; bob keeps what is his.
    let text = "!alice:400:10\n!alice:100000:10\nbob:200000:10\nlast:7:1\n!alice:620:10\n";
    assert_eq!(sandbox.text("/etc/subuid"), text);
}

//! `audit` on a running system: nothing on a fresh one, and what real tools leave when they are killed.

use std::collections::BTreeSet;

use super::alice_and_bob;
use crate::harness::{Sandbox, needs};

/// The findings of `audit` that are more than worth knowing: id, file, and the commands that mend it.
fn faults(sandbox: &Sandbox) -> Vec<(String, String, Vec<String>)> {
    let document = sandbox.run("subidctl audit --json || test $? -eq 4").ok().json();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let found = document["findings"].as_array().unwrap().iter().filter(|f| f["status"] != "info");
    found
        .map(|f| (text(&f["id"]), text(&f["file"]), text(&f["fix"]).lines().map(str::to_owned).collect()))
        .collect()
}

fn ids(sandbox: &Sandbox) -> BTreeSet<String> {
    faults(sandbox).into_iter().map(|(id, ..)| id).collect()
}

#[test]
fn a_fresh_system_has_no_fault() {
    needs!("unshare", "nsenter", "useradd");
    let sandbox = Sandbox::new().user("alice", 1001).start();
    sandbox.run("useradd eva && useradd bob && subidctl apply --yes alice").ok();
    assert_eq!(faults(&sandbox), []);
    sandbox.run("subidctl audit --strict").ok().says("No fault found in 3 lines");
    // Who is not root sees less and finds no more.
    sandbox.as_user("alice").run("subidctl audit --strict").ok();
    sandbox.run("rm /etc/subuid /etc/subgid && subidctl audit --strict").ok();
}

#[test]
fn a_killed_useradd_is_named_and_the_commands_mend_it() {
    needs!("unshare", "nsenter", "strace", "useradd", "usermod");
    let mut seen = BTreeSet::new();
    for (call, when) in [("rename", 5), ("rename", 6), ("link", 4), ("link", 5)] {
        let sandbox = alice_and_bob();
        let inject = format!("strace -f -qq -o /dev/null -e inject={call}:signal=KILL:when={when}");
        sandbox.run(&format!("{inject} useradd x; test $? -eq 137")).ok();
        let found = faults(&sandbox);
        seen.extend(found.iter().map(|(id, ..)| id.clone()));
        assert!(!found.is_empty(), "{call} {when}: nothing is left");
        // shadow takes the lock over, and writes over what is left.
        sandbox.run("usermod -v 300000-300009 -w 300000-300009 bob").ok();
        assert!(!ids(&sandbox).contains("lock-stale"), "{call} {when}: {:?}", faults(&sandbox));
        for (_, _, fix) in faults(&sandbox).iter().filter(|(id, ..)| id == "leftover-file") {
            sandbox.run(fix[0].trim_start_matches("sudo ")).ok();
        }
        assert!(!ids(&sandbox).contains("leftover-file"), "{call} {when}");
    }
    assert!(seen.contains("leftover-file") && seen.contains("lock-stale"), "{seen:?}");
}

#[test]
fn a_lock_that_blocks_useradd_is_named_and_the_command_mends_it() {
    needs!("unshare", "nsenter", "useradd");
    let sandbox = alice_and_bob();
    // Without a pid; with one that is another's by now; with the newline of a script.
    for (make, exit) in [
        (": > /etc/subuid.lock", 16),
        ("printf '1\\0' > /etc/subgid.lock; touch -d 2001-01-01 /etc/subgid.lock", 18),
        ("echo 999999999 > /etc/subuid.lock", 16),
    ] {
        sandbox.run(make).ok();
        sandbox.run("useradd x").exits(exit);
        let found = faults(&sandbox);
        assert_eq!((found.len(), found[0].0.as_str()), (1, "lock-blocking"), "{make}: {found:?}");
        sandbox.run(found[0].2.last().unwrap().trim_start_matches("sudo ")).ok();
        sandbox.run("useradd x && userdel x").ok();
        assert_eq!(faults(&sandbox), [], "{make}");
    }
    // A lock that is held is no fault.
    sandbox.run("sleep 20 & printf '%d\\0' $! > /etc/subuid.lock; touch /etc/subuid+; subidctl audit --strict; code=$?; kill $!; exit $code").ok();
}

#[test]
fn a_killed_apply_is_named_until_it_is_recovered() {
    needs!("unshare", "nsenter", "strace");
    let mut seen = BTreeSet::new();
    for call in ["renameat", "renameat2", "fallocate"] {
        for when in 1..=4 {
            let sandbox = alice_and_bob();
            let inject = format!("strace -f -qq -o /dev/null -e inject={call}:signal=KILL:when={when}");
            sandbox.run(&format!("{inject} subidctl apply --yes alice; true")).ok();
            let found = faults(&sandbox);
            seen.extend(found.iter().map(|(id, ..)| id.clone()));
            for (_, _, fix) in found.iter().filter(|(id, ..)| id == "change-unfinished") {
                sandbox.run(&format!("{} --yes", fix[0].trim_start_matches("sudo "))).ok();
            }
            assert!(!ids(&sandbox).contains("change-unfinished"), "{call} {when}");
        }
    }
    assert!(seen.contains("change-unfinished") && seen.contains("lock-stale"), "{seen:?}");
}

#[test]
fn damaged_records_do_not_keep_audit_from_looking() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice").ok();
    sandbox.write("/var/lib/subidctl/ledger.json", "{");
    sandbox.write("/var/lib/subidctl/history/entries.jsonl", "{\n");
    sandbox.run("chmod 0666 /etc/subgid").ok();
    let expected = ["file-writable", "history-damaged", "ledger-unusable"].map(str::to_owned);
    assert_eq!(ids(&sandbox), BTreeSet::from(expected));
    for (_, _, fix) in faults(&sandbox) {
        let fix = fix[0].rsplit_once("sudo ").unwrap().1.to_owned();
        sandbox.run(&fix).ok();
    }
    assert_eq!(faults(&sandbox), []);
}

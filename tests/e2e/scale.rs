//! Hosts with many users and many lines. Sizes only, no times: what must hold is that everything works
//! there, and that the result is right.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::ranges;
use crate::harness::{Sandbox, needs, size};

/// Seconds for one command: the full sizes take their time in a debug build.
fn patience() -> u32 {
    size(60, 600)
}

/// Debian's limits, for as many login accounts as subordinate IDs leave uids for.
const LOGIN_DEFS: &str = "UID_MIN 1000\nUID_MAX 65000\nSUB_UID_MIN 100000\nSUB_UID_MAX 600100000\nSUB_UID_COUNT 4096\n\
    SUB_GID_MIN 100000\nSUB_GID_MAX 600100000\nSUB_GID_COUNT 4096\nUSERGROUPS_ENAB yes\n";

/// Asserts that both files hold the old lines first and unchanged, then one line for each new owner, in order,
/// and that no two ranges of a file meet. (Not `assert_disjoint`: a failure there would print a million lines.)
#[track_caller]
fn assert_served(sandbox: &Sandbox, before: &str, owners: &[String], count: u64) {
    for text in sandbox.id_text() {
        let new = text.strip_prefix(before).expect("the old lines are not the first ones");
        let given = ranges(new);
        let names: Vec<&String> = given.iter().map(|(owner, ..)| owner).collect();
        assert!(names.into_iter().eq(owners), "{} lines for {} users", given.len(), owners.len());
        assert!(given.iter().all(|(_, first, last)| last - first + 1 == count));
        let mut all = ranges(&text);
        all.sort_unstable_by_key(|(_, first, _)| *first);
        for pair in all.windows(2) {
            assert!(pair[0].2 < pair[1].1, "{:?} meets {:?}", pair[0], pair[1]);
        }
        assert!(all[0].1 >= 100_000 && all.last().unwrap().2 <= 600_100_000, "outside the pool");
    }
}

/// The one entry of the history names all of them.
#[track_caller]
fn assert_one_entry(sandbox: &Sandbox, owners: &[String]) {
    let entries = sandbox.text("/var/lib/subidctl/history/entries.jsonl");
    assert_eq!(entries.lines().count(), 1, "one change is one transaction");
    let ledger: serde_json::Value =
        serde_json::from_str(&sandbox.text("/var/lib/subidctl/ledger.json")).unwrap();
    let owners_of = ledger["owners"].as_str().unwrap().lines().filter_map(|line| line.split(':').next());
    let known: HashSet<&str> = owners_of.collect();
    assert!(owners.iter().all(|owner| known.contains(&owner[..])) && known.len() == owners.len());
}

#[test]
fn many_users_are_served_in_one_transaction() {
    needs!("unshare", "nsenter");
    let users = size(600, 60_000);
    // Five of six have their ranges; the others get theirs now. As many lines are there as users.
    let new = users / 6;
    let mut lines = String::new();
    for n in 0..users - new {
        writeln!(lines, "u{n}:{}:4096", 100_000 + n * 4096).unwrap();
    }
    // Far off, and with a hole of half a range between every two: nobody fits in there.
    for n in 0..new {
        writeln!(lines, "left{n}:{}:4096", 400_000_000 + n * 6144).unwrap();
    }
    let sandbox = Sandbox::new().file("/etc/login.defs", LOGIN_DEFS).subids(&lines).start();
    let (mut passwd, mut group) = (sandbox.text("/etc/passwd"), sandbox.text("/etc/group"));
    for n in 0..users {
        let uid = 1000 + n;
        writeln!(passwd, "u{n}:x:{uid}:{uid}::/home/u{n}:/bin/sh").unwrap();
        writeln!(group, "u{n}:x:{uid}:").unwrap();
    }
    sandbox.write("/etc/passwd", passwd);
    sandbox.write("/etc/group", group);
    let names: Vec<String> = (users - new..users).map(|n| format!("u{n}")).collect();
    sandbox.write("/srv/names", names.join("\n"));
    let subidctl = |arguments: &str| sandbox.within(patience()).run(&format!("subidctl {arguments}"));

    let before = sandbox.id_files();
    let plan = subidctl("plan --all --json").ok().json();
    let assignments = plan["assignments"].as_array().unwrap();
    let acts = |action: &str| assignments.iter().filter(|a| a["action"] == action).count();
    let [kept, added] = [users - new, new].map(|n| 2 * usize::try_from(n).unwrap());
    assert_eq!((acts("keep"), acts("add")), (kept, added));
    assert_eq!(before, sandbox.id_files());

    subidctl("apply --yes --from /srv/names").ok().says("Committed as");
    assert_served(&sandbox, &lines, &names, 4096);
    assert_one_entry(&sandbox, &names);
    subidctl("apply --yes --all").ok();
    assert_one_entry(&sandbox, &names);

    let listed = subidctl("list").ok();
    let rows = |note: &str| listed.stdout.lines().filter(|line| line.contains(note)).count();
    let [all, gone] = [users, new].map(|n| usize::try_from(n).unwrap());
    assert_eq!((rows("  both"), rows("no such account")), (all + gone, gone));
    let found = subidctl("audit --json").exits(0).json();
    // Of more than ten thousand the last that is listed stands for the others.
    let unknown = found["findings"].as_array().unwrap().iter().filter(|f| f["id"] == "owner-unknown");
    let noted: u64 = unknown.map(|finding| finding["count"].as_u64().unwrap()).sum();
    assert_eq!(noted, 2 * u64::from(new), "those who left, in both files");

    subidctl("release --yes $(cat /srv/names)").ok().says("Committed as");
    for text in sandbox.id_text() {
        assert_eq!(text.lines().filter(|line| line.starts_with('!')).count(), names.len());
    }
}

#[test]
fn a_user_is_served_among_a_million_lines() {
    needs!("unshare", "nsenter");
    let lines = size(20_000, 1_000_000);
    let mut text = String::new();
    for n in 0..lines {
        // After every hundredth line there is a hole, too small for anybody.
        writeln!(text, "o{n}:{}:256", 100_000 + n * 256 + n / 100 * 64).unwrap();
    }
    let sandbox =
        Sandbox::new().user("alice", 1001).file("/etc/login.defs", LOGIN_DEFS).subids(&text).start();
    let subidctl = |arguments: &str| sandbox.within(patience()).run(&format!("subidctl {arguments}"));

    subidctl("plan --exit-code alice").exits(3).says("+alice:");
    subidctl("apply --yes alice").ok().says("Committed as");
    let alice = ["alice".to_owned()];
    assert_served(&sandbox, &text, &alice, 4096);
    assert_one_entry(&sandbox, &alice);
    subidctl("apply --yes alice").ok().says("No changes");

    let listed = subidctl("list").ok();
    let rows = listed.stdout.lines().filter(|line| line.contains("  both")).count();
    assert_eq!(rows, usize::try_from(lines).unwrap() + 1);
    drop(listed);
    let document = subidctl("list --json").ok().json();
    assert_eq!(document["ranges"].as_array().unwrap().len(), 2 * rows);
    assert_eq!(subidctl("list --subid").ok().stdout, sandbox.text("/etc/subuid"));
    subidctl("who 100300").ok().says("of o1,");
}

#[test]
fn an_overlap_is_found_among_a_million_lines() {
    needs!("unshare", "nsenter");
    let lines = size(20_000, 1_000_000);
    let mut text = String::new();
    for n in 0..lines {
        writeln!(text, "alice:{}:256", 100_000 + n * 256).unwrap();
    }
    writeln!(text, "bob:{}:64", 100_000 + lines / 2 * 256 + 128).unwrap();
    let sandbox = Sandbox::new().user("alice", 1001).user("bob", 1002).subids(&text).start();
    let audit = sandbox.within(patience()).run("subidctl audit --json").exits(4).json();
    let overlaps = audit["findings"].as_array().unwrap().iter().filter(|f| f["id"] == "overlap");
    let places: Vec<_> =
        overlaps.map(|f| (f["file"].as_str(), f["line"].as_u64(), f["owner"].as_str())).collect();
    let line = Some(u64::from(lines) + 1);
    assert_eq!(places, [(Some("/etc/subuid"), line, Some("bob")), (Some("/etc/subgid"), line, Some("bob"))]);
}

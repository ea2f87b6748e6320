//! Another program edits the files between crash and recovery: the cases of a recovery, each reached.

use std::collections::BTreeMap;

use super::{APPLY, OLD, RECOVER};
use crate::harness::{Sandbox, needs};

const ALICE: &str = "alice:165536:65536";

/// Who edits, and how. None of them knows of the crash.
const EDITORS: &[(&str, &str)] = &[
    ("nobody", "true"),
    ("useradd takes what is free", "useradd dave"),
    ("usermod gives", "usermod -v 400000-400009 -w 400000-400009 bob"),
    ("usermod gives what is half planned", "usermod -w 165536-165545 bob"),
    ("usermod takes what is planned", "usermod -V 165536-231071 -W 165536-231071 alice"),
    ("an editor, by rename", "sed -i 's/by hand/by me/' /etc/subuid /etc/subgid"),
    (
        "an editor, in place",
        "for f in subuid subgid; do t=$(cat /etc/$f); printf '%s\\n# end\\n' \"$t\" >/etc/$f; done",
    ),
    (
        // It rewrites the file as it read it and adds its own line at the end, in place, under flock.
        "Apptainer's way",
        "for f in subuid subgid; do flock /etc/$f sh -c \
            't=$(cat $0); printf \"%s\\ncarol:4294836224:65536\\n\" \"$t\" >$0' /etc/$f; done",
    ),
    ("Apptainer's way of disabling", "flock /etc/subuid sed -i 's/^alice:/!alice:/' /etc/subuid"),
    ("an editor, into the planned line", "sed -i 's/^alice:165536:65536/alice:165536:1000/' /etc/subuid"),
    (
        "an editor doubles the line, and another takes the other half",
        "echo alice:165536:65536 >>/etc/subuid; usermod -w 165536-165545 bob",
    ),
];

/// How a recovery ended, as its own words have it.
fn ending(stdout: &str, code: i32) -> &'static str {
    match (code, stdout.lines().find_map(|line| line.strip_prefix("recovered: "))) {
        (0, Some("rolled back")) => "dropped",
        (0, Some("completed")) => "rolled forward",
        (0, Some(line)) if line.starts_with("completed (") => "done on top",
        (0, Some(line)) if line.starts_with("rolled back (") => "taken back",
        (6, None) => "conflict",
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_way_of_ending_is_reached_and_no_foreign_line_is_lost() {
    needs!("unshare", "nsenter", "strace", "useradd", "usermod", "flock");
    let mut builder = Sandbox::new().subids(OLD);
    for (name, uid) in [("alice", 1001), ("bob", 1002), ("carol", 1003), ("eve", 1004)] {
        builder = builder.user(name, uid);
    }
    let sandbox = builder.start();
    let start = sandbox.image();
    let (calls, _) = sandbox.recorded(APPLY);
    let mut reached = BTreeMap::<&str, usize>::new();
    // Before any rename, between the two files, after both.
    for rename in [1, 4, 5] {
        let crash = calls.iter().find(|c| c.name == "renameat" && c.nth == rename).unwrap();
        sandbox.restore(&start);
        assert!(sandbox.faulted(APPLY, crash, "signal=KILL").hit);
        let crashed = sandbox.image();
        for (editor, edit) in EDITORS {
            let place = format!("rename {rename}, {editor}");
            sandbox.restore(&crashed);
            sandbox.run(edit).ok();
            let theirs = sandbox.id_text();
            let recovery = sandbox.run(RECOVER);
            let end = ending(&recovery.stdout, recovery.code);
            println!("{place}: {end}");
            *reached.entry(end).or_default() += 1;
            let now = sandbox.id_text();
            for (before, after) in theirs.iter().zip(&now) {
                let lines = before.lines().filter(|line| *line != ALICE || end == "conflict");
                for line in lines {
                    assert!(after.lines().any(|l| l == line), "{place}: {line} is lost:\n{after}");
                }
            }
            let ours = now.clone().map(|text| text.lines().filter(|line| *line == ALICE).count());
            match end {
                "dropped" | "taken back" => assert_eq!(ours, [0, 0], "{place}: {now:?}"),
                "rolled forward" | "done on top" => assert_eq!(ours, [1, 1], "{place}: {now:?}"),
                _ => assert_eq!(now, theirs, "{place}"),
            }
            if end == "conflict" {
                let _ = recovery.says("its journal is now /var/lib/subidctl/conflicts/").says("sudo usermod");
            }
            // The others' edits do not overlap among themselves, and ours has added none.
            if !edit.contains("echo") {
                for text in &now {
                    let lines = text.lines().filter(|line| !line.starts_with('#'));
                    super::super::assert_disjoint(&lines.collect::<Vec<_>>().join("\n"));
                }
            }
            sandbox.run(RECOVER).ok().says("No change is unfinished.");
            sandbox.run("subidctl apply --yes eve").ok().never_says("recovered");
            assert!(sandbox.id_text().iter().all(|text| text.contains("\neve:")), "{place}");
        }
    }
    println!("{reached:?}");
    for end in ["dropped", "rolled forward", "done on top", "taken back", "conflict"] {
        assert!(reached.contains_key(end), "never {end}: {reached:?}");
    }
}

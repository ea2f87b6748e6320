//! Faults that other tools leave in the files, made by the real ones, and what subidctl says of them.

use std::path::Path;

use crate::harness::{Output, Sandbox, needs, tree};

/// alice and bob, with these lines.
fn system(tree: Option<&Path>, file: &str) -> Sandbox {
    Sandbox::new().system(tree).user("alice", 1001).user("bob", 1002).subids(file).start()
}

/// The ids of the findings that `audit` has, once each, with the lines of /etc/subuid that they name.
fn audit(sandbox: &Sandbox, exit: i32) -> Vec<(String, u64)> {
    let audit: Output = sandbox.run("subidctl audit --json").exits(exit);
    let audit = audit.json();
    let findings = audit["findings"].as_array().unwrap().iter();
    let findings = findings.filter(|finding| finding["file"] == "/etc/subuid");
    let faults = ["warning", "error", "critical"];
    let findings = findings.filter(|finding| faults.iter().any(|status| finding["status"] == *status));
    let named =
        findings.map(|f| (f["id"].as_str().unwrap().to_owned(), f["line"].as_u64().unwrap_or_default()));
    let mut named: Vec<_> = named.collect();
    named.dedup();
    named
}

/// Asserts that `audit` exits so and names each of these by id and line.
#[track_caller]
fn names(sandbox: &Sandbox, exit: i32, faults: &[(&str, u64)]) {
    let all = audit(sandbox, exit);
    for (id, line) in faults {
        assert!(all.contains(&((*id).to_owned(), *line)), "no {id} in line {line}: {all:?}");
    }
}

#[test]
fn usermod_v_takes_another_users_range_in_every_release() {
    needs!("unshare", "nsenter", "usermod");
    for tree in [None, Some(tree!("mid")), Some(tree!("new"))] {
        let sandbox = system(tree.as_deref(), "alice:100000:65536\n");
        sandbox.run("usermod -v 165535-231071 bob").ok();
        assert_eq!(sandbox.id_text(), ["alice:100000:65536\nbob:165535:65537\n", "alice:100000:65536\n"]);
        names(&sandbox, 4, &[("overlap", 2)]);
        sandbox.run("subidctl plan bob").exits(4).says("overlaps alice");
    }
}

/// One ID more than asked for: its neighbour's first.
#[test]
fn usermod_s_gives_65537_ids_and_deterministic_useradd_the_last_of_them_again() {
    needs!("unshare", "nsenter");
    let tree = tree!("new");
    let sandbox = Sandbox::new().system(Some(&tree)).user("alice", 1000).start();
    sandbox.run("usermod -S alice").ok();
    assert_eq!(sandbox.id_text(), ["alice:100000:65537\n"; 2]);
    names(&sandbox, 0, &[("usermod-one-too-many", 1)]);
    // By the formula uid 1001 begins at 165536, and nobody looks whose that is.
    sandbox.run("printf 'SUB_%s_DETERMINISTIC yes\n' UID GID >>/etc/login.defs").ok();
    sandbox.run("useradd -u 1001 carol").ok();
    assert_eq!(sandbox.id_text(), ["alice:100000:65537\ncarol:165536:65536\n"; 2]);
    names(&sandbox, 4, &[("overlap", 1), ("deterministic-mixed", 1)]);
    sandbox.run("subidctl who 165536").ok().says("alice").says("carol");

    // A range by the formula on top of what the linear search gave: three owners share IDs.
    let sandbox = Sandbox::new().system(Some(&tree)).user("alice", 1000).user("bob", 1001).start();
    sandbox.run("usermod -S bob").ok();
    sandbox.run("printf 'SUB_%s_DETERMINISTIC yes\n' UID GID >>/etc/login.defs").ok();
    sandbox.run("usermod -S alice && useradd -u 1002 carol && usermod -S bob").ok();
    let all = "bob:100000:65537\nalice:100000:65537\ncarol:231072:65536\nbob:165536:65537\n";
    assert_eq!(sandbox.id_text(), [all; 2]);
    names(&sandbox, 4, &[("overlap", 2), ("overlap", 4)]);
}

#[test]
fn apptainer_overlaps_a_range_that_begins_inside_its_own_and_loses_comments() {
    needs!("unshare", "nsenter");
    let file = "# ours\nbob:4294836230:100\n\n";
    let sandbox = system(Some(&tree!("new")), file);
    sandbox.run("apptainer config fakeroot --add alice").ok();
    assert_eq!(sandbox.id_text(), ["bob:4294836230:100\n1001:4294836224:65536\n"; 2]);
    names(&sandbox, 4, &[("apptainer-overlap", 2)]);
    sandbox.run("subidctl plan alice").exits(4).says("overlaps bob");
    // Disabled it is a released line.
    sandbox.run("apptainer config fakeroot --disable alice").ok();
    assert_eq!(sandbox.id_text(), ["bob:4294836230:100\n!1001:4294836224:65536\n"; 2]);
    sandbox.run("subidctl who 4294836300").ok().says("released by 1001");
}

/// shadow renames one file after the other: a kill at a rename leaves an account with half a range or none.
#[test]
fn useradd_killed_between_the_files_leaves_one_half() {
    needs!("unshare", "nsenter", "useradd", "strace");
    let mut left = std::collections::BTreeSet::new();
    for rename in 1..=20 {
        let sandbox = system(None, "alice:100000:65536\n");
        let kill = format!("-e trace=rename -e inject=rename:signal=KILL:when={rename}");
        // The shell says with which code strace ends, as the harness takes 137 for its own deadline.
        let killed = sandbox.run(&format!("strace -f -o /dev/null {kill} useradd carol; echo $?")).ok();
        if killed.stdout == "0\n" {
            break;
        }
        let [uid, gid] = sandbox.id_text().map(|text| text.contains("carol:165536:65536\n"));
        let account = sandbox.text("/etc/passwd").contains("carol:");
        left.insert((account, uid, gid));
        let plan = sandbox.run("subidctl plan --exit-code --keep-going carol");
        if account && uid && !gid {
            // One half: the other is the same range.
            let _ = plan.exits(3).says("+carol:165536:65536").says("other half missing");
            sandbox.run("subidctl apply --yes carol").ok();
            assert_eq!(sandbox.id_text(), ["alice:100000:65536\ncarol:165536:65536\n"; 2]);
        }
    }
    assert!(left.contains(&(true, true, false)), "{left:?}");
    assert!(left.contains(&(true, false, false)), "{left:?}");
}

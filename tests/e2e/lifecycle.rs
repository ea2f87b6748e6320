//! What becomes of a range when its account goes or changes, by the real tools of three releases.

use std::path::Path;

use super::engine::squeezed;
use crate::harness::{Sandbox, needs, tree};

/// alice and bob with a range each, and one more of bob's under his uid.
const FILE: &str = "alice:100000:65536\nbob:165536:65536\n1002:300000:65536\n";

fn alice_and_bob(tree: Option<&Path>) -> Sandbox {
    Sandbox::new().system(tree).user("alice", 1001).user("bob", 1002).subids(FILE).start()
}

/// The `list --json` entries of an owner as the file spells it: uid and start.
fn listed(sandbox: &Sandbox, owner: &str) -> Vec<(Option<u64>, u64)> {
    let list = sandbox.run("subidctl list --json").ok().json();
    let ranges = list["ranges"].as_array().unwrap().iter();
    let ranges = ranges.filter(|range| range["owner"] == owner && range["kind"] == "uid");
    ranges.map(|range| (range["uid"].as_u64(), range["start"].as_u64().unwrap())).collect()
}

#[test]
fn a_released_range_goes_to_nobody_also_when_the_state_is_lost() {
    needs!("unshare", "nsenter", "useradd", "podman");
    for tree in [None, Some(tree!("mid")), Some(tree!("new"))] {
        let sandbox = Sandbox::new().system(tree.as_deref());
        let sandbox = sandbox.user("alice", 1001).user("bob", 1002).subids("bob:300000:65536\n").start();
        sandbox.run("subidctl apply --yes alice").ok();
        assert_eq!(sandbox.id_text()[0], "bob:300000:65536\nalice:100000:65536\n");
        sandbox.run("subidctl release alice --yes && rm -rf /var/lib/subidctl && useradd new").ok();
        for text in sandbox.id_text() {
            super::assert_disjoint(&text);
            assert!(text.contains("!alice:100000:65536\n"), "{text}");
            assert!(text.contains("new:165536:65536\n"), "{text}");
        }
        sandbox.run("getsubids alice").exits(1);
        // A third user's engine reads the file with the line in it; the tree without one has unshare.
        let engine = if tree.as_ref().is_some_and(|tree| !tree.join("usr/bin/podman").exists()) {
            "unshare --map-auto --map-root-user"
        } else {
            "while umount /sys/fs/cgroup/unified 2>/dev/null; do :; done; podman --storage-driver vfs unshare"
        };
        let map = sandbox.as_user("bob").run(&format!("{engine} cat /proc/self/uid_map")).ok();
        let map = squeezed(&map.stdout);
        assert!(map.starts_with("0 1002 1\n1 300000 6553"), "{map}");
    }
}

#[test]
fn userdel_leaves_what_stands_under_the_uid_to_whoever_gets_that_next() {
    needs!("unshare", "nsenter", "useradd", "userdel", "getsubids");
    for (tree, survives) in [(None, true), (Some(tree!("mid")), true), (Some(tree!("new")), false)] {
        let sandbox = alice_and_bob(tree.as_deref());
        sandbox.run("userdel bob").ok();
        let left = if survives { "alice:100000:65536\n1002:300000:65536\n" } else { "alice:100000:65536\n" };
        assert_eq!(sandbox.id_text(), [left, left]);
        let seen = if survives { vec![(None, 300_000)] } else { Vec::new() };
        assert_eq!(listed(&sandbox, "1002"), seen);
        sandbox.run("useradd -u 1002 eve").ok();
        let hers = sandbox.run("getsubids eve").ok().stdout;
        assert_eq!(hers.contains("eve 300000 65536"), survives, "{hers}");
        assert_eq!(
            listed(&sandbox, "1002"),
            seen.iter().map(|(_, start)| (Some(1002), *start)).collect::<Vec<_>>()
        );
    }
}

#[test]
fn usermod_l_leaves_the_old_name_in_both_files() {
    needs!("unshare", "nsenter", "usermod", "useradd", "getsubids");
    for tree in [None, Some(tree!("mid")), Some(tree!("new"))] {
        let sandbox = alice_and_bob(tree.as_deref());
        sandbox.run("usermod -l rob bob").ok();
        assert_eq!(sandbox.id_text(), [FILE, FILE]);
        sandbox.run("getsubids rob").ok().says("0: rob 300000 65536\n").never_says("165536");
        assert_eq!(listed(&sandbox, "bob"), [(None, 165_536)]);
        sandbox.run("subidctl list").ok().says("no such account");
        // Nobody else gets it from subidctl while the line stands, and useradd gives it to any later bob.
        sandbox.run("subidctl apply --yes --range 165536:65536 alice").exits(6);
        sandbox.run("useradd -g users bob").ok();
        sandbox.run("getsubids bob").ok().says("bob 165536 65536\n");
    }
}

#[test]
fn usermod_u_leaves_the_old_uid_in_both_files() {
    needs!("unshare", "nsenter", "usermod", "useradd", "getsubids");
    for tree in [None, Some(tree!("mid")), Some(tree!("new"))] {
        let sandbox = alice_and_bob(tree.as_deref());
        sandbox.run("usermod -u 1500 bob").ok();
        assert_eq!(sandbox.id_text(), [FILE, FILE]);
        sandbox.run("getsubids bob").ok().says("0: bob 165536 65536\n").never_says("300000");
        assert_eq!(
            (listed(&sandbox, "bob"), listed(&sandbox, "1002")),
            (vec![(Some(1500), 165_536)], vec![(None, 300_000)])
        );
        sandbox.run("useradd -u 1002 eve && getsubids eve").ok().says("eve 300000 65536\n");
    }
}

//! CMD in a root folder that is given: what it sees there, and what a hostile one can do.

use super::alice_and_bob;
use crate::harness::{Sandbox, needs};

/// alice with a range, and a small system of busybox at /srv/tree.
fn tree() -> Sandbox {
    let sandbox = alice_and_bob();
    let make = "set -e; subidctl apply --yes alice 2>/dev/null
        mkdir -p /srv/tree; cd /srv/tree; mkdir bin dev etc proc root run tmp var var/tmp
        install /bin/busybox bin/busybox; for n in sh ls cat id mount touch grep mknod; do ln -s busybox bin/$n; done
        echo tree >etc/whose; mknod -m 0666 null c 1 3; echo host >/srv/whose; echo host >/etc/whose";
    sandbox.run(make).ok();
    sandbox
}

#[test]
fn a_command_runs_in_a_root_that_is_given() {
    needs!("unshare", "nsenter", "newuidmap", "su", "busybox");
    let sandbox = tree();
    for session in [sandbox.within(60), sandbox.as_user("alice")] {
        let in_tree =
            |words: &str| session.run(&format!("subidctl verify --rootfs /srv/tree alice -- {words}"));
        assert_eq!(in_tree("cat /etc/whose").ok().stdout, "tree\n");
        assert_eq!(in_tree("id -u").ok().stdout, "0\n");
        let words = in_tree("sh -c \"ls -A /; echo \\$HOME\"").ok();
        assert_eq!(words.stdout.replace('\n', " "), "bin dev etc null proc root run tmp var /root ");
        // Its /proc is the container's: this shell is in it, and there is no other process but its parent.
        let processes = in_tree("sh -c \"echo /proc/[0-9]*\"").ok().stdout;
        assert!(processes.starts_with("/proc/1 ") && processes.split(' ').count() == 2, "{processes}");
        let mounted = in_tree("grep \" /tree / \" /proc/self/mountinfo").ok();
        assert!(mounted.stdout.contains("ro,nosuid,nodev"), "{mounted}");
        // Devices are the host's, whatever the tree has.
        let _ = in_tree("sh -c \"echo x >/dev/null && ! cat /null\"").ok().says("Permission denied");
        let _ = in_tree("sh -c \"touch /tmp/x /run/x /var/tmp/x /dev/shm/x && ! touch /x\"")
            .ok()
            .says("Read-only file system");
        assert_eq!(in_tree("sh -c \"cat >/dev/stdout; exit 7\"").exits(7).stdout, "");
        let _ = in_tree("no-such-program").exits(127);
        let _ = in_tree("/etc/whose").exits(126);
        // From where the caller is.
        let relative = session.run("cd /srv; subidctl verify --rootfs tree alice -- cat /etc/whose");
        assert_eq!(relative.ok().stdout, "tree\n");
    }
    assert_eq!(sandbox.names("/srv/tree/tmp"), [""; 0]);
}

#[test]
fn a_root_that_cannot_be_used_is_named() {
    needs!("unshare", "nsenter", "newuidmap", "su", "busybox");
    let sandbox = tree();
    let verify = "subidctl verify --rootfs";
    sandbox
        .run(&format!("{verify} /srv/none alice -- id"))
        .exits(125)
        .says("/srv/none cannot be a root folder");
    sandbox.run(&format!("{verify} /srv/whose alice -- id")).exits(125).says("it is no folder");
    // root may go there, and alice may not.
    sandbox.run("mkdir -m 0700 /srv/private; mv /srv/tree /srv/private").ok();
    let refused = sandbox.run(&format!("{verify} /srv/private/tree alice -- id")).exits(125);
    refused
        .says("root-unusable")
        .says("/srv/private/tree: Permission denied")
        .says("namei -l /srv/private/tree");
    sandbox.run(&format!("{verify} /srv/private/tree alice")).exits(2);
    sandbox.run(&format!("{verify} /srv/private/tree --plan /tmp/p -- id")).exits(2);
    sandbox.run(&format!("{verify} /srv/private/tree --engine podman alice")).exits(2);
}

#[test]
fn links_in_a_given_root_lead_nowhere() {
    needs!("unshare", "nsenter", "newuidmap", "su", "busybox");
    let sandbox = tree();
    let before = sandbox.run("cat /proc/self/mountinfo; ls -lR /srv /etc /tmp").ok().stdout;
    let links = "cd /srv; cp -a tree hostile; cd hostile; rm -r proc dev tmp run var
        ln -s /etc proc; ln -s ../../../../srv dev; ln -s / tmp; ln -s /bin run; ln -s ../../etc var; ln -s /srv/whose out";
    sandbox.run(links).ok();
    for session in [sandbox.within(60), sandbox.as_user("alice")] {
        let hostile =
            |words: &str| session.run(&format!("subidctl verify --rootfs /srv/hostile alice -- {words}"));
        // Nothing was mounted over what they name, and they name nothing of the host's.
        assert_eq!(hostile("cat /proc/whose /var/whose").ok().stdout, "tree\ntree\n");
        let _ = hostile("ls /dev/").exits(1).says("No such file");
        let _ = hostile("cat /out").exits(1).says("No such file");
        let _ =
            hostile("sh -c \"cat ../../../../srv/whose || cat /../srv/whose\"").exits(1).says("No such file");
        assert_eq!(
            hostile("ls /run/busybox /tmp/bin/busybox").ok().stdout,
            "/run/busybox\n/tmp/bin/busybox\n"
        );
    }
    sandbox.run("rm -r /srv/hostile").ok();
    let after = sandbox.run("cat /proc/self/mountinfo; ls -lR /srv /etc /tmp").ok().stdout;
    assert_eq!(before, after);
}

//! `-R`: a tree that is not the running system, in an image build.

use crate::harness::{Sandbox, needs, tree};

/// Everything of the sandbox but /run, as the root of a shell: what an image build has.
const WITHOUT_RUN: &str = "mkdir /tmp/root && mount -t tmpfs root /tmp/root && for path in /*; do \
    case $path in /run) ;; *) if [ -L $path ]; then cp -P $path /tmp/root; \
    elif [ -d $path ]; then mkdir /tmp/root$path && mount --rbind $path /tmp/root$path; fi ;; esac; done";

#[test]
fn an_image_without_run_gets_a_range_and_a_second_run_changes_nothing() {
    needs!("unshare", "nsenter", "chroot", "find");
    let tree = tree!("mid");
    let sandbox = Sandbox::new().tree(&tree).start();
    sandbox.run(WITHOUT_RUN).ok();
    sandbox.run("test ! -e /tmp/root/run && test ! -e /srv/var/lib/subidctl").ok();
    let apply =
        "chroot /tmp/root subidctl apply -R /srv --yes --allow-unknown-owner --range 100000:65536 core";
    sandbox.run(apply).ok();
    for flag in ["", "-g "] {
        let listed = sandbox.run(&format!("chroot /tmp/root chroot /srv getsubids {flag}core")).ok();
        assert_eq!(listed.stdout, "0: core 100000 65536\n");
    }
    // No state folder where there was none.
    sandbox.run("test ! -e /srv/var/lib/subidctl").ok();

    let all = "find /srv -xdev -printf '%p %i %m %s %T@ %C@\\n' | sort";
    let before = sandbox.run(all).ok().stdout;
    assert!(before.lines().count() > 1000);
    sandbox.run(apply).ok().says("No changes");
    assert_eq!(sandbox.run(all).ok().stdout, before);
}

#[test]
fn a_tree_of_links_cannot_lead_out() {
    needs!("unshare", "nsenter");
    for link in ["ln -s /etc /var/tree/etc", "mkdir /var/tree/etc && ln -s /etc/subuid /var/tree/etc/subuid"]
    {
        let sandbox = Sandbox::new().start();
        let before = sandbox.id_files();
        sandbox.run(&format!("mkdir /var/tree && {link}")).ok();
        let apply = "subidctl apply -R /var/tree --yes --json --allow-unknown-owner core";
        let refused = sandbox.run(apply).exits(1).json();
        assert_eq!(refused["code"], "untrusted-file", "{refused:#}");
        assert_eq!(sandbox.id_files(), before);
    }
}

#[test]
fn the_running_systems_accounts_do_not_count_below_a_root() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().user("alice", 1001).start();
    sandbox.run("mkdir -p /var/tree/etc && touch /var/tree/etc/subuid /var/tree/etc/subgid").ok();
    sandbox.run("echo root:x:0:0::/root:/bin/sh > /var/tree/etc/passwd").ok();
    sandbox.run("subidctl apply -R /var/tree --yes alice").exits(1);
    sandbox.run("echo carol:x:1000:1000::/:/bin/sh >> /var/tree/etc/passwd").ok();
    sandbox.run("subidctl apply -R /var/tree --yes carol").ok();
    assert_eq!(sandbox.text("/var/tree/etc/subuid"), "carol:100000:65536\n");
    assert_eq!(sandbox.id_text(), ["", ""]);
    sandbox.run("subidctl list -R /var/tree --subid").ok().says("carol:100000:65536\n");
}

//! What runs when accounts are made, deleted and used: shadow's hooks and PAM's.

use super::{ODD, installed_oddly, render};
use crate::harness::{Sandbox, needs};

const USERADD: &str = "/etc/shadow-maint/useradd-post.d/50-subidctl";
const USERDEL: &str = "/etc/shadow-maint/userdel-pre.d/50-subidctl";

/// A host where useradd gives no ranges itself, with both hooks.
fn host() -> Sandbox {
    let sandbox = Sandbox::new().file("/etc/subidctl/policy.toml", "count = 65536\n").start();
    installed_oddly(&sandbox, ODD);
    sandbox.run("sed -i -E 's/^(SUB_.ID_COUNT).*/\\1 0/' /etc/login.defs").ok();
    render(&sandbox, "useradd-hook", &[("subidctl", ODD)], USERADD);
    render(&sandbox, "userdel-hook", &[("subidctl", ODD)], USERDEL);
    sandbox
}

#[test]
fn useradd_gives_ranges_and_userdel_keeps_them_from_the_next() {
    needs!("unshare", "nsenter", "useradd", "userdel", "setpriv");
    let sandbox = host();
    // Whatever the caller's environment has.
    sandbox.run("env -i PATH=/nowhere ACTION=x SUBJECT=y /usr/sbin/useradd dora").ok();
    sandbox.run("useradd --system daemon1").ok();
    assert_eq!(sandbox.id_text(), ["dora:100000:65536\n"; 2]);
    // While her containers run she is not deleted.
    sandbox.run("setpriv --reuid 100007 --clear-groups sleep 1000 & echo $! >/tmp/pid; sleep 0.3").ok();
    sandbox.run("userdel dora").exits(1).says("is in use");
    sandbox.run("id dora").ok();
    assert_eq!(sandbox.id_text(), ["dora:100000:65536\n"; 2]);
    sandbox.run("kill $(cat /tmp/pid); while kill -0 $(cat /tmp/pid) 2>/dev/null; do sleep 0.1; done").ok();
    sandbox.run("userdel dora && userdel daemon1").ok();
    assert_eq!(sandbox.id_text(), ["!dora:100000:65536\n"; 2]);
    // A stranger of the same name and uid.
    sandbox.run("useradd dora").ok();
    assert_eq!(sandbox.id_text(), ["!dora:100000:65536\ndora:165536:65536\n"; 2]);
}

#[test]
fn what_fails_in_a_hook_is_seen() {
    needs!("unshare", "nsenter", "useradd");
    let sandbox = host();
    sandbox.write("/etc/subidctl/policy.toml", "nonsense = 1\n");
    sandbox.run("useradd dora").exits(1).says("there is no key nonsense");
    sandbox.run("id dora").ok();
    // Ranges of a directory are not these files'.
    sandbox.remove("/etc/subidctl/policy.toml");
    sandbox.run("touch /usr/lib/libsubid_sss.so; echo 'subid: sss' >>/etc/nsswitch.conf").ok();
    sandbox.run("useradd eve && userdel eve").ok();
    assert_eq!(sandbox.id_text(), ["", ""]);
}

#[test]
fn pam_runs_the_program_that_the_line_means() {
    needs!("unshare", "nsenter", "pamtester");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .file("/etc/subidctl/policy.toml", "[users]\nnames = [\"alice\"]\n")
        .start();
    installed_oddly(&sandbox, ODD);
    render(&sandbox, "pam-session", &[("subidctl", ODD)], "/etc/pam.d/subidctl");
    sandbox.write("/etc/pam.d/door", "session include subidctl\nsession required pam_permit.so\n");
    sandbox.run("pamtester door alice open_session").ok();
    assert_eq!(sandbox.id_text(), ["alice:100000:65536\n"; 2]);
}

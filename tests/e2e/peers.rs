//! What the README says of other tools, tried on those that are installed.

use super::alice_and_bob;
use crate::harness::needs;

#[test]
fn usermod_gives_a_range_of_another_user_and_subidctl_does_not() {
    needs!("unshare", "nsenter", "usermod");
    let sandbox = alice_and_bob();
    sandbox.run("usermod -v 120000-185535 -w 120000-185535 alice").ok();
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\nalice:120000:65536\n");
    sandbox.run("usermod -v 0-10 alice").ok();

    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes --range 120000-185535 alice").exits(6);
    sandbox.run("subidctl apply --yes --range 0-10 alice").exits(6);
}

#[test]
fn useradd_gives_the_range_of_a_deleted_user_to_the_next_one() {
    needs!("unshare", "nsenter", "useradd", "userdel");
    let sandbox = alice_and_bob();
    sandbox.run("userdel bob && useradd carol").ok();
    assert_eq!(sandbox.text("/etc/subuid"), "carol:100000:65536\n");
}

#[test]
fn useradd_skips_a_released_line() {
    needs!("unshare", "nsenter", "useradd");
    let sandbox = alice_and_bob();
    for path in ["/etc/subuid", "/etc/subgid"] {
        sandbox.write(path, "!bob:100000:65536\n");
    }
    sandbox.run("useradd carol").ok();
    assert_eq!(sandbox.text("/etc/subuid"), "!bob:100000:65536\ncarol:165536:65536\n");
    sandbox.run("getsubids bob").exits(1);
}

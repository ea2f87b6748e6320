//! The policies load, and a plan with each gives what its comments say.

use super::render;
use crate::harness::{Sandbox, needs};

const POLICY: &str = "/etc/subidctl/policy.toml";

#[test]
fn the_policy_of_a_single_host() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().user("alice", 1001).user("bob", 1002).start();
    sandbox.run("usermod -s /usr/sbin/nologin bob").ok();
    render(&sandbox, "policy-single-host", &[], POLICY);
    assert!(sandbox.text(POLICY).contains("gets 100000-165535"));
    sandbox.run("subidctl policy").ok().says("first-fit").says("/etc/subidctl/policy.toml line");
    sandbox.run("subidctl apply --yes").ok();
    assert_eq!(sandbox.id_text(), ["alice:100000:65536\n"; 2]);
}

#[test]
fn the_policy_of_a_site_with_a_directory() {
    needs!("unshare", "nsenter");
    let sandbox =
        Sandbox::new().user("lena", 1_200_001_007).user("adm", 1000).user("corp users", 1003).start();
    let values = [("first", "1200001000"), ("last", "1200005999"), ("group", "corp users")];
    render(&sandbox, "policy-directory", &values, POLICY);
    // START + (U - FIRST) * 65536
    let of_lena = 1_300_037_632 + 7 * 65536;
    sandbox.run("subidctl plan lena").ok().says(&format!("+lena:{of_lena}:65536"));
    assert!(sandbox.text(POLICY).contains("uid 1000 gets 917504000-917569535"));
    sandbox.run("subidctl plan adm").ok().says("917504000-917569535");
    sandbox.run("subidctl apply --yes").ok();
    assert_eq!(sandbox.id_text()[0], format!("1003:{}:65536\n", 917_504_000 + 3 * 65536));
    sandbox.run("subidctl policy --json").ok().says("users.max_auto_users");
    // What contradicts itself is refused before there is a file.
    let wide = "subidctl template render policy-directory --set first=1200001000 --set last=1200045999 --set group=g";
    sandbox.run(wide).exits(2).says("passes 2^31");
}

#[test]
fn the_policy_of_a_cluster() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().user("alice", 1001).user("bob", 1002).user("team", 1003).start();
    sandbox.run("usermod -aG team alice").ok();
    render(&sandbox, "policy-cluster", &[("group", "team")], POLICY);
    let lines: String = sandbox
        .text(POLICY)
        .lines()
        .filter_map(|line| line.strip_prefix("#   ").map(|line| format!("{line}\n")))
        .collect();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    sandbox.write("/etc/subidctl/map", &lines);
    sandbox.run("subidctl apply --yes").exits(1).says("team").says("the map /etc/subidctl/map has no line");
    assert_eq!(sandbox.id_text(), ["", ""]);
    sandbox.run("subidctl apply --yes --keep-going").exits(4);
    assert_eq!(sandbox.id_text(), ["alice:1000000000:65536\n"; 2]);
    sandbox.run("subidctl plan bob").ok().says("+bob:1000065536:65536");
    sandbox.run("chmod 666 /etc/subidctl/map; subidctl plan bob").exits(1);
}

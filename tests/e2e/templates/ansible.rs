//! The Ansible module and playbook in the real ansible-core.

use super::{installed_oddly, render};
use crate::harness::{Output, Sandbox, needs};

/// A program's path that YAML must quote, without what Ansible itself would expand in a path.
const ODD: &str = "/srv/it's 100%: [a b], #?/subidctl";

/// Seconds: Ansible starts slowly on a loaded machine.
const DEADLINE: u32 = 240;

fn play(sandbox: &Sandbox, options: &str) -> Output {
    let environment =
        "cd /root/play; LC_ALL=C.UTF-8 ANSIBLE_NOCOLOR=1 ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3";
    let playbook = "ansible-playbook -i localhost, -c local";
    sandbox.within(DEADLINE).run(&format!("{environment} {playbook} {options} subidctl.yml"))
}

#[test]
fn a_playbook_shows_the_change_makes_it_and_makes_it_once() {
    needs!("unshare", "nsenter", "ansible-playbook", "python3");
    let sandbox = super::super::alice_and_bob();
    installed_oddly(&sandbox, ODD);
    render(&sandbox, "ansible-module", &[], "/root/play/library/subidctl.py");
    let values = [("group", "alice"), ("subidctl", ODD)];
    render(&sandbox, "ansible-playbook", &values, "/root/play/subidctl.yml");

    let before = sandbox.image();
    let check = play(&sandbox, "--check --diff").ok().says("changed=1").says("failed=0");
    let hunk = |file: &str| {
        format!("--- /etc/{file}\n+++ /etc/{file}\n@@ -1 +1,2 @@\n bob:100000:65536\n+alice:165536:65536\n")
    };
    check.says(&(hunk("subuid") + &hunk("subgid")));
    assert!(sandbox.image() == before, "--check changed something");

    play(&sandbox, "").ok().says("changed=1");
    assert_eq!(sandbox.id_text(), ["bob:100000:65536\nalice:165536:65536\n"; 2]);
    play(&sandbox, "--diff").ok().says("changed=0").says("ok=1").never_says("+++");

    sandbox.run("touch /usr/lib/libsubid_sss.so; echo 'subid: sss' >>/etc/nsswitch.conf").ok();
    play(&sandbox, "-v").ok().says("skipped=1").says("changed=0").says("subid: sss");
    sandbox.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\n");
    let values = [("group", "nobody's"), ("subidctl", ODD)];
    sandbox.run("rm /root/play/subidctl.yml").ok();
    render(&sandbox, "ansible-playbook", &values, "/root/play/subidctl.yml");
    play(&sandbox, "").exits(2).says("failed=1").says("no group is named 'nobody's'");
}

//! Which users a command is for: names, uids, groups, lists.

use super::{assert_disjoint, ranges};
use crate::harness::{Sandbox, needs};

fn owners(sandbox: &Sandbox) -> Vec<String> {
    let both = sandbox.id_text();
    assert_eq!(both[0], both[1]);
    assert_disjoint(&both[0]);
    ranges(&both[0]).into_iter().map(|(owner, ..)| owner).collect()
}

#[test]
fn a_user_is_a_name_first_and_a_uid_second() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().user("alice", 1001).user("bob", 1002).start();
    sandbox.run("subidctl apply --yes 1001 +1002").ok();
    assert_eq!(owners(&sandbox), ["alice", "bob"]);
}

#[test]
fn an_owner_is_written_by_uid_where_asked_or_needed() {
    needs!("unshare", "nsenter");
    let sandbox =
        Sandbox::new().user("alice", 1001).file("/etc/subidctl/policy.toml", "owner = \"uid\"\n").start();
    sandbox.run("subidctl apply --yes alice").ok();
    assert_eq!(owners(&sandbox), ["1001"]);
    sandbox.run("subidctl plan --exit-code alice").ok().says("No changes");
    // A name with a blank works for no reader of every version.
    let sandbox = Sandbox::new().user("domain user", 1001).start();
    sandbox.run("subidctl apply --yes 'domain user'").ok();
    assert_eq!(owners(&sandbox), ["1001"]);
}

#[test]
fn all_are_the_login_accounts() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().user("alice", 1001).user("bob", 1002).user("service", 1003).start();
    sandbox.run("sed -i '/^service:/s,/bin/sh,/usr/sbin/nologin,' /etc/passwd").ok();
    sandbox.run("subidctl apply --yes --all").ok();
    assert_eq!(owners(&sandbox), ["alice", "bob"]);
}

#[test]
fn a_group_is_its_members_and_those_whose_primary_group_it_is() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().user("alice", 1001).user("bob", 1002).user("carol", 1003).start();
    sandbox.run("sed -i 's/^alice:x:1001:$/alice:x:1001:carol/' /etc/group").ok();
    sandbox.run("subidctl apply --yes --group alice").ok();
    assert_eq!(owners(&sandbox), ["alice", "carol"]);
    sandbox.run("echo empty:x:5000: >> /etc/group; subidctl apply --yes --group empty").exits(1);
}

#[test]
fn a_list_of_users_is_read_from_a_file_or_a_pipe() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().user("alice", 1001).user("bob", 1002).start();
    sandbox.write("/root/list", "# of the week\n\nalice\nbob:700000:1000\n");
    sandbox.run("subidctl apply --yes --from /root/list").ok();
    let text = "alice:100000:65536\nbob:700000:1000\n";
    assert_eq!(sandbox.id_text(), [text, text]);
    let sandbox = Sandbox::new().user("alice", 1001).start();
    sandbox.run("echo alice | subidctl apply --yes --from -").ok();
    assert_eq!(owners(&sandbox), ["alice"]);
}

#[test]
fn a_list_that_can_be_read_once_is_planned_again_where_the_files_change() {
    needs!("unshare", "nsenter", "python3");
    let sandbox = Sandbox::new().user("alice", 1001).start();
    // Another program holds the lock, and writes what the plan was to give.
    let other = "import fcntl, subprocess, sys
lock = open('/etc/.pwd.lock', 'w')
fcntl.lockf(lock, fcntl.LOCK_EX)
pipe = subprocess.PIPE
apply = subprocess.Popen(['subidctl', 'apply', '--yes', '--from', '-'], stdin=pipe, stdout=pipe)
apply.stdin.write(b'alice\\n')
apply.stdin.close()
while b'+alice' not in apply.stdout.readline():
    pass
for file in ['/etc/subuid', '/etc/subgid']:
    open(file, 'a').write('other:100000:65536\\n')
lock.close()
apply.stdout.read()
sys.exit(apply.wait())";
    sandbox.write("/root/other.py", other);
    sandbox.run("python3 /root/other.py").ok().says("the files changed meanwhile");
    let text = "other:100000:65536\nalice:165536:65536\n";
    assert_eq!(sandbox.id_text(), [text, text]);
    // Who is wrong in it is named with the line.
    let wrong = sandbox.run("printf 'alice\\n\\na/b\\n' | subidctl plan --from -").exits(2);
    assert!(wrong.stderr.contains("stdin line 3: "), "{wrong}");
}

#[test]
fn an_owner_that_is_no_account_is_given_a_range_only_where_allowed() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().start();
    sandbox.run("subidctl apply --yes containers").exits(1);
    sandbox.run("subidctl apply --yes --allow-unknown-owner containers").ok();
    assert_eq!(owners(&sandbox), ["containers"]);
}

#[test]
fn the_policys_users_are_a_fleets_state() {
    needs!("unshare", "nsenter");
    let policy = "[users]\nnames = [\"alice\"]\ngroups = [\"bob\"]\nexclude = [\"carol\"]\n";
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("bob", 1002)
        .user("carol", 1003)
        .file("/etc/subidctl/policy.toml", policy)
        .start();
    let drift = sandbox.run("subidctl plan --exit-code --json").exits(3).json();
    assert_eq!(drift["changed"], true);
    sandbox.run("subidctl apply --yes").ok();
    assert_eq!(owners(&sandbox), ["alice", "bob"]);
    assert_eq!(sandbox.run("subidctl plan --exit-code --json").ok().json()["changed"], false);
}

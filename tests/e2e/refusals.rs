//! What is refused: with a code, three lines, and nothing changed.

use super::alice_and_bob;
use crate::harness::{Sandbox, needs};

/// Runs a command that must be refused with this exit code and one of the codes (`a|b`), and change nothing.
#[track_caller]
fn refused(sandbox: &Sandbox, command: &str, exit: i32, code: &str) -> serde_json::Value {
    let before = (sandbox.id_files(), sandbox.names("/etc"));
    let human = sandbox.run(command).exits(exit);
    assert!(!human.stderr.is_empty() || !human.stdout.is_empty(), "{human}");
    let output = sandbox.run(&format!("{command} --json")).exits(exit);
    let document = output.json();
    let found = [&document["code"], &document["refusals"][0]["code"]];
    assert!(
        found.iter().any(|found| code.split('|').any(|code| **found == code)),
        "expected {code}\n{output}"
    );
    assert_eq!(before, (sandbox.id_files(), sandbox.names("/etc")), "{command} changed something");
    document
}

#[test]
fn who_is_unknown_or_malformed_is_refused() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    refused(&sandbox, "subidctl apply --yes alcie", 1, "unknown-user");
    sandbox.run("subidctl plan alcie").exits(1).says("alice");
    refused(&sandbox, "subidctl apply --yes +4711", 1, "unknown-user");
    refused(&sandbox, "subidctl apply --yes 'al:ice'", 2, "invalid-name");
    refused(&sandbox, "subidctl apply --yes --count 0 alice", 2, "usage|invalid-count");
    refused(&sandbox, "subidctl apply --yes --range 5-4 alice", 2, "usage|invalid-range");
    refused(&sandbox, "subidctl apply --yes --range 4294967290:100 alice", 2, "usage|invalid-range");
    refused(&sandbox, "subidctl apply --yes", 2, "usage");
    refused(&sandbox, "subidctl apply --yes --no-such-flag alice", 2, "usage");
    let error = sandbox.run("subidctl apply --yes --json 'al:ice'").exits(2).json();
    assert_eq!(error["schema"], "subidctl.error.v1");
    for line in ["message", "why", "fix"] {
        assert!(error[line].is_string(), "{error:#}");
    }
}

#[test]
fn one_refused_user_refuses_all_unless_told_to_keep_going() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    let before = sandbox.id_files();
    let plan = sandbox.run("subidctl apply --yes --json alice nobody1 nobody2").exits(1);
    plan.says("nobody1").says("nobody2");
    assert_eq!(sandbox.id_files(), before);
    sandbox.run("subidctl apply --yes --keep-going alice nobody1").exits(4).says("nobody1");
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\nalice:165536:65536\n");
}

#[test]
fn an_explicit_range_is_given_or_refused_never_moved() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    for taken in ["100000:10", "165535:65536", "90000-100000"] {
        refused(&sandbox, &format!("subidctl apply --yes --range {taken} alice"), 6, "range-taken");
    }
    // The user's own uid, an account, the first IDs, nobody.
    for taken in ["1001-66000", "0:65536", "65534:1"] {
        refused(&sandbox, &format!("subidctl apply --yes --range {taken} alice"), 6, "range-taken");
    }
    sandbox.run("subidctl apply --yes --range 500000-565535 alice").ok();
    assert_eq!(sandbox.text("/etc/subgid"), "bob:100000:65536\nalice:500000:65536\n");
}

#[test]
fn a_kept_range_that_meets_another_is_a_finding() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("bob", 1002)
        .subids("bob:100000:65536\nalice:120000:65536\n")
        .start();
    let before = sandbox.id_files();
    sandbox.run("subidctl apply --yes alice").exits(4).never_says("No changes").says("bob");
    assert_eq!(sandbox.id_files(), before);
}

#[test]
fn nobody_is_named_with_two_ranges() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.write("/root/list", "alice:300000:65536\nalice:400000:65536\n");
    refused(&sandbox, "subidctl apply --yes --from /root/list", 2, "usage");
    refused(&sandbox, "subidctl apply --yes --from /root/list +1001", 2, "usage");
    sandbox.write("/root/list", "alice:300000:65536\n+1001\nalice\n");
    sandbox.run("subidctl apply --yes --from /root/list").ok();
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\nalice:300000:65536\n");
}

#[test]
fn only_root_applies() {
    needs!("unshare", "nsenter", "su");
    let sandbox = alice_and_bob();
    let error = sandbox.as_user("alice").run("subidctl apply --yes --json alice").exits(1).json();
    assert_eq!(error["code"], "not-root", "{error:#}");
}

#[test]
fn files_that_cannot_be_trusted_are_refused() {
    needs!("unshare", "nsenter", "mkfifo");
    let breakages = [
        "mv /etc/subuid /etc/elsewhere; ln -s elsewhere /etc/subuid",
        "rm /etc/subgid; mkfifo /etc/subgid",
        "rm /etc/subgid; mkdir /etc/subgid",
        "chmod o+w /etc/subuid",
        "chown alice /etc/subgid",
        "touch /etc/mounted; mount --bind /etc/mounted /etc/subuid",
    ];
    for breakage in breakages {
        let sandbox = alice_and_bob();
        sandbox.run(breakage).ok();
        let before = sandbox.run("ls -li --time-style=full-iso /etc").ok().stdout;
        let error = sandbox.run("subidctl apply --yes --json alice").exits(1).json();
        assert_eq!(error["code"], "untrusted-file", "{breakage}: {error:#}");
        assert_eq!(sandbox.run("ls -li --time-style=full-iso /etc").ok().stdout, before, "{breakage}");
    }
}

#[test]
fn read_only_and_full_file_systems_change_nothing() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    let before = sandbox.id_files();
    sandbox.run("mount -o remount,bind,ro /etc").ok();
    sandbox.run("subidctl apply --yes alice").exits(1).says("read-only");
    assert_eq!(sandbox.id_files(), before);

    let sandbox = alice_and_bob();
    let small = "mkdir /tmp/small && mount -t tmpfs -o size=256k,mode=0755 small /tmp/small && \
        cp -a /etc/passwd /etc/group /etc/login.defs /etc/nsswitch.conf /etc/subuid /etc/subgid /tmp/small && \
        dd if=/dev/zero of=/tmp/small/filler bs=4k 2>/dev/null; mount --bind /tmp/small /etc";
    sandbox.run(small).ok();
    let before = (sandbox.id_files(), sandbox.names("/etc"));
    sandbox.run("subidctl apply --yes alice").exits(1).says("space");
    let names = sandbox.names("/etc").into_iter().filter(|name| name != ".pwd.lock").collect();
    assert_eq!(before, (sandbox.id_files(), names));
}

#[test]
fn a_host_whose_ids_come_from_a_directory_is_left_alone() {
    needs!("unshare", "nsenter");
    let nsswitch = "passwd: files\ngroup: files\nsubid: sss\n";
    let sandbox = Sandbox::new().user("alice", 1001).file("/etc/nsswitch.conf", nsswitch).start();
    // Without the module shadow falls back to the files.
    sandbox.run("find / -xdev -name 'libsubid_sss.so*' 2>/dev/null | xargs -r rm").ok();
    sandbox.run("subidctl apply --yes alice").ok();
    sandbox.write("/etc/subuid", "");
    sandbox.write("/etc/subgid", "");
    sandbox
        .run("cp $(ldconfig -p | sed -n 's/.* => //p' | grep -m1 libc.so.6) /usr/lib/libsubid_sss.so")
        .ok();
    let before = sandbox.id_files();
    sandbox.run("subidctl plan alice").exits(8);
    sandbox.run("subidctl apply --yes alice").exits(8).says("sss");
    sandbox.run("subidctl apply --yes --skip-directory-hosts alice").ok();
    assert_eq!(sandbox.id_files(), before);
}

#[test]
fn a_directory_that_does_not_answer_is_not_an_absent_user() {
    needs!("unshare", "nsenter");
    // A module that cannot be loaded gives no answer that means 'no such account'.
    let nsswitch = "passwd: files broken\ngroup: files broken\n";
    let sandbox = Sandbox::new().user("alice", 1001).file("/etc/nsswitch.conf", nsswitch).start();
    sandbox.run("subidctl apply --yes alice").ok();
    assert_eq!(sandbox.text("/etc/subuid"), "alice:100000:65536\n");
}

#[test]
fn foreign_bytes_never_reach_the_terminal() {
    needs!("unshare", "nsenter");
    let evil = b"bob:100000:65536\n\x1b[31mred:200000:10\n\xe2\x80\xaerlo:300000:10\n";
    let sandbox = Sandbox::new().user("alice", 1001).user("bob", 1002).subids(evil).start();
    for command in
        ["list", "plan alice", "who 200001", "list --json", "apply --yes alice", "plan $(printf '\\033[31m')"]
    {
        let output = sandbox.run(&format!("subidctl {command}"));
        for text in [&output.stdout, &output.stderr] {
            let bad = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(bad), "{command}: {text:?}");
        }
    }
    sandbox.run("subidctl list").ok().says("\\x1b[31mred").says("\\u{202e}rlo");
}

//! The two files themselves: what they are, where they are, what is in them.

use super::{refused, three_lines, witness};
use crate::e2e::alice_and_bob;
use crate::harness::{Sandbox, needs, size, skipped};

const BOTH: &str = "bob:100000:65536\nalice:165536:65536\n";
const UNTRUSTED: &str = "/etc/subuid cannot be trusted";

/// After this breakage of /etc/subuid apply refuses, with these words in why or fix.
#[track_caller]
fn untrusted(breakage: &str, says: &str) {
    let sandbox = alice_and_bob();
    sandbox.run(breakage).ok();
    refused(&sandbox, "subidctl apply --yes alice", 1, "untrusted-file", UNTRUSTED).says(says);
}

#[test]
fn a_symlink_is_not_followed_and_a_dangling_one_not_filled() {
    needs!("unshare", "nsenter");
    untrusted("mv /etc/subuid /etc/elsewhere; ln -s elsewhere /etc/subuid", "symbolic link");
    untrusted("rm /etc/subuid; ln -s nowhere /etc/subuid", "symbolic link");
}

#[test]
fn a_directory_is_no_file() {
    needs!("unshare", "nsenter");
    untrusted("rm /etc/subuid; mkdir /etc/subuid", "not a regular file");
}

#[test]
fn a_fifo_does_not_hang_and_a_device_is_not_read() {
    needs!("unshare", "nsenter", "mkfifo", "mknod");
    untrusted("rm /etc/subuid; mkfifo /etc/subuid", "not a regular file");
    untrusted("rm /etc/subuid; mknod /etc/subuid c 1 5", "not a regular file");
}

#[test]
fn a_file_that_others_may_write_or_own_is_not_believed_and_the_fix_mends() {
    needs!("unshare", "nsenter");
    let breakages = [
        ("chmod 666 /etc/subuid", "chmod go-w /etc/subuid"),
        ("chown alice /etc/subuid", "chown root: /etc/subuid"),
        ("touch /etc/over; mount --bind /etc/over /etc/subuid", "umount /etc/subuid"),
    ];
    for (breakage, fix) in breakages {
        let sandbox = alice_and_bob();
        sandbox.run(breakage).ok();
        refused(&sandbox, "subidctl apply --yes alice", 1, "untrusted-file", UNTRUSTED)
            .says(&format!("sudo {fix}\n"));
        sandbox.run(fix).ok();
        sandbox.run("subidctl apply --yes alice").ok();
        assert_eq!(sandbox.id_text(), [BOTH, BOTH], "{breakage}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_not_a_missing_one() {
    needs!("unshare", "nsenter", "su");
    let sandbox = alice_and_bob();
    sandbox.run("chmod 600 /etc/subuid").ok();
    let before = witness(&sandbox);
    let plan = sandbox.as_user("alice").run("subidctl plan alice").exits(1).says("Permission denied");
    three_lines(&plan, "cannot read /etc/subuid");
    assert_eq!(witness(&sandbox), before);
}

#[test]
fn a_missing_file_is_made_only_when_asked_and_it_is_said() {
    needs!("unshare", "nsenter", "setsid");
    let sandbox = Sandbox::new().user("alice", 1001).without("/etc/subuid").start();
    let said = "/etc/subuid does not exist: creating it makes useradd give ranges to new users";
    let first = "a change needs a confirmation; nothing was changed";
    refused(&sandbox, "subidctl apply alice", 2, "needs-yes", first).says(said);
    let mut terminal = sandbox.terminal("subidctl apply alice");
    terminal.expect(said);
    terminal.expect("[y/");
    terminal.send("n\n");
    assert_eq!(terminal.finish().0, 1);
    assert!(!sandbox.names("/etc").contains(&"subuid".to_owned()));
    sandbox.run("umask 077; subidctl apply --yes alice").ok().says(said);
    assert_eq!(sandbox.id_text(), ["alice:100000:65536\n", "alice:100000:65536\n"]);
    sandbox.run("stat -c '%a %u:%g' /etc/subuid").ok().says("644 0:0\n");
}

#[test]
fn a_read_only_mount_changes_nothing() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("mount -o remount,bind,ro /etc").ok();
    refused(&sandbox, "subidctl apply --yes alice", 1, "write-failed", "cannot write in /etc")
        .says("read-only");
}

#[test]
fn an_immutable_file_is_left_alone_and_the_fix_mends() {
    needs!("unshare", "nsenter", "chattr");
    let sandbox = alice_and_bob();
    // tmpfs has such flags since Linux 6.6 only.
    let disk = "truncate -s 8M /tmp/disk && mkfs.ext4 -q /tmp/disk && mkdir /tmp/small && \
        mount -o loop /tmp/disk /tmp/small && \
        cp -a /etc/passwd /etc/group /etc/login.defs /etc/nsswitch.conf /etc/subuid /etc/subgid /tmp/small && \
        mount --bind /tmp/small /etc && chattr +i /etc/subuid";
    let made = sandbox.run(disk);
    if made.code != 0 {
        return skipped(&format!("no ext4 on a loop device: {}", made.stderr.trim()));
    }
    refused(&sandbox, "subidctl apply --yes alice", 1, "write-failed", "cannot change /etc/subuid")
        .says("sudo chattr -ia /etc/subuid\n");
    sandbox.run("chattr -ia /etc/subuid").ok();
    for (flag, path) in [("a", "/etc/subgid"), ("i", "/etc")] {
        sandbox.run(&format!("chattr +{flag} {path}")).ok();
        let first = format!("cannot change {path}");
        refused(&sandbox, "subidctl apply --yes alice", 1, "write-failed", &first);
        sandbox.run(&format!("chattr -ia {path}")).ok();
    }
    sandbox.run("subidctl apply --yes alice").ok();
    assert_eq!(sandbox.id_text(), [BOTH, BOTH]);
    sandbox.run("umount /etc /tmp/small").ok();
}

#[test]
fn a_file_that_grows_while_it_is_read_is_not_believed() {
    needs!("unshare", "nsenter", "strace");
    let sandbox = alice_and_bob();
    // Half a second between the first reading and the look afterwards, in which another program appends.
    let slow = "strace -qq -o /dev/null -P /etc/subuid -e trace=read -e inject=read:delay_exit=500000:when=1";
    let grow = "(sleep 0.25; echo carol:300000:10 >> /etc/subuid) &";
    let grown = sandbox.run(&format!("{grow} {slow} subidctl apply --yes alice")).exits(1).says("in place");
    three_lines(&grown, "/etc/subuid changed while it was read");
    assert_eq!(sandbox.id_text(), ["bob:100000:65536\ncarol:300000:10\n", "bob:100000:65536\n"]);
}

#[test]
fn a_file_that_is_replaced_while_it_is_read_is_read_again() {
    needs!("unshare", "nsenter", "strace");
    let sandbox = alice_and_bob();
    let slow = |when: &str| {
        format!(
            "strace -qq -o /dev/null -P /etc/subuid -e trace=read -e inject=read:delay_exit=300000:when={when}"
        )
    };
    let replace = "printf 'bob:100000:65536\\ncarol:165536:10\\n' > /etc/new; mv /etc/new /etc/subuid";
    sandbox.run(&format!("(sleep 0.15; {replace}) & {} subidctl apply --yes alice", slow("1"))).ok();
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\ncarol:165536:10\nalice:165546:65536\n");

    // Again and again: given up, and the files are what the other program made of them.
    let sandbox = alice_and_bob();
    let always = "while :; do cp -p /etc/subuid /etc/new; mv /etc/new /etc/subuid; sleep 0.02; done";
    let busy = sandbox
        .run(&format!("({always}) & {} subidctl apply --yes alice; code=$?; kill $!; exit $code", slow("1+")))
        .exits(1);
    three_lines(&busy, "subuid or subgid changed each time they were read");
    assert_eq!(sandbox.id_text(), ["bob:100000:65536\n"; 2]);
}

#[test]
fn lines_that_cannot_be_parsed_stay_and_what_any_reader_takes_is_taken() {
    needs!("unshare", "nsenter");
    let odd = "garbage\nbob:100000:65536\n:200000:10\nzed:0x28600:16\nq:165536:10:x\n";
    let sandbox = Sandbox::new().user("alice", 1001).user("bob", 1002).subids(odd).start();
    sandbox.run("subidctl apply --yes alice").ok().says("/etc/subuid line 1 stops rootlesskit");
    let text = sandbox.text("/etc/subuid");
    let new = text.strip_prefix(odd).unwrap_or_else(|| panic!("a line was lost\n{text}"));
    // strtoul reads 0x28600 (165376) and newuidmap the first three fields of q.
    assert_eq!(new, "alice:200010:65536\n");
}

#[test]
fn a_missing_final_newline_is_added_and_said() {
    needs!("unshare", "nsenter");
    let sandbox =
        Sandbox::new().user("alice", 1001).user("bob", 1002).subids("# by hand\nbob:100000:65536").start();
    sandbox
        .run("subidctl apply --yes alice")
        .ok()
        .says("/etc/subuid does not end in a newline: one is added");
    let both = format!("# by hand\n{BOTH}");
    assert_eq!(sandbox.id_text(), [both.clone(), both]);
}

#[test]
fn no_room_is_its_own_exit_code() {
    needs!("unshare", "nsenter");
    let window = "SUB_UID_MIN 100000\nSUB_UID_MAX 170000\nSUB_GID_MIN 100000\nSUB_GID_MAX 170000\n";
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("bob", 1002)
        .file("/etc/login.defs", window)
        .subids("bob:100000:65536\n")
        .start();
    let first = "no free range of 65,536 subordinate uids for alice";
    refused(&sandbox, "subidctl apply --yes alice", 7, "no-room", first)
        .says("to paste into /etc/subidctl/policy.toml:\n    min = ");
}

#[test]
fn a_file_of_very_many_lines_works() {
    needs!("unshare", "nsenter");
    // A commit that would hold the locks for more than five seconds is given up, and a debug build of a million
    // lines would.
    let lines = if cfg!(debug_assertions) { 100_000 } else { size(100_000, 1_000_000) };
    let text: String = (0..lines).map(|n| format!("u{n}:{}:65\n", 100_000 + n * 100)).collect();
    let sandbox = Sandbox::new().user("alice", 1001).subids(&text).start();
    sandbox.within(600).run("subidctl apply --yes alice").ok();
    let new = format!("alice:{}:65536\n", 100_000 + (lines - 1) * 100 + 65);
    for file in sandbox.id_text() {
        assert!(file.strip_prefix(text.as_str()) == Some(new.as_str()), "{}", &file[file.len() - 100..]);
    }
    let who = format!("subidctl who {}", 100_000 + (lines - 1) * 100);
    sandbox.within(600).run(&who).ok().says(&format!("u{}", lines - 1));
}

#[test]
fn a_plan_on_a_file_of_very_many_lines_works() {
    needs!("unshare", "nsenter");
    let lines = size(10_000, 1_000_000);
    let text: String = (0..lines).map(|n| format!("u{n}:{}:65\n", 100_000 + n * 100)).collect();
    let sandbox = Sandbox::new().user("alice", 1001).subids(&text).start();
    let new = format!("+alice:{}:65536", 100_000 + (lines - 1) * 100 + 65);
    let plan = sandbox.within(600).run("subidctl plan alice").ok();
    assert_eq!(plan.count(&new), 2, "{plan}");
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    needs!("unshare", "nsenter");
    untrusted("truncate -s 300M /etc/subuid", "larger than 256 MiB");
}

//! Locks that somebody holds, and those that nobody holds any more.

use super::refused;
use crate::e2e::alice_and_bob;
use crate::harness::{Sandbox, needs};

const BOTH: &str = "bob:100000:65536\nalice:165536:65536\n";
const LOCKED: &str = "the account files are locked by another program; nothing was changed";

/// A process that has made this lock and lives on for these seconds; its pid.
fn held(sandbox: &Sandbox, lock: &str, seconds: u32) -> String {
    let hold = format!("printf '%d\\0' $$ > {lock}; exec sleep {seconds}");
    let started = format!("sh -c \"{}\" >/dev/null 2>&1 & echo $!; sleep 0.3", hold.replace('$', "\\$"));
    sandbox.run(&started).ok().stdout.trim().to_owned()
}

/// Apply takes this lock over, which nobody holds.
#[track_caller]
fn taken_over(sandbox: &Sandbox) {
    sandbox.run("subidctl apply --yes --lock-timeout 2 alice").ok();
    assert_eq!(sandbox.id_text(), [BOTH, BOTH]);
    assert!(!sandbox.names("/etc").iter().any(|name| name == "subuid.lock" || name == "subgid.lock"));
}

#[test]
fn a_lock_of_a_live_process_is_waited_for_and_its_pid_named() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    let pid = held(&sandbox, "/etc/subuid.lock", 12);
    refused(&sandbox, "subidctl apply --yes --lock-timeout 1 alice", 5, "busy", LOCKED)
        .says("/etc/subuid.lock")
        .says(&format!("pid {pid} (sleep)"));
    // The holder ends, its lock stays: a dead process's.
    sandbox.run("subidctl apply --yes --lock-timeout 30 alice").ok();
    assert_eq!(sandbox.id_text(), [BOTH, BOTH]);
    assert!(!sandbox.names("/etc").iter().any(|name| name == "subuid.lock" || name == "subgid.lock"));
}

#[test]
fn without_a_word_fifteen_seconds_are_waited() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    held(&sandbox, "/etc/subgid.lock", 100);
    let began = std::time::Instant::now();
    sandbox.run("subidctl apply --yes alice").exits(5).says("/etc/subgid.lock");
    let waited = began.elapsed().as_secs();
    assert!((15..40).contains(&waited), "{waited} s");
}

#[test]
fn a_lock_of_a_reused_pid_or_from_before_the_boot_is_taken_over() {
    needs!("unshare", "nsenter");
    // The process is younger than the lock.
    let sandbox = alice_and_bob();
    held(&sandbox, "/etc/subuid.lock", 100);
    sandbox.run("touch -d '-1 hour' /etc/subuid.lock").ok();
    taken_over(&sandbox);
    // pid 1 lives, but nobody does who made a lock before this boot.
    let sandbox = alice_and_bob();
    sandbox.run("printf '1\\0' > /etc/subuid.lock; touch -d '-20 years' /etc/subuid.lock").ok();
    taken_over(&sandbox);
}

#[test]
fn an_empty_or_malformed_lock_is_never_taken_over_and_the_fix_mends() {
    needs!("unshare", "nsenter");
    for content in ["", "999999\n", "root"] {
        let sandbox = alice_and_bob();
        sandbox.write("/etc/subgid.lock", content);
        refused(&sandbox, "subidctl apply --yes --lock-timeout 1 alice", 5, "busy", LOCKED)
            .says("sudo rm /etc/subgid.lock\n");
        assert_eq!(sandbox.text("/etc/subgid.lock"), content);
        sandbox.run("rm /etc/subgid.lock").ok();
        taken_over(&sandbox);
    }
}

#[test]
fn pwd_lock_held_by_another_is_busy() {
    needs!("unshare", "nsenter", "perl");
    let sandbox = alice_and_bob();
    // struct flock as x86-64 and aarch64 have it: F_WRLCK, SEEK_SET, whole file.
    let hold = "perl -e 'open F, \">>\", \"/etc/.pwd.lock\"; $lock = pack(\"ssx4qqlx4\", 1, 0, 0, 0, 0); fcntl(F, 6, $lock) or die; \
        print \"held\\n\"; close STDOUT; close STDERR; sleep 20' > /tmp/held & sleep 0.5; cat /tmp/held";
    sandbox.run(hold).ok().says("held");
    refused(&sandbox, "subidctl apply --yes --lock-timeout 1 alice", 5, "busy", LOCKED)
        .says(".pwd.lock is held by pid ")
        .says("(perl)");
}

#[test]
fn who_has_a_file_open_for_writing_is_waited_for() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    let pid = sandbox.run("sleep 100 >>/etc/subgid 2>/dev/null & echo $!").ok().stdout;
    refused(&sandbox, "subidctl apply --yes --lock-timeout 1 alice", 5, "busy", LOCKED)
        .says("another program has /etc/subgid open for writing")
        .says("sudo fuser -v /etc/subgid");
    sandbox.run(&format!("kill {pid}")).ok();
    sandbox.run("subidctl apply --yes alice && useradd x").ok();
    assert!(sandbox.id_text().iter().all(|text| text.starts_with(BOTH)));
}

//! Killed at any call that changes a file: both files become old, or both become new.

use super::alice_and_bob;
use crate::harness::{Sandbox, needs, size};

const OLD: &str = "# by hand\nbob:100000:65536\n";
const NEW: &str = "# by hand\nbob:100000:65536\nalice:165536:65536\n";

/// The calls that a crash may come before.
const CALLS: &str = "openat,openat2,linkat,link,rename,renameat,renameat2,unlink,unlinkat,fsync,fdatasync,fallocate,\
    write,pwrite64,fchmod,fchown,fsetxattr,mkdir,mkdirat,ftruncate,exit_group";

fn fresh() -> Sandbox {
    Sandbox::new().user("alice", 1001).user("bob", 1002).subids(OLD).start()
}

/// Of each call that an undisturbed apply makes: how many before it takes its first lock, and how many in all.
fn counts(sandbox: &Sandbox) -> Vec<(&'static str, usize, usize)> {
    let (output, trace) = sandbox.traced(CALLS, "exec subidctl apply --yes alice");
    output.ok();
    let locked = trace.calls().position(|call| call.contains(".pwd.lock")).expect("no lock was taken");
    let named = |call: &str, name: &str| call.strip_prefix(name).is_some_and(|rest| rest.starts_with('('));
    CALLS
        .split(',')
        .map(|name| {
            let name = name.trim();
            let before = trace.calls().take(locked).filter(|call| named(call, name)).count();
            (name, before, trace.calls().filter(|call| named(call, name)).count())
        })
        .collect()
}

#[test]
fn a_kill_at_any_call_leaves_both_old_or_both_new() {
    needs!("unshare", "nsenter", "strace", "usermod");
    let sandbox = fresh();
    let names = sandbox.names("/etc");
    let (mut kills, mut wanted) = (0, 0);
    for (call, before, all) in counts(&sandbox) {
        // The shell that strace starts under `traced` makes calls of its own; these come first too.
        for when in usize::try_from(size(u32::try_from(before).unwrap(), 0)).unwrap() + 1..=all {
            for path in ["/etc/subuid", "/etc/subgid"] {
                sandbox.write(path, OLD);
            }
            sandbox.remove("/var/lib/subidctl");
            let place = format!("killed at {call} {when}");
            let inject = format!("strace -f -qq -o /dev/null -e inject={call}:signal=KILL:when={when}");
            let killed = sandbox
                .run(&format!("{inject} sh -c 'exec subidctl apply --yes alice'; echo \"exit $?\""))
                .ok();
            wanted += 1;
            kills += usize::from(killed.stdout.ends_with("exit 137\n"));
            // Everybody may look, and no reader sees half a line.
            for text in sandbox.id_text() {
                assert!([OLD, NEW].contains(&text.as_str()), "{place}: {text}");
            }
            sandbox.run("subidctl list").ok();
            sandbox.run("subidctl recover --yes").ok();
            let both = sandbox.id_text();
            assert!(both == [OLD, OLD] || both == [NEW, NEW], "{place}: {both:?}");
            // Locks of the dead are no obstacle.
            sandbox.run("subidctl apply --yes --lock-timeout 5 alice").ok();
            assert_eq!(sandbox.id_text(), [NEW, NEW], "{place}");
            // Nothing to do takes no lock, so a lock of the dead may still be there: for the next who needs it.
            sandbox.run("usermod -v 300000-300009 -w 300000-300009 bob").ok();
            let left = sandbox.names("/etc").into_iter().filter(|name| !names.contains(name));
            for name in left {
                assert!(
                    ["subuid-", "subgid-", ".pwd.lock"].contains(&name.as_str()),
                    "{place}: {name} is left over"
                );
            }
        }
    }
    assert!(kills >= 15 && kills * 10 >= wanted * 9, "{kills} kills, {wanted} wanted");
}

#[test]
fn useradd_between_crash_and_recovery_keeps_its_lines() {
    needs!("unshare", "nsenter", "strace", "useradd");
    let mut halves = 0;
    for (call, when) in
        ["rename", "renameat", "renameat2"].into_iter().flat_map(|call| (1..=8).map(move |n| (call, n)))
    {
        let sandbox = fresh();
        let inject = format!("strace -f -qq -o /dev/null -e inject={call}:signal=KILL:when={when}");
        sandbox.run(&format!("{inject} subidctl apply --yes alice; true")).ok();
        if sandbox.id_text() != [NEW, OLD] {
            continue;
        }
        // Between the renames of the two files.
        halves += 1;
        sandbox.run("useradd x").ok();
        let line = |text: &String| text.lines().find(|line| line.starts_with("x:")).unwrap().to_owned();
        let lines: Vec<String> = sandbox.id_text().iter().map(line).collect();
        sandbox.run("subidctl recover --yes").ok();
        let given = sandbox.id_text().map(|text| text.contains("\nalice:"));
        assert_eq!(given[0], given[1], "one half of the change is left");
        for (text, line) in sandbox.id_text().iter().zip(&lines) {
            assert!(text.lines().any(|l| l == line), "{line} is lost:\n{text}");
            // useradd sorts the file, comments last.
            super::assert_disjoint(&text.replace("# by hand\n", ""));
        }
        sandbox.run("subidctl apply --yes alice").ok();
        for text in sandbox.id_text() {
            assert!(text.contains("\nalice:"), "{text}");
        }
    }
    assert!(halves > 0, "no kill came between the two renames");
}

#[test]
fn a_damaged_journal_or_ledger_has_a_way_out() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice").ok();
    sandbox.run("printf '{' > /etc/.subidctl.journal; chmod 600 /etc/.subidctl.journal").ok();
    sandbox.run("subidctl list").ok().says("alice").says("sudo subidctl recover");
    let error = sandbox.run("subidctl recover --yes --json").exits(6);
    assert_eq!(error.json()["code"], "recovery-conflict", "{error}");
    assert!(!sandbox.names("/etc").iter().any(|name| name == ".subidctl.journal"));
    sandbox.run("subidctl recover --yes").ok().says("No change is unfinished");

    sandbox.write("/var/lib/subidctl/ledger.json", "{");
    sandbox.run("subidctl plan alice").ok().says("ledger-unusable");
    sandbox.run("subidctl apply --yes --count 131072 alice").ok().says("ledger.json.damaged-");
}

//! SIGINT and SIGTERM: at the prompt, while waiting for locks, in the middle of a commit.

use super::witness;
use crate::e2e::alice_and_bob;
use crate::harness::{Sandbox, needs};

const BOTH: &str = "bob:100000:65536\nalice:165536:65536\n";

/// Runs apply on a terminal up to its question, and lets `interrupt` end it. The terminal must be as it was.
#[track_caller]
fn at_the_prompt(interrupt: impl FnOnce(&Sandbox, &mut crate::harness::Terminal)) {
    let sandbox = alice_and_bob();
    let before = witness(&sandbox);
    // Ctrl-C may reach the shell, too, which has to go on.
    let session = "stty -a > /tmp/before; subidctl apply alice; echo \"exit $?\"; stty -a > /tmp/after";
    let mut terminal = sandbox.terminal(&format!("trap : INT; {session}"));
    terminal.expect("[y/");
    interrupt(&sandbox, &mut terminal);
    terminal.expect("interrupted; nothing was changed");
    terminal.expect("exit 130");
    terminal.finish();
    assert_eq!(sandbox.text("/tmp/before"), sandbox.text("/tmp/after"));
    assert!(sandbox.text("/tmp/after").contains(" echo "), "{}", sandbox.text("/tmp/after"));
    assert_eq!(witness(&sandbox), before);
}

#[test]
fn ctrl_c_at_the_prompt_changes_nothing() {
    needs!("unshare", "nsenter", "setsid", "stty");
    at_the_prompt(|_, terminal| terminal.send("\x03"));
}

#[test]
fn a_signal_at_the_prompt_changes_nothing_and_leaves_the_terminal_as_it_was() {
    needs!("unshare", "nsenter", "setsid", "stty", "pkill");
    for signal in ["INT", "TERM"] {
        at_the_prompt(|sandbox, _| {
            // Of the sandbox's own processes: it has a pid namespace of its own.
            sandbox.run(&format!("sleep 0.3; pkill -{signal} -x subidctl")).ok();
        });
    }
}

#[test]
fn a_signal_while_waiting_for_locks_ends_it_at_once() {
    needs!("unshare", "nsenter");
    for signal in ["INT", "TERM"] {
        let sandbox = alice_and_bob();
        sandbox.write("/etc/subgid.lock", "");
        let before = witness(&sandbox);
        let apply = format!("timeout --signal={signal} 2 subidctl apply --yes --lock-timeout 60 alice");
        let ended = sandbox.within(20).run(&format!("{apply}; echo \"exit $?\"")).ok();
        // timeout's own code: the command was ended by its signal.
        ended.says("exit 124");
        assert_eq!(witness(&sandbox), before, "{signal}");
        sandbox.run("rm /etc/subgid.lock; subidctl apply --yes alice").ok();
        assert_eq!(sandbox.id_text(), [BOTH, BOTH]);
    }
}

#[test]
fn a_signal_in_the_middle_of_a_commit_waits_for_its_end() {
    needs!("unshare", "nsenter", "strace");
    let (mut old, mut new) = (0, 0);
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        for (call, when) in ["linkat", "renameat", "fsync"].into_iter().flat_map(|c| [(c, 1), (c, 2)]) {
            let place = format!("{signal} at {call} {when}");
            let sandbox = alice_and_bob();
            let names = sandbox.names("/etc");
            let inject = format!("strace -qq -o /dev/null -e inject={call}:signal={signal}:when={when}");
            let ended = sandbox.run(&format!("{inject} subidctl apply --yes alice; echo \"exit $?\"")).ok();
            ended.says(&format!("exit {code}"));
            // The first fsync may belong to the state folder, which is made before the locks are taken.
            match sandbox.id_text() {
                both if both == [BOTH, BOTH] => new += 1,
                both if both == ["bob:100000:65536\n"; 2] && call == "fsync" => old += 1,
                both => panic!("{place}: {both:?}"),
            }
            let known = ["subuid-", "subgid-", ".pwd.lock"];
            let left = sandbox.names("/etc").into_iter().filter(|name| !names.contains(name));
            let left: Vec<String> = left.filter(|name| !known.contains(&name.as_str())).collect();
            assert_eq!(left, Vec::<String>::new(), "{place}");
        }
    }
    assert!(new >= 8 && old <= 4, "{old} old, {new} new");
}

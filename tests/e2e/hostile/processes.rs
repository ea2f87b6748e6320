//! A user beside `verify USER`, which root runs: what may be done to its processes, and to root's terminal.

use super::served;
use crate::harness::{Output, Sandbox, needs};

/// Runs `verify` up to the end of this call, where the child that becomes alice is stopped, and goes on when she
/// has done what she can to it and to the root side. Gives her attempts on either, and verify's exit code.
fn stopped_after(sandbox: &Sandbox, call: &str) -> [Output; 3] {
    sandbox.run("rm -f /tmp/drop /tmp/code").ok();
    let verify = "subidctl verify --timeout 50 alice >/tmp/verify 2>&1; echo $? >/tmp/code";
    // strace, which others cannot trace beside, is gone before they try; the child stays stopped.
    let stop = format!(
        "strace -f -qq -o /tmp/drop -e trace={call} -e inject={call}:signal=STOP:when=1 sh -c '{verify}' & tracer=$!
         until pid=$(grep -m 1 'stopped by SIGSTOP' /tmp/drop); do sleep 0.05; done
         kill -KILL $tracer; pid=${{pid%% *}}
         until grep -q '^State:.T' /proc/$pid/status; do sleep 0.05; done
         sed -n 's/^PPid:.//p' /proc/$pid/status; echo $pid"
    );
    let pids = sandbox.run(&stop).ok().stdout;
    let [root, child] = pids.lines().collect::<Vec<_>>()[..] else { panic!("{pids}") };
    let attack = |pid: &str| sandbox.as_user("alice").run(&format!("hostile attack {pid}")).ok();
    let tried = [attack(root), attack(child)];
    // Whoever lets go of a stopped process that it traced wakes it for as long as it takes to stop again.
    let again =
        format!("until grep -q '^State:.T' /proc/{child}/status; do sleep 0.05; done; kill -CONT {child}");
    sandbox.run(&again).ok();
    let [root, child] = tried;
    [root, child, sandbox.run("until [ -s /tmp/code ]; do sleep 0.05; done; cat /tmp/code /tmp/verify").ok()]
}

/// Asserts that all attempts were made, and that these alone succeeded.
#[track_caller]
fn only(tried: &Output, allowed: &[&str]) {
    let mut made = 0;
    for (what, end) in tried.stdout.lines().filter_map(|line| line.split_once(": ")) {
        made += 1;
        let wanted: &[&str] = if allowed.contains(&what) { &["done"] } else { &["EPERM", "EACCES"] };
        assert!(wanted.contains(&end), "{what}: {end}\n{tried}");
    }
    assert_eq!(made, 12, "{tried}");
}

#[test]
fn the_user_can_do_nothing_before_the_drop_and_sees_nothing_of_roots_after_it() {
    needs!("unshare", "nsenter", "newuidmap", "su", "strace", "cc");
    let sandbox = served();
    for call in ["setgroups", "setresgid"] {
        let [root, child, ended] = stopped_after(&sandbox, call);
        only(&root, &[]);
        only(&child, &[]);
        assert!(ended.stdout.starts_with("0\n"), "{call}: {ended}");
    }
    // Now the process is hers, but its memory is still a copy of root's.
    let hers = ["signal", "renice", "limit", "affinity"];
    for call in ["setresuid", "capset"] {
        let [root, child, ended] = stopped_after(&sandbox, call);
        only(&root, &[]);
        only(&child, &hers);
        assert!(ended.stdout.starts_with("0\n"), "{call}: {ended}");
    }
    // Once the worker is executed nothing of root's is left in it: the attack is one.
    let [root, child, _] = stopped_after(&sandbox, "execveat");
    only(&root, &[]);
    assert!(child.stdout.contains("environ: done\n") && child.stdout.contains("maps: done\n"), "{child}");
}

#[test]
fn the_user_may_end_her_own_container_and_no_more() {
    needs!("unshare", "nsenter", "newuidmap", "su", "pgrep");
    let sandbox = served();
    let running = "subidctl verify alice -- sleep 1000 >/tmp/out 2>&1 & verify=$!; until pgrep -x sleep >/dev/null; do :; done";
    // kill -1: everything that she may.
    for (signal, own) in [("TERM", 143), ("KILL", 137)] {
        let ended = format!("{running}; su alice -s /bin/sh -c 'kill -{signal} -1'; wait $verify");
        let ended = sandbox.run(&ended);
        // CMD's own end is told where it comes before that of the worker who tells it.
        assert!([125, own].contains(&ended.code), "{signal}\n{ended}");
        sandbox.run("! pgrep -a -x sleep && ! pgrep -a -f '[_]_container'").ok();
    }
    // Stopped for good: root's deadline still holds.
    let stopped = running.replace("verify alice", "verify --timeout 3 alice")
        + "; su alice -s /bin/sh -c 'kill -STOP -1'; wait $verify";
    let _ = sandbox.within(30).run(&stopped).exits(125);
    sandbox.run("! pgrep -a -x sleep && ! pgrep -a -f '[_]_container'").ok();
}

#[test]
fn nothing_can_be_typed_into_roots_terminal() {
    needs!("unshare", "nsenter", "newuidmap", "setsid", "setpriv", "cc");
    let sandbox = served();
    let next = "; echo over; read line; echo \"root typed $line\"";
    let shells = [
        "subidctl verify alice -- hostile type",
        // With root's terminal on some descriptors only, and on further ones.
        "subidctl verify alice -- hostile type </dev/null",
        "subidctl verify alice -- hostile type >/tmp/out",
        "exec 5<>/dev/tty; subidctl verify alice -- hostile type </dev/null >/tmp/out 2>&1",
        "subidctl verify --json alice -- hostile type",
        // The container's first process, which is executed in her name, has none of it either.
        "subidctl verify alice -- sh -c 'hostile type </proc/1/fd/0 >/proc/1/fd/1 2>/proc/1/fd/2'",
    ];
    for shell in shells {
        let mut terminal = sandbox.terminal(&format!("{shell}{next}"));
        terminal.expect("over\n");
        terminal.send("mine\n");
        terminal.expect("root typed mine");
        let _ = terminal.finish();
    }
    if sandbox.run("cat /proc/sys/dev/tty/legacy_tiocsti 2>/dev/null || echo 1").ok().stdout == "1\n" {
        // Where a user is just given the terminal, it can.
        let mut terminal =
            sandbox.terminal(&format!("setpriv --reuid 1001 --regid 1001 --clear-groups hostile type{next}"));
        terminal.expect("root typed typed");
        let _ = terminal.finish();
    }
}

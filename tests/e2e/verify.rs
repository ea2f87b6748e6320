//! `verify`: the real container, and the cause of its failure by name.

use super::alice_and_bob;
use super::engine::{Podman, squeezed};
use crate::harness::{Sandbox, assert_shown, needs, size};

/// alice with a range of her own, bob with another.
fn served() -> Sandbox {
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice").ok();
    sandbox
}

#[test]
fn verify_shows_the_maps_that_podman_gets() {
    needs!("unshare", "nsenter", "su", "newuidmap", "podman", "crun", "busybox");
    let sandbox = served();
    let proof = sandbox.run("su alice -c 'subidctl verify --json'").ok().json();
    assert_eq!(proof["schema"], "subidctl.proof.v1");
    assert_eq!(proof["ok"], true, "{proof:#}");
    assert_eq!(proof["user"], "alice");
    let expected = serde_json::json!([[0, 1001, 1], [1, 165_536, 65536]]);
    for map in ["uid_map", "gid_map"] {
        assert_eq!(proof[map], expected, "{map}");
        assert_eq!(proof[format!("expected_{map}")], expected, "expected_{map}");
    }
    assert_eq!(proof["failure"], serde_json::Value::Null);
    for probe in proof["probes"].as_array().unwrap() {
        assert_ne!(probe["status"], "failed", "{probe:#}");
    }

    let podman = Podman::new(&sandbox, "alice");
    for map in ["uid_map", "gid_map"] {
        let ours: String = proof[map].as_array().unwrap().iter().fold(String::new(), |all, extent| {
            let words: Vec<String> = extent.as_array().unwrap().iter().map(ToString::to_string).collect();
            all + &words.join(" ") + "\n"
        });
        assert_eq!(podman.unshare_map(map), ours, "podman unshare: {map}");
        assert_eq!(podman.container_map(map), ours, "podman run: {map}");
    }
}

#[test]
fn the_classic() {
    needs!("unshare", "nsenter", "newuidmap", "su");
    let sandbox = Sandbox::new().user("tscherf", 1000).start();
    sandbox.run("subidctl apply --yes tscherf").ok();
    assert_eq!(sandbox.id_text(), ["tscherf:100000:65536\n", "tscherf:100000:65536\n"]);
    for output in
        [sandbox.run("subidctl verify tscherf").ok(), sandbox.as_user("tscherf").run("subidctl verify").ok()]
    {
        let shown = squeezed(&output.stdout);
        for map in ["uid_map", "gid_map"] {
            let at = shown.find(map).unwrap_or_else(|| panic!("no {map}\n{output}"));
            let below: Vec<&str> = shown[at..].lines().skip(1).take(2).collect();
            assert_eq!(below, ["0 1000 1", "1 100000 65536"], "{map}\n{output}");
        }
        let inside = shown.lines().find(|line| line.starts_with("inside : ")).unwrap();
        assert_eq!(inside, "inside : pid 1 uid 0 (root)");
        let host =
            shown.lines().find(|line| line.starts_with("host : ")).unwrap_or_else(|| panic!("{output}"));
        assert!(host.ends_with(" uid 1000 (tscherf)"), "{host}");
        // These two are the machine's own.
        let own = |line: &&str| !["login", "publish-80", "sysctl"].iter().any(|word| line.contains(word));
        let shown: Vec<&str> = output.stdout.lines().filter(own).collect();
        assert_shown("verify", &shown.join("\n"));
    }
}

#[test]
fn of_her_own_a_user_starts_the_helpers_alone_and_root_this_program_anew() {
    needs!("unshare", "nsenter", "newuidmap", "su", "strace");
    let sandbox = served();
    // strace has the right that newuidmap's setuid bit has work for a traced user.
    for (trace, expected) in [
        ("strace -u alice", vec!["newgidmap", "newuidmap", "subidctl"]),
        ("strace", vec!["__container", "newgidmap", "newuidmap", "subidctl"]),
    ] {
        // A file for each process: in one file their lines would be torn.
        let command = format!("{trace} -ff -qq -e trace=execve,execveat -o /tmp/trace subidctl verify alice");
        sandbox.run(&command).ok();
        let trace = sandbox.run("cat /tmp/trace.* | grep ' = 0$'; rm /tmp/trace.*").ok().stdout;
        let programs = ["__container", "newgidmap", "newuidmap", "\"subidctl\""];
        let program =
            |line: &str| programs.iter().find(|name| line.contains(*name)).map(|n| n.trim_matches('"'));
        let mut started: Vec<&str> = trace.lines().filter_map(program).collect();
        started.sort_unstable();
        assert_eq!((trace.lines().count(), started), (expected.len(), expected), "{trace}");
    }
}

#[test]
fn a_container_does_not_depend_on_what_its_caller_ignores_blocks_or_has_open() {
    needs!("unshare", "nsenter", "newuidmap", "su", "python3");
    let sandbox = served();
    let script = "import os, signal, sys
for number in [signal.SIGCHLD, signal.SIGPIPE, signal.SIGTERM, signal.SIGIO]:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
for _ in range(50):
    os.set_inheritable(os.open('/etc/passwd', os.O_RDONLY), True)
os.chdir('/proc/self'); os.umask(0o777)
os.execvp('subidctl', ['subidctl', 'verify', '--json'])";
    let script = script.replace('\'', "\"");
    let proof = sandbox.as_user("alice").run(&format!("python3 -c '{script}'")).ok().json();
    assert_eq!(proof["ok"], true, "{proof:#}");
    let failed = |probe: &serde_json::Value| probe["status"] == "failed";
    assert!(!proof["probes"].as_array().unwrap().iter().any(failed), "{proof:#}");
}

#[test]
fn more_ranges_than_anything_can_be_told_are_too_many_for_a_map() {
    needs!("unshare", "nsenter", "newuidmap", "su");
    for lines in [400_u32, 3000, 20_000] {
        let text: String = (0..lines).map(|n| format!("alice:{}:1\n", 100_000 + 2 * n)).collect();
        let sandbox = Sandbox::new().user("alice", 1001).subids(&text).start();
        for output in [
            sandbox.run("subidctl verify --json alice"),
            sandbox.as_user("alice").run("subidctl verify --json"),
        ] {
            assert_eq!(output.json()["failure"]["cause"], "map-too-long", "{lines}: {output}");
        }
    }
}

/// Each process of her own container is ended at a call of its own choosing: before, between and after the helpers.
#[test]
fn whichever_of_her_processes_is_killed_no_other_stays() {
    needs!("unshare", "nsenter", "newuidmap", "su", "strace", "ps");
    let sandbox = served();
    let mut failed = 0;
    for call in ["sendmsg", "clone", "execveat", "pipe2", "wait4", "setresuid", "mount", "poll"] {
        for when in 1..=size(3, 12) {
            let inject = format!("-qq -o /dev/null -e inject={call}:signal=KILL:when={when}");
            let verify = format!("strace -u alice -f {inject} subidctl verify >/dev/null 2>&1; echo $?");
            failed += usize::from(sandbox.run(&verify).ok().stdout != "0\n");
            let left = "for n in $(seq 50); do ps -u alice -o args= || exit 0; sleep 0.1; done; exit 1";
            let left = sandbox.run(left);
            assert_eq!(left.code, 0, "{call} {when}: {left}");
        }
    }
    assert!(failed >= 16, "{failed} runs were hit");
    let _ = sandbox.as_user("alice").run("subidctl verify").ok();
}

#[test]
fn verify_runs_a_command_and_passes_its_exit_code_on() {
    needs!("unshare", "nsenter", "newuidmap", "su");
    let sandbox = served();
    for session in [sandbox.as_user("alice"), sandbox.within(60)] {
        let _ = session.run("subidctl verify alice -- sh -c 'exit 42'").exits(42);
    }
    sandbox.run("subidctl verify alice -- sh -c 'kill -TERM $$'").exits(143);
    sandbox.run("subidctl verify alice -- /no/such/program").exits(127);
    sandbox.run("subidctl verify alice -- /etc/passwd").exits(126);
    let inside = sandbox.run("subidctl verify alice -- sh -c 'id -u; pwd; cat /proc/self/uid_map; cat'").ok();
    assert!(inside.stdout.contains("0\n/\n"), "{inside}");
    assert!(squeezed(&inside.stdout).contains("0 1001 1\n1 165536 65536\n"), "{inside}");
    let written = sandbox.run("echo through | subidctl verify alice -- cat").ok();
    assert!(written.stdout.contains("through\n"), "{written}");
    // A read-only view of the host, and nothing of root's.
    sandbox.run("subidctl verify alice -- touch /etc/mine").exits(1);
    sandbox.run("SECRET=1 subidctl verify alice -- env").ok().never_says("SECRET");
    sandbox.run("subidctl verify alice -- cat /etc/shadow").exits(1);
    let json = sandbox.run("subidctl verify --json alice -- sh -c 'echo out; exit 3'").exits(3);
    assert!(json.stderr.contains("out\n"), "{json}");
    assert_eq!(json.json()["schema"], "subidctl.proof.v1");
}

#[test]
fn verify_names_a_newuidmap_without_its_setuid_bit() {
    needs!("unshare", "nsenter", "newuidmap", "su");
    let sandbox = served();
    sandbox.run("chmod u-s /usr/bin/newuidmap").ok();
    for session in [sandbox.as_user("alice"), sandbox.within(60)] {
        let failed =
            session.run("subidctl verify alice").exits(4).says("/usr/bin/newuidmap").says("chmod u+s");
        assert_shown("verify-no-setuid", &failed.stdout);
        let _ = session.run("subidctl verify alice -- true").exits(125).says("/usr/bin/newuidmap");
        let proof = session.run("subidctl verify --json alice").exits(4).json();
        assert_eq!(proof["ok"], false);
        let failure = &proof["failure"];
        assert_eq!(failure["step"], "uid-map", "{failure:#}");
        for text in ["cause", "evidence", "fix"] {
            assert!(failure[text].as_str().is_some_and(|t| !t.is_empty()), "{failure:#}");
        }
    }
}

/// Breakages that all print `Operation not permitted` or `Invalid argument`, and a word of each cause.
#[test]
fn verify_tells_causes_apart() {
    needs!("unshare", "nsenter", "newuidmap", "su", "setpriv");
    let alice = "subidctl verify --json";
    let cases = [
        ("rm /usr/bin/newgidmap", alice, "newgidmap"),
        ("chmod u-s /usr/bin/newgidmap", alice, "newgidmap"),
        ("mount --rbind /usr /usr && mount -o remount,bind,nosuid /usr", alice, "nosuid"),
        ("true", "setpriv --no-new-privs subidctl verify --json", "no_new_privs"),
        ("sed -i 's/^alice:.*/alice:1000:65536/' /etc/subuid", alice, "own"),
        ("sed -i '/^alice:/d' /etc/subgid", alice, "subgid"),
    ];
    let mut causes = Vec::new();
    for (breakage, command, word) in cases {
        let sandbox = served();
        sandbox.run(breakage).ok();
        let output = sandbox.as_user("alice").run(command).exits(4);
        let failure = output.json()["failure"].clone();
        assert!(failure.to_string().contains(word), "{breakage}: no {word:?}\n{failure:#}");
        causes.push(failure["cause"].as_str().unwrap().to_owned());
    }
    // Six causes, one text of the kernel's: the finding says which. The two helpers share ids.
    causes.sort();
    causes.dedup();
    assert!(causes.len() >= 5, "{causes:?}");
}

#[test]
fn verify_without_ranges_says_how_to_get_them() {
    needs!("unshare", "nsenter", "newuidmap", "su");
    let sandbox = alice_and_bob();
    sandbox.as_user("alice").run("subidctl verify").exits(4).says("subidctl apply alice");
}

#[test]
fn root_must_name_a_user_and_others_only_themselves() {
    needs!("unshare", "nsenter", "su");
    let sandbox = served();
    sandbox.run("subidctl verify").exits(2);
    let error = sandbox.as_user("bob").run("subidctl verify --json alice").exits(1).json();
    assert_eq!(error["code"], "not-root", "{error:#}");
}

#[test]
fn verify_has_a_deadline() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = served();
    for session in [sandbox.within(20), sandbox.as_user("alice").within(20)] {
        // A tree of processes, of which one left its session and none listens to signals.
        let tree = "trap : TERM HUP INT; setsid sleep 1001 & sleep 1002 & sleep 1003";
        let _ = session.run(&format!("subidctl verify --timeout 2 alice -- sh -c '{tree}'")).exits(125);
        sandbox.run("! pgrep -a -f 'sleep 100[0-9]|[_]_container'").ok();
    }
}

#[test]
fn several_ranges_are_mapped_as_podman_does() {
    needs!("unshare", "nsenter", "newuidmap", "podman");
    let lines = "alice:300000:1000\nbob:1:1\n1001:400000:10\nalice:200000:65536\n";
    let sandbox = Sandbox::new().user("alice", 1001).subids(lines).start();
    let proof = sandbox.run("subidctl verify --json alice").ok().json();
    let expected = [[0, 1001, 1], [1, 200_000, 65536], [65537, 300_000, 1000], [66537, 400_000, 10]];
    assert_eq!(proof["uid_map"], serde_json::json!(expected));
    let text: String = expected.iter().map(|[a, b, c]| format!("{a} {b} {c}\n")).collect();
    assert_eq!(Podman::new(&sandbox, "alice").unshare_map("uid_map"), text);
}

#[test]
fn a_user_who_traces_the_worker_cannot_hold_root_up() {
    needs!("unshare", "nsenter", "newuidmap", "strace", "pgrep");
    let sandbox = served();
    // A tracer that was stopped never takes note of the worker's end, which hides it from the worker's parent.
    let traced = "subidctl verify --timeout 5 alice -- sleep 1000 & verify=$!; sleep 1; \
        strace -o /dev/null -p $(pgrep -o -f __container) & tracer=$!; sleep 1; kill -STOP $tracer; \
        wait $verify; code=$?; kill -KILL $tracer; exit $code";
    sandbox.within(25).run(traced).exits(125);
}

//! A command in a container of `verify USER -- CMD` that wants out.

use super::served;
use crate::e2e::world::assert_same;
use crate::harness::{Output, Sandbox, needs};

/// What CMD gets, and nothing else.
const ENVIRONMENT: [&str; 7] = [
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/home/alice",
    "USER=alice",
    "LOGNAME=alice",
    "SHELL=/bin/sh",
    "TERM=xterm",
    "LANG=C.UTF-8",
];

/// Descriptors and environment of CMD.
fn own() -> String {
    let fds = (0..3).map(|fd| format!("fd {fd}\n"));
    fds.chain(ENVIRONMENT.iter().map(|variable| format!("env {variable}\n"))).collect()
}

#[test]
fn it_has_three_descriptors_and_a_fixed_environment() {
    needs!("unshare", "nsenter", "newuidmap", "su", "cc");
    let sandbox = served();
    // What root has open is not passed on, nor what its environment holds.
    let rich = "exec 4</root/secret 7</root; export SECRET=1 BASH_ENV=/x LD_BIND_NOW=1 IFS=x";
    for session in [sandbox.within(60), sandbox.as_user("alice")] {
        let rich = rich.replace("/root/secret", "/etc/passwd").replace("/root", "/home");
        let run = format!("{rich}; TERM=xterm LANG=C.UTF-8 subidctl verify alice -- hostile self");
        assert_eq!(session.run(&run).ok().stdout, own());
    }
    let odd = "TERM=$(printf '\\033[31m') LANG='x y' subidctl verify alice -- hostile self";
    let own = own().replace("TERM=xterm", "TERM=dumb");
    assert_eq!(sandbox.run(odd).ok().stdout, own);
    // A terminal is the one thing more that a container's init opens.
    let mut terminal = sandbox.terminal("exec 7</root/secret; subidctl verify alice -- hostile self");
    let shown = terminal.expect("env LANG=C.UTF-8\n");
    assert_eq!(shown.lines().filter(|line| line.starts_with("fd ")).count(), 3, "{shown}");
    assert_eq!(terminal.finish().0, 0);
}

/// The attempts of `hostile` and what became of them; the last word of each line.
fn outcomes<'a>(output: &'a Output, what: &str) -> Vec<&'a str> {
    let lines = output.stdout.lines().filter_map(|line| line.split_once(": "));
    let found: Vec<&str> = lines.filter(|(name, _)| *name == what).map(|(_, end)| end).collect();
    assert!(!found.is_empty(), "{what} was not tried\n{output}");
    found
}

#[test]
fn it_reaches_no_file_process_or_mount_of_the_host() {
    needs!("unshare", "nsenter", "newuidmap", "su", "cc");
    let sandbox = served();
    let look =
        "cat /proc/self/mountinfo | cut -d' ' -f4-; find /etc /root/secret -printf '%p %m %U %G %s %T@\\n'";
    let before = sandbox.run(look).ok().stdout;
    for session in [sandbox.within(60), sandbox.as_user("alice")] {
        let tried = session.run("subidctl verify alice -- hostile files").ok();
        // Its own mounts it may change, and could then write if it had the right.
        for what in ["remount /", "remount /etc"] {
            assert_eq!(outcomes(&tried, what), ["done"], "{tried}");
        }
        for what in ["chown", "chmod", "write", "unlink", "create", "secret", "device"] {
            let [end] = outcomes(&tried, what)[..] else { panic!("{tried}") };
            assert!(["EPERM", "EACCES"].contains(&end), "{what}: {end}\n{tried}");
        }
        // Whoever there is: pid 1 of the host, the root side, and the worker, which is the user's own.
        let tried = session.run("subidctl verify alice -- hostile processes").ok();
        assert_eq!(outcomes(&tried, "umount /proc"), ["done"], "{tried}");
        assert!(tried.stdout.contains("tried process subidctl\n"), "{tried}");
        for what in ["mem", "fd/0", "fd/3", "root/etc/passwd", "ns/mnt", "ns/pid", "ns/user", "kill"] {
            let ends = outcomes(&tried, what);
            assert!(ends.len() >= 3 && !ends.contains(&"done"), "{what}: {ends:?}\n{tried}");
        }
    }
    assert_same(&before, &sandbox.run(look).ok().stdout, "the host is another");
    // Whoever has the right can do it.
    let tried = sandbox.run("hostile files").ok();
    for what in ["chown", "chmod", "write", "unlink", "create", "secret"] {
        assert_eq!(outcomes(&tried, what), ["done"], "{tried}");
    }
}

#[test]
fn nothing_of_it_outlives_it() {
    needs!("unshare", "nsenter", "newuidmap", "su", "cc", "pgrep");
    let sandbox = served();
    for session in [sandbox.within(60), sandbox.as_user("alice")] {
        // One that left its session and its parent and listens to no signal; CMD ends first, or is ended.
        for (end, code) in [("exit 7", 7), ("kill -TERM \\$\\$", 143)] {
            let command = format!("hostile stay; pgrep -x hostile >/dev/null || exit 9; {end}");
            let _ = session.run(&format!("subidctl verify alice -- sh -c \"{command}\"")).exits(code);
            sandbox.run("! pgrep -a -x hostile && ! pgrep -a -f '[_]_container'").ok();
        }
    }
    // The program does stay where there is no container.
    sandbox.as_user("alice").run("hostile stay; pgrep -x hostile").ok();
}

#[test]
fn what_it_says_on_the_containers_socket_is_not_believed() {
    needs!("unshare", "nsenter", "newuidmap", "cc");
    let sandbox = served();
    let forged = r#"{"Tried":[{"Judged":{"check":"UidBeyond","status":"ok","words":[27,91,51,49,109]}}]}"#;
    let long = "x".repeat(100_000);
    for (words, times, files) in [
        ("garbage", 1, 0),
        ("garbage", 5000, 8),
        (forged, 1, 0),
        (forged, 5000, 0),
        ("\"Ready\"", 70, 0),
        ("\"Ready\"", 1, 1),
        (&long, 3, 0),
    ] {
        let lie = format!("subidctl verify --json alice -- hostile lie '{words}' {times} {files}");
        let told = sandbox.run(&lie).exits(125);
        assert!(told.stderr.contains("the socket: done"), "{told}");
        let proof = told.json();
        assert_eq!((&proof["ok"], &proof["user"]), (&false.into(), &"alice".into()), "{told}");
        assert!(!told.stdout.contains('\u{1b}') && !told.stdout.contains("\\u001b"), "{told}");
    }
}

/// Lines of `/proc/PID/status`.
fn status(sandbox: &Sandbox, pid: &str, field: &str) -> String {
    let text = sandbox.run(&format!("cat /proc/{pid}/status")).ok().stdout;
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in\n{text}")).trim().to_owned()
}

#[test]
fn who_is_the_user_outside_has_no_capability() {
    needs!("unshare", "nsenter", "newuidmap", "pgrep");
    let sandbox = served();
    // Inheritable and ambient ones are what root's own caller may have left.
    for with in ["", "setpriv --inh-caps +chown --ambient-caps +chown "] {
        let run = format!(
            "{with}subidctl verify alice -- sleep 1000 >/dev/null 2>&1 & until pgrep -x sleep; do :; done; \
             pgrep -u alice -f __container"
        );
        let pids = sandbox.run(&run).ok().stdout;
        let workers: Vec<&str> = pids.lines().skip(1).collect();
        assert_eq!(workers.len(), 2, "the worker and the container's first\n{pids}");
        let own = sandbox.run("readlink /proc/self/ns/user").ok().stdout;
        let mut outside = 0;
        for pid in workers {
            if sandbox.run(&format!("readlink /proc/{pid}/ns/user")).ok().stdout != own {
                continue;
            }
            outside += 1;
            for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
                assert_eq!(status(&sandbox, pid, set), "0000000000000000", "{set} of {pid}, {with}");
            }
            for (field, words) in [("Uid", "1001\t1001\t1001\t1001"), ("Gid", "1001\t1001\t1001\t1001")] {
                assert_eq!(status(&sandbox, pid, field), words);
            }
            assert_eq!(status(&sandbox, pid, "Groups"), "1001");
        }
        assert_eq!(outside, 1);
        sandbox.run("pkill -KILL -x subidctl; while pgrep -x sleep; do :; done").exits(0);
    }
}

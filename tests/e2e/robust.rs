//! CMD as it is: its bytes, its exit code, its terminal; and nothing left of a container, whoever is killed.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::alice_and_bob;
use super::world::{assert_same, whole};
use crate::harness::{Sandbox, Terminal, needs, seed, size};

/// alice with a range of her own, and a file of 20 MB that everybody may read.
fn served() -> Sandbox {
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice; head -c 20000000 /dev/urandom >/tmp/in; chmod 1777 /tmp").ok();
    sandbox
}

/// Runs a program as alice on the terminal that the test has, in its session.
const AS_ALICE: &str = "setpriv --reuid 1001 --regid 1001 --init-groups";

#[test]
fn every_byte_passes() {
    needs!("unshare", "nsenter", "newuidmap", "su", "cmp");
    let sandbox = served();
    for session in [sandbox.within(120), sandbox.as_user("alice").within(120)] {
        for through in [
            "cat >/tmp/out",
            "cat </tmp/in | cat >/tmp/out",
            "sh -c \"cat >&2\" </tmp/in 2>/tmp/out",
            "sh -c \"head -c 1000000; cat\" </tmp/in >/tmp/out",
        ] {
            let run =
                format!("cat /tmp/in | subidctl verify alice -- {through} && cmp /tmp/in /tmp/out; code=$?");
            session.run(&format!("{run}; rm /tmp/out; exit $code")).ok();
        }
        // A reader that goes, one that was never there, and input that nobody reads.
        let gone =
            "{ subidctl verify alice -- yes; echo $? >/tmp/code; } | head -c 3; cat /tmp/code; rm /tmp/code";
        assert_eq!(session.run(gone).ok().stdout, "y\ny141\n");
        let _ = session.run("subidctl verify alice -- sh -c 'echo x; exit 3' >&- <&-").exits(3);
        let _ = session.run("subidctl verify alice -- true </tmp/in").ok();
    }
}

#[test]
fn exit_codes_are_those_of_podman_run() {
    needs!("unshare", "nsenter", "newuidmap", "su");
    let sandbox = served();
    for session in [sandbox.within(60), sandbox.as_user("alice")] {
        for (command, code) in [
            ("sh -c \"exit 255\"", 255),
            ("sh -c \"kill -TERM \\$\\$\"", 143),
            ("sh -c \"kill -KILL \\$\\$\"", 137),
            ("sh -c \"kill -SEGV \\$\\$\"", 139),
            ("/no/such/program", 127),
            ("no-such-program", 127),
            ("/etc", 126),
            ("/etc/passwd", 126),
        ] {
            let verify = format!("subidctl verify alice -- {command}; test $? -eq {code}");
            let _ = session.run(&verify).ok();
        }
        let _ =
            session.run("subidctl verify --userns 0:1:1 alice -- true").exits(125).says("range-not-granted");
    }
}

#[test]
fn a_command_has_the_terminal() {
    needs!("unshare", "nsenter", "newuidmap", "setpriv", "stty");
    let sandbox = served();
    for who in ["", AS_ALICE] {
        let verify = format!("{who} subidctl verify alice --");
        let mut terminal =
            sandbox.terminal(&format!("{verify} sh -c 'tty; stty size; read line; echo got $line; exit 7'"));
        terminal.expect("/dev/pts/");
        terminal.expect("50 120");
        terminal.send("a\x7fb\n");
        terminal.expect("got b");
        assert_eq!(terminal.finish().0, 7, "{who}");

        // Ctrl-C is for CMD; the terminal is afterwards as it was.
        let mut terminal = sandbox
            .terminal(&format!("trap : INT; stty -a >/tmp/a; {verify} cat -E; echo $?; stty -a >/tmp/b"));
        terminal.awaits();
        terminal.send("\x03");
        terminal.expect("130");
        terminal.finish();
        assert_eq!(sandbox.text("/tmp/a"), sandbox.text("/tmp/b"), "{who}");

        // What is typed while the container starts is CMD's: it waits until CMD has the terminal, or its Ctrl-C would
        // be nobody's. The two are echoes, or an echo and cat's.
        let mut terminal = sandbox.terminal(&format!("trap : INT; {verify} cat; echo $?"));
        terminal.send("early\n");
        terminal.expect("early\n");
        terminal.expect("early\n");
        if who.is_empty() {
            terminal.send("\x03");
            terminal.expect("130");
        } else {
            terminal.send("\x04");
            terminal.expect("0\n");
        }
        terminal.finish();

        // A program that takes the keys as they come.
        let raw = "stty raw -echo; echo on; head -c 3 | od -An -tx1; stty sane";
        let mut terminal = sandbox.terminal(&format!("{verify} sh -c '{raw}'"));
        terminal.expect("on");
        terminal.send("\x03\x1a\x04");
        terminal.expect("03 1a 04");
        assert_eq!(terminal.finish().0, 0, "{who}");

        // Output that is no terminal stays what it is.
        let mut terminal =
            sandbox.terminal(&format!("{verify} sh -c 'test -t 0 && ! test -t 1 && echo mixed' | cat"));
        terminal.expect("mixed");
        terminal.finish();
    }
}

impl Terminal {
    /// Waits for `cat -E`, which shows that it reads. A shell is no such program: the Ctrl-C that comes between its
    /// vfork and the exec of what it starts is lost (dash 0.5.12).
    #[track_caller]
    fn awaits(&mut self) {
        self.send("are you there\n");
        // No terminal's echo of it has the end that cat shows.
        self.expect("are you there$\n");
    }
}

#[test]
fn ctrl_z_stops_the_users_command_and_fg_goes_on() {
    needs!("unshare", "nsenter", "newuidmap", "setpriv", "bash");
    let sandbox = served();
    let mut terminal = sandbox.terminal(&format!("{AS_ALICE} bash --norc --noprofile -i"));
    terminal.send("subidctl verify alice -- cat -E; echo code=$?\n");
    terminal.awaits();
    terminal.send("\x1a");
    terminal.expect("Stopped");
    // What is typed while the shell takes the terminal back may be lost: it prompts, and it names what goes on.
    terminal.expect("code=148\n");
    terminal.expect("$ ");
    terminal.send("fg; echo code=$?\n");
    terminal.expect("cat -E\n");
    terminal.awaits();
    terminal.send("\x04");
    terminal.expect("code=0");
    terminal.send("exit\n");
    assert_eq!(terminal.finish().0, 0);
    // root's command has a terminal of its own, where no shell waits to take it up again: it goes on.
    let mut terminal = sandbox.terminal("subidctl verify alice -- cat -E");
    terminal.awaits();
    terminal.send("\x1a");
    terminal.awaits();
    terminal.send("\x04");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn a_hangup_ends_the_command() {
    needs!("unshare", "nsenter", "newuidmap", "setpriv", "script");
    let sandbox = served();
    for who in ["", AS_ALICE] {
        let command = "trap : HUP; sleep 1001 & sleep 1002";
        let verify = format!("{who} subidctl verify alice -- sh -c \"{command}\"");
        // The terminal goes with the program that made it.
        let hangup = format!(
            "script -qc '{verify}' /dev/null >/dev/null 2>&1 </dev/zero & until \
             pgrep -f 'sleep 100[2]' >/dev/null; do sleep 0.1; done; kill -KILL $!"
        );
        sandbox.run(&hangup).ok();
        let gone = "while pgrep -f 'sleep 100[12]|[_]_container' >/dev/null; do sleep 0.1; done";
        sandbox.run(gone).ok();
    }
}

/// Whom a kill meets, in the shell's words: `$root` is the root side. A container's worker and a world's first
/// process are its children; the worker's is the container's pid 1.
const SIDES: [(&str, &str, &str); 5] = [
    ("root side", "subidctl verify alice -- sleep 1000", "echo $root"),
    ("worker", "subidctl verify alice -- sleep 1000", "pgrep -P $root -o"),
    ("pid 1 inside", "subidctl verify alice -- sleep 1000", "pgrep -P $(pgrep -P $root -o) -o"),
    ("root side of a world", "subidctl apply -n --verify eva", "echo $root"),
    ("init of a world", "subidctl apply -n --verify eva", "pgrep -P $root -o"),
];

/// `meet MILLISECONDS NAME COMMAND WHOM` waits for whom it is to meet, then so long, and kills. One that was gone by
/// then is met sooner the next time: a world lives for as long as its proofs take.
const MEET: &str = "\
meet() {
    wait=$1
    while :; do
        $3 >/dev/null 2>&1 & root=$!
        while pid=$(eval \"$4\"); [ -z \"$pid\" ] && kill -0 $root; do :; done
        [ $wait = 0 ] || sleep $(printf 0.%03d $wait)
        [ -n \"$pid\" ] && kill -KILL $pid && met=yes || met=
        wait $root
        # The root side's end alone is ours to see: a kill of what has ended already is no error.
        [ $? = 137 ] || [ \"$pid\" != $root ] || met=
        [ -z \"$met\" ] || break
        wait=$((wait / 2))
    done
    echo \"$2\"
}
";

#[test]
fn a_kill_of_either_side_leaves_nothing() {
    needs!("unshare", "nsenter", "newuidmap", "pgrep");
    let lines = "alice:165536:65536\n";
    let sandbox = Sandbox::new().user("alice", 1001).user("eva", 1003).subids(lines).start();
    let seen = |sandbox: &Sandbox| {
        let more =
            "find /var/tmp /sys/fs/cgroup -type d | sort; ls /proc/sysvipc >/dev/null; cat /proc/sysvipc/*";
        whole(sandbox) + &sandbox.run(more).ok().stdout
    };
    let before = seen(&sandbox);
    let (seed, runs) = (seed(20_266), size(20, 200));
    eprintln!("seed {seed}");
    let mut state = seed;
    let mut script = MEET.to_owned();
    for n in 0..runs {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let millis = (state >> 33) % 600;
        let (name, command, whom) = SIDES[n as usize % SIDES.len()];
        writeln!(script, "meet {millis} '{name}' '{command}' '{whom}'").unwrap();
    }
    sandbox.write("/root/kills.sh", script);
    let killed = sandbox.within(120 + 10 * runs).run("sh /root/kills.sh 2>/dev/null").ok();
    assert_eq!(killed.stdout.lines().count(), runs as usize, "{killed}");
    sandbox.remove("/root/kills.sh");
    let end = Instant::now() + Duration::from_secs(60);
    while seen(&sandbox) != before && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_same(&before, &seen(&sandbox), "after the kills");
}

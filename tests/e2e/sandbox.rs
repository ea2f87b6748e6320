//! The sandbox itself: what every other test relies on.

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use crate::harness::{Sandbox, needs, tree};

#[test]
fn real_tools_change_the_sandbox_and_never_the_host() {
    needs!("unshare", "nsenter", "useradd", "su");
    let host = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/subuid", "/etc/subgid", "/etc/.pwd.lock"]
        .map(|path| std::fs::metadata(path).ok().map(|m| (m.ino(), m.mtime(), m.mtime_nsec(), m.size())));
    let names = || {
        let mut names: Vec<_> = std::fs::read_dir("/etc").unwrap().map(|e| e.unwrap().file_name()).collect();
        names.extend(std::fs::read_dir("/usr/local/bin").unwrap().map(|e| e.unwrap().file_name()));
        names.extend(std::fs::read_dir("/home").unwrap().map(|e| e.unwrap().file_name()));
        names
    };
    let before = names();

    let sandbox = Sandbox::new().user("alice", 1001).file("/etc/subidctl/policy.toml", "").start();
    sandbox.run("useradd --create-home --uid 1005 erin").ok();
    assert_eq!(sandbox.id_text(), ["erin:100000:65536\n", "erin:100000:65536\n"]);
    sandbox.as_user("alice").run("id -un; id -u; pwd; touch ~/hers").ok().says("alice\n1001\n/\n");
    assert_eq!(sandbox.names("/home/alice"), ["hers"]);
    // Whoever runs the tests may have a checkout that only they can enter.
    sandbox.as_user("alice").run("test -x /usr/local/bin/subidctl").ok();
    sandbox.run("chmod 0700 /usr/local/bin/subidctl").exits(1).says("Read-only file system");
    drop(sandbox);

    let after = ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/subuid", "/etc/subgid", "/etc/.pwd.lock"]
        .map(|path| std::fs::metadata(path).ok().map(|m| (m.ino(), m.mtime(), m.mtime_nsec(), m.size())));
    assert_eq!(host, after);
    assert_eq!(before, names());
}

#[test]
fn dropping_a_sandbox_ends_every_process_in_it() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().start();
    // A name that no other process has, as the pids of the sandbox mean nothing here.
    let seconds = format!("{}", 100_000 + std::process::id());
    sandbox.run(&format!("setsid sleep {seconds} >/dev/null 2>&1 &")).ok();
    let running = || {
        let wanted = format!("sleep\0{seconds}\0");
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes
            .filter(|p| std::fs::read(p.path().join("cmdline")).is_ok_and(|c| c == wanted.as_bytes()))
            .count()
    };
    let end = Instant::now() + Duration::from_secs(5);
    while running() == 0 && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(running(), 1);
    sandbox.run("ps -e -o comm=").ok().says("sleep");
    drop(sandbox);
    assert_eq!(running(), 0);
}

#[test]
fn the_init_leaves_no_zombies() {
    needs!("unshare", "nsenter", "ps");
    let sandbox = Sandbox::new().start();
    sandbox.run("(sh -c 'sleep 0.1' &) ; sleep 0.5; ps -e -o stat= | grep Z").exits(1);
}

#[test]
fn a_command_on_a_terminal_is_answered() {
    needs!("unshare", "nsenter", "setsid");
    let sandbox = Sandbox::new().start();
    let mut terminal =
        sandbox.terminal("tty && test -t 2 && printf 'go on? ' && read answer </dev/tty && exit $answer");
    terminal.expect("go on? ");
    terminal.send("7\n");
    assert_eq!(terminal.finish().0, 7);
}

#[test]
fn a_trace_shows_what_was_opened_for_writing() {
    needs!("unshare", "nsenter", "strace");
    let sandbox = Sandbox::new().start();
    let (output, trace) =
        sandbox.traced(crate::harness::FILE_CALLS, "cat /etc/passwd >/dev/null; cp /etc/passwd /tmp/copy");
    let _ = output.ok();
    let writes = trace.writes();
    assert!(writes.iter().any(|call| call.contains("/tmp/copy")), "{writes:?}");
    assert!(writes.iter().all(|call| !call.contains("/etc/")), "{writes:?}");
    assert!(!trace.with("/etc/passwd").is_empty());
}

#[test]
fn tools_of_another_release_work_in_its_sandbox() {
    needs!("unshare", "nsenter");
    for tree in [tree!("mid"), tree!("new")] {
        let sandbox = Sandbox::new().system(Some(&tree)).user("alice", 1001).start();
        sandbox.run("useradd --create-home erin && getsubids erin").ok().says("0: erin 100000 65536\n");
        sandbox.run("test ! -e /mnt/root && subidctl list").ok().says("erin");
        // In a chroot the kernel refuses a user namespace.
        let map = sandbox.run("su erin -c 'unshare --map-auto --map-root-user cat /proc/self/uid_map'");
        let map = map.ok().stdout;
        let words: Vec<&str> = map.split_ascii_whitespace().collect();
        assert_eq!(words[..5], ["0", "1002", "1", "1", "100000"], "{map}");
    }
}

#[test]
fn work_inside_a_sandbox_sees_its_files_and_ends_with_it() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().user("alice", 1001).start();
    let cat = |path: &str| std::process::Command::new("/bin/cat").arg(path).output().unwrap();
    let seen = sandbox.inside(60, || cat("/etc/passwd").stdout);
    assert_eq!(seen, sandbox.read("/etc/passwd").unwrap());
    assert_ne!(seen, std::fs::read("/etc/passwd").unwrap());
    let pid = sandbox.inside(60, || String::from_utf8(cat("/proc/self/stat").stdout).unwrap());
    assert!(pid.split(' ').next().unwrap().parse::<u32>().unwrap() < 100, "{pid}");
    let late = Instant::now();
    let sleep = || std::process::Command::new("/bin/sleep").arg("1000").status().unwrap().success();
    assert!(!sandbox.inside(1, sleep));
    assert!(late.elapsed() < Duration::from_secs(30));
}

//! Names, GECOS and files whose bytes a terminal would obey.

use super::alice_and_bob;
use crate::harness::{Output, Sandbox, needs};

/// A window title, a colour, C1's CSI, a line that looks like one of ours, an override of the direction, a
/// zero-width space, bytes that are no text, and a delete.
const EVIL: &[u8] = b"\x1b]0;mine\x07\x1b[31m\xc2\x9b32m\rok\xe2\x80\xae\xe2\x80\x8b\xff\xfe\x7f";

/// What may be in no output.
fn obeyed(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[track_caller]
fn harmless(output: &Output) {
    for text in [&output.stdout, &output.stderr] {
        let bad = text.find(obeyed).map(|at| &text[text[..at].rfind('\n').map_or(0, |n| n + 1)..]);
        assert!(bad.is_none(), "{}: {:?}", output.command, bad.unwrap().lines().next());
        assert!(!output.stdout.contains("panicked") && ![101, 134].contains(&output.code), "{output}");
    }
}

/// A host on which everything that a user, a group, a program or an editor could have written is evil.
fn evil_host() -> Sandbox {
    let sandbox = alice_and_bob();
    let add = |path: &str, line: &[&[u8]]| {
        let text = [sandbox.read(path).unwrap_or_default(), line.concat(), b"\n".to_vec()].concat();
        sandbox.write(path, text);
    };
    add("/etc/passwd", &[b"gecos:x:1005:1005:", EVIL, b":/home/", EVIL, b":/bin/", EVIL]);
    add("/etc/passwd", &[b"e", EVIL, b":x:1006:1006::/:/bin/sh"]);
    add("/etc/group", &[b"g", EVIL, b":x:1006:", EVIL]);
    for path in ["/etc/subuid", "/etc/subgid"] {
        add(path, &[b"o", EVIL, b":300000:10"]);
        add(path, &[b"# ", EVIL]);
        add(path, &[b"alice:400000:10", EVIL]);
        add(path, &[b"!x", EVIL, b":500000:10"]);
    }
    add("/etc/login.defs", &[b"SUB_UID_COUNT 65536", EVIL]);
    add("/etc/login.defs", &[EVIL, b" 5"]);
    add("/etc/nsswitch.conf", &[b"netgroup: ", EVIL]);
    sandbox
}

#[test]
fn no_command_repeats_what_a_terminal_obeys() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = evil_host();
    for command in [
        "list",
        "list --map",
        "list --json",
        "list --subid",
        "plan --all",
        "plan gecos",
        "plan -v --json gecos 1006",
        "who 300001 400001 500001 1005 1006",
        "check gecos",
        "check 1006",
        "audit -v",
        "audit --json",
        "audit --fix -n",
        "policy",
        "verify 1005",
        "verify 1006",
        "apply -n --verify bob",
        "apply --yes 1006",
        "apply --yes bob",
        "release --yes 1006",
        "release --stale --yes",
        "history",
        "history --json",
        "undo --yes",
    ] {
        harmless(&sandbox.run(&format!("subidctl {command}")));
    }
    // Some of it was shown, escaped.
    sandbox.run("subidctl list").ok().says("o\\x1b]0;mine");
}

#[test]
fn nor_what_a_file_or_a_process_is_called() {
    needs!("unshare", "nsenter", "bash");
    let sandbox = alice_and_bob();
    let name = "$'\\e]0;mine\\a\\e[31m\\xc2\\x9b\\r\\xff'";
    let run = |script: &str| {
        sandbox.run(&format!("bash -c 'n=\"$1\"; {script}' x \"$(bash -c \"printf %s {name}\")\""))
    };
    // The files that a caller names: missing, odd and unreadable ones.
    for command in [
        "plan --policy \"/tmp/$n\" alice",
        "plan --from \"/tmp/$n\"",
        "plan --out \"/tmp/$n/x\" alice",
        "list --svg \"/tmp/$n/x\"",
        "apply --plan \"/tmp/$n\"",
        "plan -R \"/tmp/$n\" alice",
        "plan \"$n\"",
        "plan \"--$n\"",
        "\"$n\"",
        "explain \"$n\"",
        "undo --yes \"$n\"",
        "plan --group \"$n\"",
        "plan --range \"$n\" alice",
        "verify alice -- \"/tmp/$n\"",
        "template render \"$n\"",
    ] {
        let ended = run(&format!("subidctl {command}"));
        assert_ne!(ended.code, 0, "{ended}");
        harmless(&ended);
    }
    let inside =
        ["printf \"%s\\n\" \"$n\" >/tmp/f; chmod 644 /tmp/f; ", "printf \"%s = 5\\n\" \"$n\" >/tmp/f; "];
    for write in inside {
        for command in ["plan --policy /tmp/f alice", "plan --from /tmp/f", "apply --plan /tmp/f --yes"] {
            let ended = run(&format!("{write} subidctl {command}"));
            assert_ne!(ended.code, 0, "{ended}");
            harmless(&ended);
        }
    }
    // A plan with a name in it, and a lock's holder.
    let plan = "subidctl plan --out /tmp/p alice >/dev/null; h=$(cat /proc/sys/kernel/hostname); \
        while IFS= read -r line; do printf \"%s\\n\" \"${line/\\\"hostname\\\": \\\"$h/\\\"hostname\\\": \\\"\\\\u001b[31m}\"; done </tmp/p >/tmp/q; \
        grep -q u001b /tmp/q && subidctl apply --yes --plan /tmp/q";
    harmless(&run(plan).exits(6));
    let held = "cp /bin/sleep \"/tmp/$n\"; \"/tmp/$n\" 100 & printf \"%d\\0\" $! >/etc/subuid.lock; \
        until [ \"$(cat /proc/$!/comm)\" != bash ]; do :; done; subidctl apply --yes --lock-timeout 1 alice; code=$?; kill $!; exit $code";
    let busy = run(held).exits(5);
    harmless(&busy);
    let _ = busy.says("(\\x1b]0;mine");
}

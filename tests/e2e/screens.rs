//! What people see on a terminal of 80 and of 120 columns.

use crate::harness::{Sandbox, assert_shown, masked, needs, plain};

/// A host with something to say: alice wants a range, carol's meets bob's, and dora's account is gone.
fn host() -> Sandbox {
    let lines = "bob:100000:65536\n# moved from the old host\ncarol:120000:65536\n!dora:400000:65536\neve:500000:65536\n";
    Sandbox::new().user("alice", 1001).user("bob", 1002).user("carol", 1003).subids(lines).start()
}

/// What a command leaves on a terminal of so many columns. Questions are answered with yes.
fn screen(sandbox: &Sandbox, command: &str, columns: u16) -> String {
    let mut terminal = sandbox.wide_terminal(command, columns);
    let mut seen = String::new();
    if command.contains(" setup ") {
        seen = terminal.expect("[y/N]");
        terminal.send("y\n");
    }
    let (_, rest) = terminal.finish();
    format!("$ {command}\n{}", plain(&(seen + &rest)))
}

/// What a world's IDs are differs from run to run.
fn world_masked(text: &str) -> String {
    let line = |line: &str| match line.split_once("uid ") {
        Some((before, rest)) if rest.ends_with(" (no account)") => format!("{before}uid UID (no account)\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn the_screens_of_80_and_120_columns() {
    needs!("unshare", "nsenter", "newuidmap", "setsid");
    for columns in [80, 120] {
        let sandbox = host();
        let shown = |name: &str, command: &str| {
            let text = world_masked(&masked(&screen(&sandbox, command, columns)));
            // Commands and lines of the files are never broken: they may be pasted.
            let folds = |line: &&str| {
                !["fix", "line", "seen", "or, "].iter().any(|whole| line.trim_start().starts_with(whole))
            };
            for line in text.lines().filter(folds) {
                assert!(line.chars().count() <= usize::from(columns), "{columns} columns: {line}");
            }
            assert_shown(&format!("screen-{name}-{columns}"), &text);
        };
        shown("plan", "subidctl plan alice");
        shown("audit", "subidctl audit");
        shown("list", "subidctl list");
        shown("map", "subidctl list --map");
        shown("who", "subidctl who 130000 1001");
        shown("check", "subidctl check --only files,ranges,lines,owners,helpers alice");
        shown("setup", "subidctl setup alice");
        shown("verify", "subidctl verify alice");
        shown("template", "subidctl template list");
    }
}

#[test]
fn colour_is_for_terminals_alone() {
    needs!("unshare", "nsenter", "setsid");
    let sandbox = super::alice_and_bob();
    let coloured = |command: &str| sandbox.terminal(command).finish().1.contains("\x1b[32m");
    assert!(coloured("subidctl plan alice"));
    assert!(!coloured("NO_COLOR=1 subidctl plan alice"));
    assert!(coloured("NO_COLOR= subidctl plan alice"), "an empty NO_COLOR says nothing");
    assert!(!coloured("subidctl --color never plan alice"));
    assert!(!coloured("subidctl plan alice | cat"));
    assert!(coloured("NO_COLOR=1 subidctl --color always plan alice | cat"));
}

#[test]
fn what_lasts_says_what_it_does() {
    needs!("unshare", "nsenter", "setsid", "strace");
    let sandbox = super::alice_and_bob();
    // The first file that is read takes two seconds: no clock of the test's decides.
    let slow = "strace -f -o /dev/null -e trace=openat2,openat -e inject=openat2:delay_enter=2000000:when=1";
    for (command, words) in
        [("plan alice", "planning "), ("audit", "looking for faults ..."), ("list", "listing 2 ranges ...")]
    {
        let (_, seen) = sandbox.terminal(&format!("{slow} subidctl {command}")).finish();
        assert!(seen.contains(words), "{command}: {seen:?}");
        assert!(!plain(&seen).contains(words), "{command}: it stays on the screen");
        let (_, seen) = sandbox.terminal(&format!("{slow} subidctl --quiet {command}")).finish();
        assert!(!seen.contains(words), "{command}: {seen:?}");
    }
}

#[test]
fn a_wrong_word_is_answered_with_the_right_one() {
    needs!("unshare", "nsenter");
    let sandbox = super::alice_and_bob();
    for (command, code, meant) in [
        ("subidctl plna alice", 2, "plan"),
        ("subidctl plan --exit-cod alice", 2, "--exit-code"),
        ("subidctl plan alcie", 1, "alice"),
        ("subidctl list bbo", 1, "bob"),
        ("subidctl explain overlaps", 2, "overlap"),
        ("subidctl check --only helper alice", 2, "helpers"),
        ("echo 'cuont = 5' >/tmp/p.toml; subidctl plan --policy /tmp/p.toml alice", 2, "did you mean count?"),
        ("subidctl template show chown-scrip", 2, "chown-script"),
    ] {
        let output = sandbox.run(command).exits(code);
        let lines: Vec<&str> = output.stderr.lines().filter(|line| !line.starts_with("warning:")).collect();
        let three = lines.len() == 3 && lines[1].starts_with("  why: ") && lines[2].starts_with("  fix: ");
        assert!(three && lines[0].starts_with("subidctl: "), "not three lines\n{output}");
        assert!(output.stderr.contains(meant), "{output}");
    }
}

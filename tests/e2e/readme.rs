//! What the README shows is what happens.

use crate::harness::{Sandbox, masked, needs, plain};

/// The fenced blocks of one language.
fn blocks(language: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    readme
        .split("\n```")
        .filter_map(|part| {
            part.strip_prefix(language)?.strip_prefix('\n').map(|block| block.to_owned() + "\n")
        })
        .collect()
}

#[test]
fn the_first_commands_are_the_ones_that_the_test_run_tries() {
    let first = blocks("sh").remove(0);
    assert_eq!(first, "apt-get install -y uidmap && cargo run --release -- demo\ntests/run\n");
    let run = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/run")).unwrap();
    assert!(run.contains("README.md"), "tests/run no longer runs the README's commands");
}

#[test]
fn the_demo_shown_is_the_demo() {
    needs!("unshare", "nsenter", "newuidmap");
    let shown = blocks("text").remove(0);
    let seen = super::alice_and_bob().run("subidctl demo").ok().stdout;
    assert!(alike(&masked(&format!("...\n{shown}")), &masked(&seen)), "shown:\n{shown}\nseen:\n{seen}");
}

#[test]
fn the_three_lines_for_a_real_host_work() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = super::alice_and_bob();
    for line in blocks("sh").remove(1).lines() {
        let line = line.strip_prefix("sudo ").unwrap_or(line);
        let yes = if line.contains(" apply ") { " --yes" } else { "" };
        sandbox.run(&format!("{line}{yes}")).ok();
    }
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\nalice:165536:65536\n");
}

#[test]
fn the_sessions_shown_are_what_people_get() {
    needs!("unshare", "nsenter", "newuidmap", "setsid");
    let sandbox = super::alice_and_bob();
    let sessions = blocks("console");
    assert!(!sessions.is_empty(), "the README shows no session");
    for step in sessions.iter().flat_map(|session| session.split("$ ")).filter(|step| !step.is_empty()) {
        let (command, shown) = step.split_once('\n').unwrap();
        let mut terminal = sandbox.terminal(command.strip_prefix("sudo ").unwrap_or(command));
        let mut seen = String::new();
        if shown.contains("Apply this change?") {
            seen = terminal.expect("[y/N]");
            terminal.send("y\n");
        }
        let (code, rest) = terminal.finish();
        seen = plain(&(seen + &rest));
        assert_eq!(code, 0, "$ {command}\n{seen}");
        assert!(alike(&masked(shown), &masked(&seen)), "$ {command}\nshown:\n{shown}\nseen:\n{seen}");
    }
}

#[test]
fn the_policy_shown_gives_what_it_says() {
    needs!("unshare", "nsenter");
    let policy = blocks("toml").remove(0);
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("lena", 1_200_001_007)
        .user("developers", 1003)
        .file("/etc/subidctl/policy.toml", &policy)
        .start();
    let said = "1300496384-1300561919";
    assert!(policy.contains(&format!("uid 1200001007 has {said},")), "{policy}");
    sandbox.run("subidctl plan lena alice").ok().says(said).says("917569536-917635071");
    sandbox.run("subidctl apply --yes").ok();
    assert_eq!(sandbox.id_text()[0], format!("developers:{}:65536\n", 917_504_000 + 3 * 65536));
}

/// Whether a text is the one shown, where a line `...` stands for any lines.
fn alike(shown: &str, seen: &str) -> bool {
    let mut parts = shown.split("...\n");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = seen.strip_prefix(first) else { return false };
    let mut last = first;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        (rest, last) = (after, part);
    }
    rest.is_empty() || last.is_empty()
}

#[test]
fn texts_are_compared_as_people_see_them() {
    assert_eq!(plain("a\x1b[32m+b\x1b[0m\nOn? [y]\x1b[2KOn? yes\n"), "a+b\nOn? yes\n");
    assert!(alike("a\n...\nd\n", "a\nb\nc\n\nd\n") && alike("a\n...\n", "a\nb\n"));
    assert!(!alike("a\n...\nd\n", "a\nb\n") && !alike("a\n", "a\nb\n"));
}

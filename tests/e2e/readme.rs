//! What the README shows is what happens.

use crate::harness::{masked, needs};

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
    assert_eq!(first, "apt-get install -y uidmap && cargo build --release\ntests/run\n");
    let run = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/run")).unwrap();
    assert!(run.contains("README.md"), "tests/run no longer runs the README's commands");
}

#[test]
fn the_sessions_shown_are_what_people_get() {
    needs!("unshare", "nsenter", "newuidmap", "setsid");
    let sandbox = super::alice_and_bob();
    let sessions = blocks("console");
    assert!(!sessions.is_empty(), "the README shows no session");
    for session in sessions {
        for step in session.split("$ ").filter(|step| !step.is_empty()) {
            let (command, shown) = step.split_once('\n').unwrap();
            let output = sandbox.run(&(command.strip_prefix("sudo ").unwrap_or(command).to_owned()));
            assert_eq!(masked(output.stdout.trim()), masked(shown.trim()), "$ {command}");
        }
    }
}

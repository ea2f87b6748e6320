//! The end-to-end tests, by command.

mod apply;
mod audit;
mod bad_input;
mod causes;
mod check;
mod crash;
mod dialects;
mod directory;
mod engine;
mod engines;
mod faults;
mod fuzz;
mod history;
mod hook;
mod hostile;
mod image;
mod leftovers;
mod lifecycle;
mod list;
mod package;
mod peer_faults;
mod peers;
mod peers_new;
mod picture;
mod plan;
mod policy;
mod probes;
mod property;
mod race;
mod readme;
mod refusals;
mod release;
mod repairs;
mod robust;
mod rootfs;
mod sandbox;
mod scale;
mod screens;
mod template;
mod templates;
mod trees;
mod undo;
mod users;
mod verify;
mod world;

use crate::harness::Sandbox;

/// bob with `100000:65536` in both files, alice without: the host of most tests.
fn alice_and_bob() -> Sandbox {
    Sandbox::new().user("alice", 1001).user("bob", 1002).subids("bob:100000:65536\n").start()
}

/// The codes of a plan's warnings, but for the one that a sandbox always has: in a pid namespace of its own
/// not every process can be seen.
fn warnings(plan: &serde_json::Value) -> Vec<String> {
    let codes = plan["warnings"].as_array().unwrap().iter().map(|w| w["code"].as_str().unwrap().to_owned());
    codes.filter(|code| code != "namespaces-unseen").collect()
}

/// `owner:start:count` lines as (owner, first, last); every line must be one.
fn ranges(text: &str) -> Vec<(String, u64, u64)> {
    text.lines()
        .map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            assert_eq!(fields.len(), 3, "{line:?}");
            let (start, count): (u64, u64) = (fields[1].parse().unwrap(), fields[2].parse().unwrap());
            (fields[0].to_owned(), start, start + count - 1)
        })
        .collect()
}

/// Asserts that no two ranges of a file meet.
#[track_caller]
fn assert_disjoint(text: &str) {
    let mut sorted = ranges(text);
    sorted.sort_by_key(|(_, first, _)| *first);
    for pair in sorted.windows(2) {
        assert!(pair[0].2 < pair[1].1, "{:?} meets {:?} in\n{text}", pair[0], pair[1]);
    }
}

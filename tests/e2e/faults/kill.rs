//! Killed on entry of every call that changes something, and once at the end.

use std::collections::HashSet;
use std::sync::Mutex;

use super::{SCENARIOS, Stage};
use crate::harness::{needs, size};

/// Kills the scenario's command at each of its calls. Gives how many kills were wanted and how many came.
///
/// What must hold is tried for every state that a kill leaves; equal states are tried once, unless the
/// suite runs at its full size.
fn killed_everywhere(name: &str) -> (usize, usize) {
    let scenario = SCENARIOS.iter().find(|s| s.name == name).unwrap();
    let stage = Stage::new(scenario);
    let mut seen = HashSet::new();
    let mut kills = 0;
    assert!(stage.calls.iter().any(|call| call.name == "exit_group"));
    for call in &stage.calls {
        let place = format!("{name}, killed at {call}");
        stage.sandbox.restore(&stage.start);
        let met = stage.sandbox.faulted(scenario.command, call, "signal=KILL");
        if !met.hit || met.code != 137 {
            println!("{place}: no kill: exit {}\n{}", met.code, met.output);
            continue;
        }
        kills += 1;
        let after = stage.sandbox.image();
        stage.assert_whole(&after, &place);
        if !seen.insert(after.essence(&stage.start)) && size(0, 1) == 0 {
            continue;
        }
        stage.assert_recovers(&after, &place);
        stage.sandbox.restore(&after);
        stage.assert_lives_with_others(&after, &place);
    }
    let states = seen.len();
    println!("{name}: killed at {kills} of {} calls, {states} states", stage.calls.len());
    (kills, stage.calls.len())
}

/// Kills that came, calls, and how many of the tests have told.
static TOLD: Mutex<[usize; 3]> = Mutex::new([0; 3]);

/// Adds up; the last test of `tests` says the sum. All of them are tests of one process, unless some were left out.
fn tell(kills: usize, calls: usize, tests: usize) {
    let mut told = TOLD.lock().unwrap();
    for (sum, more) in told.iter_mut().zip([kills, calls, 1]) {
        *sum += more;
    }
    if told[2] == tests {
        println!("killed at {} of {} calls", told[0], told[1]);
    }
}

/// One test a command, so that they run side by side.
macro_rules! killed {
    ($($test:ident: $($name:literal),+;)+) => {
        $(
            #[test]
            fn $test() {
                needs!("unshare", "nsenter", "strace", "useradd", "usermod");
                let (mut kills, mut calls) = (0, 0);
                for name in [$($name),+] {
                    let (killed, all) = killed_everywhere(name);
                    kills += killed;
                    calls += all;
                }
                assert_eq!(kills, calls);
                tell(kills, calls, TESTS);
            }
        )+

        /// How many tests there are.
        const TESTS: usize = [$(stringify!($test)),+].len();

        #[test]
        fn no_scenario_is_left_out() {
            let named = [$($($name),+),+];
            assert!(SCENARIOS.iter().all(|s| named.contains(&s.name)));
        }
    };
}

killed! {
    apply: "apply", "apply, no files", "apply, again", "apply --replace";
    release: "release";
    undo: "undo";
    recover: "recover, nothing done", "recover, half done", "recover, all done", "recover, recorded";
    recover_with_others: "recover, edited since", "recover, half taken by another", "recover, cannot be decided";
}

//! Every call that changes something fails: before it is carried out, and after.

use std::panic::AssertUnwindSafe;

use super::{SCENARIOS, Stage};
use crate::harness::{Call, Image, Met, needs, size};

const ERRORS: [(&str, i32); 6] = [
    ("EIO", libc::EIO),
    ("ENOSPC", libc::ENOSPC),
    ("EACCES", libc::EACCES),
    ("EROFS", libc::EROFS),
    ("EINTR", libc::EINTR),
    ("EMFILE", libc::EMFILE),
];

/// Of each scenario's faults: how many are tried by default. `tests/run --long` tries all.
const SHARE: u32 = 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Before,
    After,
}

/// One call, one error.
struct Fault<'a> {
    call: &'a Call,
    when: When,
    error: (&'static str, i32),
}

/// Calls and their faults; the end of the process cannot fail.
fn faults(calls: &[Call]) -> Vec<Fault<'_>> {
    let mut faults = Vec::new();
    for call in calls.iter().filter(|call| call.name != "exit_group") {
        for when in [When::Before, When::After] {
            for error in ERRORS {
                // What has failed by itself cannot fail after it was done.
                if when == When::Before || !call.failed() {
                    faults.push(Fault { call, when, error });
                }
            }
        }
    }
    faults
}

/// What must hold after one fault.
fn judge(stage: &Stage, fault: &Fault<'_>, met: &Met, after: &Image, place: &str) {
    let shown = || format!("{place}: exit {}\n{}", met.code, met.output);
    assert!(![101, 134, 139].contains(&met.code), "{}", shown());
    stage.assert_whole(after, place);
    let journal = after.file("/etc/.subidctl.journal").is_some();
    // What perhaps does not last is never called done. A call that was interrupted was made again.
    let lasting = ["fsync", "pwrite64", "renameat"].contains(&fault.call.name.as_str());
    let told = met.code != 0 || met.output.contains("no history and no ledger");
    assert!(!lasting || fault.error.0 == "EINTR" || told, "passed over: {}", shown());
    if met.code == 0 {
        // An error that does not matter, or that was met: then everything is as it should be.
        assert_eq!(after.id_text(), stage.end, "{}", shown());
        assert!(!journal, "{}", shown());
        // What could not be removed is said, and the next command sees to it.
        let said = fault.call.name == "unlinkat" && met.output.contains(" could not be removed (");
        if !said {
            stage.assert_clean_image(after, place);
        }
    } else {
        // A clear error: what, why, fix. Standard error itself may be what failed.
        let three = ["subidctl: ", "\n  why: ", "\n  fix: "].iter().all(|part| met.output.contains(part));
        assert!(three || fault.call.text.contains("write(2<"), "{}", shown());
        if met.output.contains("durability unknown") {
            assert_eq!(met.code, 1, "{}", shown());
            assert!(met.output.contains("sudo subidctl recover"), "{}", shown());
        } else if !stage.recovers() {
            assert_eq!(after.id_text(), stage.old, "changed, and did not say so: {}", shown());
        }
    }
    if fault.error.0 == "EINTR" && fault.when == When::Before {
        assert_eq!(met.code, stage.scenario.exit, "not tried again: {}", shown());
    }
    stage.assert_recovers(after, place);
}

fn failed_everywhere(name: &str) -> [usize; 2] {
    let scenario = SCENARIOS.iter().find(|s| s.name == name).unwrap();
    let stage = Stage::new(scenario);
    stage.sandbox.install_late();
    let all = faults(&stage.calls);
    let share = usize::try_from(size(SHARE, u32::MAX)).unwrap().min(all.len());
    let (mut tried, mut wrong) = (0, Vec::new());
    // Evenly spread: the step is no divisor of the errors' number, so that each call meets different ones.
    for at in (0..share).map(|n| n * all.len() / share) {
        let fault = &all[at];
        let place = format!("{name}, {} {:?} {}", fault.error.0, fault.when, fault.call);
        stage.sandbox.restore(&stage.start);
        let met = match fault.when {
            When::Before => {
                stage.sandbox.faulted(scenario.command, fault.call, &format!("error={}", fault.error.0))
            }
            When::After => stage.sandbox.failed_late(scenario.command, fault.call, fault.error.1),
        };
        assert!(met.hit, "{place}: never came: exit {}\n{}", met.code, met.output);
        tried += 1;
        let after = stage.sandbox.image();
        // One report of all that is wrong is worth more than the first of them.
        let judged =
            std::panic::catch_unwind(AssertUnwindSafe(|| judge(&stage, fault, &met, &after, &place)));
        if judged.is_err() {
            wrong.push(place);
        }
    }
    assert!(wrong.is_empty(), "{} faults: {wrong:#?}", wrong.len());
    println!("{name}: failed {tried} of {} times", all.len());
    [tried, all.len()]
}

macro_rules! failed {
    ($($test:ident: $($name:literal),+;)+) => {
        $(
            #[test]
            fn $test() {
                needs!("unshare", "nsenter", "strace", "cc");
                let sums = [$($name),+].map(failed_everywhere);
                let [tried, all] = [0, 1].map(|at| sums.iter().map(|sum| sum[at]).sum::<usize>());
                println!("failed {tried} of {all} times");
            }
        )+
    };
}

failed! {
    apply: "apply", "apply, no files", "apply, again", "apply --replace";
    release: "release";
    undo: "undo";
    recover: "recover, nothing done", "recover, half done", "recover, all done", "recover, recorded";
    recover_with_others: "recover, edited since", "recover, half taken by another", "recover, cannot be decided";
}

/// Every open, those that only read too: each of them is made again.
#[test]
fn an_open_that_is_interrupted_once_is_made_again() {
    needs!("unshare", "nsenter", "strace");
    let stage = Stage::new(&SCENARIOS[0]);
    for call in ["openat", "openat2"] {
        let mut met = 0;
        loop {
            stage.sandbox.restore(&stage.start);
            let inject = format!("-e trace={call} -e inject={call}:error=EINTR:when={}", met + 1);
            let run = format!("strace -f -qq -o /tmp/calls {inject} {}", stage.scenario.command);
            let ended = stage.sandbox.run(&run).ok();
            if !stage.sandbox.text("/tmp/calls").contains("INJECTED") {
                break;
            }
            met += 1;
            assert_eq!(stage.sandbox.image().id_text(), stage.end, "{call} {met}\n{ended}");
        }
        println!("{call}: interrupted {met} times");
        assert!(met >= 20, "{met}");
    }
}

//! Beside the real useradd and whoever else writes the files: nobody loses a line, nobody waits for long.

mod in_place;
mod judge;
mod side_by_side;
mod user;
mod worker;

use super::{assert_disjoint, ranges};
use crate::harness::{Sandbox, needs, size};

/// Processes of each kind.
const EACH: u32 = 24;

#[test]
fn many_apply_beside_many_useradd() {
    needs!("unshare", "nsenter", "useradd");
    for round in 0..size(3, 20) {
        let mut builder = Sandbox::new();
        for n in 1..=EACH {
            builder = builder.user(&format!("u{n}"), 1000 + n);
        }
        let sandbox = builder.start();
        let before = sandbox.names("/etc");
        let race = format!(
            "cd /tmp; for n in $(seq {EACH}); do \
                (subidctl apply --yes --verbose --lock-timeout 300 u$n >a$n.out 2>&1; echo $? >a$n.code) & \
                (useradd x$n >x$n.out 2>&1; echo $? >x$n.code) & done; wait"
        );
        sandbox.within(400).run(&race).ok();

        for n in 1..=EACH {
            let (code, said) =
                (sandbox.text(&format!("/tmp/a{n}.code")), sandbox.text(&format!("/tmp/a{n}.out")));
            assert_eq!(code, "0\n", "round {round}: apply u{n}: {said}");
            let (code, said) =
                (sandbox.text(&format!("/tmp/x{n}.code")), sandbox.text(&format!("/tmp/x{n}.out")));
            if code != "0\n" {
                // It waits 15 s for its lock. Where we held that for long it is our fault.
                let held = longest_hold(&sandbox);
                assert!(
                    held < 5.0,
                    "round {round}: useradd x{n}: {code}{said}; we held the lock for {held} s"
                );
                sandbox.run(&format!("useradd x{n}")).ok();
            }
        }
        for text in sandbox.id_text() {
            let mut owners: Vec<String> = ranges(&text).into_iter().map(|(owner, ..)| owner).collect();
            owners.sort();
            let mut expected: Vec<String> =
                (1..=EACH).flat_map(|n| [format!("u{n}"), format!("x{n}")]).collect();
            expected.sort();
            assert_eq!(owners, expected, "round {round}");
            assert_disjoint(&text);
        }
        let known = ["subuid-", "subgid-", "passwd-", "group-", "shadow-", "gshadow-", ".pwd.lock"];
        let left: Vec<String> = sandbox
            .names("/etc")
            .into_iter()
            .filter(|name| !before.contains(name) && !known.contains(&name.as_str()))
            .collect();
        assert_eq!(left, Vec::<String>::new(), "round {round}");
    }
}

/// The longest time in seconds that an apply says it held the locks (`held for 3 ms`).
fn longest_hold(sandbox: &Sandbox) -> f64 {
    let said: String = (1..=EACH).map(|n| sandbox.text(&format!("/tmp/a{n}.out"))).collect();
    let mut longest: f64 = 0.0;
    for (at, _) in said.match_indices("held for ") {
        let mut words = said[at + "held for ".len()..].split_ascii_whitespace();
        let number: f64 = words.next().unwrap().parse().unwrap();
        longest = longest.max(match words.next().unwrap_or_default().trim_end_matches(['.', ',', ')']) {
            "ms" => number / 1000.0,
            "s" => number,
            other => panic!("a unit: {other}"),
        });
    }
    longest
}

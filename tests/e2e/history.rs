//! `history`, and a ledger or a history that is lost or damaged.

use super::alice_and_bob;
use crate::harness::{Sandbox, needs, size};

const LEDGER: &str = "/var/lib/subidctl/ledger.json";
const HISTORY: &str = "/var/lib/subidctl/history/entries.jsonl";

#[test]
fn changes_are_listed_newest_first_and_shown_in_detail() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl history").ok().says("no changes");
    sandbox.run("SUDO_USER=carol SUDO_UID=1003 subidctl apply --yes alice").ok();
    sandbox.run("subidctl apply --yes --count 131072 bob").ok();
    let list = sandbox.run("subidctl history").ok();
    let lines: Vec<&str> = list.stdout.lines().collect();
    assert!(lines[1].contains("bob 231072-296607") && lines[2].contains("alice 165536-231071"), "{list}");
    sandbox.run("subidctl history bob").ok().says("bob").never_says("alice");
    sandbox.run("subidctl history 1001").ok().says("alice").never_says("bob");
    let json = sandbox.run("subidctl history --json alice").ok().json();
    let entry = &json["entries"][0];
    assert_eq!(
        (&json["schema"], json["entries"].as_array().unwrap().len()),
        (&"subidctl.history.v1".into(), 1)
    );
    assert_eq!(entry["claim"], "carol (uid 1003)");
    assert_eq!(entry["files"][0]["ranges"][0]["start"], 165_536);
    let id = entry["transaction"].as_str().unwrap();
    let shown = sandbox.run(&format!("subidctl history {id}")).ok().says("sudo says : carol (uid 1003)");
    assert_eq!(shown.count("+alice:165536:65536"), 2, "{shown}");
    // The offset of the zone, and not UTC.
    sandbox.run(&format!("TZ=UTC-5 subidctl history {id}")).ok().says(" +0500");
    sandbox.as_user("alice").run("subidctl history").exits(1).says("only root");
}

/// A host with a change of alice's, undone: a ledger with a released range, a history with two entries.
fn remembering() -> Sandbox {
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice && subidctl undo --yes").ok();
    sandbox
}

#[test]
fn lost_state_is_said_and_survived() {
    needs!("unshare", "nsenter");
    for lost in [LEDGER, HISTORY] {
        let sandbox = remembering();
        sandbox.remove(lost);
        if lost == HISTORY {
            sandbox.run("subidctl history").ok().says("is gone").says("no changes");
            sandbox.run("subidctl undo --yes").ok().says("is gone");
        }
        if lost == LEDGER {
            sandbox.run("subidctl history").ok().says("ledger.json is gone").says("apply");
        }
        // alice's released range stays hers, whatever is lost.
        sandbox
            .run("subidctl apply --yes --count 131072 bob")
            .ok()
            .says("231072")
            .says(&format!("{lost} is gone"));
        sandbox.run("subidctl apply --yes --count 196608 bob").ok().never_says("is gone");
        sandbox.run("subidctl history").ok().never_says("is gone").says("bob");
    }
    let sandbox = remembering();
    sandbox.remove("/var/lib/subidctl");
    sandbox.run("subidctl apply --yes --count 131072 bob").ok().says("231072");
    sandbox.run("subidctl apply --yes --reclaim alice").exits(6);
}

#[test]
fn damaged_state_is_refused_by_readers_and_set_aside_by_the_next_change() {
    needs!("unshare", "nsenter");
    let flip = |path: &str| format!("printf X | dd of={path} bs=1 seek=120 conv=notrunc status=none");
    for path in [LEDGER, HISTORY] {
        for damage in [
            flip(path),
            format!("truncate -s -9 {path}"),
            format!("printf '{{' >{path}"),
            format!(": >{path}; printf '\\n' >{path}"),
        ] {
            let sandbox = remembering();
            sandbox.run(&damage).ok();
            let kept = sandbox.read(path);
            let before = sandbox.id_files();
            if path == HISTORY {
                for command in ["history", "undo --yes", "undo --yes 2026"] {
                    let error = sandbox.run(&format!("subidctl --json {command}")).exits(1);
                    assert_eq!(error.json()["code"], "state-damaged", "{damage}\n{error}");
                    error.says("sudo mv ");
                }
                sandbox.run("subidctl plan bob").ok().never_says("damaged");
            } else {
                let plan = sandbox.run("subidctl plan --json bob").ok().json();
                assert!(super::warnings(&plan).contains(&"ledger-unusable".to_owned()), "{damage}\n{plan}");
                sandbox.run("subidctl list").ok().says("it is damaged");
                // Whose a line was is not known any more.
                sandbox.run("subidctl apply --yes --reclaim alice").exits(6);
            }
            assert_eq!((sandbox.read(path), sandbox.id_files()), (kept.clone(), before), "{damage}");
            sandbox.run("subidctl apply --yes --count 131072 bob").ok().says("231072").says(".damaged-");
            let folder = path.rsplit_once('/').unwrap().0;
            let names = sandbox.names(folder);
            let aside =
                names.iter().find(|name| name.contains(".damaged-")).unwrap_or_else(|| panic!("{names:?}"));
            assert_eq!(sandbox.read(&format!("{folder}/{aside}")), kept, "{damage}");
            sandbox.run("subidctl history").ok().says("bob");
            sandbox.run("subidctl plan bob").ok().never_says("damaged");
        }
    }
}

#[test]
fn state_of_a_later_version_or_of_others_stops_a_change() {
    needs!("unshare", "nsenter");
    let spoils = |path: &str| {
        let later = format!("sed -i 's/\\(subidctl[.][a-z]*[.]\\)v1/\\1v9/' {path}");
        [
            (later, "read-failed", true),
            (format!("chown 1001 {path}"), "untrusted-file", true),
            (format!("chmod 666 {path}"), "untrusted-file", true),
            (format!("rm {path} && mkdir {path}"), "untrusted-file", false),
            (format!("mv {path} /root/x && ln -s /root/x {path}"), "untrusted-file", false),
        ]
    };
    for path in [LEDGER, HISTORY] {
        for (spoil, code, regular) in spoils(path) {
            let sandbox = remembering();
            sandbox.run(&spoil).ok();
            let kept = regular.then(|| sandbox.read(path));
            let before = sandbox.id_files();
            let reader = if path == LEDGER { "plan bob" } else { "history" };
            for command in [reader, "undo --yes 2026", "apply --yes --count 131072 bob"] {
                let error = sandbox.run(&format!("subidctl --json {command}")).exits(1);
                assert_eq!(error.json()["code"], code, "{spoil}\n{error}");
                assert!(!error.json()["fix"].as_str().unwrap().is_empty(), "{error}");
            }
            assert_eq!((regular.then(|| sandbox.read(path)), sandbox.id_files()), (kept, before), "{spoil}");
        }
    }
}

/// An entry holds the touched lines alone, and no more than keep and a quarter of it are kept: the largest
/// size seen with 8 (10 entries) says what 1000 need, however many changes there were.
#[test]
fn the_history_stays_small() {
    needs!("unshare", "nsenter");
    let others: String =
        (0..size(2000, 50_000)).map(|n| format!("u{n}:{}:100\n", 1_000_000 + n * 100)).collect();
    let policy = "min = 100000\nmax = 900000\n[history]\nkeep = 8\n";
    let sandbox =
        Sandbox::new().user("alice", 1001).subids(&others).file("/etc/subidctl/policy.toml", policy).start();
    let changes = size(12, 100);
    let script = format!(
        "for n in $(seq {changes}); do subidctl apply --yes --quiet --count $((n * 10)) alice || exit 1; \
         s=$(stat -c %s {HISTORY}); [ $s -le ${{most:-0}} ] || most=$s; done; wc -l <{HISTORY}; echo $most"
    );
    let output = sandbox.within(7200).run(&script).ok();
    let numbers: Vec<u64> = output.stdout.split_whitespace().map(|n| n.parse().unwrap()).collect();
    let (lines, most) = (numbers[0], numbers[1]);
    assert!((8..=10).contains(&lines), "{lines} entries");
    // 1250 entries of this size, where the policy says nothing.
    let full = most / 10 * 1250;
    println!("history: {most} bytes at most with 10 entries, {full} with 1250");
    assert!(full < 10_000_000, "{full} bytes");
}

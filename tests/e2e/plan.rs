//! `plan`: the diff, the reasons, and nothing else.

use super::{alice_and_bob, assert_disjoint, warnings};
use crate::harness::{FILE_CALLS, Sandbox, assert_shown, needs};

#[test]
fn plan_shows_two_hunks_and_a_reason_and_opens_nothing_for_writing() {
    needs!("unshare", "nsenter", "strace");
    let sandbox = alice_and_bob();
    let before = (sandbox.id_files(), sandbox.names("/etc"), sandbox.names("/var/lib"));
    let (output, trace) = sandbox.traced(FILE_CALLS, "subidctl plan --exit-code alice; echo $?");
    let output = output.ok();

    let hunks: Vec<&str> = output.stdout.split("\n@@ ").skip(1).collect();
    assert_eq!(hunks.len(), 2, "{output}");
    for hunk in &hunks {
        // Past the rest of its `@@` line; the next file's two header lines follow the first hunk.
        let changed = hunk.lines().skip(1).filter(|line| line.starts_with(['+', '-']));
        let changed: Vec<&str> =
            changed.filter(|line| !line.starts_with("--- ") && !line.starts_with("+++ ")).collect();
        assert_eq!(changed, ["+alice:165536:65536"], "{output}");
    }
    let after = hunks[1].split_once("+alice:165536:65536\n").unwrap().1;
    let reason = after.lines().find(|line| line.contains("alice") && line.contains("165536-231071"));
    let reason = reason.unwrap_or_else(|| panic!("no line with the range\n{output}"));
    assert!(reason.len() > "alice: 165536-231071".len() + 10, "no reason in {reason:?}");
    assert_eq!(output.stdout.lines().last(), Some("3"), "{output}");

    assert_eq!(before, (sandbox.id_files(), sandbox.names("/etc"), sandbox.names("/var/lib")));
    assert!(
        !trace.with("/etc/subuid").is_empty() || !trace.with("subuid").is_empty(),
        "the trace saw nothing"
    );
    assert_eq!(trace.writes(), Vec::<&str>::new());
}

#[test]
fn plan_is_for_everybody_and_shown_like_this() {
    needs!("unshare", "nsenter", "su");
    let sandbox = alice_and_bob();
    let root = sandbox.run("subidctl plan alice").ok();
    let alice = sandbox.as_user("alice").run("subidctl plan alice").ok();
    assert_eq!(root.stdout, alice.stdout);
    assert_shown("plan", &root.stdout);
}

#[test]
fn plan_in_json_keeps_its_contract() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    let plan = sandbox.run("subidctl plan --json alice").ok().json();
    assert_eq!(plan["schema"], "subidctl.plan.v1");
    assert_eq!(plan["changed"], true);
    for field in ["machine_id", "hostname"] {
        assert!(plan["host"][field].is_string(), "{plan:#}");
    }
    for field in ["passwd", "group", "login_defs", "nsswitch"] {
        let digest = plan["facts"][field].as_str().unwrap();
        assert_eq!(digest.len(), 64, "{field}: {digest}");
    }
    let files = plan["files"].as_array().unwrap();
    let paths: Vec<&str> = files.iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/etc/subuid", "/etc/subgid"]);
    for file in files {
        let path = file["path"].as_str().unwrap();
        let before = sandbox.run(&format!("sha256sum < {path}")).ok().stdout;
        assert_eq!(file["before_sha256"].as_str().unwrap(), &before[..64]);
        let after = sandbox.run(&format!("(cat {path}; echo alice:165536:65536) | sha256sum")).ok().stdout;
        assert_eq!(file["after_sha256"].as_str().unwrap(), &after[..64]);
        assert!(file["diff"].as_str().unwrap().contains("\n+alice:165536:65536\n"));
    }
    let assignments = plan["assignments"].as_array().unwrap();
    let kinds: Vec<&str> = assignments.iter().map(|a| a["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["uid", "gid"]);
    for assignment in assignments {
        assert_eq!(assignment["owner"], "alice");
        assert_eq!((&assignment["start"], &assignment["count"]), (&165_536.into(), &65536.into()));
        assert_eq!(assignment["action"], "add");
        assert!(!assignment["reason"].as_str().unwrap().is_empty());
    }
    for empty in ["edits", "refusals"] {
        assert_eq!(plan[empty], serde_json::json!([]), "{empty}");
    }
    // In a pid namespace of its own it cannot see every process, and says so.
    assert_eq!(warnings(&plan), Vec::<String>::new());
}

#[test]
fn a_user_who_has_enough_gets_nothing_new() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().user("alice", 1001).subids("alice:100000:65536\n").start();
    let plan = sandbox.run("subidctl plan --exit-code alice").ok();
    assert_shown("plan-enough", &plan.stdout);
    plan.says("alice: has 100000-165535 in both files (65536 IDs, enough). No changes.")
        .says("To see that it works: subidctl verify alice");
    assert_eq!(sandbox.run("subidctl plan --json alice").ok().json()["changed"], false);
}

#[test]
fn a_user_who_has_too_few_gets_one_new_line_for_the_rest() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().user("alice", 1001).subids("alice:100000:1000\nbob:101000:64536\n").start();
    sandbox.run("subidctl apply --yes alice").ok();
    let line = "alice:100000:1000\nbob:101000:64536\nalice:165536:64536\n";
    assert_eq!(sandbox.id_text(), [line, line]);
    sandbox.run("subidctl apply --yes --count 100000 alice").ok();
    let both = sandbox.id_text();
    assert_eq!(both[0], both[1]);
    let had: u64 = super::ranges(&both[0]).iter().filter(|r| r.0 == "alice").map(|r| r.2 - r.1 + 1).sum();
    assert!(had >= 100_000, "{both:?}");
    assert!(both[0].starts_with(line), "an old line changed: {both:?}");
}

#[test]
fn a_user_who_has_one_half_gets_the_other_half_alike() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .file("/etc/subuid", "bob:100000:65536\nalice:300000:65536\n")
        .start();
    sandbox.run("subidctl plan --exit-code alice").exits(3).says("300000-365535");
    sandbox.run("subidctl apply --yes alice").ok();
    assert_eq!(sandbox.text("/etc/subgid"), "alice:300000:65536\n");
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\nalice:300000:65536\n");
}

#[test]
fn a_half_whose_place_is_taken_goes_elsewhere_and_it_is_said() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .file("/etc/subuid", "alice:100000:65536\n")
        .file("/etc/subgid", "bob:100000:65536\n")
        .start();
    let apply = sandbox.run("subidctl apply --yes alice").ok();
    apply.says("differ");
    assert_eq!(sandbox.text("/etc/subgid"), "bob:100000:65536\nalice:165536:65536\n");
}

#[test]
fn the_start_that_is_free_in_both_files_wins() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .file("/etc/subuid", "bob:100000:65536\n")
        .file("/etc/subgid", "carol:165536:65536\n")
        .start();
    sandbox.run("subidctl apply --yes alice").ok();
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\nalice:231072:65536\n");
    assert_eq!(sandbox.text("/etc/subgid"), "carol:165536:65536\nalice:231072:65536\n");
}

#[test]
fn login_defs_decides_the_window_also_from_usr_etc() {
    needs!("unshare", "nsenter");
    let window = "SUB_UID_MIN 700000\nSUB_UID_MAX 900000\nSUB_UID_COUNT 1000\n\
        SUB_GID_MIN 700000\nSUB_GID_MAX 900000\nSUB_GID_COUNT 1000\n";
    for path in ["/etc/login.defs", "/usr/etc/login.defs"] {
        let sandbox =
            Sandbox::new().user("alice", 1001).without("/etc/login.defs").file(path, window).start();
        sandbox.run("subidctl apply --yes alice").ok();
        assert_eq!(sandbox.id_text(), ["alice:700000:1000\n", "alice:700000:1000\n"], "{path}");
    }
}

#[test]
fn no_room_says_what_fills_the_window_and_what_would_work() {
    needs!("unshare", "nsenter");
    let window = "SUB_UID_MIN 100000\nSUB_UID_MAX 170000\nSUB_UID_COUNT 65536\n\
        SUB_GID_MIN 100000\nSUB_GID_MAX 170000\nSUB_GID_COUNT 65536\n";
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("bob", 1002)
        .file("/etc/login.defs", window)
        .subids("bob:100000:65536\n")
        .start();
    let before = sandbox.id_files();
    let plan = sandbox.run("subidctl plan alice").exits(7);
    assert_shown("plan-no-room", &format!("{}{}", plan.stdout, plan.stderr));
    // Wanted, the window and where it is from, who fills it, what is free, the largest hole.
    for part in ["65,536", "100000-170000", "/etc/login.defs", "bob", "4,465 IDs are free", "largest hole"] {
        assert!(plan.stderr.contains(part), "no {part:?}\n{plan}");
    }
    sandbox.run("subidctl apply --yes alice").exits(7);
    let refusal = sandbox.run("subidctl plan --json alice").exits(7).json();
    assert_eq!(refusal["refusals"][0]["code"], "no-room", "{refusal:#}");
    assert_eq!(sandbox.id_files(), before);

    // What it proposes works.
    let number = |key: &str| {
        let rest =
            plan.stderr.split_once(&format!("{key} = ")).unwrap_or_else(|| panic!("no {key}\n{plan}")).1;
        rest.chars().take_while(char::is_ascii_digit).collect::<String>()
    };
    sandbox.write("/etc/subidctl/policy.toml", format!("min = {}\nmax = {}\n", number("min"), number("max")));
    sandbox.run("subidctl apply --yes alice").ok();
    assert_disjoint(&sandbox.text("/etc/subuid"));
}

#[test]
fn an_account_a_reserved_range_and_a_released_line_are_never_given() {
    needs!("unshare", "nsenter");
    let policy = "reserve = [{ name = \"storage\", first = 200000, last = 299999 }]\n";
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("robot", 120_000)
        .file("/etc/subidctl/policy.toml", policy)
        .subids("!old:400000:65536\n# a comment\n0x50000:0x50000:0x10\nzed:0510000:8:more\n")
        .start();
    sandbox.run("subidctl apply --yes alice").ok();
    let text = sandbox.text("/etc/subuid");
    let (_, first, last) = super::ranges(text.lines().last().unwrap()).remove(0);
    let taken = [
        (120_000, 120_000),
        (200_000, 299_999),
        (400_000, 465_535),
        (0x50000, 0x5000f),
        (0o510_000, 0o510_007),
    ];
    for (from, to) in taken {
        assert!(last < from || to < first, "{first}-{last} meets {from}-{to}");
    }
}

#[test]
fn running_namespaces_are_left_alone() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = Sandbox::new().user("alice", 1001).user("bob", 1002).subids("bob:100000:65536\n").start();
    let hold = "unshare --map-users 100000,1,65536 --map-groups 100000,1,65536 --map-root-user -U sleep 50 \
        >/dev/null 2>&1 & sleep 1";
    sandbox.as_user("bob").run(hold).ok();
    // bob's line is gone, his container is not.
    sandbox.write("/etc/subuid", "");
    sandbox.write("/etc/subgid", "");
    sandbox.run("subidctl apply --yes alice").ok();
    assert_eq!(sandbox.id_text(), ["alice:165536:65536\n", "alice:165536:65536\n"]);
}

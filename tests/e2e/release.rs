//! `release`: ranges go back, and nobody gets them next.

use super::alice_and_bob;
use crate::harness::{FILE_CALLS, Sandbox, needs};

const RELEASED: &str = "bob:100000:65536\n!alice:165536:65536\n";

/// bob with `100000:65536`, and alice with what subidctl gave her.
fn given() -> Sandbox {
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice").ok();
    sandbox
}

/// Asks newuidmap for the first ID of alice's range.
const MAP: &str =
    "unshare -U sleep 60 & sleep 0.5; newuidmap $! 0 165536 1; code=$?; kill $!; wait $!; exit $code";

fn ledger(sandbox: &Sandbox) -> serde_json::Value {
    serde_json::from_str(&sandbox.text("/var/lib/subidctl/ledger.json")).unwrap()
}

#[test]
fn what_is_released_nobody_gets_next() {
    needs!("unshare", "nsenter", "useradd", "userdel", "getsubids", "newuidmap");
    let sandbox = given();
    sandbox.as_user("alice").run(MAP).ok();
    sandbox.run("subidctl release alice </dev/null").exits(2).says("--yes").says("-alice:165536:65536");
    let shown = sandbox.run("subidctl release --yes alice").ok();
    shown
        .says("alice: releases 165536-231071 in both files (65536 IDs): nobody gets them next")
        .says("sudo subidctl apply --reclaim alice")
        .never_says("verify alice");
    assert_eq!(sandbox.id_text(), [RELEASED, RELEASED]);

    // The system's own programs: the account is granted nothing, and neither is a later one of that name.
    sandbox.run("getsubids alice").exits(1);
    sandbox.as_user("alice").run(MAP).exits(1).says("not allowed");
    sandbox.run("userdel alice && useradd new && useradd alice").ok();
    let text = sandbox.text("/etc/subuid");
    assert_eq!(text, format!("{RELEASED}new:231072:65536\nalice:296608:65536\n"));

    sandbox.run("subidctl who 165536").ok().says("released by alice: 165536-231071");
    sandbox.run("subidctl list alice").ok().says("released: nobody gets it");
    let entry = &ledger(&sandbox)["released"][0];
    assert_eq!((&entry["uid"], &entry["range"]), (&1001.into(), &"165536:65536".into()), "{entry}");
}

#[test]
fn a_second_release_changes_nothing() {
    needs!("unshare", "nsenter", "strace");
    let sandbox = given();
    let done = sandbox.run("subidctl release --yes --json alice").ok().json();
    assert_eq!((&done["changed"], &done["committed"]), (&true.into(), &true.into()), "{done:#}");
    assert_eq!(done["assignments"][0]["action"], "release");
    let before = (sandbox.id_files(), ledger(&sandbox));
    let (again, trace) = sandbox.traced(FILE_CALLS, "subidctl release alice");
    again.ok().says("alice has nothing to release. No changes.");
    assert_eq!(trace.with(".pwd.lock"), Vec::<&str>::new());
    assert_eq!(trace.writes(), Vec::<&str>::new());
    assert_eq!(before, (sandbox.id_files(), ledger(&sandbox)));
    let again = sandbox.run("subidctl release --json alice").ok().json();
    assert_eq!((&again["changed"], &again["committed"]), (&false.into(), &false.into()), "{again:#}");
}

#[test]
fn who_releases_must_be_named_and_known() {
    needs!("unshare", "nsenter");
    let sandbox = given();
    let before = sandbox.id_files();
    sandbox.run("subidctl release --yes").exits(2).says("USER").says("--stale").says("--forget RANGE");
    sandbox.run("subidctl release --yes mallory").exits(1).says("no user is named 'mallory'");
    sandbox.run("subidctl release --yes alice mallory").exits(1);
    sandbox.run("subidctl release --yes --range 5:5 --stale").exits(2);
    assert_eq!(sandbox.id_files(), before);
    sandbox.run("subidctl release --yes --keep-going alice mallory").exits(4).says("mallory");
    assert_eq!(sandbox.id_text(), [RELEASED, RELEASED]);
}

#[test]
fn an_owner_without_an_account_is_named_as_the_files_spell_it() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .subids("carol:100000:65536\n1005:165536:65536\n1006:231072:65536\n1001:300000:10\nalice:310000:10\n")
        .start();
    sandbox.run("subidctl release --yes carol 1005 +1006 +1001").ok();
    let text =
        "!carol:100000:65536\n!1005:165536:65536\n!1006:231072:65536\n!1001:300000:10\n!alice:310000:10\n";
    assert_eq!(sandbox.id_text(), [text, text]);
}

#[test]
fn one_of_several_ranges_goes_and_a_part_of_one_is_refused() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().user("alice", 1001).subids("alice:100000:1000\nalice:200000:1000\n").start();
    let part = sandbox.run("subidctl release --yes --range 200000-200099 alice").exits(6);
    part.says("/etc/subuid line 2 is 200000-200999").says("subidctl release --range 200000-200999 alice");
    sandbox
        .run("subidctl release --yes --range 5:5 alice")
        .exits(6)
        .says("100000-100999 (/etc/subuid line 1)");
    sandbox.run("subidctl release --yes --range x alice").exits(2);
    sandbox.run("subidctl release --yes --range 200000:1000 alice").ok();
    let text = "alice:100000:1000\n!alice:200000:1000\n";
    assert_eq!(sandbox.id_text(), [text, text]);
    sandbox.run("subidctl release --range 200000:1000 alice").ok().says("nothing to release");
    // A range around lines: all of them.
    sandbox.run("subidctl release --yes --range 0-4294967294 alice").ok();
    assert_eq!(sandbox.text("/etc/subuid"), "!alice:100000:1000\n!alice:200000:1000\n");
}

#[test]
fn odd_lines_are_marked_for_every_reader() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("bob", 1002)
        .file("/etc/subuid", "alice:0620:10\nalice:100000:10:x\nalice:200000:10\nbob:200000:10\nlast:7:1")
        .start();
    let done = sandbox.run("subidctl release --yes alice").ok();
    done.says("200000-200009 of alice is not marked as released in subuid: other lines hold its IDs");
    // 0620 is 400 for C and 620 for Go; a fourth field stops Go for everybody; bob keeps what is his.
    let text = "!alice:400:10\n!alice:100000:10\nbob:200000:10\nlast:7:1\n!alice:620:10\n";
    assert_eq!(sandbox.text("/etc/subuid"), text);
}

#[test]
fn what_runs_with_an_id_of_the_range_is_named_and_stops_a_release() {
    needs!("unshare", "nsenter", "setpriv");
    let sandbox = given();
    let uses = [
        "--reuid 165540 --regid 0 --clear-groups",
        "--reuid 0 --regid 165540 --clear-groups",
        "--reuid 0 --groups 165540",
    ];
    for odd in uses {
        sandbox.run(&format!("setpriv {odd} sleep 77 >/dev/null 2>&1 & echo $! >/tmp/pid; sleep 0.3")).ok();
        let pid = sandbox.text("/tmp/pid").trim().to_owned();
        for command in ["release --yes alice", "release -n alice"] {
            let refused = sandbox.run(&format!("subidctl {command}")).exits(6);
            let refused = refused.says(&format!("used by pid {pid} (sleep 77)\n"));
            refused.says("165536-231071 of alice is in use").never_says("releases").never_says("+!alice");
        }
        sandbox.run(&format!("kill {pid}; while kill -0 {pid} 2>/dev/null; do sleep 0.1; done")).ok();
    }
    sandbox.run("subidctl release --yes alice").ok();
}

#[test]
fn a_container_of_podmans_stops_release_and_replace_until_it_is_ended() {
    needs!("unshare", "nsenter", "podman", "crun", "newuidmap", "busybox");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("bob", 1002)
        .subids("bob:100000:65536\nalice:165536:65536\n")
        .file(
            "/etc/subidctl/policy.toml",
            "strategy = \"windows\"\n[[window]]\nuids = \"1001-1001\"\nstart = 917504000\ncount = 65536\n",
        )
        .start();
    let podman = super::engine::Podman::new(&sandbox, "alice");
    podman.run("unshare true").ok();
    let before = sandbox.id_files();
    let refused = sandbox.run("subidctl release --yes --json alice").exits(6);
    let refusal = &refused.json()["refusals"][0];
    assert_eq!((&refusal["code"], &refusal["owner"]), (&"range-in-use".into(), &"alice".into()), "{refused}");
    let fix = "sudo -iu alice podman system migrate";
    refused.says(fix);
    sandbox.run("subidctl apply --yes --replace alice").exits(6).says("is in use").says(fix);
    assert_eq!(sandbox.id_files(), before);
    // Others are served.
    sandbox.run("subidctl release --yes --keep-going alice bob").exits(4).says("alice is in use");
    assert_eq!(sandbox.text("/etc/subuid"), "!bob:100000:65536\nalice:165536:65536\n");
    podman.run("system migrate").ok();
    sandbox.run("subidctl release --yes alice").ok();
}

#[test]
fn force_goes_on_and_says_what_was_in_use() {
    needs!("unshare", "nsenter", "setpriv");
    let sandbox = given();
    let sleeps =
        "for i in 1 2 3 4 5 6 7; do setpriv --reuid 165540 sleep 77 >/dev/null 2>&1 & done; sleep 0.3";
    sandbox.run(sleeps).ok();
    sandbox.run("subidctl release --yes alice").exits(6).says("(sleep 77), 2 more\n");
    sandbox.run("subidctl release --yes --force alice").ok().says("is in use").says("[range-in-use]");
    assert_eq!(sandbox.id_text(), [RELEASED, RELEASED]);
}

#[test]
fn an_accounts_own_ids_are_not_the_ranges() {
    needs!("unshare", "nsenter");
    // Every process of root runs with an ID of this line, which somebody wrote by mistake.
    let sandbox = Sandbox::new().user("alice", 1001).subids("alice:0:2000\n").start();
    sandbox.run("subidctl release --yes alice").ok();
    assert_eq!(sandbox.text("/etc/subuid"), "!alice:0:2000\n");
}

#[test]
fn the_same_account_takes_it_back_and_another_only_after_a_question() {
    needs!("unshare", "nsenter", "useradd", "userdel", "setsid");
    let sandbox = given();
    sandbox.run("subidctl release --yes alice").ok();
    sandbox.run("subidctl apply --yes --reclaim alice").ok();
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\nalice:165536:65536\n");
    assert_eq!(ledger(&sandbox)["released"], serde_json::json!([]));

    sandbox.run("subidctl release --yes alice").ok();
    sandbox.run("userdel alice && useradd -u 1077 -K SUB_UID_COUNT=0 alice").ok();
    let stranger = sandbox.run("subidctl apply --yes --reclaim alice").exits(6);
    stranger
        .says("165536-231071 (/etc/subuid line 2)")
        .says("uid 1001 released it, and alice is uid 1077")
        .says("sudo subidctl apply --reclaim --force alice");
    sandbox.remove("/var/lib/subidctl");
    sandbox.run("subidctl apply --yes --reclaim alice").exits(6).says("does not say which uid released it");
    sandbox.run("subidctl apply --yes --reclaim --force alice").exits(2).says("--yes does not");
    sandbox.run("subidctl plan --reclaim --force --out /root/p alice").ok();
    sandbox.run("subidctl apply --yes --plan /root/p").exits(6);
    assert_eq!(sandbox.text("/etc/subuid"), RELEASED);

    let mut terminal = sandbox.terminal("subidctl apply --yes --reclaim --force alice");
    terminal.expect("Nothing shows that 165536-231071 of alice was this account's");
    terminal.send("y\n");
    assert_eq!(terminal.finish().0, 0);
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\nalice:165536:65536\n");
}

#[test]
fn a_lost_ledger_gives_nobody_what_a_line_holds() {
    needs!("unshare", "nsenter", "useradd", "podman", "crun", "newuidmap", "busybox");
    let sandbox = given();
    sandbox.run("subidctl release --yes alice && rm -rf /var/lib/subidctl && useradd new").ok();
    assert_eq!(sandbox.text("/etc/subuid"), format!("{RELEASED}new:231072:65536\n"));
    let podman = super::engine::Podman::new(&sandbox, "bob");
    assert_eq!(podman.unshare_map("uid_map"), "0 1002 1\n1 100000 65536\n");
}

#[test]
fn forgetting_frees_exactly_a_released_range() {
    needs!("unshare", "nsenter");
    let sandbox = given();
    let live = sandbox.run("subidctl release --yes --forget 165536-231071").exits(6);
    live.says("alice has 165536-231071 (/etc/subuid line 2)").says("release --range 165536-231071 alice");
    sandbox.run("subidctl release --yes alice").ok();
    let part = sandbox.run("subidctl release --yes --forget 165536:10").exits(6);
    part.says("165536-231071 (/etc/subuid line 2)").says("--forget 165536-231071 alice");
    sandbox.run("subidctl release --yes --forget 165536:65536 bob").exits(6).says("alice released it");
    sandbox.run("subidctl release --yes --forget 165536:65536 mallory").exits(1);
    assert_eq!(sandbox.id_text(), [RELEASED, RELEASED]);

    let done = sandbox.run("subidctl release --yes --forget 165536:65536").ok();
    done.says("alice: forgets 165536-231071 in both files")
        .says("every file that these IDs still own")
        .says("--scan");
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\n");
    assert_eq!(ledger(&sandbox)["released"], serde_json::json!([]));
    sandbox.run("subidctl release --forget 165536:65536").ok().says("nothing to forget");
    sandbox.run("subidctl apply --yes bob --count 131072").ok();
    assert!(sandbox.text("/etc/subuid").contains("bob:165536:65536"));
}

#[test]
fn a_line_that_stands_twice_is_released_once() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().user("alice", 1001).subids("alice:165536:10\nalice:165536:10\n").start();
    let done = sandbox.run("subidctl release --yes alice").ok();
    assert_eq!(done.stdout.matches("alice: releases").count(), 1, "{done}");
    assert_eq!(sandbox.id_text(), ["!alice:165536:10\n"; 2]);
}

/// What the history calls a change, and whose a range is that was forgotten and is not.
#[test]
fn a_forgotten_range_comes_back_to_the_same_account() {
    needs!("unshare", "nsenter");
    let sandbox = given();
    sandbox.run("subidctl release --yes alice").ok();
    sandbox.run("subidctl release --yes --forget 165536:65536").ok();
    let history = sandbox.run("subidctl history --json").ok().json();
    let commands: Vec<&str> =
        history["entries"].as_array().unwrap().iter().map(|e| e["command"].as_str().unwrap()).collect();
    assert_eq!(commands, ["apply", "release", "release --forget"]);
    sandbox.run("subidctl undo --yes").ok();
    assert_eq!(sandbox.id_text(), [RELEASED, RELEASED]);
    assert_eq!(ledger(&sandbox)["released"][0]["uid"], 1001, "{}", ledger(&sandbox));
    sandbox.run("subidctl apply --yes --reclaim alice").ok();
}

#[test]
fn what_only_the_ledger_knows_is_forgotten_too() {
    needs!("unshare", "nsenter");
    let sandbox = given();
    sandbox.run("subidctl release --yes alice").ok();
    // Somebody restored older files.
    sandbox.write("/etc/subuid", "bob:100000:65536\n");
    sandbox.write("/etc/subgid", "bob:100000:65536\n");
    sandbox.run("subidctl plan --range 165536:65536 alice").exits(6).says("subidctl's ledger");
    let before = sandbox.id_files();
    let done = sandbox.run("subidctl release --yes --json --forget 165536:65536").ok().json();
    assert_eq!((&done["changed"], &done["committed"]), (&true.into(), &true.into()), "{done:#}");
    assert_eq!(ledger(&sandbox)["released"], serde_json::json!([]));
    assert_eq!(sandbox.id_files(), before);
    sandbox.run("subidctl history").ok().says("release --forget  -    alice 165536-231071");
    sandbox.run("subidctl plan --range 165536:65536 alice").ok();
}

#[test]
fn the_ranges_of_local_accounts_that_are_gone() {
    needs!("unshare", "nsenter");
    let sandbox = given();
    // Not by userdel, which takes the lines along and frees the IDs for the next.
    let leave = |name: &str| sandbox.run(&format!("sed -i '/^{name}:/d' /etc/passwd")).ok();
    let before = sandbox.id_text();
    sandbox.run("subidctl release --stale").ok().says("No owner that is known to be gone has a range");
    // In the ledger, but never an account of this host.
    sandbox.run("subidctl apply --yes --allow-unknown-owner --range 900000:10 containers").ok();
    sandbox.run("subidctl release --stale").ok().says("release --stale containers");
    sandbox.run("sed -i /^containers:/d /etc/subuid /etc/subgid").ok();
    leave("bob");
    let listed = sandbox.run("subidctl release --stale").ok();
    listed.says("bob (/etc/subuid line 1) has no account").says("sudo subidctl release --stale bob");
    sandbox.run("subidctl release --yes --stale alice").exits(6).says("alice is not gone");
    assert_eq!(sandbox.id_text(), before);
    leave("alice");
    sandbox.run("subidctl release --yes --stale").ok().says("alice: releases 165536-231071 in both files");
    assert_eq!(sandbox.id_text(), [RELEASED, RELEASED]);
    sandbox.run("subidctl release --yes --stale bob").ok();
    assert_eq!(sandbox.text("/etc/subuid"), "!bob:100000:65536\n!alice:165536:65536\n");
}

#[test]
fn a_directory_that_is_offline_does_not_look_like_leavers() {
    needs!("unshare", "nsenter");
    let sandbox = given();
    sandbox.run("sed -i '/^alice:/d' /etc/passwd").ok();
    // No module of this name can be loaded, so nobody answers.
    sandbox.write("/etc/nsswitch.conf", "passwd: files nowhere\ngroup: files\n");
    let before = sandbox.id_files();
    let failed = sandbox.run("subidctl release --yes --stale --json").exits(1);
    assert_eq!(failed.json()["code"], "lookup-failed", "{failed}");
    sandbox.run("subidctl release --yes --stale alice").exits(1);
    sandbox.run("subidctl release --yes alice").exits(1);
    assert_eq!(sandbox.id_files(), before);
}

#[test]
fn files_that_the_ids_still_own_are_found() {
    needs!("unshare", "nsenter", "mount");
    let sandbox = given();
    let files = "mkdir -p /home/alice/s /tmp/other /var/x && mount -t tmpfs none /tmp/other && \
        touch /home/alice/s/a '/home/alice/s/b\nc' /tmp/other/no /home/alice/mine && ln -s /tmp/other /home/alice/s/l && \
        chown 165536:0 /home/alice/s/a && chown 0:231071 /home/alice/s/b* && chown 165540:165540 /tmp/other/no && \
        mkdir /home/alice/s/m && mount --bind /tmp/other /home/alice/s/m";
    sandbox.run(files).ok();
    let dry = sandbox.run("subidctl release -n alice --scan /home/alice/s").ok();
    dry.says("2 files of 165536-231071 below /home/alice/s:\n  165536:0  /home/alice/s/a\n  0:231071  /home/alice/s/b\\nc\n")
        .says("Not entered, since other file systems begin there: /home/alice/s/m\n");
    assert!(sandbox.text("/etc/subuid").contains("\nalice:165536"));
    sandbox.run("subidctl release --yes alice --scan /nowhere").exits(1).says("/nowhere");
    sandbox.run("subidctl release --yes --scan /home/alice/s alice").exits(2).says("USER");
    assert!(sandbox.text("/etc/subuid").contains("\nalice:165536"));

    let many = "i=0; while [ $i -lt 50 ]; do i=$((i+1)); : > /var/x/$i; done; chown 165599:165599 /var/x/*";
    sandbox.run(many).ok();
    let done = sandbox.run("subidctl release --yes --json alice --scan /home/alice/s /var/x").ok().json();
    let scan = &done["scan"];
    assert_eq!((&scan["files"], &scan["errors"]), (&52.into(), &0.into()), "{scan:#}");
    assert_eq!(scan["sample"].as_array().unwrap().len(), 20);
    assert_eq!(
        scan["by_id"][1],
        serde_json::json!({ "kind": "uid", "id": 165_599, "files": 50 }),
        "{scan:#}"
    );
    // Released already, and before it is forgotten.
    sandbox.run("subidctl release alice --scan /var/x").ok().says("nothing to release").says("50 files of");
    sandbox
        .run("subidctl release -n --forget 165536:65536 --scan /var/x")
        .ok()
        .says("and 30 more; by owner: uid 165599 50");
    sandbox
        .run("subidctl release -n alice --scan /etc")
        .ok()
        .says("No file of 165536-231071 was found below /etc");
    // Of what is not released yet, too.
    sandbox.run("subidctl release -n bob --scan /var/x").ok().says("No file of 100000-165535");
}

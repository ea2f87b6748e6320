//! `undo`: the way back, all of it or nothing, and only where everything stands as the change left it.

use super::alice_and_bob;
use crate::harness::{Sandbox, needs};

const GIVEN: &str = "bob:100000:65536\nalice:165536:65536\n";
const BACK: &str = "bob:100000:65536\n!alice:165536:65536\n";

/// The transactions, oldest first.
fn transactions(sandbox: &Sandbox) -> Vec<String> {
    let history = sandbox.run("subidctl history --json").ok().json();
    let entries = history["entries"].as_array().unwrap();
    entries.iter().map(|entry| entry["transaction"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_assignment_is_released_and_an_undo_is_undone() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl undo --yes").ok().says("Nothing to undo");
    sandbox.run("subidctl apply --yes alice").ok();
    let before = sandbox.id_files();
    sandbox.run("subidctl undo -n").ok().says("+!alice:165536:65536");
    sandbox.run("subidctl undo </dev/null").exits(2).says("--yes");
    assert_eq!(sandbox.id_files(), before);
    let done = sandbox.run("subidctl undo --yes --json").ok().json();
    assert_eq!(
        (done["committed"].as_bool(), &done["assignments"][0]["action"]),
        (Some(true), &"release".into())
    );
    assert_eq!(sandbox.id_text(), [BACK, BACK]);
    // The last change that is in force, and that is none.
    sandbox.run("subidctl undo --yes").ok().says("Nothing to undo");
    let ids = transactions(&sandbox);
    let again = format!("sudo subidctl undo {}", ids[1]);
    sandbox.run(&format!("subidctl undo {}", ids[0])).exits(6).says("undone already").says(&again);
    // By the last part of its name.
    sandbox
        .run(&format!("subidctl undo --yes {}", ids[1].rsplit('-').next().unwrap()))
        .ok()
        .says("takes back");
    assert_eq!(sandbox.id_text(), [GIVEN, GIVEN]);
    let ledger: serde_json::Value =
        serde_json::from_str(&sandbox.text("/var/lib/subidctl/ledger.json")).unwrap();
    assert_eq!(ledger["released"].as_array().unwrap().len(), 0, "{ledger}");
}

#[test]
fn what_somebody_changed_since_is_not_touched() {
    needs!("unshare", "nsenter", "usermod");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice && subidctl undo --yes").ok();
    sandbox.run("subidctl apply --yes --reclaim alice").ok();
    let [first, second, third] = <[String; 3]>::try_from(transactions(&sandbox)).unwrap();
    let before = sandbox.id_files();
    let fix = format!("undo that one first: sudo subidctl undo {third}");
    sandbox
        .run(&format!("subidctl undo --yes {second}"))
        .exits(6)
        .says("no line !alice:165536:65536")
        .says(&fix);
    assert_eq!(sandbox.id_files(), before);
    // In the right order it works.
    sandbox.run(&format!("subidctl undo --yes {third}")).ok();
    assert_eq!(sandbox.id_text(), [BACK, BACK]);
    sandbox.run(&format!("subidctl undo --yes {second}")).ok();
    assert_eq!(sandbox.id_text(), [GIVEN, GIVEN]);

    sandbox.run("usermod -V 165536-231071 -W 165536-231071 alice").ok();
    let before = sandbox.id_files();
    sandbox.run(&format!("subidctl undo --yes {first}")).exits(6).says("it was not changed by subidctl");
    assert_eq!(sandbox.id_files(), before);
}

#[test]
fn a_range_does_not_come_back_where_it_meets_another_or_belongs_to_a_stranger() {
    needs!("unshare", "nsenter", "usermod", "userdel", "useradd");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice && subidctl undo --yes").ok();
    let undo = transactions(&sandbox).remove(1);
    // usermod does not look.
    sandbox.run("usermod -v 170000-170009 bob").ok();
    let before = sandbox.id_files();
    let error = sandbox.run(&format!("subidctl undo --yes --json {undo}")).exits(6);
    assert_eq!(error.json()["code"], "range-taken", "{error}");
    error.says("170000");
    assert_eq!(sandbox.id_files(), before);
    sandbox.run("usermod -V 170000-170009 bob").ok();
    // The same name, another account.
    sandbox.run("usermod -u 1077 alice").ok();
    sandbox.run(&format!("subidctl undo --yes {undo}")).exits(6).says("with uid 1001").says("uid 1077 now");
    sandbox.run("usermod -u 1001 alice").ok();
    sandbox.run(&format!("subidctl undo --yes {undo}")).ok();
    assert_eq!(sandbox.id_text(), [GIVEN, GIVEN]);
}

#[test]
fn a_lost_ledger_gives_nobody_what_was_released() {
    needs!("unshare", "nsenter", "usermod");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice && subidctl release --yes alice").ok();
    // A stranger with the name, and nothing says so any more.
    sandbox.run("usermod -u 1077 alice && rm /var/lib/subidctl/ledger.json").ok();
    sandbox
        .run("subidctl undo --yes")
        .exits(6)
        .says("ledger does not say which uid released 165536-231071")
        .says("sudo subidctl apply --reclaim --force alice");
    assert_eq!(sandbox.id_text(), [BACK, BACK]);
}

#[test]
fn a_second_line_for_the_same_ids_is_not_passed_over() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice && echo alice:165536:65536 >>/etc/subuid").ok();
    let before = sandbox.id_files();
    let fix = "sudo subidctl release --range 165536-231071 alice";
    sandbox.run("subidctl undo --yes").exits(6).says("a second line of /etc/subuid").says(fix);
    assert_eq!(sandbox.id_files(), before);
    sandbox.run("subidctl release --yes --range 165536-231071 alice").ok();
    assert_eq!(sandbox.id_text(), [BACK, BACK]);
}

#[test]
fn lines_that_were_taken_away_come_back() {
    needs!("unshare", "nsenter", "usermod");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice && subidctl release --yes alice").ok();
    let forget = "subidctl release --yes --forget 165536:65536";
    sandbox
        .run(&format!("{forget} && subidctl undo --yes"))
        .ok()
        .says("puts back 1 line at the end of /etc/subuid");
    assert_eq!(sandbox.id_text(), [BACK, BACK]);
    // The owner has the IDs again: they are not marked as released beside that.
    sandbox.run(&format!("{forget} && subidctl apply --yes alice")).ok();
    let forgotten = transactions(&sandbox).remove(4);
    sandbox.run(&format!("subidctl undo --yes {forgotten}")).exits(6).says("165536-231071 of alice meets");
    assert_eq!(sandbox.id_text(), [GIVEN, GIVEN]);

    let twice = "bob:100000:65536\nalice:165536:65536\nalice:165536:65536\n";
    let double = "for f in uid gid; do echo alice:165536:65536 >>/etc/sub$f; done";
    sandbox.run(&format!("{double}; subidctl audit --fix --yes")).says("Committed");
    assert_eq!(sandbox.id_text(), [GIVEN, GIVEN]);
    sandbox.run("subidctl undo --yes").ok();
    assert_eq!(sandbox.id_text(), [twice, twice]);
    // Nor does a name get again, by its second line, what its first line does not hold any more.
    sandbox.run("subidctl audit --fix --yes").says("Committed");
    let fixed = transactions(&sandbox).pop().unwrap();
    sandbox.run("subidctl release --yes alice && usermod -u 1077 alice").ok();
    sandbox.run(&format!("subidctl undo --yes {fixed}")).exits(6).says("165536-231071 of alice meets");
    sandbox.run("sed -i /alice/d /etc/subuid /etc/subgid").ok();
    sandbox.run(&format!("subidctl undo --yes {fixed}")).exits(6).says("name and uid");
}

#[test]
fn a_change_is_named_clearly_or_not_at_all() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    let error = sandbox.run("subidctl undo --yes --json 2026").exits(1);
    assert_eq!(error.json()["code"], "unknown-transaction", "{error}");
    error.says("the history is empty");
    sandbox.run("subidctl apply --yes alice && subidctl apply --yes --count 131072 bob").ok();
    let ids = transactions(&sandbox);
    sandbox.run("subidctl undo 20").exits(1).says("2 changes begin so").says(&ids[1]);
    let mut wrong = ids[0].clone();
    wrong.replace_range(22.., "zz");
    sandbox.run(&format!("subidctl undo {wrong}")).exits(1).says(&format!("near to it are {}", ids[0]));
    sandbox.as_user("alice").run("subidctl undo").exits(1).says("only root");
}

#[test]
fn a_host_that_cannot_run_containers_is_told_how_to_go_back() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = alice_and_bob();
    // A world has copies of the helpers, with the mode that they need.
    sandbox.run("cp /usr/bin/newuidmap /tmp/h && mount --bind /tmp/h /usr/bin/newuidmap").ok();
    sandbox.run("chmod 0755 /tmp/h").ok();
    let output = sandbox.run("subidctl apply --verify --yes alice").exits(4).says("is committed");
    let id = transactions(&sandbox).remove(0);
    let fix = format!("sudo subidctl undo {id}");
    output.says(&fix);
    sandbox.run(&format!("{} --yes", fix.trim_start_matches("sudo "))).ok();
    assert_eq!(sandbox.id_text(), [BACK, BACK]);
}

//! Plans that somebody wrote, and released ranges that are asked for: what must not come through.

use super::tests::{BOB, account, after, ask, refusal, run, snapshot};
use super::*;
use crate::policy::parse;
use crate::snapshot::Released;

fn assignment(owner: &str, uid: Option<u32>, range: &str, action: Action) -> Assignment {
    Assignment {
        kind: Kind::Uid,
        user: owner.as_bytes().into(),
        owner: owner.as_bytes().into(),
        uid: uid.map(Uid::new),
        range: Range::parse(range).unwrap(),
        action,
        reason: "".into(),
    }
}

/// What a plan of one assignment is refused for; `None` where it may be applied.
fn forged(snapshot: &Snapshot, a: Assignment) -> Option<String> {
    let policy = parse("/policy", b"").unwrap();
    let assignments = vec![a];
    let files = match compose(snapshot, &assignments, &[]) {
        Ok(files) => files,
        Err(why) => return Some(why),
    };
    let plan = Plan { assignments, files, ..Plan::default() };
    check(snapshot, &policy, &plan, Evidence::Ledger).err().map(|error| error.why)
}

fn released(owner: &str, uid: u32, range: &str) -> [Released; 2] {
    Kind::BOTH.map(|kind| Released {
        kind,
        owner: owner.as_bytes().into(),
        uid: Some(Uid::new(uid)),
        range: Range::parse(range).unwrap(),
    })
}

#[test]
fn a_written_plan_reclaims_only_what_the_ledger_notes_for_name_and_uid() {
    let mut s = snapshot("!alice:300000:10\n", "");
    let reclaim = || assignment("alice", Some(1001), "300000:10", Action::Reclaim);
    assert!(forged(&s, reclaim()).unwrap().contains("ledger"));
    s.released = released("alice", 1002, "300000:10").to_vec();
    assert!(forged(&s, reclaim()).unwrap().contains("ledger"));
    s.released = released("carol", 1001, "300000:10").to_vec();
    assert!(forged(&s, reclaim()).unwrap().contains("ledger"));
    s.released = released("alice", 1001, "300000:10").to_vec();
    assert_eq!(forged(&s, reclaim()), None);
}

#[test]
fn a_written_plan_gives_nothing_to_a_number_that_is_nobody() {
    let s = snapshot(BOB, "");
    for owner in ["4711", "01001", "!alice", "+1001", "-"] {
        assert!(forged(&s, assignment(owner, None, "300000:10", Action::Add)).is_some(), "{owner}");
    }
    assert_eq!(forged(&s, assignment("1001", Some(1001), "300000:10", Action::Add)), None);
    assert_eq!(forged(&s, assignment("containers", None, "300000:10", Action::Add)), None);
}

#[test]
fn a_written_plan_stays_out_of_the_slots_of_login_defs() {
    let mut s = snapshot(BOB, BOB);
    for key in ["SUB_UID_DETERMINISTIC", "SUB_GID_DETERMINISTIC"] {
        s.login_defs.values.insert(key.to_owned(), ("yes".to_owned(), 1));
    }
    let slot = |range| assignment("alice", Some(1001), range, Action::Add);
    assert_eq!(forged(&s, slot("165536:65536")), None);
    assert!(forged(&s, slot("231072:65536")).unwrap().contains("window"));
}

#[test]
fn what_a_written_plan_says_of_people_is_not_believed() {
    let json = br#"{"schema":"subidctl.plan.v1","host":{"machine_id":"","hostname":""},"root":"/","facts":{},
        "files":[],"assignments":[{"kind":"uid","user":"bob","owner":"alice","uid":1001,"start":300000,
        "count":10,"action":"add","reason":"bob's wish"}]}"#;
    let (_, assignments, _) = SavedPlan::parse("p.json", json).unwrap();
    assert_eq!(assignments[0].user, b"alice");
    assert_eq!(&*assignments[0].reason, "the plan says: bob's wish");
}

#[test]
fn a_released_range_that_somebody_uses_now_is_refused_as_taken() {
    let lines = "!alice:300000:65536\n";
    let mut s = snapshot(lines, lines);
    s.released = released("alice", 1001, "300000:65536").to_vec();
    let mut request = ask(&s, &["alice"]);
    request.reclaim = true;
    assert_eq!(after(&run(&s, "", &request)).0, "alice:300000:65536\n");

    s.accounts.add_user(account("zoe", 300_500));
    let plan = run(&s, "", &request);
    assert_eq!((refusal(&plan).1, refusal(&plan).2.contains("zoe")), (6, true));

    let mut s = snapshot(&format!("{lines}bob:310000:10\n"), lines);
    s.released = released("alice", 1001, "300000:65536").to_vec();
    let plan = run(&s, "", &request);
    assert_eq!((refusal(&plan).1, refusal(&plan).2.contains("bob")), (6, true));
}

#[test]
fn first_fit_in_one_file_avoids_the_users_own_ids_of_both_kinds() {
    let mut s = snapshot("bob:200000:65536\n", "dora:200000:65536\n");
    let mut dora = account("dora", 1005);
    dora.gid = crate::range::Gid::new(100_500);
    s.accounts.add_user(dora);
    let plan = run(&s, "", &ask(&s, &["dora"]));
    assert_eq!(after(&plan).0, "bob:200000:65536\ndora:100501:65536\n");
}

#[test]
fn one_range_above_the_ceiling_is_one_warning() {
    let s = snapshot("", "");
    let mut request = ask(&s, &["alice"]);
    request.wants[0].range = Range::parse("4000000000:10");
    let plan = run(&s, "", &request);
    assert_eq!(plan.warnings.iter().filter(|w| w.code == "above-2-31").count(), 1);
}

//! `--replace`: what goes, what stays, and where another is given.

use super::tests::{BOB, after, ask, refusal, run, snapshot};
use super::*;

#[test]
fn a_range_that_is_not_the_rules_is_kept_reported_and_replaced_on_demand() {
    let policy = "strategy = \"windows\"\n[[window]]\nuids = \"1000-1999\"\nstart = 200000\ncount = 65536\n";
    let s = snapshot(BOB, BOB);
    let plan = run(&s, policy, &ask(&s, &["bob"]));
    assert!(!plan.changed() && plan.refusals.is_empty());
    assert!(plan.warnings.iter().any(|w| w.code == "range-differs"));
    let request = Request { replace: true, ..ask(&s, &["bob"]) };
    let (uid, gid) = after(&run(&s, policy, &request));
    assert_eq!(uid, "!bob:100000:65536\nbob:200000:65536\n");
    assert_eq!(uid, gid);
    let s = snapshot(BOB, "");
    let plan = run(&s, policy, &ask(&s, &["bob"]));
    assert_eq!((refusal(&plan).0, refusal(&plan).1), ("range-differs", 4));
}

#[test]
fn replacing_leaves_nothing_but_what_is_right() {
    let s = snapshot(BOB, "bob:100000:65536\nbob:300000:65536\n");
    let mut request = Request { replace: true, ..ask(&s, &["bob"]) };
    request.wants[0].range = Range::parse("300000:65536");
    let (uid, gid) = after(&run(&s, "", &request));
    assert_eq!(uid, "!bob:100000:65536\nbob:300000:65536\n");
    assert_eq!(gid, "!bob:100000:65536\nbob:300000:65536\n");
    // By a rule: the file that is right stays as it is.
    let s = snapshot("bob:300000:65536\n", "bob:100000:65536\n");
    let policy = "strategy = \"windows\"\n[[window]]\nuids = \"1000-1000\"\nstart = 300000\ncount = 65536\n";
    let (uid, gid) = after(&run(&s, policy, &Request { replace: true, ..ask(&s, &["bob"]) }));
    assert_eq!((&uid[..], &gid[..]), ("bob:300000:65536\n", "!bob:100000:65536\nbob:300000:65536\n"));
}

#[test]
fn more_ranges_than_a_map_holds_never_count() {
    let lines =
        |count: u32| (1..=count).fold(String::new(), |all, n| all + &format!("alice:{n}000000:200\n"));
    let snapshot_of = |count| snapshot(&lines(count), &lines(count));
    // As many as there is room for (user_namespaces(7)) are enough, and one more is no range at all.
    let fine = snapshot_of(100);
    assert!(run(&fine, "count = 20000", &ask(&fine, &["alice"])).refusals.is_empty());
    let many = snapshot_of(400);
    let mut request = ask(&many, &["alice"]);
    let plan = run(&many, "count = 65536", &request);
    let (code, exit, text) = refusal(&plan);
    assert_eq!((code, exit), ("map-too-long", 4));
    assert!(text.contains("400 ranges") && text.contains("--replace"), "{text}");
    request.replace = true;
    let after = after(&run(&many, "", &request));
    assert!(after.0.contains("\nalice:") && after.0.lines().filter(|l| l.starts_with("alice:")).count() == 1);
}

#[test]
fn replacing_an_overlap_marks_only_what_nobody_else_holds() {
    let s = snapshot("alice:100000:65536\nbob:120000:65536\n", "");
    let request = Request { replace: true, ..ask(&s, &["bob"]) };
    let (uid, gid) = after(&run(&s, "", &request));
    assert_eq!(uid, "alice:100000:65536\n!bob:165536:20000\nbob:185536:65536\n");
    assert_eq!(gid, "bob:185536:65536\n");
}

#[test]
fn of_the_right_range_a_part_that_is_there_stays() {
    let policy = "strategy = \"windows\"\n[[window]]\nuids = \"1000-1999\"\nstart = 200000\ncount = 65536\n";
    let s = snapshot("bob:210000:1000\n", "bob:210000:1000\n");
    let said = |s: &Snapshot| {
        let plan = run(s, policy, &ask(s, &["bob"]));
        plan.warnings.iter().find(|w| w.code == "range-differs").unwrap().message.clone()
    };
    assert!(said(&s).ends_with("to change it: sudo subidctl apply --replace bob"), "{}", said(&s));
    let (uid, gid) = after(&run(&s, policy, &Request { replace: true, ..ask(&s, &["bob"]) }));
    assert_eq!(uid, "bob:210000:1000\nbob:200000:10000\nbob:211000:54536\n");
    assert_eq!(uid, gid);
    // What reaches beyond it would, released, be in its way.
    let s = snapshot("bob:199000:2000\n", "bob:199000:2000\n");
    assert!(said(&s).contains("reaches beyond") && !said(&s).contains("--replace"), "{}", said(&s));
}

//! What directories declare for themselves, and what they do not.

use super::tests::{BOB, after, ask, refusal, run, snapshot, want};
use super::*;
use crate::snapshot::{Allocator, Released, SiteRange};

fn declared(by: Allocator, range: &str) -> SiteRange {
    SiteRange {
        by,
        kind: None,
        range: Range::parse(range).unwrap(),
        name: "[domain/corp] ldap_idmap_range_min".to_owned(),
        place: "/etc/sssd/sssd.conf line 12".to_owned(),
    }
}

/// A host whose SSSD maps these IDs.
fn host(subids: &str, range: &str) -> Snapshot {
    let mut s = snapshot(subids, subids);
    s.site.declared = vec![declared(Allocator::Sssd, range)];
    s
}

#[test]
fn new_ranges_never_meet_what_a_directory_declares() {
    let s = host("", "100000-200000");
    let plan = run(&s, "", &ask(&s, &["alice"]));
    assert_eq!(after(&plan).0, "alice:200001:65536\n");
    let explicit = Want { range: Range::parse("150000:10"), ..want(&s, "alice") };
    let plan = run(&s, "", &Request { wants: vec![explicit], ..Request::default() });
    let (code, exit, text) = refusal(&plan);
    assert_eq!((code, exit), ("range-taken", 6));
    assert!(text.contains("SSSD") && text.contains("[domain/corp] ldap_idmap_range_min"), "{text}");
    assert!(text.contains("/etc/sssd/sssd.conf line 12"), "{text}");
    let window = "strategy = \"windows\"\n[[window]]\nuids = \"1001-1002\"\nstart = 180000\ncount = 10000\n";
    assert!(refusal(&run(&s, window, &ask(&s, &["alice"]))).2.contains("SSSD"));
}

#[test]
fn only_of_the_kind_and_only_of_accounts() {
    let mut s = host("", "100000-200000");
    s.site.declared[0].kind = Some(Kind::Gid);
    s.site.declared.push(declared(Allocator::Lxd, "200001-300000"));
    let explicit = Want { range: Range::parse("250000:10"), ..want(&s, "alice") };
    let plan = run(&s, "", &Request { wants: vec![explicit], ..Request::default() });
    assert!(plan.refusals.is_empty(), "{:?}", plan.refusals);
    let explicit = Want { range: Range::parse("150000:10"), ..want(&s, "alice") };
    let plan = run(&s, "", &Request { wants: vec![explicit], ..Request::default() });
    assert!(refusal(&plan).2.contains("subordinate gids"), "{:?}", plan.refusals);
}

#[test]
fn who_has_a_range_there_keeps_it_with_a_warning() {
    let s = host(BOB, "200000-2000199999");
    let plan = run(&s, "", &ask(&s, &["bob"]));
    assert!(plan.warnings.is_empty() && !plan.changed(), "{:?}", plan.warnings);
    let s = host("bob:200000:65536\nalice:300000:65536\n", "200000-2000199999");
    let plan = run(&s, "", &ask(&s, &["bob", "alice"]));
    assert!(!plan.changed() && plan.refusals.is_empty(), "{:?}", plan.refusals);
    let warning = &plan.warnings[0];
    assert_eq!((plan.warnings.len(), warning.code), (1, "meets-directory-range"));
    assert!(warning.message.starts_with("200000-265535 of bob meets IDs that SSSD may give"), "{warning:?}");
    assert!(warning.message.contains("line 12") && warning.message.ends_with("and so do 1 more"));
    // What the policy says is a rule, not a default.
    let policy = "directory = [{ name = \"corp\", first = 200000, last = 2000199999 }]\n";
    assert_eq!(refusal(&run(&s, policy, &ask(&s, &["bob"]))).0, "in-declared-range");
}

#[test]
fn who_released_a_range_there_may_take_it_back() {
    let mut s = host("!alice:200000:65536\n", "200000-2000199999");
    let range = Range::parse("200000:65536").unwrap();
    let released = |kind| Released { kind, owner: b"alice".to_vec(), uid: Some(Uid::new(1001)), range };
    s.released = Kind::BOTH.map(released).to_vec();
    let plan = run(&s, "", &Request { reclaim: true, ..ask(&s, &["alice"]) });
    assert_eq!(after(&plan).0, "alice:200000:65536\n", "{:?}", plan.refusals);
    assert!(plan.warnings.iter().any(|w| w.code == "meets-directory-range"));
}

#[test]
fn a_pool_inside_a_directory_has_no_room_and_the_suggestion_lies_outside() {
    let s = host("", "100000-2000199999");
    let plan = run(&s, "", &ask(&s, &["alice"]));
    let (code, exit, text) = refusal(&plan);
    assert_eq!((code, exit), ("no-room", 7));
    assert!(text.contains("by IDs that SSSD may give to accounts"), "{text}");
    assert!(text.contains("min = 2000200000") && text.contains("max = 2147352575"), "{text}");
}

#[test]
fn a_plan_by_somebody_else_is_held_to_it() {
    let s = snapshot("", "");
    let plan = run(&s, "", &ask(&s, &["alice"]));
    let s = host("", "150000-150000");
    let error = check(&s, &Policy::default(), &plan, Evidence::Ledger).unwrap_err();
    assert!(error.code == Code::Stale && error.why.contains("SSSD"), "{error:?}");
}

#[test]
fn who_and_the_warnings_tell_where_it_stands() {
    let mut s = host("", "100000-200000");
    let answer = &who(&s, &Policy::default(), 150_000).unwrap()[0];
    assert_eq!((answer.what, answer.owner.as_slice()), ("declared", &b"SSSD"[..]));
    assert_eq!(answer.place, "[domain/corp] ldap_idmap_range_min, /etc/sssd/sssd.conf line 12");
    s.site.unread = vec!["SSSD's ID ranges are not known: x".to_owned()];
    let plan = run(&s, "", &ask(&s, &["alice"]));
    assert!(plan.warnings.iter().any(|w| w.code == "site-unread" && w.message == s.site.unread[0]));
}

#[test]
fn what_useradd_may_give_is_reserved() {
    for (defs, taken) in [
        ("UID_MAX", "UID_MAX 100000\n"),
        ("SYS_UID_MAX", "SYS_UID_MIN 90000\nSYS_UID_MAX 100000\n"),
        ("GID_MAX", "GID_MAX 100000\n"),
        ("SYS_GID_MAX", "SYS_GID_MAX 100000\n"),
    ] {
        let mut s = snapshot("", "");
        for (line, number) in taken.lines().zip(1..) {
            let (key, value) = line.split_once(' ').unwrap();
            s.login_defs.values.insert(key.to_owned(), (value.to_owned(), number));
        }
        assert_eq!(after(&run(&s, "", &ask(&s, &["alice"]))).0, "alice:100001:65536\n", "{defs}");
    }
}

//! The planner on made-up snapshots, and its invariants on random ones.

use proptest::prelude::*;

use super::*;
use crate::idfile::Document;
use crate::policy::parse;
use crate::range::{Count, Gid, Login};
use crate::snapshot::{Account, Accounts, IdFile, LiveExtent, Released, Source};

pub(super) fn account(name: &str, uid: u32) -> Account {
    Account {
        name: Login::new(name.as_bytes()).unwrap(),
        uid: Uid::new(uid),
        gid: Gid::new(uid),
        home: b"/"[..].into(),
        shell: b"/bin/sh"[..].into(),
        source: Source::File(1),
    }
}

pub(super) fn file(text: &[u8]) -> IdFile {
    let document = Document::new(text.to_vec());
    IdFile { digest: Some(document.digest()), document: Some(document), ..IdFile::default() }
}

pub(super) fn snapshot(subuid: &str, subgid: &str) -> Snapshot {
    let users =
        ["root", "bob", "alice", "carol", "lena"].into_iter().zip([0, 1000, 1001, 1002, 1_200_001_007]);
    Snapshot {
        files: PerKind { uid: file(subuid.as_bytes()), gid: file(subgid.as_bytes()) },
        accounts: Accounts::new(users.map(|(name, uid)| account(name, uid)).collect(), Vec::new()),
        ..Snapshot::default()
    }
}

pub(super) fn want(snapshot: &Snapshot, name: &str) -> Want {
    let owner = Owner::account(snapshot.accounts.by_name(name.as_bytes()).unwrap().clone());
    Want { owner, count: None, range: None }
}

pub(super) fn ask(snapshot: &Snapshot, names: &[&str]) -> Request {
    Request { wants: names.iter().map(|name| want(snapshot, name)).collect(), ..Request::default() }
}

pub(super) fn run(snapshot: &Snapshot, policy: &str, request: &Request) -> Plan {
    plan(snapshot, &parse("/policy", policy.as_bytes()).unwrap(), request).unwrap()
}

pub(super) fn after(plan: &Plan) -> (String, String) {
    let text = |kind| String::from_utf8(plan.files[kind].after.as_bytes().to_vec()).unwrap();
    (text(Kind::Uid), text(Kind::Gid))
}

pub(super) fn refusal(plan: &Plan) -> (&str, u8, String) {
    let refusal = plan.refusals.first().unwrap();
    let error = &refusal.error;
    (refusal.code, error.code.exit(), format!("{} | {} | {}", error.what, error.why, error.fix))
}

pub(super) const BOB: &str = "bob:100000:65536\n";

#[test]
fn the_first_start_free_in_both_files_wins() {
    let s = snapshot("bob:100000:65536\n", "bob:100000:65536\nx:165536:65536\n");
    let plan = run(&s, "", &ask(&s, &["alice"]));
    let (uid, gid) = after(&plan);
    assert!(uid.ends_with("alice:231072:65536\n") && gid.ends_with("alice:231072:65536\n"), "{uid}{gid}");
    assert!(plan.assignments[0].reason.contains("first free in 100000-600100000"));
}

#[test]
fn who_has_enough_gets_nothing() {
    let s = snapshot(BOB, BOB);
    let plan = run(&s, "", &ask(&s, &["bob"]));
    assert!(!plan.changed() && plan.refusals.is_empty());
    assert!(plan.assignments.iter().all(|a| a.action == Action::Keep));
}

#[test]
fn growth_is_one_new_line_and_a_missing_half_mirrors() {
    let s = snapshot(BOB, "");
    let (uid, gid) = after(&run(&s, "", &ask(&s, &["bob"])));
    assert_eq!((uid.as_str(), gid.as_str()), (BOB, BOB));
    let s = snapshot(BOB, BOB);
    let mut request = ask(&s, &["bob"]);
    request.wants[0].count = Count::new(131_072);
    let (uid, _) = after(&run(&s, "", &request));
    assert_eq!(uid, "bob:100000:65536\nbob:165536:65536\n");
    request.wants[0].count = Count::new(65537);
    let (uid, _) = after(&run(&s, "align = 65536\n", &request));
    assert_eq!(uid, "bob:100000:65536\nbob:196608:65536\n");
}

#[test]
fn a_half_that_is_taken_is_said_to_differ() {
    let s = snapshot(BOB, "carol:100000:65536\n");
    let plan = run(&s, "", &ask(&s, &["bob"]));
    assert_eq!(after(&plan).1, "carol:100000:65536\nbob:165536:65536\n");
    assert!(plan.warnings.iter().any(|w| w.code == "files-differ"));
}

#[test]
fn windows_are_arithmetic_and_refuse_by_name() {
    let policy = "strategy = \"windows\"\n[[window]]\nuids = \"1200001000-1200005999\"\nstart = 1300037632\ncount = 65536\n";
    let s = snapshot(BOB, BOB);
    let (uid, gid) = after(&run(&s, policy, &ask(&s, &["lena"])));
    assert!(uid.ends_with("lena:1300496384:65536\n") && gid.ends_with("lena:1300496384:65536\n"));
    let plan = run(&s, policy, &ask(&s, &["bob"]));
    assert_eq!(refusal(&plan).0, "no-rule");
    assert_eq!(refusal(&plan).1, 1);
    let mut more = ask(&s, &["lena"]);
    more.wants[0].count = Count::new(65537);
    assert_eq!(refusal(&run(&s, policy, &more)).1, 2);
    // First-fit and --range stay out of windows.
    let fit = policy.replace("windows", "first-fit").replace("1300037632", "100000");
    let fit = format!("min = 65536\n{fit}").replace("1200001000-1200005999", "5000-5001");
    let s = snapshot("", "");
    assert_eq!(after(&run(&s, &fit, &ask(&s, &["bob"]))).0, "bob:231072:65536\n");
    let mut range = ask(&s, &["bob"]);
    range.wants[0].range = Range::parse("200000:10");
    assert_eq!(refusal(&run(&s, &fit, &range)).1, 6);
}

#[test]
fn faulty_ranges_never_count() {
    let held = [
        ("bob:100000:65536\ncarol:100100:10\n", "overlap"),
        ("bob:100000:65536 \n", "line-trailing-blank"),
        ("bob:500:100\n", "holds-system-id"),
        ("bob:1000:10\n", "own-id-in-range"),
        ("bob:100000:65536\nbob:100000:65536\n", "own-ranges-overlap"),
        ("bob:100000:65536\n1000:100010:5\n", "own-ranges-overlap"),
        ("bob:100000:65536\n!carol:100010:5\n", "over-released"),
        ("bob:100000:65536\n#carol:100010:5\n", "over-released"),
        ("bob:1200001000:65536\n", "holds-account"),
    ];
    for (text, code) in held {
        let s = snapshot(text, text);
        let plan = run(&s, "", &ask(&s, &["bob"]));
        assert_eq!((refusal(&plan).0, refusal(&plan).1), (code, 4), "{text}");
        assert!(!plan.changed());
    }
}

#[test]
fn everything_taken_is_avoided() {
    let mut s = snapshot("# c\n0x186a0junk\nu:0x186a0:1000\n", "!old:110000:1000\n");
    s.namespaces.extents.push(LiveExtent {
        kind: Kind::Gid,
        range: Range::parse("130000:5").unwrap(),
        pid: 7,
    });
    s.released.push(Released {
        kind: Kind::Uid,
        owner: b"x".to_vec(),
        uid: None,
        range: Range::parse("140000:1").unwrap(),
    });
    s.accounts.add_user(account("far", 150_000));
    let policy = "reserve = [{ name = \"r\", first = 160000, last = 169999 }]\n\
        directory = [{ name = \"d\", first = 180000, last = 189999 }]\ncount = 15000\n";
    let (uid, _) = after(&run(&s, policy, &ask(&s, &["bob", "alice"])));
    assert!(uid.ends_with("bob:111000:15000\nalice:190000:15000\n"), "{uid}");
}

#[test]
fn no_room_says_what_fills_the_pool_and_what_would_work() {
    let s = snapshot("bob:100000:65536\n", "");
    let plan = run(&s, "min = 100000\nmax = 180000\n", &ask(&s, &["alice"]));
    let (code, exit, text) = refusal(&plan);
    assert_eq!((code, exit), ("no-room", 7));
    for part in ["65,536 by bob (/etc/subuid line 1)", "/policy lines 1, 2", "14,465 IDs are free", "min = "]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn reclaiming_needs_the_same_name_and_uid() {
    let policy = "strategy = \"windows\"\n[[window]]\nuids = \"1000-1999\"\nstart = 200000\ncount = 65536\n";
    let line = "!bob:200000:65536\n";
    let mut s = snapshot(line, line);
    for (uid, works) in [(Some(Uid::new(1000)), true), (Some(Uid::new(1009)), false), (None, false)] {
        s.released = Kind::BOTH
            .map(|kind| Released {
                kind,
                owner: b"bob".to_vec(),
                uid,
                range: Range::parse("200000:65536").unwrap(),
            })
            .to_vec();
        let plain = run(&s, policy, &ask(&s, &["bob"]));
        assert_eq!(refusal(&plain).1, 6);
        assert_eq!(refusal(&plain).2.contains("apply --reclaim bob"), works);
        let plan = run(&s, policy, &Request { reclaim: true, ..ask(&s, &["bob"]) });
        if works {
            assert_eq!(after(&plan).0, "bob:200000:65536\n");
        } else {
            assert_eq!(refusal(&plan).1, 6);
        }
    }
}

#[test]
fn no_room_counts_what_the_same_plan_gives() {
    let s = snapshot("carol:100000:20\n", "carol:100000:20\n");
    let plan = run(&s, "min = 100000\nmax = 100199\ncount = 100\n", &ask(&s, &["alice", "bob"]));
    let (_, exit, text) = refusal(&plan);
    assert_eq!(exit, 7);
    assert!(text.contains("100 by others in this plan, 20 by carol (/etc/subuid line 1); 80 IDs"), "{text}");
}

#[test]
fn who_is_refused_is_in_nobodys_way() {
    // There is room for alice among the uids and not among the gids; for bob there is in both.
    let s = snapshot("", "carol:100000:32768\n");
    let mut request = ask(&s, &["alice", "bob"]);
    request.wants[1].count = Count::new(32768);
    let plan = run(&s, "min = 100000\nmax = 165535\n", &request);
    assert_eq!((plan.refusals.len(), refusal(&plan).0), (1, "no-room"));
    let (uid, gid) = after(&plan);
    assert_eq!((&uid[..], &gid[..]), ("bob:132768:32768\n", "carol:100000:32768\nbob:132768:32768\n"));
}

#[test]
fn a_count_that_alignment_makes_too_large_is_refused() {
    let s = snapshot("", "");
    let mut request = ask(&s, &["bob"]);
    request.wants[0].count = Count::new(4_294_960_000);
    assert_eq!(refusal(&run(&s, "align = 100000\n", &request)).1, 7);
}

#[test]
fn odd_names_are_written_by_uid() {
    let mut s = snapshot("", "");
    s.accounts.add_user(account("domain user", 5000));
    assert_eq!(after(&run(&s, "", &ask(&s, &["domain user"]))).0, "5000:100000:65536\n");
    assert_eq!(after(&run(&s, "owner = \"uid\"\n", &ask(&s, &["bob"]))).0, "1000:100000:65536\n");
}

fn any_line() -> impl Strategy<Value = String> {
    prop_oneof![
        (
            prop::sample::select(vec!["alice", "bob", "carol", "x", "!old", "1001"]),
            99_000u32..110_000,
            1u32..3000
        )
            .prop_map(|(owner, start, count)| format!("{owner}:{start}:{count}")),
        prop::sample::select(vec![
            "",
            "# note",
            "bob:0x18800:100",
            "bob:0303240:10",
            "x:100500:7 ",
            "a:b:c",
            "u:101000:5:9",
            "+nis",
            "u:-5:9"
        ])
        .prop_map(str::to_owned),
    ]
}

fn any_file() -> impl Strategy<Value = String> {
    (prop::collection::vec(any_line(), 0..12), any::<bool>()).prop_map(|(lines, newline)| {
        let text = lines.join("\n");
        if newline && !text.is_empty() { text + "\n" } else { text }
    })
}

/// Index of a name, count, first ID and length of a range.
type RawWant = (usize, Option<u32>, Option<(u32, u32)>);

fn any_request() -> impl Strategy<Value = Vec<RawWant>> {
    let want = (0usize..4, prop::option::of(1u32..5000), prop::option::of((99_000u32..120_000, 1u32..3000)));
    prop::collection::vec(want, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_overlap_nothing_lost_and_idempotent(
        subuid in any_file(), subgid in any_file(), wants in any_request(), replace in any::<bool>(),
    ) {
        let before = snapshot(&subuid, &subgid);
        let policy = parse("/p", b"min = 100000\nmax = 160000\ncount = 1000\n").unwrap();
        let names = ["alice", "bob", "carol", "lena"];
        let mut request = Request { replace, ..Request::default() };
        for (index, count, range) in wants {
            if request.wants.iter().any(|w| w.owner.label == names[index].as_bytes()) { continue; }
            let range = range.and_then(|(first, n)| Range::between(first, first + n));
            let count = count.and_then(|n| Count::new(n.into()));
            request.wants.push(Want { count, range, ..want(&before, names[index]) });
        }
        let first = plan(&before, &policy, &request).unwrap();
        for kind in Kind::BOTH {
            let old = before.files[kind].document.clone().unwrap();
            let new = &first.files[kind].after;
            // Every line that is not released or reclaimed keeps its bytes and its place.
            let changed: Vec<usize> = first.files[kind].edits.iter().filter(|e| e.old.is_some()).map(|e| e.line).collect();
            let kept: Vec<&[u8]> = old.lines().filter(|l| !changed.contains(&l.number)).map(|l| l.raw).collect();
            let mut rest = new.lines().map(|l| l.raw);
            for line in kept { prop_assert!(rest.any(|raw| raw == line)); }
            // New ranges meet nothing: neither a line, nor each other, nor an account.
            for a in first.assignments.iter().filter(|a| a.kind == kind && a.action == Action::Add) {
                prop_assert_eq!(new.claims().filter(|c| c.range.overlaps(a.range)).count(), 1);
                prop_assert!(a.range.first() > 65535);
            }
            if !new.as_bytes().is_empty() && first.changed() && !first.files[kind].edits.is_empty() {
                prop_assert!(new.ends_in_newline());
            }
        }
        // The second time nothing changes, for everybody who was served.
        if first.refusals.is_empty() {
            let mut again = before.clone();
            for kind in Kind::BOTH {
                again.files[kind] = file(first.files[kind].after.as_bytes());
            }
            let second = plan(&again, &policy, &request).unwrap();
            prop_assert!(!second.changed(), "{:?}", second.assignments);
            prop_assert!(second.refusals.is_empty(), "{:?}", second.refusals);
        }
    }
}

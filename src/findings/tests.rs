use super::*;
use crate::idfile::Oddity;
use crate::idmap::Extent;
use crate::proof::Failure;
use crate::snapshot::{Helper, Kernel, Process};

fn good_helper(name: &str) -> Helper {
    Helper { path: Some(format!("/usr/bin/{name}")), mode: 0o4755, ..Helper::default() }
}

fn good() -> Machine {
    let all = vec![Extent { inside: 0, outside: 0, count: u64::from(u32::MAX) }];
    Machine {
        helpers: PerKind { uid: good_helper("newuidmap"), gid: good_helper("newgidmap") },
        kernel: Kernel { user_namespaces: true, max_user_namespaces: Some(1000), ..Kernel::default() },
        process: Process {
            bounding: u64::MAX,
            maps: PerKind { uid: all.clone(), gid: all },
            ..Process::default()
        },
        install: "sudo apt-get install -y uidmap".to_owned(),
    }
}

fn explain(machine: &Machine, ranges: &[&str], step: Step, words: &str) -> Failure {
    let user = Login::new(b"bob").unwrap();
    let ranges: Vec<Range> = ranges.iter().map(|r| Range::parse(r).unwrap()).collect();
    let (uid, gid) = (Uid::new(1001), Gid::new(1001));
    let facts = Facts { machine, user: &user, uid, gid, ranges: PerKind { uid: &ranges, gid: &ranges } };
    cause(step, words.to_owned(), &facts)
}

const DENIED: &str = "newuidmap: write to uid_map failed: Operation not permitted";
const INVALID: &str = "newuidmap: write to uid_map failed: Invalid argument";
const USUAL: [&str; 1] = ["100000:65536"];

#[test]
fn ids_are_unique_and_texts_are_there() {
    let mut ids: Vec<_> = catalogue().map(|entry| entry.id).collect();
    for entry in catalogue() {
        assert!(
            entry.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
            "{}",
            entry.id
        );
        let texts = [entry.title, entry.explain, entry.consequence, entry.repair];
        assert!(texts.iter().all(|text| !text.is_empty()), "{}", entry.id);
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn a_good_machine_has_no_findings() {
    let machine = good();
    let user = Login::new(b"bob").unwrap();
    let ranges = [Range::parse(USUAL[0]).unwrap()];
    let ranges = PerKind { uid: &ranges[..], gid: &ranges[..] };
    let facts = Facts { machine: &machine, user: &user, uid: Uid::new(1001), gid: Gid::new(1001), ranges };
    let found: Vec<_> = catalogue().flat_map(|entry| entry.find(&facts)).collect();
    assert_eq!(found, []);
    let failure = explain(&machine, &USUAL, Step::UidMap, DENIED);
    assert_eq!(failure.cause, "unexplained");
}

/// One message, and the cause that each broken machine gets.
#[test]
fn the_cause_is_named() {
    type Break = fn(&mut Machine);
    let denied: [(&str, Break); 10] = [
        ("helper-no-privilege", |m| m.helpers.uid.mode = 0o755),
        ("helper-no-privilege", |m| {
            m.helpers.uid.mode = 0o755;
            m.helpers.uid.file_caps = Some((1 << 7, false));
        }),
        ("helper-no-privilege", |m| {
            m.helpers.uid.mode = 0o755;
            m.helpers.uid.file_caps = Some((1 << 6, true));
        }),
        ("helper-both", |m| m.helpers.uid.file_caps = Some((1 << 7, true))),
        ("helper-nosuid-mount", |m| m.helpers.uid.nosuid_mount = Some("/usr".to_owned())),
        ("no-new-privs", |m| m.process.no_new_privs = true),
        ("bounding-set", |m| m.process.bounding &= !(1 << 7)),
        ("bounding-set", |m| m.process.bounding &= !(1 << 21)),
        ("outer-map", |m| m.process.maps.uid[0].count = 65536),
        ("apparmor-userns", |m| m.kernel.apparmor_restrict = Some(1)),
    ];
    for (id, fault) in denied {
        let mut machine = good();
        fault(&mut machine);
        let failure = explain(&machine, &USUAL, Step::UidMap, DENIED);
        assert_eq!(failure.cause, id, "{failure:?}");
        assert!(!failure.evidence.is_empty() && !failure.fix.is_empty(), "{failure:?}");
    }
    let unshare: [(&str, Break); 5] = [
        ("userns-missing", |m| m.kernel.user_namespaces = false),
        ("userns-limit-zero", |m| m.kernel.max_user_namespaces = Some(0)),
        ("namespace-limit-zero", |m| m.kernel.other_limits_zero.push("user.max_net_namespaces".to_owned())),
        ("userns-clone-off", |m| m.kernel.unprivileged_userns_clone = Some(0)),
        ("chroot", |m| m.process.chroot = true),
    ];
    for (id, fault) in unshare {
        let mut machine = good();
        fault(&mut machine);
        let failure = explain(&machine, &USUAL, Step::Unshare, "clone: Operation not permitted");
        assert_eq!(failure.cause, id);
    }
}

#[test]
fn file_capabilities_do_without_sys_admin() {
    let mut machine = good();
    for (kind, bit) in [(crate::range::Kind::Uid, 7), (crate::range::Kind::Gid, 6)] {
        machine.helpers[kind].mode = 0o755;
        machine.helpers[kind].file_caps = Some((1 << bit, true));
    }
    machine.process.bounding &= !(1 << 21);
    assert_eq!(explain(&machine, &USUAL, Step::UidMap, DENIED).cause, "unexplained");
}

#[test]
fn the_other_helpers_fault_is_no_cause() {
    let mut machine = good();
    machine.helpers.gid = Helper::default();
    assert_eq!(explain(&machine, &USUAL, Step::UidMap, DENIED).cause, "unexplained");
    assert_eq!(explain(&machine, &USUAL, Step::GidMap, "newgidmap: gone").cause, "helper-missing");
}

#[test]
fn the_users_own_lines_are_a_cause() {
    let machine = good();
    assert_eq!(explain(&machine, &["1000:65536"], Step::UidMap, INVALID).cause, "own-id-in-range");
    let twice = ["100000:10", "200000:10", "100005:10"];
    assert_eq!(explain(&machine, &twice, Step::UidMap, INVALID).cause, "own-ranges-overlap");
    let many: Vec<String> = (0..340).map(|i| format!("{}:10", 2_000_000_000 + i * 100)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(explain(&machine, &many, Step::GidMap, INVALID).cause, "map-too-long");
    assert_eq!(explain(&machine, &[], Step::Prepare, "no range").cause, "no-range");
}

/// The planner's refusals and warnings, and the causes of failures, use ids that `explain` has a page for.
#[test]
fn every_id_that_is_printed_can_be_explained() {
    let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let planner = std::fs::read_dir(src.join("planner")).unwrap().map(|entry| entry.unwrap().path());
    let files = planner.chain([src.join("findings/cause.rs")]);
    let mut ids: Vec<String> = Oddity::ALL.iter().map(|oddity| oddity.id().to_owned()).collect();
    for path in files.filter(|path| !path.to_string_lossy().ends_with("tests.rs")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        // An id is a whole literal of lower-case words and numbers with hyphens between them.
        let id = |word: &&str| {
            let parts: Vec<&str> = word.split('-').collect();
            let plain = |part: &&str| part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
            parts.len() > 1 && parts.iter().all(|part| !part.is_empty() && plain(part))
        };
        ids.extend(code.split('"').filter(id).map(str::to_owned));
    }
    for known in
        ["range-differs", "above-2-31", "holds-65535", "duplicate-line", "no-answer", "final-newline"]
    {
        assert!(ids.iter().any(|id| id == known), "{known} is not found: {ids:?}");
    }
    let others = ["first-fit", "primary-group", "systemd-homed"];
    let missing: Vec<_> =
        ids.iter().filter(|id| entry(id).is_none() && !others.contains(&id.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(["overlap", "unexplained"].into_iter().all(|id| entry(id).is_some()));
}

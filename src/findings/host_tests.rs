//! Findings about what surrounds the files, where a tree for each says too little.

use super::{Audit, Survey, audit};
use crate::idfile::Document;
use crate::policy::{Policy, parse};
use crate::range::{Gid, Kind, Login, Range, Uid};
use crate::snapshot::{
    Account, Allocator, Host, LoginDefs, Released, SiteOwner, SiteRange, Snapshot, Source, SubidModule,
};

/// A running host with these lines in both files, and accounts `name:uid`.
fn host(lines: &str, users: &[(&str, u32)]) -> Snapshot {
    let mut s =
        Snapshot { host: Host { root: "/".into(), running: true, ..Host::default() }, ..Snapshot::default() };
    for kind in Kind::BOTH {
        file(&mut s, kind, lines);
    }
    for (name, uid) in users {
        s.accounts.add_user(Account {
            name: Login::new(name.as_bytes()).unwrap(),
            uid: Uid::new(*uid),
            gid: Gid::new(*uid),
            home: crate::text::Part::default(),
            shell: crate::text::Part::default(),
            source: Source::File(1),
        });
    }
    s
}

fn file(s: &mut Snapshot, kind: Kind, lines: &str) {
    s.files[kind].document = Some(Document::new(lines.as_bytes().to_vec()));
    s.files[kind].status = Some(crate::snapshot::FileStatus { mode: libc::S_IFREG | 0o644, uid: 0, gid: 0 });
}

fn defs(s: &mut Snapshot, text: &str) {
    let lines = text.lines().zip(1..).filter_map(|(line, n)| Some((line.split_once(' ')?, n)));
    let values = lines.map(|((key, value), n)| (key.to_owned(), (value.to_owned(), n))).collect();
    s.login_defs = LoginDefs { path: "/etc/login.defs".into(), values, vendor: None };
}

fn need(by: Allocator, owner: &str, ids: u64) -> SiteOwner {
    SiteOwner { by, kind: None, owner: owner.into(), ids, place: "/place".into() }
}

fn look(s: &Snapshot) -> Audit {
    audit(&Survey::new(s, &Policy::default()))
}

/// What is found of one id: `file line`, or `file`.
fn places(s: &Snapshot, id: &str) -> Vec<String> {
    let found = look(s).findings.into_iter().filter(|f| f.id == id);
    found
        .map(|f| {
            let file = f.file.unwrap_or_default().replace("/etc/", "");
            f.line.map_or(file.clone(), |line| format!("{file} {line}"))
        })
        .collect()
}

#[test]
fn the_kubelet_takes_one_line_of_whole_blocks() {
    let users = [("kubelet", 901)];
    let faults = |lines: &str| {
        let mut s = host(lines, &users);
        s.site.owners.push(need(Allocator::Kubelet, "kubelet", 131_072));
        let found = look(&s).findings;
        found.into_iter().find(|f| f.id == "kubelet-range").map(|f| (f.message, f.fix))
    };
    assert_eq!(faults("kubelet:131072:131072\n"), None);
    assert_eq!(faults("901:131072:196608\n"), None, "by uid");
    for (lines, word) in [
        ("", "no line"),
        ("kubelet:131072:131072\n901:327680:131072\n", "2 lines"),
        ("kubelet:131073:131072\n", "begin at a multiple"),
        ("kubelet:0:131072\n", "begin at a multiple"),
        ("kubelet:131072:131073\n", "hold a multiple"),
        ("kubelet:131072:65536\n", "has 65,536 IDs and needs 131,072"),
    ] {
        let (message, fix) = faults(lines).unwrap_or_else(|| panic!("{lines}: nothing"));
        assert!(message.contains(word), "{lines}: {message}");
        assert!(fix.lines().last().unwrap().starts_with("sudo subidctl apply --range "), "{fix}");
        assert_eq!(fix.lines().count() - 1, lines.lines().count(), "{lines}: {fix}");
    }
    let mut s = host("kubelet:131072:131072\n", &users);
    s.site.owners.push(need(Allocator::Kubelet, "kubelet", 131_072));
    file(&mut s, Kind::Gid, "kubelet:262144:131072\n");
    assert_eq!(places(&s, "kubelet-range"), ["subgid 1"]);
    // Without the account the kubelet has a default of its own.
    s.accounts = crate::snapshot::Accounts::default();
    assert_eq!(places(&s, "kubelet-range"), [""; 0]);
}

#[test]
fn computed_ranges_go_with_no_others() {
    let wrong = |lines: &str| {
        let mut s = host(lines, &[("alice", 1000), ("bob", 1001)]);
        defs(&mut s, "SUB_UID_DETERMINISTIC yes\nSUB_UID_MAX 1000000\n");
        places(&s, "deterministic-mixed")
    };
    assert_eq!(wrong("alice:100000:65536\nbob:165536:65536\n"), [""; 0]);
    assert_eq!(wrong("bob:100000:65536\n1000:165536:65536\n"), ["subuid 1", "subuid 2"]);
    assert_eq!(wrong("alice:100000:65537\n"), ["subuid 1"]);
    // Of an account that is gone, on the grid and off it; beyond the pool; released.
    assert_eq!(wrong("x:231072:65536\ny:300000:65536\nalice:2000000:5\n!z:400000:9\n"), ["subuid 2"]);
}

#[test]
fn apptainers_lines_are_found_whichever_begins_first() {
    let users = [("app", 1000), ("bob", 1001)];
    for lines in [
        "bob:4294836230:100\n1000:4294836224:65536\n",
        "1000:4294836224:65536\nbob:4294836000:300\n",
        "bob:4294000000:900000\n1000:4294836224:65536\nbob:4294836300:5\n",
    ] {
        let of_lines = |file| (1..=lines.lines().count()).map(move |line| format!("{file} {line}"));
        let expected: Vec<String> = of_lines("subuid").chain(of_lines("subgid")).collect();
        let s = host(lines, &users);
        assert_eq!(places(&s, "apptainer-overlap"), expected, "both lines, once each: {lines}");
        let found = look(&s).findings;
        let mut found = found.iter().filter(|f| f.id == "apptainer-overlap");
        assert!(found.all(|f| f.fix == "sudo subidctl apply --replace +1000"), "{found:?}");
    }
    for lines in [
        "app:4294836230:100\n1000:4294836224:65536\n",
        "bob:4294901760:100\n1000:4294836224:65536\n",
        "bob:100010:100\n1000:100000:65536\n",
        "!bob:4294836230:100\n1000:4294836224:65536\n",
    ] {
        assert_eq!(places(&host(lines, &users), "apptainer-overlap"), [""; 0], "{lines}");
    }
}

#[test]
fn a_disabled_line_of_the_ledger_is_no_news() {
    let mut s = host("!1000:4294836224:65536\n!bob:100000:65536\n", &[]);
    assert_eq!(places(&s, "disabled-elsewhere").len(), 2, "in both files, bob's is subidctl's own form");
    let range = Range::parse("4294836224:65536").unwrap();
    s.released.push(Released { kind: Kind::Uid, owner: b"1000".to_vec(), uid: None, range });
    assert_eq!(places(&s, "disabled-elsewhere"), ["subgid 1"]);
}

#[test]
fn dockerd_makes_its_default_account_itself() {
    let mut s = host("bob:100000:65536\n", &[]);
    s.site.owners.push(need(Allocator::Docker, "dockremap", 1));
    assert_eq!(places(&s, "docker-no-range"), [""; 0]);
    s.site.owners[0].owner = b"eva".to_vec();
    assert_eq!(places(&s, "docker-no-range"), ["subuid", "subgid"]);
    s.site.owners[0].kind = Some(Kind::Gid);
    assert_eq!(places(&s, "docker-no-range"), ["subgid"]);
    let mut s = host("root:100000:65535\n", &[("root", 0)]);
    s.site.owners.push(need(Allocator::Lxd, "root", 65536));
    assert_eq!(places(&s, "lxd-no-range").len(), 2);
    for file in [&mut s.files.uid, &mut s.files.gid] {
        file.document = None;
    }
    assert_eq!(places(&s, "lxd-no-range"), [""; 0], "without the files they need no line");
}

#[test]
fn systemds_range_is_not_for_all_and_for_homed_users_only() {
    let range = Range::between(524_288, 1_879_048_191).unwrap();
    let by = Allocator::SystemdContainers;
    let declared = SiteRange { by, kind: None, range, name: "x".into(), place: "/var/lib/machines/x".into() };
    let mut s = host("1000:100000:65536\nbob:600000:65536\n", &[("eva", 1000), ("bob", 1001)]);
    s.site.declared.push(declared);
    s.site.owners.push(need(Allocator::Homed, "eva", 1));
    assert_eq!(places(&s, "homed-range-outside"), ["subuid 1", "subgid 1"]);
    assert_eq!(places(&s, "meets-systemd-range"), ["subuid 2", "subgid 2"]);
    for kind in Kind::BOTH {
        file(&mut s, kind, "1000:600000:65536\n");
    }
    assert!(places(&s, "homed-range-outside").is_empty() && places(&s, "meets-systemd-range").is_empty());
    file(&mut s, Kind::Uid, "bob:600000:65536\n");
    let reserve = b"reserve = [{ name = \"systemd\", first = 524288, last = 1879048191 }]\n";
    let policy = parse("/p", reserve).unwrap();
    let found = audit(&Survey::new(&s, &policy)).findings;
    assert!(found.iter().all(|f| f.id != "meets-systemd-range"), "a fault by the policy's rule: {found:?}");
}

#[test]
fn a_pool_that_gives_nothing_has_no_faults() {
    let mut s = host("", &[]);
    defs(&mut s, "SUB_UID_MIN 5\nSUB_UID_MAX 4\nSUB_UID_COUNT 0\nSUB_GID_COUNT 0\n");
    let found: Vec<_> = look(&s).findings.into_iter().map(|f| (f.id, f.line, f.fix)).collect();
    let fix = |line: u8, key: &str| format!("sudo sed -i '{line}s/.*/{key} 65536/' /etc/login.defs");
    assert_eq!(
        found,
        [
            ("pool-count-zero", Some(3), fix(3, "SUB_UID_COUNT")),
            ("pool-count-zero", Some(4), fix(4, "SUB_GID_COUNT")),
        ]
    );
}

#[test]
fn a_module_that_loads_leaves_files_without_lines_alone() {
    let mut s = host("", &[]);
    s.nsswitch.subid_module = Some(SubidModule { name: "sss".into(), found: true });
    assert_eq!(look(&s).findings, []);
    s.nsswitch.subid_module = Some(SubidModule { name: "sss".into(), found: false });
    assert_eq!(look(&s).findings[0].id, "subid-module-missing");
}

#[test]
fn what_is_wrong_in_a_tree_is_not_mended_on_the_host() {
    let mut s = host("bob:4294836230:100\n1000:4294836224:65536\nbob:300000:65537\n", &[("bob", 1000)]);
    s.accounts = crate::snapshot::Accounts::default();
    s.host = Host { root: "/srv/a b".into(), running: false, ..Host::default() };
    s.files.uid.status = Some(crate::snapshot::FileStatus { mode: libc::S_IFREG | 0o666, uid: 0, gid: 0 });
    s.unfinished = Some(crate::snapshot::Unfinished { transaction: None, outcome: "x".into() });
    let found = look(&s).findings;
    assert!(found.len() >= 5, "{found:?}");
    for finding in found {
        let elsewhere = finding.fix.contains("'/srv/a b");
        assert!(elsewhere || !finding.fix.contains("sudo"), "{}: {}", finding.id, finding.fix);
    }
}

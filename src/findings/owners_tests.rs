use super::*;
use crate::findings::{Survey, audit};
use crate::idfile::Document;
use crate::policy::Policy;
use crate::range::Gid;
use crate::snapshot::{Accounts, Service, Snapshot, Source};

fn host(lines: &str) -> Snapshot {
    let account = |(name, uid): (&str, u32)| Account {
        name: Login::new(name.as_bytes()).unwrap(),
        uid: Uid::new(uid),
        gid: Gid::new(uid),
        home: b"/"[..].into(),
        shell: b"/bin/sh"[..].into(),
        source: Source::File(1),
    };
    let accounts = [("bob", 1001), ("alicia", 1002), ("carol", 1013)].map(account);
    let mut snapshot =
        Snapshot { accounts: Accounts::new(accounts.to_vec(), Vec::new()), ..Snapshot::default() };
    for kind in Kind::BOTH {
        snapshot.files[kind].document = Some(Document::new(lines.as_bytes().to_vec()));
    }
    let known = |(owner, uid): (&str, u32)| Known {
        hook: false,
        owner: owner.as_bytes().into(),
        uid: Some(Uid::new(uid)),
        local: true,
    };
    snapshot.known = [("alice", 1002), ("carol", 1003), ("bob", 1001), ("eve", 1004)].map(known).to_vec();
    snapshot
}

fn found(snapshot: &Snapshot) -> Vec<(&'static str, Status)> {
    let policy = Policy::default();
    let found = audit(&Survey::new(snapshot, &policy)).findings;
    let mut of_owners: Vec<_> =
        found.iter().filter(|f| f.id.starts_with("owner")).map(|f| (f.id, f.status)).collect();
    of_owners.dedup();
    of_owners
}

#[test]
fn the_reason_is_told_where_the_ledger_knows_it() {
    for (lines, id) in [
        ("bob:100000:65536\n1013:300000:65536\n", None),
        ("alice:100000:65536\n", Some("owner-renamed")),
        ("carol:100000:65536\n", Some("owner-uid-changed")),
        ("1003:100000:65536\n", Some("owner-uid-changed")),
        ("1004:100000:65536\n", Some("owner-gone")),
        ("1099:100000:65536\n", Some("owner-gone")),
        ("eve:100000:65536\n", Some("owner-unknown")),
        ("01001:100000:65536\n", Some("owner-leading-zero")),
        ("containers:100000:65536\n", Some("owner-unknown")),
        ("!eve:100000:65536\n", None),
        ("#eve:100000:65536\n", None),
        ("a/b:100000:65536\n", None),
    ] {
        assert_eq!(found(&host(lines)).first().map(|(id, _)| *id), id, "{lines}");
    }
}

#[test]
fn the_owner_of_podmans_pool_needs_no_account() {
    let mut snapshot = host("containers:100000:65536\npool:200000:65536\n");
    let status = |snapshot: &Snapshot| -> Vec<_> {
        let policy = Policy::default();
        let found = audit(&Survey::new(snapshot, &policy)).findings;
        found.iter().filter(|f| f.id == "owner-unknown").map(|f| f.status).collect()
    };
    assert!(status(&snapshot).contains(&Status::Warning) && status(&snapshot).contains(&Status::Info));
    snapshot.site.owners.push(SiteOwner {
        by: Allocator::Podman,
        kind: None,
        owner: b"pool".to_vec(),
        ids: 1024,
        place: String::new(),
    });
    assert!(status(&snapshot).iter().all(|status| *status == Status::Info), "{:?}", status(&snapshot));
}

#[test]
fn nobody_is_called_unknown_while_a_directory_is_silent() {
    let mut snapshot = host("dora:100000:65536\n1099:300000:65536\n");
    snapshot.accounts.lookups.owners = [b"dora".to_vec(), b"1099".to_vec()].into();
    assert_eq!(found(&snapshot), [("owner-unknown", Status::Skipped)]);
    // In a tree no directory is asked.
    let mut tree = host("dora:100000:65536\n");
    tree.nsswitch.passwd = Service { sources: vec!["files".to_owned(), "sss".to_owned()], line: 3 };
    assert_eq!(found(&tree), [("owner-unknown", Status::Skipped)]);
}

#[test]
fn a_program_that_knows_names_only_is_named() {
    let mut snapshot = host("1001:100000:65536\n");
    assert_eq!(found(&snapshot), []);
    snapshot.name_readers = vec!["/usr/bin/lxc-usernsexec".to_owned()];
    assert_eq!(found(&snapshot), [("owner-number-ignored", Status::Warning)]);
}

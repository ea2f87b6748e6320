//! What the container says is a claim, and what the host sees is judged.

use super::*;

fn seen(worker: Pid) -> Seen {
    let map = idmap::podman(1001, &[crate::range::Range::parse("100000:65536").unwrap()]).unwrap();
    Seen::new(PerKind { uid: map.clone(), gid: map }, PerKind { uid: 1001, gid: 1001 }, worker, None)
}

fn incoming(message: Event) -> Incoming<Event> {
    Incoming { message, fds: Vec::new(), pid: Some(Pid::this().as_raw()) }
}

fn fine(check: Check) -> Tried {
    Tried::Judged { check, status: ProbeStatus::Ok, words: b"fine".to_vec() }
}

/// Everything that a container can say in its own favour.
fn praise(seen: &mut Seen) {
    let text = "0 1001 1\n1 100000 65536\n".to_owned();
    let maps = PerKind { uid: text.clone(), gid: text };
    seen.hear(incoming(Event::Inside { pid: 1, uid: 0, maps, login: None }));
    seen.hear(incoming(Event::Tried(Check::ALL.into_iter().map(fine).collect())));
}

#[test]
fn words_alone_prove_nothing() {
    let mut seen = seen(Pid::this());
    praise(&mut seen);
    assert!(!seen.agrees());
    assert_eq!(seen.probes.iter().filter(|p| p.status == ProbeStatus::Ok).count(), 6);
    // The host's maps are still missing.
    for probe in &mut seen.probes {
        probe.status = ProbeStatus::Ok;
    }
    assert!(!seen.agrees());
    seen.host = seen.expected.clone();
    assert!(seen.agrees());
}

#[test]
fn nobody_stands_in_for_the_container() {
    // Not a child of the worker; then a child, but not pid 1 of a namespace.
    let own = Some(Pid::this().as_raw());
    assert!(look(own, Pid::this()).is_err());
    if std::fs::read_to_string("/proc/self/status").unwrap().contains("NSpid:\t1\n") {
        return;
    }
    assert!(look(own, nix::unistd::getppid()).is_err());
    assert!(look(None, Pid::this()).is_err());
    assert!(look(Some(0), Pid::this()).is_err());
}

#[test]
fn in_a_world_the_host_sees_other_numbers() {
    let mut seen = seen(Pid::this());
    let world = |ids: &[&str]| {
        let ids = ids.iter().map(|r| crate::range::Range::parse(r).unwrap()).collect();
        idmap::packed(&ids, 3_000_000_000).unwrap()
    };
    let maps = world(&["0:1", "1001:1", "100000:65536"]);
    seen.world = Some(PerKind { uid: maps.clone(), gid: maps });
    let host = |first: u32, count: u64| {
        vec![
            Extent { inside: 0, outside: 3_000_000_001, count: 1 },
            Extent { inside: 1, outside: first, count },
        ]
    };
    let both = |map: Vec<Extent>| PerKind { uid: map.clone(), gid: map };
    assert_eq!(seen.as_there(both(host(3_000_000_002, 65536))), Some(seen.expected.clone()));
    // One ID more than the world has, and an ID that is the host's own.
    assert_eq!(seen.as_there(both(host(3_000_000_002, 65537))), None);
    assert_eq!(seen.as_there(both(host(100_000, 65536))), None);
    assert_eq!(seen.id_there(Kind::Uid, 0), None, "real root is no user of the world");
    assert_eq!(seen.id_there(Kind::Uid, 3_000_000_000), Some(0));
}

#[test]
fn a_file_that_belongs_to_somebody_else_fails() {
    let seen = seen(Pid::this());
    let file = OwnedFd::from(std::fs::File::open("/proc/self/exe").unwrap());
    let probe = seen.judge_file(Check::FileOne, Some(&file));
    assert_eq!(probe.status, ProbeStatus::Failed);
    assert!(probe.message.ends_with("not 100000:100000"), "{}", probe.message);
    assert_eq!(seen.judge_file(Check::FileOne, None).status, ProbeStatus::Failed);
}

#[test]
fn what_the_container_says_is_escaped_and_bounded() {
    let mut seen = seen(Pid::this());
    let words = [b"\x1b[31m".as_slice(), &vec![b'x'; 5000]].concat();
    let said = Tried::Judged { check: Check::UidBeyond, status: ProbeStatus::Failed, words };
    seen.hear(incoming(Event::Tried(vec![said])));
    let message = &seen.probes[0].message;
    assert!(message.starts_with(r"\x1b[31m") && message.len() < LONGEST_WORDS + 10);
}

#[test]
fn no_container_has_more_checks_than_there_are() {
    let mut seen = seen(Pid::this());
    let many = Check::ALL.into_iter().chain([Check::Port]).map(fine).collect();
    assert!(seen.hear(incoming(Event::Tried(many))));
    assert!(seen.probes.is_empty());
    assert_eq!(seen.failure, Some((Step::Drop, FOREIGN.as_bytes().to_vec())));
}

//! Everything that changes the files, side by side: every operation that says success has its effect and
//! keeps it, whoever comes after.

use std::fs::{File, FileTimes, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::fcntl::{FcntlArg, fcntl};

use super::judge::{BYSTANDERS, Judge};
use super::user::Op;
use super::worker::{ELSEWHERE, Tally, Way, Worker};
use crate::harness::{Sandbox, needs, seed, size};

pub(super) const WORKERS: u32 = 6;
/// Of each worker in a round.
pub(super) const OPS: u32 = 4;

/// What dead processes leave, in the middle of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stale {
    No,
    /// Locks of a pid that nobody has.
    Dead,
    /// Locks of a pid that another has by now.
    Reused,
}

#[test]
fn nothing_is_lost_whoever_runs_beside_whom() {
    needs!("unshare", "nsenter", "useradd", "usermod", "userdel", "newusers");
    let seed = seed(20_265);
    let plain = Way::default();
    let mut sum = Tally::default();
    let races = [
        ("side by side", plain, Stale::No, size(2, 120)),
        ("with and without --root", Way { rooted: true, ..plain }, Stale::No, size(2, 120)),
        ("in other pid namespaces", Way { nested: true, ..plain }, Stale::No, size(2, 100)),
        ("with locks of dead processes", Way { kills: true, ..plain }, Stale::Dead, size(2, 100)),
        ("with locks of reused pids", plain, Stale::Reused, size(2, 100)),
    ];
    for (name, way, stale, rounds) in races {
        let tally = raced(name, way, stale, rounds, seed);
        let Tally { ops, ok, busy, refused, killed, .. } = tally;
        println!("{name}: rounds={rounds} ops={ops} ok={ok} busy={busy} refused={refused} killed={killed}");
        sum += tally;
    }
    let Tally { ops, ok, busy, refused, killed, .. } = sum;
    assert_eq!(ops, ok + busy + refused + killed);
    // A race in which most give way shows nothing.
    assert!(ok > ops / 2, "{sum:?}");
    println!(
        "seed={seed} ops={ops} ok={ok} busy={busy} refused={refused} killed={killed} lost=0 overlap=0 leftover=0"
    );
}

/// The accounts and files of a race.
pub(super) fn arena(workers: &[Worker], system: Option<&Path>) -> Sandbox {
    let mut builder = Sandbox::new()
        .user("bob", 1001)
        .user("carol", 1002)
        .user("dave", 1003)
        .subids(BYSTANDERS)
        .system(system);
    for (n, user) in (2000..).zip(workers.iter().flat_map(|w| &w.users).filter(|user| user.account)) {
        builder = builder.user(&user.name, n);
    }
    // newusers sets passwords through PAM, which takes long.
    builder.file("/etc/pam.d/newusers", "password required pam_permit.so\n").start()
}

fn raced(name: &str, way: Way, stale: Stale, rounds: u32, seed: u64) -> Tally {
    let mut workers: Vec<Worker> = (0..=WORKERS).map(|n| Worker::new(n, seed)).collect();
    let sandbox = arena(&workers, None);
    if way.rooted {
        sandbox.run(&format!("mkdir {ELSEWHERE} && mount --rbind / {ELSEWHERE}")).ok();
    }
    let judge = Judge::new(&sandbox);
    for round in 0..rounds {
        let place = format!("{name}, seed {seed}, round {round}");
        let (closer, racers) = workers.split_last_mut().unwrap();
        let sandbox = &sandbox;
        std::thread::scope(|scope| {
            for worker in racers {
                scope.spawn(|| sandbox.inside(300, || worker.work(way, OPS)));
            }
            if stale != Stale::No {
                scope.spawn(|| sandbox.inside(300, || die_with_locks(stale)));
            }
        });
        if stale != Stale::No {
            // The next to change something finds what the dead have left, and puts it right.
            let op = match round {
                0 => Op::Apply,
                n if n % 2 == 0 => Op::Reclaim,
                _ => Op::Release,
            };
            sandbox.inside(300, || closer.act(Way::default(), 0, &op));
            sandbox.inside(300, || workers.iter_mut().for_each(Worker::settle));
        }
        judge.complete(&workers, &place);
        judge.disjoint(&place);
        judge.clean(&place);
        judge.audited(false, &place);
    }
    let mut sum = Tally::default();
    for worker in &workers {
        sum += worker.tally;
    }
    sum
}

/// Leaves the locks that a process leaves which dies while it holds them.
fn die_with_locks(stale: Stale) {
    let lock = OpenOptions::new().append(true).create(true).mode(0o600).open("/etc/.pwd.lock").unwrap();
    // Of the open file and not of this process, which other threads of the test belong to.
    let whole = libc::flock {
        l_type: i16::try_from(libc::F_WRLCK).unwrap(),
        l_whence: 0,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&lock, FcntlArg::F_OFD_SETLKW(&whole)).unwrap();
    for path in ["/etc/subuid.lock", "/etc/subgid.lock"].map(Path::new) {
        if path.exists() {
            // One that was killed has left its own.
            continue;
        }
        let pid = if stale == Stale::Dead { 4_194_303 } else { 1 };
        File::create(path).unwrap().write_all(format!("{pid}\0").as_bytes()).unwrap();
        if stale == Stale::Reused {
            // Older than the sandbox's first process.
            let before = SystemTime::now() - Duration::from_secs(3600);
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_times(FileTimes::new().set_modified(before))
                .unwrap();
        }
    }
}

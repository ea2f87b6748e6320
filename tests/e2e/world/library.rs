//! The world as the library makes it, with a plan that nobody has checked. A world is made by a process with
//! one thread, so this program is executed anew in a sandbox to run just [`driver`].

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use subidctl::container::{Spec, Stage, WORKER, World};
use subidctl::host::{self, Helpers, Root};
use subidctl::idfile::Document;
use subidctl::policy::Policy;
use subidctl::range::{Kind, PerKind, Range};

use crate::harness::{Sandbox, needs};

const DRIVE: &str = "SUBIDCTL_DRIVE_WORLD";

/// Where the worker of a container executes this program as `subidctl __container`, the runner takes that
/// for the name of a test: this one.
#[test]
fn __container() {
    if std::env::args().nth(1).as_deref() == Some(WORKER) {
        let _ = subidctl::container::worker_main();
    }
}

#[test]
fn an_unchecked_plan_reaches_nothing_of_host_roots() {
    needs!("unshare", "nsenter", "newuidmap");
    let exe = std::env::current_exe().unwrap();
    let name = exe.file_name().unwrap().to_str().unwrap().to_owned();
    let sandbox = Sandbox::new().user("alice", 1001).tree(exe.parent().unwrap()).start();
    sandbox
        .run("echo secret >/root/secret; chmod 600 /root/secret; chmod 711 /root; chmod 1777 /var/tmp")
        .ok();
    let test = "--exact e2e::world::library::driver --test-threads=1 --nocapture";
    let output = sandbox.run(&format!("{DRIVE}=1 /srv/{name} {test}")).ok().says("driver done");
    let _ = output.never_says("reached");
    assert_eq!(sandbox.text("/root/secret"), "secret\n");
    assert!(!sandbox.names("/root").contains(&"hack".to_owned()));
}

/// Not a test by itself: the other side of the one above.
#[test]
fn driver() {
    if std::env::var_os(DRIVE).is_none() {
        return;
    }
    let root = Root::system().unwrap();
    let mut snapshot = host::snapshot(&root).unwrap();
    let alice = host::find_user(&mut snapshot, b"alice").unwrap();
    let (helpers, _) = host::helpers(&root).unwrap();
    for (line, range) in [("alice:0:65536\n", "0:65536"), ("alice:0:1000\n", "0:1000")] {
        let file = Document::new(line.as_bytes().to_vec());
        let files = PerKind { uid: &file, gid: &file };
        let mut stage = Stage::new(&root, std::slice::from_ref(&alice), files, Vec::new()).unwrap();
        let range = Range::parse(range).unwrap();
        for kind in Kind::BOTH {
            stage.give(kind, range);
        }
        let world = World::make(&snapshot, &Policy::default(), &stage, &helpers).unwrap();
        let spec = Spec {
            user: alice.name.clone(),
            uid: alice.uid,
            gid: alice.gid,
            home: Vec::new(),
            shell: Vec::new(),
            ranges: PerKind { uid: vec![range], gid: vec![range] },
            userns: subidctl::idmap::Userns::Auto,
            command: None,
            timeout: std::time::Duration::from_secs(20),
            command_timeout: None,
            root: None,
            helpers: Helpers::default(),
        };
        let proof = world.prove(&spec, &|| host::machine(&root, None)).unwrap();
        // The kernel maps no ID twice, and 1001 is one of the first 65536. Of the first 1000 one is root's.
        let failure = proof.failure.expect("such a container is no good");
        let words = if range.last() < 1001 { "done to the host: chmod" } else { "uid_map failed" };
        assert!(failure.helper_message.contains(words), "{failure:?}");
        if let Some(seen) = proof.identity {
            assert!(seen.host_uid >= 1 << 31, "{seen:?}");
        }
        assert_eq!(world.run(attack).unwrap(), 0);
    }
    println!("driver done");
}

/// What root of the world gets of host root's. Exit code 0: nothing.
fn attack() -> i32 {
    let mut got = Vec::new();
    let mut check = |what: &str, worked: bool| {
        if worked {
            got.push(what.to_owned());
        }
    };
    check("read", std::fs::read("/root/secret").is_ok());
    check("everybody's folder", std::fs::write("/var/tmp/hack", "mine").is_ok());
    check("shadow", std::fs::read("/etc/shadow").is_ok());
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let own = ["/etc", "/run", "/dev", "/tmp", "/proc"];
    check(
        "a mount",
        mounts.lines().any(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let restricted = words[5].starts_with("ro") && words[5].contains("nosuid");
            !restricted && !own.contains(&words[4])
        }),
    );
    let none = None::<&str>;
    // The mounts are its own; what lies on them is not.
    let _ = mount(none, "/", none, MsFlags::MS_REMOUNT | MsFlags::MS_BIND, none);
    let _ = mount(none, "/root", none, MsFlags::MS_REMOUNT | MsFlags::MS_BIND, none);
    check("write", std::fs::write("/root/secret", "mine").is_ok());
    check("create", std::fs::write("/root/hack", "mine").is_ok());
    check("own", std::os::unix::fs::chown("/root/secret", Some(0), Some(0)).is_ok());
    // Not those of `user`: each user namespace has its own.
    check("sysctl", std::fs::write("/proc/sys/vm/swappiness", "5").is_ok());
    let root = nix::unistd::setuid(nix::unistd::Uid::from_raw(70_000));
    check("foreign uid", root != Err(Errno::EINVAL));
    for what in &got {
        println!("reached {what}");
    }
    i32::from(!got.is_empty())
}

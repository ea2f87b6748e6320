//! What `verify` proves beyond the map, and the maps that it can ask for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::alice_and_bob;
use super::engine::{Podman, squeezed};
use crate::harness::{Sandbox, needs};

/// alice with a range of her own.
fn served() -> Sandbox {
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice").ok();
    sandbox
}

/// Status and message of each probe, by id.
fn probes(proof: &Value) -> BTreeMap<String, (String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = proof["probes"].as_array().unwrap().iter();
    all.map(|probe| (text(&probe["id"]), (text(&probe["status"]), text(&probe["message"])))).collect()
}

/// The probe's status; its message has these words.
#[track_caller]
fn assert_probe(proof: &Value, id: &str, status: &str, words: &str) {
    let (found, message) = &probes(proof)[id];
    assert!(found == status && message.contains(words), "{id}: {found} {message:?}");
}

#[test]
fn every_probe_has_its_line() {
    needs!("unshare", "nsenter", "newuidmap", "su");
    let sandbox = served();
    for session in [sandbox.within(60), sandbox.as_user("alice")] {
        let proof = session.run("subidctl verify --json alice").ok().json();
        assert_eq!((&proof["ok"], &proof["userns"]), (&json!(true), &json!("auto")));
        let shown: Vec<&str> =
            proof["probes"].as_array().unwrap().iter().map(|p| p["id"].as_str().unwrap()).collect();
        let all = "identity login ranges file-0 file-1 file-1000 file-65534 file-last uid-beyond gid-beyond \
                   setgroups powerless nested port-80 publish-80";
        assert_eq!(shown, all.split_whitespace().collect::<Vec<_>>());
        for id in shown.iter().filter(|id| !["login", "publish-80"].contains(id)) {
            assert_probe(&proof, id, "ok", "");
        }
        assert_probe(&proof, "file-1000", "ok", "1000:1000 inside is 166535:166535 on the host");
        assert_probe(&proof, "file-65534", "ok", "65534:65534 inside is 231069:231069 on the host");
        for line in session.run("subidctl verify alice").ok().stdout.lines() {
            assert!(line.len() <= 80, "{line}");
        }
    }
}

#[test]
fn ps_sees_the_same_process_from_both_sides() {
    needs!("unshare", "nsenter", "newuidmap", "su", "ps");
    let sandbox = served();
    for who in ["", "su alice -c "] {
        let verify = "subidctl verify --json alice -- sh -c \"ps -o pid= -o uid= -o args= -p 1; sleep 2\"";
        let verify = if who.is_empty() { verify.to_owned() } else { format!("{who}'{verify}'") };
        let both = format!(
            "{verify} >/tmp/proof.json 2>/tmp/inside & sleep 1.2; ps -e -o pid= -o uid= -o args= >/tmp/outside; \
             wait $!"
        );
        sandbox.run(&both).ok();
        let inside = squeezed(&sandbox.text("/tmp/inside"));
        assert!(inside.starts_with("1 0 subidctl __container"), "{inside}");
        let proof: Value = serde_json::from_str(&sandbox.text("/tmp/proof.json")).unwrap();
        let host = &proof["identity"]["host"];
        let (pid, uid) = (host["pid"].as_u64().unwrap(), host["uid"].as_u64().unwrap());
        assert!(pid > 1 && uid == 1001, "{proof:#}");
        let outside = squeezed(&sandbox.text("/tmp/outside"));
        let line = format!("{pid} {uid} subidctl __container");
        assert!(outside.lines().any(|seen| seen.starts_with(&line)), "no {line:?} in\n{outside}");
        assert_eq!(proof["identity"]["inside"], json!({"pid": 1, "uid": 0}));
    }
}

#[test]
fn the_login_stays_the_same_and_unset_is_said() {
    needs!("unshare", "nsenter", "newuidmap", "su");
    let sandbox = served();
    let login = |uid: &str| format!("echo {uid} >/proc/self/loginuid; ");
    let verify = |before: &str| sandbox.run(&format!("{before}subidctl verify --json alice")).ok().json();
    assert_probe(&verify(&login("4294967295")), "login", "not-applicable", "unset");
    assert_probe(&verify(&login("1001")), "login", "ok", "login uid 1001 (0 inside)");
    // The admin's, who has no ID inside.
    assert_probe(&verify(&login("1000")), "login", "ok", "login uid 1000 (not mapped inside)");
    let seen = sandbox.run(&(login("1001") + "subidctl verify alice -- cat /proc/self/loginuid")).ok();
    assert_eq!(seen.stdout, "0");
}

#[test]
fn each_refusal_is_the_kernels() {
    needs!("unshare", "nsenter", "newuidmap", "strace");
    let sandbox = served();
    let (_, trace) = sandbox.traced("fchmod,setns,pidfd_send_signal", "subidctl verify alice >/dev/null");
    for (call, errno) in [("fchmod(", "EPERM"), ("setns(", "EPERM"), ("pidfd_send_signal(", "E")] {
        let lines = trace.with(call);
        assert!(lines.iter().any(|line| line.contains(errno)), "{call} {lines:?}");
        assert!(lines.iter().all(|line| !line.ends_with("= 0")), "{call} {lines:?}");
    }
    // What is the user's own proves nothing.
    sandbox.run("chown alice /etc/passwd").ok();
    let proof = sandbox.run("subidctl verify --json alice").ok().json();
    assert_probe(&proof, "powerless", "ok", "refused: signal to pid 1, host's mounts");
}

#[test]
fn a_range_that_holds_root_is_power_over_the_host() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = Sandbox::new().user("alice", 1001).subids("alice:0:1000\n").start();
    let before = sandbox.state("/etc/passwd");
    let proof = sandbox.run("subidctl verify --json alice").exits(4).json();
    assert_probe(&proof, "powerless", "failed", "done to the host: chmod of root's file");
    assert_eq!(sandbox.state("/etc/passwd"), before);
}

#[test]
fn groups_can_be_set_or_not_as_the_map_implies() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = served();
    let of = |map: &str| sandbox.run(&format!("subidctl verify --json --userns {map} alice")).ok().json();
    assert_probe(&of("0:1001:1"), "setgroups", "ok", "denied");
    assert_probe(&of("0:1001:1,1:165536:1"), "setgroups", "ok", "works");
}

#[test]
fn port_80_inside_and_outside() {
    needs!("unshare", "nsenter", "newuidmap", "sysctl");
    let sandbox = served();
    // The setting is one of each network namespace.
    let proof = sandbox.run("unshare -n subidctl verify --json alice").ok().json();
    assert_probe(&proof, "port-80", "ok", "in a network of its own");
    let literal = "publish on 80: refused below ip_unprivileged_port_start=1024; \
                   sysctl -w net.ipv4.ip_unprivileged_port_start=80";
    assert_probe(&proof, "publish-80", "note", literal);
    let (_, command) = literal.split_once("; ").unwrap();
    let mended = sandbox.run(&format!("unshare -n sh -c '{command} >&2; subidctl verify --json alice'")).ok();
    assert_probe(&mended.json(), "publish-80", "ok", "ip_unprivileged_port_start=80");
}

#[test]
fn without_network_namespaces_a_container_has_no_port() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = served();
    // A limit of a user namespace around it, so that the machine keeps its own.
    let around = "unshare -U sleep 30 & sleep 0.3; for kind in uid gid; do echo 0 0 400000 >/proc/$!/${kind}_map; done; \
        nsenter -t $! -U -S 0 -G 0 unshare -m sh -c 'echo 0 >/proc/sys/user/max_net_namespaces && \
        subidctl verify --json alice'; code=$?; kill $!; exit $code";
    let proof = sandbox.run(around).ok().json();
    assert_probe(&proof, "port-80", "not-applicable", "user.max_net_namespaces");
    assert_eq!(proof["ok"], true);
}

#[test]
fn several_ranges_are_all_used_and_a_small_one_lacks_nobody() {
    needs!("unshare", "nsenter", "newuidmap");
    let lines = "alice:300000:1000\nalice:200000:60000\n";
    let sandbox = Sandbox::new().user("alice", 1001).subids(lines).start();
    let proof = sandbox.run("subidctl verify --json alice").ok().json();
    assert_probe(&proof, "ranges", "ok", "2 uid ranges and 2 gid ranges");
    assert_probe(&proof, "file-last", "ok", "61000:61000 inside is 300999:300999");
    let (_, message) = &probes(&proof)["file-65534"];
    assert_probe(&proof, "file-65534", "note", "65534 (nobody) is not mapped");
    let (_, command) = message.split_once("; sudo ").unwrap();
    sandbox.run(&format!("{command} --yes")).ok();
    let proof = sandbox.run("subidctl verify --json alice").ok().json();
    assert_probe(&proof, "file-65534", "ok", "");
    assert_probe(&proof, "ranges", "ok", "3 uid ranges and 3 gid ranges");
}

/// A map of a podman container of alice's, as root on the host sees it.
fn podmans(sandbox: &Sandbox, flags: &str, map: &str) -> String {
    let run = format!(
        "su alice -s /bin/sh -c 'XDG_RUNTIME_DIR=/run/user/1001 podman --storage-driver vfs --cgroup-manager cgroupfs \
         --runtime crun run --rm --cgroups=disabled --network none {flags} localhost/busybox /bin/busybox sleep 3217' \
         >/tmp/podman.log 2>&1 & \
         for n in $(seq 300); do pid=$(pgrep -x busybox | tail -1); \
         [ -n \"$pid\" ] && grep -q '^NSpid.*[^0-9]1$' /proc/$pid/status && break; sleep 0.1; done; \
         cat /proc/$pid/{map}; kill -KILL $pid; wait"
    );
    let seen = sandbox.within(120).run(&run);
    assert!(!seen.stdout.is_empty(), "{seen}\n{}", sandbox.text("/tmp/podman.log"));
    squeezed(&seen.stdout)
}

#[test]
fn maps_are_those_that_podman_makes() {
    needs!("unshare", "nsenter", "newuidmap", "su", "podman", "crun", "busybox", "pgrep");
    let lines = "alice:300000:1000\nalice:200000:65536\n";
    let sandbox = Sandbox::new().user("alice", 1001).subids(lines).start();
    let podman = Podman::new(&sandbox, "alice");
    podman.run("import -q /tmp/image.tar localhost/busybox").ok();
    for (ours, podmans_flags) in [
        ("auto", ""),
        ("keep-id", "--userns=keep-id"),
        ("0:200000:500,500:1001:1,501:200501:100", "--uidmap 0:1:500 --uidmap 500:0:1 --uidmap 501:502:100"),
    ] {
        let proof = sandbox.run(&format!("subidctl verify --json --userns {ours} alice")).ok().json();
        for map in ["uid_map", "gid_map"] {
            let text: String = proof[map].as_array().unwrap().iter().fold(String::new(), |all, extent| {
                let words: Vec<String> = extent.as_array().unwrap().iter().map(ToString::to_string).collect();
                all + &words.join(" ") + "\n"
            });
            assert_eq!(podmans(&sandbox, podmans_flags, map), text, "{ours}: {map}");
        }
    }
}

#[test]
fn a_command_is_who_the_map_says() {
    needs!("unshare", "nsenter", "newuidmap", "su");
    let sandbox = served();
    for session in [sandbox.within(60), sandbox.as_user("alice")] {
        for (map, uid) in
            [("auto", "0\n"), ("keep-id", "1001\n"), ("identity", "1001\n"), ("7:165536:9", "7\n")]
        {
            let seen = session.run(&format!("subidctl verify --userns {map} alice -- id -u")).ok();
            assert_eq!(seen.stdout, uid, "{map}");
        }
    }
    // Its gids may be others than its uids.
    let two = "subidctl verify --userns 0:1001:1 --gidmap 0:165536:9 alice -- cat /proc/self/gid_map";
    assert_eq!(squeezed(&sandbox.run(two).ok().stdout), "0 165536 9\n");
}

#[test]
fn ids_that_are_not_the_users_are_refused_by_the_helper() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = served();
    for (flags, step, asked) in [
        ("--userns 0:5000:10", "uid-map", "5000-5009"),
        ("--userns 0:1001:1,1:100000:5", "uid-map", "100000-100004"),
        ("--userns 0:1001:1 --gidmap 0:0:1", "gid-map", "gid 0 of the host"),
    ] {
        let proof = sandbox.run(&format!("subidctl verify --json {flags} alice")).exits(4).json();
        let failure = &proof["failure"];
        assert_eq!((&failure["cause"], &failure["step"]), (&json!("range-not-granted"), &json!(step)));
        assert!(failure["message"].as_str().unwrap().contains(asked), "{failure:#}");
        assert!(failure["evidence"].as_str().unwrap().contains("165536-231071"), "{failure:#}");
        assert!(failure["helper_message"].as_str().unwrap().contains("not allowed"), "{failure:#}");
        sandbox.run(failure["fix"].as_str().unwrap()).ok().says("165536");
    }
    sandbox.run("subidctl explain range-not-granted").ok();
    for bad in [
        "--userns 0:1",
        "--userns 0:1:1,0:2:1",
        "--userns host",
        "--gidmap 0:1001:1",
        "--userns keep-id --gidmap 0:1001:1",
    ] {
        sandbox.run(&format!("subidctl verify {bad} alice")).exits(2);
    }
}

#[test]
fn a_plan_can_be_tried_with_each_map() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl plan --out /root/p.json alice").ok();
    let of = |map: &str| sandbox.run(&format!("subidctl verify --json --plan /root/p.json --userns {map}"));
    for (map, expected) in [
        ("keep-id", json!([[0, 165_536, 1001], [1001, 1001, 1], [1002, 166_537, 64535]])),
        ("identity", json!([[1001, 1001, 1], [165_536, 165_536, 65536]])),
        ("0:165540:7", json!([[0, 165_540, 7]])),
    ] {
        let proof = of(map).ok().json()["proofs"][0].clone();
        assert_eq!((&proof["ok"], &proof["place"]), (&json!(true), &json!("world")), "{proof:#}");
        assert_eq!((&proof["uid_map"], &proof["expected_gid_map"]), (&expected, &expected));
    }
    let refused = of("0:100000:10").exits(4).json()["proofs"][0].clone();
    assert_eq!(refused["failure"]["cause"], "range-not-granted", "{refused:#}");
}

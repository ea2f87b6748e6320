//! Worlds: planned files tried before the change, and nothing on the host touched.

use std::time::{Duration, Instant};

use super::alice_and_bob;
use crate::harness::{Sandbox, masked, needs, seed, size};

/// Everything of a sandbox that a world might leave something in: files with their digests, mounts, processes,
/// and the kernel's settings.
pub(super) fn whole(sandbox: &Sandbox) -> String {
    let files = "find /etc /var /run /tmp /dev/shm -xdev -printf '%p %y %m %U %G %s %T@ %l\\n' | sort; \
                 find /etc /run -xdev -type f -exec sha256sum {} + | sort";
    let rest = "cat /proc/self/mountinfo | wc -l; ps -e -o args= | grep -v -E '^(ps|grep|sh|timeout|sort|env)' | \
                sort; sysctl -a 2>/dev/null | grep -E '^(user|kernel\\.(yama|unpriv|keys))'";
    sandbox.run(files).ok().stdout + &sandbox.run(rest).exits(0).stdout
}

/// Asserts that two such states are the same, and shows only the lines that differ.
#[track_caller]
pub(super) fn assert_same(before: &str, after: &str, what: &str) {
    let only = |a: &str, b: &str, sign: &str| -> String {
        let other: std::collections::HashSet<&str> = b.lines().collect();
        a.lines().filter(|line| !other.contains(line)).map(|line| format!("{sign}{line}\n")).collect()
    };
    assert!(before == after, "{what}\n{}{}", only(before, after, "-"), only(after, before, "+"));
}

#[test]
fn a_proof_before_the_change_and_one_after_it() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = alice_and_bob();
    let done = sandbox.run("subidctl apply --verify --yes --json alice").ok().json();
    assert_eq!(done["committed"], true, "{done:#}");
    let proofs = done["proofs"].as_array().unwrap();
    let places: Vec<_> = proofs.iter().map(|p| p["place"].as_str().unwrap()).collect();
    assert_eq!(places, ["world", "host"]);
    for proof in proofs {
        assert_eq!(proof["schema"], "subidctl.proof.v1");
        assert_eq!(proof["ok"], true, "{proof:#}");
        for map in ["uid_map", "gid_map", "inside_uid_map"] {
            assert_eq!(proof[map], serde_json::json!([[0, 1001, 1], [1, 165_536, 65536]]), "{proof:#}");
        }
    }
    // In the world the user's process was nobody's.
    let [world, host] = [0, 1].map(|n| proofs[n]["identity"]["host"]["uid"].as_u64().unwrap());
    assert!(world >= 1 << 31 && host == 1001, "{world} {host}");
    assert_eq!(proofs[0]["identity"]["world"]["uid"], 1001);
    // Nothing left to do: the host is tried, and no world.
    let again =
        sandbox.run("subidctl apply --verify alice </dev/null").ok().says("No changes").says("on the host");
    let _ = again.never_says("in a world");
}

#[test]
fn it_works_where_the_files_do_not_exist_yet() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = Sandbox::new().user("alice", 1001).without("/etc/subuid").without("/etc/subgid").start();
    sandbox.run("subidctl apply -n --verify alice").ok().says("in a world");
    assert_eq!(sandbox.id_files(), [None, None]);
    sandbox.run("subidctl apply --verify --yes alice").ok();
    assert_eq!(sandbox.id_text(), ["alice:100000:65536\n", "alice:100000:65536\n"]);
}

#[test]
fn a_world_changes_nothing_on_the_host() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl plan --out /root/p.json alice").ok();
    for command in [
        "subidctl apply -n --verify alice",
        "subidctl verify --plan /root/p.json",
        "subidctl setup -n alice",
        "subidctl demo",
    ] {
        let before = whole(&sandbox);
        sandbox.run(command).ok();
        assert_same(&before, &whole(&sandbox), command);
    }
}

#[test]
fn a_failed_proof_stops_the_change() {
    needs!("unshare", "nsenter", "newuidmap");
    for (breakage, word) in [
        ("rm /usr/bin/newuidmap", "helper-missing"),
        ("cp /bin/false /usr/bin/newgidmap && chmod u+s /usr/bin/newgidmap", "gid-map"),
    ] {
        let sandbox = alice_and_bob();
        sandbox.run(breakage).ok();
        let before = sandbox.id_files();
        sandbox.run("subidctl apply --verify --yes alice").exits(4).says("nothing was changed").says(word);
        let failed = sandbox.run("subidctl apply --verify --yes --json alice").exits(4).json();
        assert_eq!((&failed["committed"], &failed["proofs"][0]["ok"]), (&false.into(), &false.into()));
        assert_eq!(sandbox.id_files(), before, "{breakage}");
    }
}

#[test]
fn what_fails_on_the_host_undoes_nothing_and_setup_sees_it_before() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = alice_and_bob();
    sandbox.run("chmod u-s /usr/bin/newuidmap").ok();
    let before = sandbox.id_files();
    sandbox.run("subidctl setup --yes alice").exits(4).says("nothing was changed").says("chmod u+s");
    assert_eq!(sandbox.id_files(), before);
    let output = sandbox
        .run("subidctl apply --verify --yes --json alice")
        .exits(4)
        .says("put the change back: sudo subidctl undo ");
    let done = output.json();
    assert_eq!(done["committed"], true);
    let oks: Vec<_> = done["proofs"].as_array().unwrap().iter().map(|p| p["ok"].as_bool().unwrap()).collect();
    assert_eq!(oks, [true, false], "a world has copies of its own");
    assert!(sandbox.text("/etc/subuid").contains("alice:165536:65536"));
    assert_eq!(done["proofs"][1]["failure"]["cause"], "helper-no-privilege");
}

#[test]
fn setup_asks_once_after_diff_and_proof() {
    needs!("unshare", "nsenter", "newuidmap", "setsid");
    let sandbox = alice_and_bob();
    let mut terminal = sandbox.terminal("subidctl setup alice");
    let shown = terminal.expect("[y/");
    let (diff, proof) = (shown.find("+alice:165536:65536"), shown.find("in a world"));
    assert!(diff.is_some() && diff < proof, "{shown}");
    assert!(!sandbox.text("/etc/subuid").contains("alice"));
    terminal.send("y\n");
    let (code, rest) = terminal.finish();
    assert!(code == 0 && !rest.contains("[y/") && rest.contains("on the host"), "{rest}");
    let plan = sandbox.run("subidctl plan alicf").exits(1);
    let setup = sandbox.run("subidctl setup --yes alicf").exits(1);
    assert_eq!(plan.stderr, setup.stderr, "an unknown user is the same error");
}

#[test]
fn of_many_users_a_sample_is_proven() {
    needs!("unshare", "nsenter", "newuidmap");
    let mut builder = Sandbox::new();
    for uid in 2000..2060 {
        builder = builder.user(&format!("u{uid}"), uid);
    }
    let two = "u2033:70000000:10\n";
    let sandbox = builder.subids(two).start();
    let all = sandbox.within(120).run("subidctl apply -n --verify --all").ok().says("proved 20 of 60");
    for user in ["u2000", "u2033", "u2059"] {
        assert!(all.stdout.contains(&format!("ok     {user} ")), "{user}\n{all}");
    }
    sandbox.run("subidctl apply -n --verify --sample 3 --all").ok().says("proved 3 of 60");
}

#[test]
fn worlds_run_checks_only_and_on_a_running_system_only() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl plan --out /root/p.json alice").ok();
    sandbox.run("subidctl verify --plan /root/p.json").ok().says("in a world");
    sandbox.run("subidctl verify --plan /root/p.json -- true").exits(2);
    sandbox.run("subidctl -R / apply --verify --yes alice").exits(2);
    sandbox.run("subidctl -R / setup alice").exits(2);
    sandbox.run("subidctl --json demo").exits(2);
    for command in ["verify --plan /etc/passwd", "apply -n --verify alice", "demo", "setup -n alice"] {
        let _ = sandbox.as_user("alice").run(&format!("subidctl {command}")).exits(1).says("only root");
    }
    // One that lies beyond what anybody has is told by the policy.
    sandbox.write("/etc/subidctl/policy.toml", "world_block = 3000000000\n");
    let proof = sandbox.run("subidctl apply -n --verify --json alice").ok().json()["proofs"][0].clone();
    assert_eq!(proof["identity"]["host"]["uid"], 3_000_000_001_u64, "{proof:#}");
    let namespace = "unshare -U sleep 60 & sleep 0.3; echo '0 3000000001 5' >/proc/$!/uid_map";
    let taken =
        sandbox.run(&format!("{namespace}; subidctl apply -n --verify alice; code=$?; kill $!; exit $code"));
    let _ = taken.exits(4).says("3000000001-3000000005, which is in use");
    sandbox.write("/etc/subidctl/policy.toml", "world_block = 100000\n");
    sandbox.run("subidctl apply -n --verify alice").exits(4).says("line 1").says("100000-165535");
}

#[test]
fn where_no_namespace_can_be_made_there_is_no_world() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = alice_and_bob();
    let before = sandbox.id_files();
    let nested = "unshare --map-root-user --user --mount --fork sh -c";
    let limit = "echo 0 >/proc/sys/user/max_user_namespaces && subidctl apply --verify --yes --json alice";
    let failed = sandbox.run(&format!("{nested} '{limit}'")).exits(4).json();
    assert_eq!(failed["code"], "world-unavailable", "{failed:#}");
    let why = failed["why"].as_str().unwrap_or_default();
    assert!(why.contains("max_*_namespaces"), "no disk is full: {failed:#}");
    assert_eq!(sandbox.id_files(), before);
}

#[test]
fn where_root_could_not_come_back_from_a_world_there_is_none() {
    needs!("unshare", "nsenter", "setpriv", "newuidmap");
    let sandbox = alice_and_bob();
    let less = "setpriv --bounding-set -sys_admin --inh-caps -sys_admin subidctl";
    for command in ["demo", "apply -n --verify alice"] {
        let _ = sandbox.run(&format!("{less} {command}")).exits(4).says("no world can be made");
    }
}

#[test]
fn a_hostile_plan_is_refused_before_a_world_is_made() {
    needs!("unshare", "nsenter", "newuidmap", "strace");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl plan --out /root/p.json alice").ok();
    let plan = sandbox.text("/root/p.json");
    for (old, new) in [
        ("\"start\": 165536", "\"start\": 0"),
        ("\"start\": 165536", "\"start\": 100000"),
        ("+alice:165536:65536", "+alice:200000:65536"),
        ("alice:165536:65536", "alice:0:65536"),
    ] {
        let forged = plan.replace(old, new);
        assert_ne!(forged, plan);
        sandbox.write("/root/forged.json", forged);
        let (refused, trace) =
            sandbox.traced("clone,clone3,unshare,setns", "subidctl verify --plan /root/forged.json");
        let _ = refused.exits(6).never_says("in a world");
        assert_eq!(trace.with("CLONE_NEWUSER"), Vec::<&str>::new(), "{new}");
    }
    let (_, trace) = sandbox.traced("clone,clone3,unshare,setns", "subidctl verify --plan /root/p.json");
    assert!(!trace.with("CLONE_NEWUSER").is_empty(), "the trace sees nothing");
}

/// Everything that alice's own processes can try, on every process that is not hers: all of it goes to
/// /tmp/tried, what worked to /tmp/got. The world's processes are told by their maps.
const ATTACK: &str = r#"
while [ ! -e /tmp/stop ]; do
    for folder in /proc/[0-9]*; do
        pid=${folder#/proc/}
        read -r map 2>/dev/null <$folder/uid_map || continue
        case $map in *' 0 4294967295') continue ;; esac
        echo "$pid $map" >>/tmp/tried
        for flags in -U -m -n -p; do
            nsenter -t $pid $flags true 2>/dev/null && echo "nsenter $flags $pid $map" >>/tmp/got
        done
        kill -STOP $pid 2>/dev/null && echo "kill $pid $map" >>/tmp/got
        for file in environ mem root/etc/passwd fd/0; do
            head -c 1 $folder/$file >/dev/null 2>&1 && echo "$file $pid $map" >>/tmp/got
        done
        timeout 1 strace -qq -o /dev/null -p $pid 2>/dev/null
        [ $? = 124 ] && echo "strace $pid $map" >>/tmp/got
    done
done
exit 0
"#;

#[test]
fn the_real_user_cannot_join_signal_or_trace_a_world() {
    needs!("unshare", "nsenter", "newuidmap", "su", "strace");
    let sandbox = alice_and_bob();
    sandbox.write("/tmp/attack.sh", ATTACK);
    sandbox.run("subidctl plan --out /root/p.json alice; touch /tmp/tried /tmp/got; chmod 666 /tmp/tried /tmp/got").ok();
    let proofs = "for n in $(seq 40); do subidctl verify --plan /root/p.json >/dev/null 2>&1 || exit 9; done";
    sandbox
        .within(240)
        .run(&format!(
            "su alice -c 'sh /tmp/attack.sh' & {proofs}; code=$?; touch /tmp/stop; wait; exit $code"
        ))
        .ok();
    assert!(sandbox.text("/tmp/tried").lines().count() >= 10, "the attack saw no world");
    assert_eq!(sandbox.text("/tmp/got"), "");
    // The same attack does get alice's own container on the host.
    let own =
        "subidctl apply --yes alice >/dev/null 2>&1; subidctl verify --timeout 3 alice -- sleep 3; true";
    sandbox
        .run(&format!("rm /tmp/stop; su alice -c 'sh /tmp/attack.sh' & {own}; touch /tmp/stop; wait"))
        .ok();
    assert!(sandbox.text("/tmp/got").contains("nsenter -U"), "the attack is none");
}

#[test]
fn a_kill_at_any_moment_leaves_nothing() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = alice_and_bob();
    let before = whole(&sandbox);
    let seed = seed(20_261);
    eprintln!("seed {seed}");
    let mut state: u64 = seed;
    for _ in 0..size(25, 200) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let millis = (state >> 33) % 250;
        let kill = format!("sleep 0.{millis:03}; kill -KILL $! 2>/dev/null; wait $!; true");
        sandbox.run(&format!("subidctl apply -n --verify alice >/dev/null 2>&1 & {kill}")).ok();
    }
    let end = Instant::now() + Duration::from_secs(5);
    while whole(&sandbox) != before && Instant::now() < end {}
    assert_same(&before, &whole(&sandbox), "after the kills");
}

#[test]
fn accounts_may_change_on_the_host_meanwhile() {
    needs!("unshare", "nsenter", "newuidmap", "useradd", "usermod");
    let sandbox = alice_and_bob();
    let host =
        "for n in $(seq 12); do useradd x$n && usermod -v 7000${n}0000-7000${n}0009 x$n || exit 9; done";
    let proofs = "for n in $(seq 12); do subidctl apply -n --verify alice >/dev/null 2>&1 || exit 8; done";
    sandbox.within(200).run(&format!("( {host} ) & {proofs}; wait $!")).ok();
    let text = sandbox.text("/etc/subuid");
    assert!((1..=12).all(|n| text.contains(&format!("x{n}:"))) && !text.contains("alice"), "{text}");
}

#[test]
fn demo_tells_the_story() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = Sandbox::new().without("/etc/subuid").file("/etc/login.defs", "SUB_UID_MIN 5\n").start();
    let demo = sandbox.run("subidctl demo").ok();
    let squeezed: Vec<String> =
        demo.stdout.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for map in ["uid_map:", "gid_map:"] {
        let at = squeezed.iter().position(|line| line.starts_with(map)).unwrap();
        assert_eq!(squeezed[at + 1..at + 3], ["0 1000 1", "1 100000 65536"], "{demo}");
    }
    for line in ["+tscherf:100000:65536", "host files unchanged", "inside : pid 1  uid 0 (root)"] {
        assert!(demo.count(line) >= 1, "{line}\n{demo}");
    }
    assert!(demo.stdout.lines().count() <= 60 && demo.stdout.contains("cannot be given to dora"), "{demo}");
    // The same everywhere, but for the host's own digests.
    let story = |text: &str| masked(text.split("host files").next().unwrap());
    assert_eq!(story(&alice_and_bob().run("subidctl demo").ok().stdout), story(&demo.stdout));
    sandbox
        .run("rm /usr/bin/newuidmap; subidctl demo")
        .exits(4)
        .says("apt-get install -y --reinstall uidmap");
}

mod library;

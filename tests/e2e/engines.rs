//! `verify --engine`: what installed engines make of the files.

use serde_json::{Value, json};

use super::engine::Podman;
use crate::harness::{Sandbox, needs, tree};

/// alice with one range.
fn alice() -> Sandbox {
    Sandbox::new().user("alice", 1001).user("bob", 1002).subids("alice:165536:65536\n").start()
}

/// What an engine that is asked by root says, and with which exit code.
fn asked(sandbox: &Sandbox, engine: &str, code: i32) -> Value {
    let document = sandbox.run(&format!("subidctl verify --json --engine {engine} alice")).exits(code).json();
    assert_eq!((&document["schema"], &document["ok"]), (&json!("subidctl.proof.v1"), &json!(code == 0)));
    assert_eq!(document["engine"]["name"], engine);
    document
}

/// The probes as `id status`.
fn probes(document: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let probes = document["probes"].as_array().unwrap().iter();
    probes.map(|probe| text(&probe["id"]) + " " + &text(&probe["status"])).collect()
}

/// What a test does as alice; what root is told to type as her, without sudo.
fn mend(sandbox: &Sandbox, fix: &str) {
    let command = fix.strip_prefix("sudo -iu alice ").unwrap_or_else(|| panic!("not a command: {fix}"));
    sandbox.as_user("alice").run(command).ok();
}

#[test]
fn podman_that_keeps_its_namespace_is_told_to_make_a_new_one() {
    needs!("unshare", "nsenter", "su", "newuidmap", "podman", "crun", "busybox");
    stale_podman(&alice());
}

#[test]
fn so_is_podman_5() {
    needs!("unshare", "nsenter", "busybox");
    let new = tree!("new");
    let sandbox = Sandbox::new()
        .system(Some(&new))
        .user("alice", 1001)
        .user("bob", 1002)
        .subids("alice:165536:65536\n")
        .file("/etc/containers/storage.conf", "[storage]\ndriver = \"vfs\"\n")
        .start();
    sandbox.run("podman --version").ok().says("podman version 5.");
    stale_podman(&sandbox);
}

fn stale_podman(sandbox: &Sandbox) {
    let map = json!([[0, 1001, 1], [1, 165_536, 65536]]);
    let first = asked(sandbox, "podman", 0);
    assert_eq!((&first["uid_map"], &first["gid_map"], &first["failure"]), (&map, &map, &Value::Null));
    assert_eq!(probes(&first), ["podman-unshare ok", "podman-run not-applicable"], "{first:#}");
    assert!(first["engine"]["version"].as_str().unwrap().starts_with(|c: char| c.is_ascii_digit()));

    sandbox.run("subidctl apply --yes --count 131072 alice").ok();
    let stale = asked(sandbox, "podman", 4);
    assert_eq!((&stale["uid_map"], &stale["failure"]["cause"]), (&map, &json!("engine-stale-namespace")));
    assert!(stale["failure"]["evidence"].as_str().unwrap().contains("/run/user/1001/libpod/tmp/pause.pid"));
    sandbox.as_user("alice").run("subidctl verify --engine podman").exits(4).says("podman system migrate\n");

    mend(sandbox, stale["failure"]["fix"].as_str().unwrap());
    let new = asked(sandbox, "podman", 0);
    assert_eq!(new["uid_map"].as_array().unwrap().len(), 3, "{new:#}");
    sandbox.as_user("alice").run("subidctl verify --engine podman").ok();
}

#[test]
fn apptainer_takes_one_range_and_is_asked_with_fakeroot() {
    needs!("unshare", "nsenter");
    let new = tree!("new");
    let sandbox = Sandbox::new().system(Some(&new)).user("alice", 1001);
    let sandbox = sandbox.subids("alice:165536:40000\nalice:300000:40000\n").start();
    let short = asked(&sandbox, "apptainer", 4);
    assert_eq!(short["failure"]["cause"], "engine-range-too-short", "{short:#}");
    // The printed fix.
    sandbox.run("subidctl apply --yes --count 145536 alice").ok();
    assert_eq!(short["failure"]["fix"], "sudo subidctl apply --count 145536 alice");
    // The kernel lets no user take /usr without what is mounted below it: the program under test.
    sandbox
        .run("cd /usr/local/bin; cp subidctl /root; umount subidctl; install /root/subidctl subidctl")
        .ok();
    let proof = asked(&sandbox, "apptainer", 0);
    let map = json!([[0, 1001, 1], [1, 100_000, 65536]]);
    assert_eq!((&proof["uid_map"], &proof["gid_map"]), (&map, &map), "{proof:#}");
    assert_eq!(probes(&proof), ["apptainer-exec ok"]);
    sandbox.as_user("alice").run("subidctl verify --engine apptainer").ok();
}

/// The namespace is rootlesskit's, as dockerd-rootless.sh makes it; no daemon can run here, so that another program
/// answers for Docker's.
#[test]
fn a_daemon_that_keeps_its_namespace_is_told_to_begin_anew() {
    needs!("unshare", "nsenter", "cc");
    let new = tree!("new");
    let docker = r#"
        #include <stdio.h>
        #include <string.h>
        int main(int argc, char **argv) {
            if (!strcmp(argv[1], "--version")) return puts("Docker version 28.2.2, build 1") < 0;
            if (argc < 4 || strcmp(argv[2], "unix:///run/user/1001/docker.sock") || strcmp(argv[3], "info")) return 1;
            return puts("[\"name=seccomp,profile=builtin\",\"name=rootless\"]") < 0;
        }"#;
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (folder.path().join("docker.c"), folder.path().join("docker"));
    std::fs::write(&source, docker).unwrap();
    let compiled =
        std::process::Command::new("cc").arg("-static").args(["-o"]).args([&program, &source]).status();
    assert!(compiled.unwrap().success());
    let docker = std::fs::read(&program).unwrap();
    let sandbox =
        Sandbox::new().system(Some(&new)).user("alice", 1001).subids("alice:165536:65536\n").start();
    sandbox.write("/usr/local/bin/docker", docker);
    sandbox.run("chmod 755 /usr/local/bin/docker; mkdir -p /run/user/1001; chown alice: /run/user/1001").ok();
    let stopped = asked(&sandbox, "docker", 4);
    assert_eq!(stopped["failure"]["cause"], "engine-not-running", "{stopped:#}");
    assert_eq!(stopped["failure"]["fix"], "sudo systemctl --user -M alice@ start docker");
    let start = "export XDG_RUNTIME_DIR=/run/user/1001; \
                 rootlesskit --state-dir=/run/user/1001/dockerd-rootless sleep 1000 >/tmp/rk 2>&1 & \
                 until grep -q 165536 /proc/$(cat /run/user/1001/dockerd-rootless/child_pid)/uid_map; do sleep 0.1; done";
    sandbox.as_user("alice").run(start).ok();
    let map = json!([[0, 1001, 1], [1, 165_536, 65536]]);
    let proof = asked(&sandbox, "docker", 0);
    assert_eq!((&proof["uid_map"], &proof["gid_map"]), (&map, &map), "{proof:#}");
    assert_eq!(probes(&proof), ["docker-daemon ok", "docker-info ok"]);
    sandbox.run("subidctl apply --yes --count 131072 alice").ok();
    let stale = asked(&sandbox, "docker", 4);
    assert_eq!(stale["failure"]["cause"], "engine-stale-namespace", "{stale:#}");
    assert_eq!(stale["failure"]["fix"], "sudo systemctl --user -M alice@ restart docker");
}

#[test]
fn a_container_of_a_local_image_is_looked_at() {
    needs!("unshare", "nsenter", "su", "newuidmap", "podman", "crun", "busybox");
    let sandbox = alice();
    let podman = Podman::new(&sandbox, "alice");
    // The newest is asked first: one without any program says nothing.
    podman.run("import -q /tmp/image.tar localhost/busybox").ok();
    sandbox.run("mkdir /tmp/empty; tar -C /tmp/empty -cf /tmp/empty.tar .; chmod 644 /tmp/empty.tar").ok();
    podman.run("import -q /tmp/empty.tar localhost/empty").ok();
    let seen = asked(&sandbox, "podman", 0);
    assert_eq!(probes(&seen), ["podman-unshare ok", "podman-run ok"], "{seen:#}");
    assert_eq!(podman.run("ps --all --quiet").ok().stdout, "", "a container was left");

    podman.run("rmi localhost/busybox").ok();
    assert_eq!(probes(&asked(&sandbox, "podman", 0))[1], "podman-run not-applicable");
}

#[test]
fn a_single_id_that_podman_kept_from_before_is_stale_too() {
    needs!("unshare", "nsenter", "su", "newuidmap", "podman", "crun");
    let sandbox = Sandbox::new().user("alice", 1001).start();
    // Asked where the files give nothing, an engine would begin to keep a namespace of one ID.
    let none = asked(&sandbox, "podman", 4);
    assert!(none["failure"]["fix"].as_str().unwrap().contains("subidctl apply alice"), "{none:#}");
    sandbox.run("test ! -e /run/user/1001/libpod").ok();
    sandbox.as_user("alice").run("podman unshare true").ok();
    sandbox.run("subidctl apply --yes alice").ok();
    let stale = asked(&sandbox, "podman", 4);
    assert_eq!(stale["uid_map"], json!([[0, 1001, 1]]));
    assert_eq!(stale["failure"]["cause"], "engine-stale-namespace");
    mend(&sandbox, stale["failure"]["fix"].as_str().unwrap());
    asked(&sandbox, "podman", 0);
}

#[test]
fn a_fall_back_to_one_id_has_the_cause_of_the_helper() {
    needs!("unshare", "nsenter", "su", "newuidmap", "podman", "buildah", "crun");
    let sandbox = alice();
    asked(&sandbox, "buildah", 0);
    sandbox.run("chmod u-s /usr/bin/newuidmap").ok();
    // buildah exits 0 here: its map alone says that it fell back.
    sandbox.as_user("alice").run("buildah unshare true").ok();
    for (engine, map) in [("buildah", json!([[0, 1001, 1]])), ("podman", json!([]))] {
        let failed = asked(&sandbox, engine, 4);
        assert_eq!((&failed["uid_map"], &failed["failure"]["cause"]), (&map, &json!("helper-no-privilege")));
        assert_eq!(failed["failure"]["fix"], "sudo chmod u+s /usr/bin/newuidmap");
        let said = failed["failure"]["helper_message"].as_str().unwrap();
        assert!(said.contains("newuidmap") && !said.contains('\n'), "{said}");
    }
    sandbox.run("chmod u+s /usr/bin/newuidmap").ok();
    asked(&sandbox, "podman", 0);
}

#[test]
fn an_engine_with_settings_of_its_own_is_seen() {
    needs!("unshare", "nsenter", "su", "newuidmap", "buildah");
    let sandbox = alice();
    // A newuidmap that this engine alone finds: it fails, and ours works.
    sandbox.write("/usr/local/bin/newuidmap", "#!/bin/sh\nexit 1\n");
    sandbox.run("chmod 755 /usr/local/bin/newuidmap").ok();
    let single = asked(&sandbox, "buildah", 4);
    assert_eq!(single["failure"]["cause"], "engine-single-id", "{single:#}");
}

#[test]
fn an_engine_that_is_not_there_never_passes() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = alice();
    let missing = asked(&sandbox, "nerdctl", 4);
    assert_eq!(
        (&missing["failure"]["cause"], &missing["engine"]["program"]),
        (&json!("engine-missing"), &Value::Null)
    );
    sandbox.run("subidctl verify --engine nerdctl alice").exits(4).says("nerdctl is not installed");
    // One that others may write is as good as none, and is not executed.
    sandbox.write("/usr/local/bin/nerdctl", "#!/bin/sh\ntouch /tmp/executed\n");
    sandbox.run("chmod 777 /usr/local/bin/nerdctl").ok();
    let untrusted = asked(&sandbox, "nerdctl", 4);
    assert!(untrusted["failure"]["evidence"].as_str().unwrap().contains("others than root can write"));
    sandbox.run("test ! -e /tmp/executed").ok();
}

#[test]
fn an_engine_is_asked_with_nothing_of_roots() {
    needs!("unshare", "nsenter", "newuidmap", "cc");
    let sandbox = alice();
    let engine = "#!/bin/sh\n(id; env; ls -l /proc/$$/fd; tty; cat /proc/$$/status) >/tmp/seen 2>&1\n";
    sandbox.write("/tmp/engine.sh", engine);
    // A script is not what engines are, and cannot be executed by a descriptor that closes: a program is.
    let program = "int main(void) { return execl(\"/bin/sh\", \"sh\", \"/tmp/engine.sh\", (char *)0); }\n";
    sandbox.write("/tmp/engine.c", format!("#include <unistd.h>\n{program}"));
    sandbox.run("cc -o /usr/local/bin/nerdctl /tmp/engine.c").ok();
    asked_with_secret(&sandbox);
    let seen = sandbox.text("/tmp/seen");
    assert!(seen.starts_with("uid=1001(alice) gid=1001(alice) groups=1001(alice)\n"), "{seen}");
    for line in [
        "HOME=/home/alice\n",
        "XDG_RUNTIME_DIR=/run/user/1001\n",
        "not a tty\n",
        "CapEff:\t0000000000000000\n",
    ] {
        assert!(seen.contains(line), "{line}\n{seen}");
    }
    assert!(!seen.contains("SECRET") && !seen.contains("memfd") && !seen.contains("socket:"), "{seen}");
}

fn asked_with_secret(sandbox: &Sandbox) {
    sandbox.run("SECRET=1 subidctl verify --engine nerdctl alice").exits(4);
}

#[test]
fn an_engine_that_hangs_is_ended() {
    needs!("unshare", "nsenter", "newuidmap", "cc");
    let sandbox = alice();
    let program = "int main(void) { for (;;) if (write(2, \"\\033[31mxxxx\", 9) < 0) pause(); }\n";
    sandbox.write("/tmp/engine.c", format!("#include <unistd.h>\n{program}"));
    sandbox
        .run("cc -o /usr/local/bin/buildah /tmp/engine.c && mv /usr/local/bin/buildah /usr/bin/buildah")
        .ok();
    let output = sandbox.within(20).run("subidctl verify --timeout 1 --engine buildah alice").exits(4);
    assert!(output.stdout.contains("no answer in time") && !output.stdout.contains('\x1b'), "{output}");
    assert!(output.stdout.len() < 10_000, "{} bytes", output.stdout.len());
    sandbox.run("ps -e -o args= | grep -c '[b]uildah'").exits(1);
}

#[test]
fn an_engine_is_asked_for_oneself_or_by_root_and_alone() {
    needs!("unshare", "nsenter", "su", "newuidmap");
    let sandbox = alice();
    sandbox.run("subidctl verify --engine podman").exits(2);
    sandbox.as_user("bob").run("subidctl verify --engine podman alice").exits(1);
    for words in ["--engine podman alice -- true", "--engine podman --plan /p", "--engine lxc alice"] {
        sandbox.run(&format!("subidctl verify {words}")).exits(2);
    }
}

//! `check` on a real Debian: nothing to say of a fresh one, and of a broken one the cause.

mod breakages;
mod comparison;

use serde_json::Value;

use crate::harness::{FILE_CALLS, Output, Sandbox, Trace, needs};

/// A fresh host as tests/situations.sh makes it, with `alice`; what a situation's script may use is in `prelude`.
fn fresh() -> Sandbox {
    let sandbox = Sandbox::new().tree(&super::causes::tools()).start();
    prelude(&sandbox, "fresh_host");
    sandbox
}

/// Runs a script after the functions of tests/situations.sh, as root.
#[track_caller]
fn prelude(sandbox: &Sandbox, script: &str) {
    sandbox.run(&format!("{}{script}", include_str!("../situations.sh"))).ok();
}

/// A command in alice's session, as the situation has made it.
fn entered(sandbox: &Sandbox, command: &str) -> Output {
    sandbox.write("/tmp/command", command);
    sandbox.within(180).run("/tmp/enter sh /tmp/command")
}

/// podman's first steps: an image with a file of nobody's, and a container of it.
const PODMAN_RUN: &str = "podman import -q /tmp/image.tar localhost/fresh && \
    podman run --rm --cgroups=disabled $(cat /tmp/network) localhost/fresh cat /proc/self/uid_map";

fn check(sandbox: &Sandbox) -> Output {
    entered(sandbox, "subidctl check --for podman --json")
}

/// The ids of a document's findings of these severities, once each.
fn ids(document: &Value, statuses: &[&str]) -> std::collections::BTreeSet<String> {
    let findings = document["findings"].as_array().unwrap().iter();
    let of = findings.filter(|finding| statuses.iter().any(|status| finding["status"] == *status));
    of.map(|finding| finding["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_fresh_host_has_no_fault_and_podman_runs() {
    needs!("unshare", "nsenter", "useradd", "podman", "crun", "newuidmap", "busybox", "slirp4netns");
    let sandbox = fresh();
    let document = check(&sandbox).ok().json();
    let findings = document["findings"].as_array().unwrap().iter();
    let faults = findings.filter(|f| ["warning", "error", "critical"].iter().any(|s| f["status"] == *s));
    // What a mount namespace cannot have: a session of systemd's, and control groups.
    let faults = faults.filter(|f| !["session", "cgroup"].iter().any(|group| f["group"] == *group));
    let faults: Vec<_> = faults.collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let run = entered(&sandbox, PODMAN_RUN).ok();
    assert_eq!(
        super::engine::squeezed(&run.stdout).lines().skip(1).collect::<Vec<_>>(),
        ["0 1001 1", "1 100000 65536"]
    );
}

#[test]
fn quiet_is_for_a_units_first_line() {
    needs!("unshare", "nsenter", "useradd", "newuidmap", "slirp4netns");
    let sandbox = fresh();
    // As in ExecStartPre=.
    let quiet = |exit| entered(&sandbox, "subidctl check --for podman --quiet").exits(exit);
    assert_eq!((quiet(0).stdout, quiet(0).stderr), (String::new(), String::new()));
    sandbox.run("chmod u-s /usr/bin/newuidmap").ok();
    assert_eq!(quiet(4).stdout, "");
}

#[test]
fn root_asks_for_a_user_and_sees_no_session_of_the_users() {
    needs!("unshare", "nsenter", "useradd", "newuidmap", "slirp4netns");
    let sandbox = fresh();
    sandbox.run("subidctl check").exits(2).says("name the user");
    // What is wrong with root's own session is not alice's.
    let document = sandbox.run("setpriv --regid=100 --clear-groups subidctl check --json alice").ok().json();
    let findings = document["findings"].as_array().unwrap();
    let group = findings.iter().find(|f| f["id"] == "primary-group").unwrap();
    assert_eq!((&group["status"], &group["message"]), (&"skipped".into(), &"not this session".into()));
    let foreign = "XDG_RUNTIME_DIR=/run/user/0 USER=bob PATH=/home/alice:$PATH subidctl check --json alice";
    sandbox.run("install -m 0755 /usr/bin/newuidmap /home/alice/").ok();
    let document = sandbox.run(foreign).ok().json();
    for id in ["runtime-dir-foreign", "user-variable", "helper-shadowed"] {
        let finding = document["findings"].as_array().unwrap().iter().find(|f| f["id"] == id).unwrap();
        assert_eq!(
            (&finding["status"], &finding["message"]),
            (&"skipped".into(), &"not this session".into())
        );
    }
    // What is written of alice is, and systemd does not run here.
    sandbox.write("/etc/security/limits.conf", "alice hard nproc 50\n");
    let document = sandbox.run("subidctl check --json alice").ok().json();
    let findings = document["findings"].as_array().unwrap();
    let limits = findings.iter().find(|f| f["id"] == "limits-low").unwrap();
    assert_eq!(limits["status"], "warning", "{limits:#}");
    let session: Vec<_> = findings.iter().filter(|f| f["group"] == "session").collect();
    assert!(!session.is_empty() && session.iter().all(|f| f["status"] == "not-applicable"), "{session:#?}");
    // What is wrong with the host is.
    sandbox.run("chmod u-s /usr/bin/newgidmap").ok();
    let document = sandbox.run("subidctl check --json alice").exits(4).json();
    assert!(ids(&document, &["error"]).contains("helper-no-privilege"), "{document:#}");
}

/// A root folder for a container with the host's libraries, busybox, two accounts, and no uidmap.
const CONTAINER: &str = r#"
root=/home/alice/root
mkdir -p $root/usr/bin $root/usr/lib $root/usr/lib64 $root/usr/local/bin $root/etc $root/proc $root/sys $root/dev $root/tmp
for folder in bin lib lib64; do ln -s usr/$folder $root/$folder; done
cp -L "$(command -v busybox)" $root/usr/bin/
printf 'root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n' >$root/etc/passwd
printf 'root:x:0:\nalice:x:1000:\n' >$root/etc/group
cp /etc/nsswitch.conf $root/etc/
touch $root/usr/local/bin/subidctl
chown -R alice: $root
# What is 1000 inside.
install -d -m 0700 -o 100999 -g 100999 $root/home/alice
"#;

#[test]
fn in_an_unprivileged_container_three_errors_say_all() {
    needs!("unshare", "nsenter", "useradd", "podman", "crun", "newuidmap", "busybox");
    let sandbox = fresh();
    sandbox.run(&format!("set -e\n{CONTAINER}")).ok();
    let run = "podman run --rm --cgroups=disabled --network none -v /usr/lib:/usr/lib:ro -v /usr/lib64:/usr/lib64:ro \
        -v /usr/local/bin/subidctl:/usr/local/bin/subidctl:ro";
    for (user, named) in [("1000", ""), ("0", "alice")] {
        let command = format!("{run} --user {user} --rootfs /home/alice/root subidctl check --json {named}");
        let document = entered(&sandbox, &command).exits(4).json();
        let errors = ids(&document, &["error", "critical"]);
        assert!(errors.contains("helper-missing"), "{document:#}");
        let counts = &document["summary"];
        let count = counts["error"].as_u64().unwrap() + counts["critical"].as_u64().unwrap();
        assert!(count <= 3, "{count} errors: {errors:?} {document:#}");
    }
}

#[test]
fn it_starts_nothing_and_writes_nothing() {
    needs!("unshare", "nsenter", "useradd", "newuidmap", "strace", "slirp4netns", "cc");
    let sandbox = fresh();
    let traced = || {
        let calls = format!("execve,execveat,fork,vfork,clone,clone3,{FILE_CALLS}");
        let (output, trace) = sandbox.traced(&calls, "/tmp/enter subidctl check --for podman --json");
        assert!([0, 4].contains(&output.code), "{output}");
        let begun = |call: &&str| call.starts_with("execve(\"/usr/local/bin/subidctl\"");
        let calls = trace.with("");
        let own = calls.into_iter().skip_while(|call| !begun(call)).skip(1);
        let (starts, files): (Vec<_>, Vec<_>) = own
            .partition(|call| ["exec", "fork", "vfork", "clone"].iter().any(|name| call.starts_with(name)));
        assert!(!files.is_empty(), "nothing was traced");
        let writes = Trace::parse(&files.join("\n"));
        assert!(writes.writes().is_empty(), "{:#?}", writes.writes());
        let asks = files.iter().any(|call| call.contains("getsubids\""));
        (starts.into_iter().map(str::to_owned).collect::<Vec<String>>(), asks)
    };
    assert_eq!(traced(), (Vec::new(), false));
    // Where a module has the subordinate IDs, shadow's own program asks it.
    prelude(&sandbox, "directory_of_nobody");
    let (starts, asks) = traced();
    let programs: Vec<&String> = starts.iter().filter(|call| call.starts_with("exec")).collect();
    // By the descriptor that was checked; once for each kind.
    let by_descriptor =
        |call: &&&String| call.starts_with("execve(\"/proc/self/fd/") && call.contains("\"alice\"]");
    assert!(asks && programs.len() == 2 && programs.iter().all(|call| by_descriptor(&call)), "{programs:#?}");
}

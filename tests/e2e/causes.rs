//! Why a container cannot start, by name: every situation of `tests/causes.tsv` is really made, recognised by
//! `verify`, and mended by the command that it prints.

use std::os::unix::fs::PermissionsExt;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use subidctl::findings;

use crate::harness::{Output, Sandbox, find_tree, needs, tree};

/// One line of the table.
#[derive(Debug)]
struct Row {
    situation: &'static str,
    /// `old`: this host; `mid` and `new`: trees of later releases.
    systems: Vec<&'static str>,
    /// Who runs `verify`: `root` or `alice`; `self` where the situation's session is alice's own, and no USER is named.
    callers: Vec<&'static str>,
    /// Makes the situation, as root.
    script: &'static str,
    step: &'static str,
    /// `-` where verify works all the same.
    finding: &'static str,
    /// The helper's or the kernel's own words.
    words: &'static str,
    /// Why its fix is not run.
    why_not: Option<&'static str>,
}

fn rows() -> impl Iterator<Item = Row> {
    let lines = include_str!("../causes.tsv").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [situation, systems, callers, script, step, finding, words, why_not @ ..] = &fields[..] else {
            panic!("a line needs 7 fields: {line}");
        };
        Row {
            situation,
            systems: systems.split(' ').collect(),
            callers: callers.split(' ').collect(),
            script,
            step,
            finding,
            words,
            why_not: why_not.first().copied(),
        }
    })
}

/// What every script begins with. `enter` says through which command whoever verifies gets into the session
/// that the situation is about.
const PRELUDE: &str = "\
install -m 0755 /srv/session /usr/local/bin/session
install -m 4755 /srv/session /usr/local/bin/sudo
[ -e /usr/sbin/setcap ] || install -m 0755 /srv/setcap /usr/sbin/setcap
enter() { printf '#!/bin/sh\\nexec %s \"$@\"\\n' \"$*\" >/tmp/enter; chmod 0755 /tmp/enter; }
file_caps() { # as Fedora and Arch have them
    chmod u-s /usr/bin/newuidmap /usr/bin/newgidmap
    setcap cap_setuid=ep /usr/bin/newuidmap
    setcap cap_setgid=ep /usr/bin/newgidmap
}
limit() { # KIND NUMBER: in a user namespace of its own, where a limit can be set
    printf '#!/bin/sh\necho %s >/proc/sys/user/max_%s_namespaces; exec \"$@\"\n' $2 $1 >/tmp/limit
    chmod 0755 /tmp/limit
    enter session map 0,0,4294967295 -- /tmp/limit
}
repository() { # with the package uidmap alone, as it is installed here
    mkdir -p /srv/repo/p/DEBIAN /srv/repo/p/usr/bin; cd /srv/repo
    cp -a /usr/bin/newuidmap /usr/bin/newgidmap p/usr/bin
    dpkg-query -s uidmap | sed '/^Status/d; /^Conffiles/,$d' >p/DEBIAN/control
    dpkg-deb --root-owner-group --build p uidmap.deb >/dev/null
    { sed '/^Description/,$d' p/DEBIAN/control
      echo \"Filename: ./uidmap.deb\"; echo \"Size: $(stat -c %s uidmap.deb)\"
      echo \"SHA256: $(sha256sum uidmap.deb | cut -d' ' -f1)\"; echo \"Description: uidmap\"; } >Packages
    rm -rf /etc/apt/sources.list.d; echo 'deb [trusted=yes] file:/srv/repo ./' >/etc/apt/sources.list
    apt-get update -qq; cd /
}
as_alice='setpriv --reuid 1001 --regid 1001 --init-groups'
enter env
";

/// What the sandboxes see at `/srv`: the program that makes sessions, and the host's setcap for trees without.
pub(super) fn tools() -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("causes");
        std::fs::create_dir_all(&folder).unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/causes/session.c");
        let mut compile = Command::new("cc");
        compile.args(["-static", "-O1", "-Wall", "-Wextra", "-Werror", "-o"]);
        assert!(compile.arg(folder.join("session")).arg(source).status().unwrap().success());
        std::fs::copy("/usr/sbin/setcap", folder.join("setcap")).unwrap();
        std::fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        folder
    };
    MADE.get_or_init(make).clone()
}

impl Row {
    /// Makes the situation on a system, and has every caller recognise it. The last one mends it.
    fn check(&self, system: &str) {
        let tree = (system != "old").then(|| find_tree(system).unwrap());
        let sandbox = Sandbox::new()
            .system(tree.as_deref())
            .tree(&tools())
            .user("alice", 1001)
            .subids("alice:100000:65536\n")
            .start();
        sandbox.run("subidctl verify alice").ok();
        sandbox.run(&format!("set -eu\n{PRELUDE}{}", self.script)).ok();
        let fixes: Vec<_> = self.callers.iter().filter_map(|caller| self.named(&sandbox, caller)).collect();
        if let (Some(fix), None) = (fixes.last(), self.why_not) {
            let caller = self.callers.last().unwrap();
            let mended = mend(&sandbox, caller, fix);
            assert_eq!(mended["ok"], true, "after {fix}: {mended:#}");
        }
    }

    /// Asserts that the caller is told this cause; the fix. `None` where verify works.
    fn named(&self, sandbox: &Sandbox, caller: &str) -> Option<String> {
        let output = verify(sandbox, caller);
        if self.finding == "-" {
            let _ = output.ok();
            return None;
        }
        let failure = output.exits(4).json()["failure"].clone();
        let text = |field: &str| failure[field].as_str().unwrap_or_default().to_owned();
        assert_eq!((text("cause"), text("step")), (self.finding.into(), self.step.into()), "{failure:#}");
        assert!(text("helper_message").contains(self.words), "no {:?} in {failure:#}", self.words);
        assert!(!text("evidence").is_empty() && !text("message").is_empty(), "{failure:#}");
        assert!(findings::entry(self.finding).is_some(), "explain does not know {}", self.finding);
        let fix = text("fix");
        assert!(!fix.is_empty() && !fix.contains('\n'), "not one fix: {failure:#}");
        Some(fix)
    }
}

/// `verify` in the situation's session.
fn verify(sandbox: &Sandbox, caller: &str) -> Output {
    sandbox.run(&entered(caller, verify_by(caller)))
}

fn verify_by(caller: &str) -> &'static str {
    if caller == "self" { "subidctl verify --json" } else { "subidctl verify --json alice" }
}

/// A command of the caller's in the situation's session.
fn entered(caller: &str, command: &str) -> String {
    match caller {
        "alice" => format!("/tmp/enter su alice -c '{command}'"),
        _ => format!("/tmp/enter {command}"),
    }
}

/// Runs the printed command where `verify` ran, and `verify` after it: in the shell that the command opens, if
/// it opens one.
fn mend(sandbox: &Sandbox, caller: &str, fix: &str) -> Value {
    // Asked for a yes there is nobody to answer.
    let fix =
        fix.replace("subidctl apply ", "subidctl apply --yes ").replace("audit --fix", "audit --fix --yes");
    sandbox.write("/tmp/fix", format!("set -eu\n{fix}\n[ -s /tmp/after ] || sh /tmp/next\n"));
    sandbox.write("/tmp/next", format!("{} >/tmp/after\n", verify_by(caller)));
    sandbox.run("install -m 0666 /dev/null /tmp/after").ok();
    let mended = sandbox.run(&format!("{} </tmp/next", entered(caller, "sh /tmp/fix")));
    serde_json::from_str(&sandbox.text("/tmp/after")).unwrap_or_else(|_| panic!("{fix}: {mended}"))
}

/// Every situation that the table has for a system.
fn every_situation(system: &str) {
    // One row by the beginning of its name, to look at it alone.
    let only = std::env::var("SUBIDCTL_SITUATION").unwrap_or_default();
    let rows: Vec<Row> =
        rows().filter(|row| row.systems.contains(&system) && row.situation.starts_with(&only)).collect();
    let wrong: Vec<&str> = rows
        .iter()
        .filter(|row| catch_unwind(|| row.check(system)).is_err())
        .map(|row| row.situation)
        .collect();
    assert!(
        (!rows.is_empty() || !only.is_empty()) && wrong.is_empty(),
        "of {} situations: {wrong:#?}",
        rows.len()
    );
}

#[test]
fn every_situation_is_named_and_mended() {
    needs!(
        "unshare",
        "nsenter",
        "su",
        "newuidmap",
        "cc",
        "setpriv",
        "setcap",
        "prlimit",
        "dpkg-deb",
        "apt-get"
    );
    every_situation("old");
}

#[test]
fn every_situation_is_named_and_mended_with_shadow_4_17() {
    needs!("unshare", "nsenter", "cc", "setcap");
    let _tree = tree!("mid");
    every_situation("mid");
}

#[test]
fn every_situation_is_named_and_mended_with_shadow_4_20() {
    needs!("unshare", "nsenter", "cc", "setcap");
    let _tree = tree!("new");
    every_situation("new");
}

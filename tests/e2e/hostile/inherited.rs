//! What sudo, cron and nohup pass on: an environment, limits, and what signals do.

use super::{BOTH, served};
use crate::e2e::alice_and_bob;
use crate::harness::{Output, Sandbox, needs};

/// Says who loads it.
const LOADED: &str = r#"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void loaded(int argc, char **argv)
{
    int fd = open("/tmp/loaded", O_WRONLY | O_APPEND);
    dprintf(fd, "%d %s %s\n", (int)geteuid(), argv[0], argc > 1 ? argv[1] : "");
    close(fd);
}
"#;

/// Programs of alice's under the names of those that are looked for, and variables that lead to them.
fn poisoned(sandbox: &Sandbox) -> String {
    let fakes = "mkdir -p /home/alice/bin /home/alice/.config/subidctl; cd /home/alice/bin; \
        for name in newuidmap newgidmap getsubids podman sh getent subidctl; do \
        printf '#!/bin/dash\\necho %s >>/tmp/used\\n' $name >$name; done; chmod 755 *; \
        echo 'count = 7' | tee /home/alice/policy.toml >/home/alice/.config/subidctl/policy.toml; \
        touch /tmp/used /tmp/loaded; chmod 666 /tmp/used /tmp/loaded";
    sandbox.run(fakes).ok();
    sandbox.install("/tmp/loaded.so", LOADED, &["-shared", "-fPIC"]);
    // A terminal's title, and colours.
    let escape = "$(printf '\\033]0;mine\\007\\033[31m')";
    let home = "/home/alice";
    format!(
        "export PATH={home}/bin:$PATH HOME={home} TMPDIR={home} XDG_CONFIG_HOME={home}/.config XDG_RUNTIME_DIR={home} \
         LD_PRELOAD=/tmp/loaded.so LD_LIBRARY_PATH={home}/bin TERM=\"{escape}\" LANG=\"{escape}\" LC_ALL=xx SHELL=/bin/false \
         USER=\"{escape}\" LOGNAME=bob SUDO_USER=\"{escape}\" SUDO_UID=0 SUDO_GID=x SUDO_COMMAND=\"{escape}\" PAM_USER=bob \
         COLUMNS=1 LINES=-1 TZ={home}/zone RUST_BACKTRACE=full RUST_LOG=trace SUBIDCTL_POLICY={home}/policy.toml \
         CONTAINERS_CONF={home}/c.conf BASH_ENV={home}/x ENV={home}/x IFS=/ NO_COLOR=; /usr/local/bin/subidctl"
    )
}

/// What differs from run to run.
fn shape(output: &Output) -> String {
    let text = format!("{}\n{}{}", output.code, output.stdout, output.stderr);
    let lines = text.lines().filter(|line| !line.contains("Committed as") && !line.contains("host   : pid"));
    lines.fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn nothing_from_the_environment_decides() {
    needs!("unshare", "nsenter", "newuidmap", "cc", "bash", "dash");
    let clean = alice_and_bob();
    let other = alice_and_bob();
    let poison = poisoned(&other);
    for command in [
        "policy",
        "list",
        "plan --all",
        "check alice",
        "apply --yes alice",
        "verify alice",
        "apply -n --verify bob",
        "audit",
        "who 165536",
        "release --yes bob",
        "list --map",
    ] {
        let [expected, seen] = [(&clean, "subidctl"), (&other, &poison)]
            .map(|(sandbox, program)| sandbox.run(&format!("{program} {command}")));
        assert_eq!(shape(&expected), shape(&seen), "{command}");
    }
    assert_eq!(clean.id_text(), other.id_text());
    // Who it was is the login's uid; SUDO_USER is a claim, and no terminal obeys it.
    let history = other.run(&format!("{poison} history --json")).ok();
    let _ = history.clone().says("]0;mine").never_says("\x1b").never_says("\x07");
    assert_eq!(other.text("/tmp/used"), "", "a program from PATH was used");
    let loaded = other.text("/tmp/loaded");
    assert!(loaded.contains("0 /usr/local/bin/subidctl apply\n"), "{loaded}");
    let odd: Vec<&str> =
        loaded.lines().filter(|l| !l.starts_with("0 /usr/local/bin/subidctl ") || l.contains("__")).collect();
    assert!(odd.is_empty(), "passed on to {odd:?}");
}

#[test]
fn an_environment_of_two_megabytes_is_nothing_to_a_container() {
    needs!("unshare", "nsenter", "newuidmap", "cc", "bash");
    let sandbox = served();
    let huge =
        "long=$(head -c 120000 /dev/zero | tr '\\0' x); for n in $(seq 15); do export HUGE$n=$long; done";
    let run = |command: &str| sandbox.run(&format!("{huge}; exec subidctl {command}")).ok();
    let own = run("verify alice -- hostile self");
    assert!(!own.stdout.contains("HUGE") && own.stdout.lines().count() == 10, "{own}");
    run("apply -n --verify bob").says("a world");
    run("apply --yes --count 131072 alice").says("Committed");
}

/// Runs a command with a limit that bash's `ulimit` sets; with `drop`, without the right to raise it, as root is
/// without it in some containers. All that it says is in stdout, through a pipe: a file would meet the limit too.
fn limited(sandbox: &Sandbox, limit: &str, drop: bool, command: &str) -> Output {
    let bash = if drop { "capsh --drop=cap_sys_resource --shell=/bin/bash --" } else { "bash" };
    let script = format!("ulimit {limit}; exec subidctl {command}");
    sandbox.run(&format!("bash -c '{bash} -c \"{script}\" 2>&1 | cat; exit ${{PIPESTATUS[0]}}'"))
}

const LIMITS: [&str; 7] = ["f 0", "n 4", "n 8", "n 13", "n 18", "v 40000", "t 1"];

#[test]
fn limits_that_root_may_raise_decide_nothing() {
    needs!("unshare", "nsenter", "newuidmap", "bash");
    for limit in LIMITS {
        let sandbox = alice_and_bob();
        let run = |command: &str| limited(&sandbox, &format!("-S{limit}"), false, command).ok();
        run("apply --verify --yes alice").says("A rootless container of alice (uid 1001) works.");
        assert_eq!(sandbox.id_text(), [BOTH, BOTH], "{limit}");
        run("verify alice -- true");
        run("plan --out /root/plan.json bob").never_says("File too large");
    }
}

#[test]
fn limits_that_cannot_be_raised_are_an_error_and_change_nothing() {
    needs!("unshare", "nsenter", "newuidmap", "bash", "capsh");
    // Without the right to raise them, as root has it in some containers.
    for limit in [&LIMITS[..], &["u 1"]].concat() {
        let sandbox = alice_and_bob();
        for command in
            ["apply --yes alice", "apply --verify --yes alice", "verify alice", "plan --out /root/p alice"]
        {
            let before = sandbox.id_text();
            let ended = limited(&sandbox, &format!("-{limit}"), true, command);
            let clear = ["  why: ", "evidence"].iter().any(|word| ended.stdout.contains(word));
            let good = ended.code == 0 || [1, 4].contains(&ended.code) && clear;
            assert!(good, "{limit}\n{ended}");
            let both = sandbox.id_text();
            assert!(both == before || ended.code == 0 && both == [BOTH, BOTH], "{limit}: {both:?}\n{ended}");
        }
        let names = sandbox.names("/etc");
        let odd = |name: &&String| name.starts_with(".subidctl") || name.ends_with("id.lock");
        assert_eq!(names.iter().find(odd), None, "{limit}");
    }
}

#[test]
fn signals_that_the_caller_ignores_or_blocks_decide_nothing() {
    needs!("unshare", "nsenter", "newuidmap", "perl");
    let sandbox = alice_and_bob();
    let perl = "perl -MPOSIX -e '$SIG{$_} = q(IGNORE) for grep { !/KILL|STOP|NUM/ } keys %SIG; \
        sigprocmask(SIG_BLOCK, POSIX::SigSet->new(1 .. 31)); exec @ARGV' subidctl";
    sandbox.run(&format!("{perl} apply --verify --yes alice")).ok();
    assert_eq!(sandbox.id_text(), [BOTH, BOTH]);
    sandbox.run(&format!("{perl} verify alice -- sh -c 'exit 7'")).exits(7);
    // CMD has none of it.
    let own = format!("{perl} verify alice -- sh -c 'grep -E \"^Sig(Blk|Ign)\" /proc/self/status'");
    let seen = sandbox.run(&own).ok();
    assert_eq!(seen.stdout, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

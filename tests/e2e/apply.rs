//! `apply`: asks, commits what was shown, and does nothing twice.

use super::{alice_and_bob, assert_disjoint};
use crate::harness::{FILE_CALLS, Sandbox, assert_shown, needs};

const BOTH: &str = "bob:100000:65536\nalice:165536:65536\n";

#[test]
fn apply_without_a_terminal_needs_yes_and_a_second_apply_takes_no_lock() {
    needs!("unshare", "nsenter", "strace");
    let sandbox = alice_and_bob();
    let before = (sandbox.id_files(), sandbox.names("/etc"));
    let refused = sandbox.run("subidctl apply alice </dev/null").exits(2).says("--yes");
    assert_eq!(refused.count("+alice:165536:65536"), 2, "{refused}");
    assert_eq!(before, (sandbox.id_files(), sandbox.names("/etc")));

    sandbox.run("subidctl apply --yes alice </dev/null").ok();
    assert_eq!(sandbox.id_text(), [BOTH, BOTH]);

    let before = (sandbox.id_files(), sandbox.names("/etc"), sandbox.names("/var/lib/subidctl/history"));
    let (again, trace) = sandbox.traced(FILE_CALLS, "subidctl apply --yes alice");
    again.ok().says("No changes");
    assert!(!trace.with("subuid").is_empty(), "the trace saw nothing");
    assert_eq!(trace.with(".pwd.lock"), Vec::<&str>::new());
    assert_eq!(trace.writes(), Vec::<&str>::new());
    // Nothing to do needs neither --yes nor a terminal.
    sandbox.run("subidctl apply alice </dev/null").ok().says("No changes");
    assert_eq!(
        before,
        (sandbox.id_files(), sandbox.names("/etc"), sandbox.names("/var/lib/subidctl/history"))
    );
}

#[test]
fn apply_keeps_everything_but_its_own_lines() {
    needs!("unshare", "nsenter");
    let odd = b"# managed by hand\n\nbob:100000:65536\n bob :1:2\nb\xffd:700000:10\nx:y\n0x10:0620:3:4\nlast:800000:5";
    let sandbox = Sandbox::new().user("alice", 1001).user("bob", 1002).subids(odd).start();
    sandbox.run("chmod 640 /etc/subuid; chown root:daemon /etc/subuid").ok();
    sandbox.run("subidctl apply --yes alice").ok();
    let expected: Vec<u8> = [&odd[..], b"\nalice:165536:65536\n"].concat();
    for path in ["/etc/subuid", "/etc/subgid"] {
        assert_eq!(sandbox.read(path).unwrap(), expected, "{path}");
    }
    // What shadow's own tools do: the old file as a backup, nothing else left over.
    assert_eq!(sandbox.read("/etc/subuid-").unwrap(), odd);
    assert_eq!(sandbox.read("/etc/subgid-").unwrap(), odd);
    sandbox.run("stat -c '%a %U %G' /etc/subuid /etc/subgid").ok().says("640 root daemon\n644 root root\n");
}

#[test]
fn apply_leaves_nothing_over() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    let mut before = sandbox.names("/etc");
    sandbox.run("subidctl apply --yes alice").ok();
    before.extend(["subuid-", "subgid-", ".pwd.lock"].map(String::from));
    before.sort();
    before.dedup();
    assert_eq!(sandbox.names("/etc"), before);
    assert_eq!(sandbox.names("/var/lib/subidctl/history").len(), 1);
    sandbox
        .run("stat -c '%a %n' /var/lib/subidctl /var/lib/subidctl/history")
        .ok()
        .says("755 /var/lib/subidctl\n700 /var/lib/subidctl/history\n");
}

#[test]
fn missing_files_are_created() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().user("alice", 1001).without("/etc/subuid").without("/etc/subgid").start();
    sandbox.run("umask 077; subidctl apply --yes alice").ok();
    assert_eq!(sandbox.id_text(), ["alice:100000:65536\n", "alice:100000:65536\n"]);
    sandbox.run("stat -c '%a %u:%g' /etc/subuid /etc/subgid").ok().says("644 0:0\n644 0:0\n");
}

#[test]
fn apply_in_json_says_what_was_committed() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    let applied = sandbox.run("subidctl apply --json --yes alice").ok().json();
    assert_eq!(applied["schema"], "subidctl.plan.v1");
    assert_eq!(applied["committed"], true);
    assert!(applied["transaction"].as_str().is_some_and(|t| !t.is_empty()), "{applied:#}");
    let again = sandbox.run("subidctl apply --json --yes alice").ok().json();
    assert_eq!(again["changed"], false);
    assert_ne!(again["committed"], true);
}

#[test]
fn dry_run_is_plan() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    let plan = sandbox.run("subidctl plan alice").ok().says("+alice:165536:65536");
    for dry in ["--dry-run", "-n"] {
        assert_eq!(sandbox.run(&format!("subidctl apply {dry} alice")).ok().stdout, plan.stdout);
    }
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\n");
}

#[test]
fn apply_is_shown_like_this() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    assert_shown("apply", &sandbox.run("subidctl apply --yes alice").ok().stdout);
    assert_shown("apply-again", &sandbox.run("subidctl apply --yes alice").ok().stdout);
}

#[test]
fn the_person_at_the_terminal_may_say_no() {
    needs!("unshare", "nsenter", "setsid");
    let sandbox = alice_and_bob();
    let before = sandbox.id_files();
    let mut terminal = sandbox.terminal("subidctl apply alice");
    terminal.expect("+alice:165536:65536");
    terminal.expect("+alice:165536:65536");
    terminal.expect("[y/");
    terminal.send("n\n");
    assert_eq!(terminal.finish().0, 1);
    assert_eq!(sandbox.id_files(), before);
}

#[test]
fn what_is_asked_about_is_shown_also_with_quiet_or_json() {
    needs!("unshare", "nsenter", "setsid");
    for flag in ["--quiet", "--json"] {
        let sandbox = alice_and_bob();
        let mut terminal = sandbox.terminal(&format!("subidctl apply {flag} alice"));
        terminal.expect("+alice:165536:65536");
        terminal.expect("[y/");
        terminal.send("n\n");
        assert_eq!(terminal.finish().0, 1, "{flag}");
    }
}

#[test]
fn useradd_works_while_apply_waits_at_its_prompt() {
    needs!("unshare", "nsenter", "setsid", "useradd");
    let sandbox = alice_and_bob();
    let mut terminal = sandbox.terminal("subidctl apply alice");
    terminal.expect("+alice:165536:65536");
    terminal.expect("+alice:165536:65536");
    terminal.expect("[y/");
    sandbox.within(10).run("useradd x").ok();
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\nx:165536:65536\n");
    terminal.send("y\n");
    terminal.expect("+alice:231072:65536");
    terminal.expect("+alice:231072:65536");
    terminal.expect("[y/");
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\nx:165536:65536\n");
    terminal.send("y\n");
    assert_eq!(terminal.finish().0, 0);
    let all = "bob:100000:65536\nx:165536:65536\nalice:231072:65536\n";
    assert_eq!(sandbox.id_text(), [all, all]);
    assert_disjoint(all);
}

#[test]
fn a_saved_plan_is_applied_as_it_was_shown() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl plan --out /root/p.json alice").ok();
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\n");
    let shown = sandbox.run("subidctl apply --plan /root/p.json").exits(2);
    assert_eq!(shown.count("+alice:165536:65536"), 2, "{shown}");
    sandbox.run("subidctl apply --plan /root/p.json --yes").ok();
    assert_eq!(sandbox.id_text(), [BOTH, BOTH]);
}

#[test]
fn a_saved_plan_is_refused_after_usermod() {
    needs!("unshare", "nsenter", "usermod");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl plan --out /root/p.json alice").ok();
    sandbox.run("usermod -v 300000-300009 bob").ok();
    let before = sandbox.id_files();
    sandbox.run("subidctl apply --plan /root/p.json --yes").exits(6);
    assert_eq!(sandbox.id_files(), before);
    let error = sandbox.run("subidctl apply --plan /root/p.json --yes --json").exits(6).json();
    assert_eq!(error["exit"], 6, "{error:#}");
}

#[test]
fn a_reader_who_left_does_not_change_how_a_commit_ended() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    // The diff is shown before, the document after: only the first stops a change.
    let text = sandbox.run("subidctl apply --yes alice >/dev/full").exits(1);
    text.says("nothing was changed");
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\n");
    let document = sandbox.run("subidctl apply --yes --json alice >/dev/full").ok();
    document.says("the change is made").never_says("nothing was changed");
    assert_eq!(sandbox.id_text(), [BOTH, BOTH]);
}

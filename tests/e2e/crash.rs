//! What is left of a change that cannot be read any more. Crashes themselves are tried in `faults`.

use super::alice_and_bob;
use crate::harness::needs;

#[test]
fn a_damaged_journal_or_ledger_has_a_way_out() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice").ok();
    sandbox.run("printf '{' > /etc/.subidctl.journal; chmod 600 /etc/.subidctl.journal").ok();
    sandbox.run("subidctl list").ok().says("alice").says("sudo subidctl recover");
    let error = sandbox.run("subidctl recover --yes --json").exits(6);
    assert_eq!(error.json()["code"], "recovery-conflict", "{error}");
    assert!(!sandbox.names("/etc").iter().any(|name| name == ".subidctl.journal"));
    sandbox.run("subidctl recover --yes").ok().says("No change is unfinished");

    sandbox.write("/var/lib/subidctl/ledger.json", "{");
    sandbox.run("subidctl plan alice").ok().says("ledger-unusable");
    sandbox.run("subidctl apply --yes --count 131072 alice").ok().says("ledger.json.damaged-");
}

#[test]
fn recover_says_in_json_whether_the_change_was_made() {
    needs!("unshare", "nsenter", "strace");
    // The first rename of a file; the second, after which the rest is done.
    for (when, committed, outcome) in [(3, false, "rolled back"), (4, true, "completed")] {
        let sandbox = alice_and_bob();
        let kill = format!("strace -qq -o /dev/null -e inject=renameat:signal=KILL:when={when}");
        sandbox.run(&format!("{kill} subidctl apply --yes alice; test -e /etc/.subidctl.journal")).ok();
        let said = sandbox.run("subidctl recover --yes --json").ok();
        let document = said.json();
        assert_eq!(
            (&document["committed"], &document["outcome"]),
            (&committed.into(), &outcome.into()),
            "{said}"
        );
        assert_eq!(document["transaction"].is_string(), committed, "{said}");
        assert_eq!(sandbox.text("/etc/subuid").contains("alice"), committed);
        sandbox.run("subidctl history").ok().says(if committed { "alice" } else { "no changes" });
    }
}

#[test]
fn a_change_of_the_ledger_alone_is_finished() {
    needs!("unshare", "nsenter", "strace");
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice && subidctl release --yes alice").ok();
    // Somebody deleted the lines, so that the ledger alone keeps the range from others.
    sandbox.run("sed -i /alice/d /etc/subuid /etc/subgid").ok();
    let forget = "subidctl release --yes --forget 165536:65536";
    sandbox
        .run(&format!("strace -qq -o /dev/null -e inject=unlinkat:signal=KILL:when=1 {forget} alice; true"))
        .ok();
    sandbox.run("test -e /etc/.subidctl.journal").ok();
    sandbox.run("subidctl recover --yes").ok().says("recovered: completed");
    sandbox.run("subidctl history").ok().says("forget");
    sandbox.run("subidctl plan alice").ok().says("+alice:165536:65536");
}

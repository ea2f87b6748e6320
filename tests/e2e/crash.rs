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

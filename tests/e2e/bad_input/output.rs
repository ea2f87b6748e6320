//! Nobody reads what is printed, or it has no room.

use super::{refused, three_lines, witness};
use crate::e2e::alice_and_bob;
use crate::harness::needs;

const CLOSED: &str = "cannot write to stdout; nothing was changed";
const BOTH: &str = "bob:100000:65536\nalice:165536:65536\n";

#[test]
fn without_a_terminal_a_change_needs_yes() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    let first = "a change needs a confirmation; nothing was changed";
    refused(&sandbox, "subidctl apply alice", 2, "needs-yes", first).says("--yes");
}

#[test]
fn what_could_not_be_shown_is_not_committed() {
    needs!("unshare", "nsenter", "bash");
    let sandbox = alice_and_bob();
    let before = witness(&sandbox);
    let full = sandbox.run("subidctl apply --yes alice > /dev/full").exits(1).says("No space left");
    three_lines(&full, CLOSED);
    // The reader is gone before the first word.
    let gone = "exec 3> >(true); sleep 1; subidctl apply --yes alice >&3";
    three_lines(&sandbox.run(&format!("bash -c '{gone}'")).exits(1).says("Broken pipe"), CLOSED);
    for command in ["plan alice", "list", "who 100000"] {
        three_lines(&sandbox.run(&format!("subidctl {command} > /dev/full")).exits(1), CLOSED);
    }
    sandbox.run("subidctl --help > /dev/full").exits(1);
    assert_eq!(witness(&sandbox), before);
}

#[test]
fn what_is_committed_is_committed_whoever_stopped_reading() {
    needs!("unshare", "nsenter");
    for command in
        ["--json --yes alice > /dev/full", "--yes alice 2> /dev/full", "-q --yes alice > /dev/full"]
    {
        let sandbox = alice_and_bob();
        sandbox.run(&format!("subidctl apply {command}")).ok().never_says("nothing was changed");
        assert_eq!(sandbox.id_text(), [BOTH, BOTH], "{command}");
    }
    // A closed descriptor is never the number of a file that is then written to.
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice <&- >&- 2>&-").ok();
    assert_eq!(sandbox.id_text(), [BOTH, BOTH]);
}

//! Local users who want more than is theirs, and callers who pass on what they should not.

mod command;
mod inherited;
mod paths;
mod processes;
mod words;

use super::alice_and_bob;
use crate::harness::Sandbox;

const BOTH: &str = "bob:100000:65536\nalice:165536:65536\n";

/// alice with a range of her own, a file that root alone may read, and the program that does what a hostile user
/// would (`tests/harness/hostile.c`), where containers see it.
fn served() -> Sandbox {
    let sandbox = alice_and_bob();
    sandbox.run("subidctl apply --yes alice; echo secret >/root/secret; chmod 600 /root/secret").ok();
    sandbox.install("/usr/local/bin/hostile", include_str!("../harness/hostile.c"), &[]);
    sandbox
}

//! What the end-to-end tests stand on: sandboxes, real commands with deadlines, terminals, traces.

mod boot;
mod calls;
mod disk;
mod image;
mod inside;
mod output;
mod programs;
mod sandbox;
mod skip;
mod snapshot;
mod terminal;
mod trace;
mod tree;

pub(crate) use boot::{Booted, Group};
pub(crate) use calls::{Call, Met};
pub(crate) use disk::{Disk, State, next};
pub(crate) use image::Image;
pub(crate) use output::Output;
pub(crate) use sandbox::Sandbox;
pub(crate) use skip::{missing, skipped};
pub(crate) use snapshot::{assert_shown, masked};
pub(crate) use terminal::{Terminal, plain};
pub(crate) use trace::{FILE_CALLS, Trace};
pub(crate) use tree::{find as find_tree, tree};

/// The size of a suite: small, or the full figure for `tests/run --long`.
pub(crate) fn size(small: u32, long: u32) -> u32 {
    if std::env::var_os("SUBIDCTL_LONG").is_some() { long } else { small }
}

/// What random choices begin with: `SUBIDCTL_SEED`, or this. A test prints it.
pub(crate) fn seed(otherwise: u64) -> u64 {
    std::env::var("SUBIDCTL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(otherwise)
}

/// Ends the test as skipped unless it runs as root and every named tool is there.
macro_rules! needs {
    ($($tool:literal),* $(,)?) => {
        if let Some(why) = $crate::harness::missing(&[$($tool),*]) {
            return $crate::harness::skipped(&why);
        }
    };
}
pub(crate) use needs;

//! The test container: spec, protocol, runner and probes, from which a [`crate::proof::Proof`] comes.
//!
//! Three processes take part. The *root side* ([`run`]) forks, keeps the deadline and reads
//! `/proc/PID` of the container; it treats all it is told as hostile. The *worker* is a process of the user's with one
//! thread: the fork itself where this is that user and no program of others will run, else this program executed anew
//! ([`worker_main`]). It clones the container and starts the helpers.
//! The *container* is pid 1 of its own namespaces; when it ends the kernel ends all that runs in it.
//! Each dies with its parent: killing any of them ends what lies below.

mod ask;
mod attempts;
mod checks;
mod command;
mod drop;
mod engine;
mod inside;
mod launch;
mod probes;
mod program;
mod protocol;
mod runner;
mod terminal;
mod verdict;
mod worker;
mod world;

use std::ffi::OsString;
use std::time::Duration;

use crate::error::Result;
use crate::host::Helpers;
use crate::idmap::Userns;
use crate::range::{Gid, Login, PerKind, Range, Uid};
use crate::snapshot::Machine;

pub use engine::ask_engine;
pub use runner::run;
pub use worker::worker_main;
pub use world::{Stage, World};

/// The first argument of the program when it is executed as the worker.
pub const WORKER: &str = "__container";

/// Looks at the machine. Only a container that failed asks for it.
pub type LookAround<'a> = &'a dyn Fn() -> Result<Machine>;

/// Which container to make.
#[derive(Debug)]
pub struct Spec {
    /// The account.
    pub user: Login,
    /// Its uid: ID 0 inside, unless another map is asked for.
    pub uid: Uid,
    /// Its primary group: likewise.
    pub gid: Gid,
    /// `HOME` of CMD, as passwd spells it.
    pub home: Vec<u8>,
    /// `SHELL` of CMD, as passwd spells it.
    pub shell: Vec<u8>,
    /// The user's ranges in the order of the files.
    pub ranges: PerKind<Vec<Range>>,
    /// Which map is made of them.
    pub userns: Userns,
    /// CMD with its arguments, run after the probes on a read-only view of the host's files.
    pub command: Option<Vec<OsString>>,
    /// Another root folder for CMD: an absolute path, looked up with the user's rights.
    pub root: Option<Vec<u8>>,
    /// How long everything but CMD may take.
    pub timeout: Duration,
    /// How long CMD may take; without a limit where `None`.
    pub command_timeout: Option<Duration>,
    /// newuidmap and newgidmap, opened and checked. A world has copies of its own.
    pub helpers: Helpers,
}

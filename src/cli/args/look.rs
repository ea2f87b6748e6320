//! The options of commands that look at what is there.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::change::SAMPLE;
use super::values::{
    Map, parse_engine, parse_sample, parse_seconds, parse_timeout, parse_triples, parse_userns,
};
use crate::findings;
use crate::idmap::Userns;
use crate::proof::Engine;

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct List {
    /// Only these owners
    #[arg(value_name = "USER")]
    pub(in crate::cli) users: Vec<OsString>,
    /// Print lines in subuid's syntax
    #[arg(long)]
    pub(in crate::cli) subid: bool,
    /// Draw the ID space: owners, holes, what is kept, released or held twice
    #[arg(long, conflicts_with_all = ["users", "subid"])]
    pub(in crate::cli) map: bool,
    /// Write the same picture as SVG; - is stdout
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "subid"])]
    pub(in crate::cli) svg: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Who {
    /// Host uids or gids
    #[arg(value_name = "ID", required = true)]
    pub(in crate::cli) ids: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Audit {
    /// Exit 4 for warnings too
    #[arg(long)]
    pub(in crate::cli) strict: bool,
    /// Mend what can be mended without granting anybody anything: final newlines, exact duplicates,
    /// spellings that all programs read alike, lost lines of released ranges
    #[arg(long)]
    pub(in crate::cli) fix: bool,
    /// Save the repairs as a plan, to be applied by apply --plan FILE
    #[arg(long, value_name = "FILE", requires = "fix")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// With --fix: show the repairs and change nothing
    #[arg(short = 'n', long, requires = "fix")]
    pub(in crate::cli) dry_run: bool,
    /// With --fix: do not ask
    #[arg(short, long, requires = "fix")]
    pub(in crate::cli) yes: bool,
    /// With --fix: how long to wait for another program's locks
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = parse_seconds, requires = "fix")]
    pub(in crate::cli) lock_timeout: Duration,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Check {
    /// Whose containers; without it the caller's
    #[arg(value_name = "USER")]
    pub(in crate::cli) user: Option<OsString>,
    /// What the engine cannot do without is an error, what it can is advice
    #[arg(long = "for", value_name = "ENGINE", default_value = "any", value_parser = parse_engine())]
    pub(in crate::cli) engine: findings::Engine,
    /// Only these findings, by id or group
    #[arg(long, value_name = "ID|GROUP", value_delimiter = ',')]
    pub(in crate::cli) only: Vec<String>,
    /// All but these findings, by id or group
    #[arg(long, value_name = "ID|GROUP", value_delimiter = ',')]
    pub(in crate::cli) skip: Vec<String>,
    /// Exit 4 for warnings too
    #[arg(long)]
    pub(in crate::cli) strict: bool,
    /// List all findings, with group, severity and the ways to fail that each names
    #[arg(long, conflicts_with_all = ["user", "only", "skip", "strict"])]
    pub(in crate::cli) list: bool,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Explain {
    /// A finding's id; without one, all of them are listed
    #[arg(value_name = "ID")]
    pub(in crate::cli) id: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Verify {
    /// Whose container; without it the caller's
    #[arg(value_name = "USER")]
    pub(in crate::cli) user: Option<OsString>,
    /// Try a saved plan: containers of its users, in a world of IDs that nobody has
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "command", "timeout", "rootfs"])]
    pub(in crate::cli) plan: Option<PathBuf>,
    /// Of many users of a plan start the containers of N
    #[arg(long, value_name = "N", default_value_t = SAMPLE, value_parser = parse_sample, requires = "plan")]
    pub(in crate::cli) sample: usize,
    /// Which IDs the container has: auto, the map that podman makes; keep-id, as podman run --userns=keep-id;
    /// identity, the same numbers inside as outside; or triples INSIDE:HOST:COUNT with commas between them, in
    /// IDs of the host as newuidmap takes them (0:1001:1,1:165536:65536), for uids and gids
    #[arg(long, value_name = "MODE|TRIPLES", default_value = "auto", value_parser = parse_userns)]
    pub(in crate::cli) userns: Userns,
    /// Other triples for gids than those in --userns
    #[arg(long, value_name = "TRIPLES", value_parser = parse_triples)]
    pub(in crate::cli) gidmap: Option<Map>,
    /// Ask an installed engine instead, as the user: whether it has the IDs that the files give
    #[arg(long, value_enum, value_name = "ENGINE", conflicts_with_all = ["plan", "command", "userns", "gidmap", "rootfs"])]
    pub(in crate::cli) engine: Option<Engine>,
    /// Give CMD this folder as its root, read-only, nosuid and nodev, instead of the host's. The user must be able
    /// to go there; it gets a /proc, a small /dev, and empty /tmp, /var/tmp and /run, where it has these folders
    #[arg(long, value_name = "DIR", requires = "command")]
    pub(in crate::cli) rootfs: Option<PathBuf>,
    /// A command to run in it, on a read-only view of the host
    #[arg(last = true, value_name = "CMD")]
    pub(in crate::cli) command: Vec<OsString>,
    /// End the container after this time [default: 30 for the checks, none for CMD]
    #[arg(long, value_name = "SECONDS", value_parser = parse_timeout)]
    pub(in crate::cli) timeout: Option<Duration>,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct History {
    /// Only changes that concern these users; or a change to show in detail
    #[arg(value_name = "USER|ID")]
    pub(in crate::cli) what: Vec<OsString>,
}

#[derive(Debug, Clone, Subcommand)]
pub(in crate::cli) enum Template {
    /// Say which there are, and which values each takes
    List,
    /// Print one as it is
    Show { name: String },
    /// Print one with its values, or write it to a file
    Render(Render),
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Render {
    pub(in crate::cli) name: String,
    /// A value, for each key that the template takes
    #[arg(long, value_name = "KEY=VALUE")]
    pub(in crate::cli) set: Vec<String>,
    /// Write it to a file; one that is there is shown as a diff, and replaced only on a yes
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) to: Option<PathBuf>,
    /// Do not ask
    #[arg(short, long, requires = "to")]
    pub(in crate::cli) yes: bool,
}

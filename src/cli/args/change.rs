//! The options of commands that change something, or plan to.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::{parse_sample, parse_seconds};

// Which users, and what they shall get. No doc comment: clap would take it for what the command does.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct Selection {
    /// Names, or uids where no account has that name; +1001 is always a uid
    #[arg(value_name = "USER")]
    pub(in crate::cli) users: Vec<OsString>,
    /// Every account from UID_MIN to UID_MAX with a login shell
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// Members of a group, and those whose primary group it is
    #[arg(long, value_name = "GROUP")]
    pub(in crate::cli) group: Vec<OsString>,
    /// A file of lines USER or USER:START:COUNT; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) from: Option<PathBuf>,
    /// At least N IDs of each kind in total
    #[arg(long, value_name = "N", conflicts_with = "range", allow_hyphen_values = true)]
    pub(in crate::cli) count: Option<String>,
    /// Exactly this range, START:COUNT or FIRST-LAST, for one user
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(in crate::cli) range: Option<String>,
    /// Accept owners without an account (containers, dockremap, images)
    #[arg(long)]
    pub(in crate::cli) allow_unknown_owner: bool,
    /// Release ranges that are not the right ones and give the right ones
    #[arg(long)]
    pub(in crate::cli) replace: bool,
    /// Take back what the same account, by name and uid, has released
    #[arg(long)]
    pub(in crate::cli) reclaim: bool,
    /// With --replace or --plan: go on although processes use the IDs. With --reclaim: take back, after a question,
    /// also what nothing shows to be this account's
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Serve those who can be served although others are refused (exit 4)
    #[arg(long)]
    pub(in crate::cli) keep_going: bool,
    /// Exit 0 on a host whose subordinate IDs come from a directory
    #[arg(long)]
    pub(in crate::cli) skip_directory_hosts: bool,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Plan {
    #[command(flatten)]
    pub(in crate::cli) selection: Selection,
    /// Save the plan, to be applied by apply --plan FILE
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Exit 3 when changes are pending
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Apply {
    #[command(flatten)]
    pub(in crate::cli) selection: Selection,
    /// Apply a saved plan, unchanged or not at all; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "all", "group", "from", "count", "range", "replace", "reclaim", "allow_unknown_owner", "keep_going"])]
    pub(in crate::cli) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) how: How,
    /// For PAM: who logs in gets ranges, where the policy's [users] say so and nothing is there yet. Tells the
    /// system log alone, takes three seconds at most, and exits 0 whatever happens
    #[arg(long, requires = "yes", conflicts_with_all = ["users", "all", "group", "from", "count", "range", "replace", "reclaim", "force", "allow_unknown_owner", "keep_going", "skip_directory_hosts", "plan", "dry_run", "verify"])]
    pub(in crate::cli) hook: bool,
    /// Start containers: before the change on the planned files, after it on the host
    #[arg(long)]
    pub(in crate::cli) verify: bool,
    /// Of many users start the containers of N
    #[arg(long, value_name = "N", default_value_t = SAMPLE, value_parser = parse_sample, requires = "verify")]
    pub(in crate::cli) sample: usize,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Release {
    /// Names, or uids where no account has that name; of an account that is gone the name in the files. With
    /// --forget: only of these owners
    #[arg(value_name = "USER")]
    pub(in crate::cli) users: Vec<OsString>,
    /// Only the lines in this range, START:COUNT or FIRST-LAST
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(in crate::cli) range: Option<String>,
    /// Release the ranges of accounts that are gone: of local accounts, and of the USERs named
    #[arg(long, conflicts_with = "range")]
    pub(in crate::cli) stale: bool,
    /// Remove the released lines of this range for good: the next user may get its IDs, with all files that
    /// they still own
    #[arg(long, value_name = "RANGE", conflicts_with_all = ["range", "stale"], allow_hyphen_values = true)]
    pub(in crate::cli) forget: Option<String>,
    /// Then look below these folders for files that the IDs still own: on one file system each, no links
    /// followed, access control lists not read. Put the USER before it
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(in crate::cli) scan: Vec<PathBuf>,
    /// Go on although processes use the IDs
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Serve those who can be served although others are refused (exit 4)
    #[arg(long)]
    pub(in crate::cli) keep_going: bool,
    #[command(flatten)]
    pub(in crate::cli) how: How,
}

/// How many users' containers are started where nobody says.
pub(in crate::cli) const SAMPLE: usize = 20;

// How a change is made.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct How {
    /// Show the plan and change nothing
    #[arg(short = 'n', long)]
    pub(in crate::cli) dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
    /// How long to wait for another program's locks
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = parse_seconds)]
    pub(in crate::cli) lock_timeout: Duration,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Setup {
    /// Names, or uids where no account has that name; +1001 is always a uid
    #[arg(value_name = "USER", required = true)]
    pub(in crate::cli) users: Vec<OsString>,
    #[command(flatten)]
    pub(in crate::cli) how: How,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Undo {
    /// A change of the history, or enough of its beginning or of its last part; without it the last one that
    /// is in force
    #[arg(value_name = "ID")]
    pub(in crate::cli) id: Option<String>,
    /// Take ranges away although processes use them
    #[arg(long)]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) how: How,
}

#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Recover {
    /// Do not ask
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
    /// How long to wait for another program's locks
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = parse_seconds)]
    pub(in crate::cli) lock_timeout: Duration,
}

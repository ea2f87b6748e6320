//! The command line as types. No I/O here.

mod change;
mod look;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use self::change::{Apply, How, Plan, Recover, Release, SAMPLE, Selection, Setup, Undo};
pub(super) use self::look::{Audit, Check, Explain, History, List, Render, Template, Verify, Who};

/// Gives users their subordinate IDs (/etc/subuid, /etc/subgid) and proves that rootless containers work.
#[derive(Debug, Parser)]
#[command(
    name = "subidctl",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) global: Global,
}

/// Flags of every command.
#[derive(Debug, Clone, Args)]
pub(super) struct Global {
    /// Print one JSON document on stdout, also on failure
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Use this policy instead of /etc/subidctl/policy.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    /// Work on a tree that is not the running system: files only
    #[arg(short = 'R', long, global = true, value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
    /// Print errors only
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Print everything, however long, and timings
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(super) color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

// Deferred: to build the arguments of commands that are not called takes a tenth of the time of a short one.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(super) enum Command {
    /// Show what would change, as a diff of both files, and why each range is chosen
    Plan(Plan),
    /// Give users their ranges: both files change as one transaction
    Apply(Apply),
    /// Give ranges back, so that nobody gets them next
    Release(Release),
    /// List owners, ranges and free space
    List(List),
    /// Say whose an ID is, and which ID it is inside the owner's container
    Who(Who),
    /// Show the rules in force, each value with the file and line that it comes from
    Policy,
    /// Start a container as the user and print its uid_map and gid_map
    Verify(Verify),
    /// Check this host, give users their ranges, and prove by containers that they work
    Setup(Setup),
    /// Find out whether a user can run rootless containers here, and what stands in the way
    Check(Check),
    /// Find every fault of both files and of what surrounds them
    Audit(Audit),
    /// Say what a finding means and what comes of it
    Explain(Explain),
    /// Tell the whole story on made-up users, in a world of its own
    Demo,
    /// Say who changed what, and when
    History(History),
    /// Put a change back: what it gave is released, what it released comes back
    Undo(Undo),
    /// Finish or roll back a change that was interrupted
    Recover(Recover),
    /// The files that other systems need
    #[command(subcommand)]
    Template(Template),
    /// Print a completion script for a shell
    Completions { shell: clap_complete::Shell },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}

//! The command line as types. No I/O here.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::findings;
use crate::idmap::{Extent, Userns, triples};
use crate::proof::Engine;
use crate::range::PerKind;

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

impl ValueEnum for Engine {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

#[derive(Debug, Subcommand)]
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

/// Which users, and what they shall get.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct Selection {
    /// Names, or uids where no account has that name; +1001 is always a uid
    #[arg(value_name = "USER")]
    pub(super) users: Vec<OsString>,
    /// Every account from UID_MIN to UID_MAX with a login shell
    #[arg(long)]
    pub(super) all: bool,
    /// Members of a group, and those whose primary group it is
    #[arg(long, value_name = "GROUP")]
    pub(super) group: Vec<OsString>,
    /// A file of lines USER or USER:START:COUNT; - is stdin
    #[arg(long, value_name = "FILE")]
    pub(super) from: Option<PathBuf>,
    /// At least N IDs of each kind in total
    #[arg(long, value_name = "N", conflicts_with = "range", allow_hyphen_values = true)]
    pub(super) count: Option<String>,
    /// Exactly this range, START:COUNT or FIRST-LAST, for one user
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(super) range: Option<String>,
    /// Accept owners without an account (containers, dockremap, images)
    #[arg(long)]
    pub(super) allow_unknown_owner: bool,
    /// Release ranges that are not the right ones and give the right ones
    #[arg(long)]
    pub(super) replace: bool,
    /// Take back what the same account, by name and uid, has released
    #[arg(long)]
    pub(super) reclaim: bool,
    /// With --replace: go on although processes use the IDs. With --reclaim: take back, after a question,
    /// also what nothing shows to be this account's
    #[arg(long)]
    pub(super) force: bool,
    /// Serve those who can be served although others are refused (exit 4)
    #[arg(long)]
    pub(super) keep_going: bool,
    /// Exit 0 on a host whose subordinate IDs come from a directory
    #[arg(long)]
    pub(super) skip_directory_hosts: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    pub(super) selection: Selection,
    /// Save the plan, to be applied by apply --plan FILE
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Exit 3 when changes are pending
    #[arg(long)]
    pub(super) exit_code: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Apply {
    #[command(flatten)]
    pub(super) selection: Selection,
    /// Apply a saved plan, unchanged or not at all; - is stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "all", "group", "from", "count", "range", "replace", "reclaim", "allow_unknown_owner", "keep_going"])]
    pub(super) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(super) how: How,
    /// For PAM: who logs in gets ranges, where the policy's [users] say so and nothing is there yet. Tells the
    /// system log alone, takes three seconds at most, and exits 0 whatever happens
    #[arg(long, requires = "yes", conflicts_with_all = ["users", "all", "group", "from", "count", "range", "replace", "reclaim", "force", "allow_unknown_owner", "keep_going", "skip_directory_hosts", "plan", "dry_run", "verify"])]
    pub(super) hook: bool,
    /// Start containers: before the change on the planned files, after it on the host
    #[arg(long)]
    pub(super) verify: bool,
    /// Of many users start the containers of N
    #[arg(long, value_name = "N", default_value_t = SAMPLE, value_parser = parse_sample, requires = "verify")]
    pub(super) sample: usize,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Release {
    /// Names, or uids where no account has that name; of an account that is gone the name in the files. With
    /// --forget: only of these owners
    #[arg(value_name = "USER")]
    pub(super) users: Vec<OsString>,
    /// Only the lines in this range, START:COUNT or FIRST-LAST
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(super) range: Option<String>,
    /// Release the ranges of accounts that are gone: of local accounts, and of the USERs named
    #[arg(long, conflicts_with = "range")]
    pub(super) stale: bool,
    /// Remove the released lines of this range for good: the next user may get its IDs, with all files that
    /// they still own
    #[arg(long, value_name = "RANGE", conflicts_with_all = ["range", "stale"], allow_hyphen_values = true)]
    pub(super) forget: Option<String>,
    /// Then look below these folders for files that the IDs still own: on one file system each, no links
    /// followed, access control lists not read. Put the USER before it
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub(super) scan: Vec<PathBuf>,
    /// Go on although processes use the IDs
    #[arg(long)]
    pub(super) force: bool,
    /// Serve those who can be served although others are refused (exit 4)
    #[arg(long)]
    pub(super) keep_going: bool,
    #[command(flatten)]
    pub(super) how: How,
}

/// How many users' containers are started where nobody says.
pub(super) const SAMPLE: usize = 20;

/// How a change is made.
#[derive(Debug, Clone, Args)]
pub(super) struct How {
    /// Show the plan and change nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Do not ask
    #[arg(short, long)]
    pub(super) yes: bool,
    /// How long to wait for another program's locks
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = parse_seconds)]
    pub(super) lock_timeout: Duration,
}

#[derive(Debug, Clone, Args)]
pub(super) struct List {
    /// Only these owners
    #[arg(value_name = "USER")]
    pub(super) users: Vec<OsString>,
    /// Print lines in subuid's syntax
    #[arg(long)]
    pub(super) subid: bool,
    /// Draw the ID space: owners, holes, what is kept, released or held twice
    #[arg(long, conflicts_with_all = ["users", "subid"])]
    pub(super) map: bool,
    /// Write the same picture as SVG; - is stdout
    #[arg(long, value_name = "FILE", conflicts_with_all = ["users", "subid"])]
    pub(super) svg: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Who {
    /// Host uids or gids
    #[arg(value_name = "ID", required = true)]
    pub(super) ids: Vec<String>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Audit {
    /// Exit 4 for warnings too
    #[arg(long)]
    pub(super) strict: bool,
    /// Mend what can be mended without granting anybody anything: final newlines, exact duplicates,
    /// spellings that all programs read alike, lost lines of released ranges
    #[arg(long)]
    pub(super) fix: bool,
    /// Save the repairs as a plan, to be applied by apply --plan FILE
    #[arg(long, value_name = "FILE", requires = "fix")]
    pub(super) out: Option<PathBuf>,
    /// With --fix: show the repairs and change nothing
    #[arg(short = 'n', long, requires = "fix")]
    pub(super) dry_run: bool,
    /// With --fix: do not ask
    #[arg(short, long, requires = "fix")]
    pub(super) yes: bool,
    /// With --fix: how long to wait for another program's locks
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = parse_seconds, requires = "fix")]
    pub(super) lock_timeout: Duration,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Check {
    /// Whose containers; without it the caller's
    #[arg(value_name = "USER")]
    pub(super) user: Option<OsString>,
    /// What the engine cannot do without is an error, what it can is advice
    #[arg(long = "for", value_name = "ENGINE", default_value = "any", value_parser = parse_engine())]
    pub(super) engine: findings::Engine,
    /// Only these findings, by id or group
    #[arg(long, value_name = "ID|GROUP", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// All but these findings, by id or group
    #[arg(long, value_name = "ID|GROUP", value_delimiter = ',')]
    pub(super) skip: Vec<String>,
    /// Exit 4 for warnings too
    #[arg(long)]
    pub(super) strict: bool,
    /// List all findings, with group, severity and the ways to fail that each names
    #[arg(long, conflicts_with_all = ["user", "only", "skip", "strict"])]
    pub(super) list: bool,
}

fn parse_engine() -> impl TypedValueParser<Value = findings::Engine> {
    PossibleValuesParser::new(findings::Engine::ALL.map(findings::Engine::name))
        .map(|name| findings::Engine::named(&name).unwrap_or(findings::Engine::Any))
}

#[derive(Debug, Clone, Args)]
pub(super) struct Explain {
    /// A finding's id; without one, all of them are listed
    #[arg(value_name = "ID")]
    pub(super) id: Option<String>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Setup {
    /// Names, or uids where no account has that name; +1001 is always a uid
    #[arg(value_name = "USER", required = true)]
    pub(super) users: Vec<OsString>,
    #[command(flatten)]
    pub(super) how: How,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Verify {
    /// Whose container; without it the caller's
    #[arg(value_name = "USER")]
    pub(super) user: Option<OsString>,
    /// Try a saved plan: containers of its users, in a world of IDs that nobody has
    #[arg(long, value_name = "FILE", conflicts_with_all = ["user", "command", "timeout", "rootfs"])]
    pub(super) plan: Option<PathBuf>,
    /// Of many users of a plan start the containers of N
    #[arg(long, value_name = "N", default_value_t = SAMPLE, value_parser = parse_sample, requires = "plan")]
    pub(super) sample: usize,
    /// Which IDs the container has: auto, the map that podman makes; keep-id, as podman run --userns=keep-id;
    /// identity, the same numbers inside as outside; or triples INSIDE:HOST:COUNT with commas between them, in
    /// IDs of the host as newuidmap takes them (0:1001:1,1:165536:65536), for uids and gids
    #[arg(long, value_name = "MODE|TRIPLES", default_value = "auto", value_parser = parse_userns)]
    pub(super) userns: Userns,
    /// Other triples for gids than those in --userns
    #[arg(long, value_name = "TRIPLES", value_parser = parse_triples)]
    pub(super) gidmap: Option<Map>,
    /// Ask an installed engine instead, as the user: whether it has the IDs that the files give
    #[arg(long, value_enum, value_name = "ENGINE", conflicts_with_all = ["plan", "command", "userns", "gidmap", "rootfs"])]
    pub(super) engine: Option<Engine>,
    /// Give CMD this folder as its root, read-only, nosuid and nodev, instead of the host's. The user must be able
    /// to go there; it gets a /proc, a small /dev, and empty /tmp, /var/tmp and /run, where it has these folders
    #[arg(long, value_name = "DIR", requires = "command")]
    pub(super) rootfs: Option<PathBuf>,
    /// A command to run in it, on a read-only view of the host
    #[arg(last = true, value_name = "CMD")]
    pub(super) command: Vec<OsString>,
    /// End the container after this time [default: 30 for the checks, none for CMD]
    #[arg(long, value_name = "SECONDS", value_parser = parse_timeout)]
    pub(super) timeout: Option<Duration>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct History {
    /// Only changes that concern these users; or a change to show in detail
    #[arg(value_name = "USER|ID")]
    pub(super) what: Vec<OsString>,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Undo {
    /// A change of the history, or enough of its beginning or of its last part; without it the last one that
    /// is in force
    #[arg(value_name = "ID")]
    pub(super) id: Option<String>,
    /// Take ranges away although processes use them
    #[arg(long)]
    pub(super) force: bool,
    #[command(flatten)]
    pub(super) how: How,
}

#[derive(Debug, Clone, Subcommand)]
pub(super) enum Template {
    /// Say which there are, and which values each takes
    List,
    /// Print one as it is
    Show { name: String },
    /// Print one with its values, or write it to a file
    Render(Render),
}

#[derive(Debug, Clone, Args)]
pub(super) struct Render {
    pub(super) name: String,
    /// A value, for each key that the template takes
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Write it to a file; one that is there is shown as a diff, and replaced only on a yes
    #[arg(long, value_name = "FILE")]
    pub(super) to: Option<PathBuf>,
    /// Do not ask
    #[arg(short, long, requires = "to")]
    pub(super) yes: bool,
}

#[derive(Debug, Clone, Args)]
pub(super) struct Recover {
    /// Do not ask
    #[arg(short, long)]
    pub(super) yes: bool,
    /// How long to wait for another program's locks
    #[arg(long, value_name = "SECONDS", default_value = "15", value_parser = parse_seconds)]
    pub(super) lock_timeout: Duration,
}

/// Seconds, also with a fraction; at most a day.
fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>().ok().filter(|s| (0.0..=86400.0).contains(s));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "a number of seconds from 0 to 86400".to_owned())
}

/// As [`parse_seconds`], but not 0: nothing can be proven in no time.
fn parse_timeout(text: &str) -> Result<Duration, String> {
    let time = parse_seconds(text).ok().filter(|time| !time.is_zero());
    time.ok_or_else(|| "a number of seconds above 0, at most 86400".to_owned())
}

/// A map; clap takes a plain `Vec` for a flag that is given several times.
type Map = Vec<Extent>;

fn parse_userns(text: &str) -> Result<Userns, String> {
    match text {
        "auto" => Ok(Userns::Auto),
        "keep-id" => Ok(Userns::KeepId),
        "identity" => Ok(Userns::Identity),
        _ => match parse_triples(text) {
            Ok(map) => Ok(Userns::Explicit(PerKind { uid: map.clone(), gid: map })),
            Err(words) => Err(format!("auto, keep-id, identity, or {words}")),
        },
    }
}

fn parse_triples(text: &str) -> Result<Map, String> {
    triples(text).ok_or_else(|| "triples INSIDE:HOST:COUNT with commas between them, no ID twice".to_owned())
}

fn parse_sample(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "a sample is a whole number from 1 on".to_owned())
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

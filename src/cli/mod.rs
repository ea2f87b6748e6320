//! One thin file a command: it strings rooms together, asks, and maps the end to an exit code.

mod apply;
mod args;
mod ask;
mod audit;
mod change;
mod check;
mod demo;
mod engine;
mod explain;
mod facts;
mod from;
mod history;
mod hook;
mod in_use;
mod list;
mod memory;
mod output;
mod person;
mod plan;
mod planning;
mod policy;
mod progress;
mod proving;
mod recover;
mod release;
mod saved;
mod select;
mod setup;
mod state;
mod template;
mod undo;
mod verify;
mod who;
mod why;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use crate::container;
use crate::error::{Code, Error, Result};
use args::{Cli, Color, Command, Global};
use output::Output;

/// The command line as clap sees it: completions and the manual are made from it.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command line and gives the process's exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    // The side of a container that runs as the user: no command for people.
    if args.get(1).is_some_and(|arg| arg == container::WORKER) {
        return container::worker_main();
    }
    crate::sys::shed_inherited();
    ExitCode::from(run_command(&args))
}

fn run_command(args: &[OsString]) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error, args),
    };
    let output = Output::new(&cli.global);
    match dispatch(&cli, output) {
        Ok(code) => code,
        Err(error) => {
            output.error(&error);
            error.code.exit()
        }
    }
}

fn dispatch(cli: &Cli, output: Output) -> Result<u8> {
    let global = &cli.global;
    match &cli.command {
        Command::Plan(args) => plan::run(global, args, output),
        Command::Apply(args) => apply::run(global, args, output, &apply::Named::apply()),
        Command::Release(args) => release::run(global, args, output),
        Command::Setup(args) => setup::run(global, args, output),
        Command::Audit(args) => audit::run(global, args, output),
        Command::Check(args) => check::run(global, args, output),
        Command::Explain(args) => explain::run(args, output),
        Command::Demo => demo::run(global, output),
        Command::List(args) => list::run(global, args, output),
        Command::Policy => policy::run(global, output),
        Command::Who(args) => who::run(global, args, output),
        Command::Verify(args) => verify::run(global, args, output),
        Command::History(args) => history::run(global, args, output),
        Command::Undo(args) => undo::run(global, args, output),
        Command::Template(args) => template::run(global, args, output),
        Command::Recover(args) => recover::run(global, args, output),
        Command::Completions { shell } => {
            if output.json {
                return Err(Error::new(Code::Usage, "completions have no JSON form")
                    .why("the script is for a shell, not for a program")
                    .fix("leave --json out"));
            }
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut command(), "subidctl", &mut script);
            output::print(&script).map(|()| 0)
        }
    }
}

/// Help and version go to stdout; a command line that makes no sense is an error like any other.
fn unparsed(error: &clap::Error, args: &[OsString]) -> u8 {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let printed = error.print();
        let unseen = if printed.is_err() { Code::StdoutClosed.exit() } else { 0 };
        return if error.use_stderr() { Code::Usage.exit() } else { unseen };
    }
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let what = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let (mut why, mut fix) = (Vec::new(), Vec::new());
    for line in lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more")) {
        match line.strip_prefix("tip: ") {
            // `--` in front would make it a name, and no name begins with `-`.
            Some(tip) if tip.starts_with("to pass ") => {}
            Some(tip) => fix.push(tip),
            None => why.push(line),
        }
    }
    let line = |words: Vec<&str>, or: &str| {
        if words.is_empty() { or.to_owned() } else { crate::text::escape(words.join(" ").as_bytes()) }
    };
    let error = Error::new(Code::Usage, crate::text::escape(what.as_bytes()))
        .why(line(why, reason(error.kind())))
        .fix(line(fix, "subidctl --help, or subidctl COMMAND --help, lists what there is"));
    let json = args.iter().any(|a| a == "--json");
    let global = Global { json, policy: None, root: None, quiet: false, verbose: false, color: Color::Auto };
    Output::new(&global).error(&error);
    error.code.exit()
}

/// Why a command line is refused, where clap gives no reason beside what it found.
fn reason(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::UnknownArgument => "this command has no such option or operand, and no name begins with -",
        ErrorKind::InvalidSubcommand => "subidctl has no such command",
        ErrorKind::ArgumentConflict => "the two contradict each other",
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => "the option does not take this value",
        _ => "the command line does not make sense",
    }
}

/// A host whose subordinate IDs come from a directory: exit 8, or 0 where the caller expects such hosts.
fn directory_host(error: &Error, skip: bool, output: Output) -> Result<u8> {
    if !skip {
        return Err(error.clone());
    }
    output.note(&format!("subidctl: skipped: {} ({})\n", error.what, error.why));
    output.document(|| serde_json::json!({
        "schema": crate::planner::SCHEMA, "changed": false, "skipped": error.what, "assignments": [], "files": [],
    }))?;
    Ok(0)
}

/// Writes where errors go, whatever `--quiet` says.
fn to_stderr(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Writes a file that the user named, with these permission bits.
fn write_named(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    if path.as_os_str() == "-" {
        return Err(Error::new(Code::Usage, "- is no file to write to")
            .why("what goes to stdout is for people, or with --json the one document")
            .fix("name the file; for one that is called so: ./-"));
    }
    crate::commit::write_file(path, bytes, mode)
}

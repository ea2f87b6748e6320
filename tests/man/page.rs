//! A page: what clap knows, in the frame of the hand-written source.

use std::fmt::Write as _;

use clap::{Arg, Command};
use subidctl::error::Code;
use subidctl::findings::catalogue;

use super::source::roff;

/// The day of the pages.
const DATE: &str = "2026-11-27";

/// What the exit codes mean; each page names its own.
const EXITS: [(u8, &str); 10] = [
    (0, "Done, nothing to do, or warnings only."),
    (1, "Failed or declined; nothing was changed, unless the error says 'committed, durability unknown'."),
    (
        2,
        "Usage, an invalid policy or plan, or a confirmation is needed and there is neither a terminal nor `--yes`.",
    ),
    (3, "Changes are pending (`--exit-code`)."),
    (
        4,
        "A finding of severity error or critical, or a container that did not come up; with `--strict` a warning, too.",
    ),
    (5, "Busy: another program holds the locks."),
    (
        6,
        "Stale or conflicting: a range that was asked for is in use, reserved or released, or the files have changed.",
    ),
    (7, "No free range."),
    (8, "This host's subordinate IDs come from a directory (`subid:` in *nsswitch.conf*)."),
    (130, "Interrupted."),
];

/// All pages, as (file name, text).
pub(super) fn all() -> Vec<(String, String)> {
    let mut all = subidctl::cli::command().disable_help_subcommand(true);
    let mut pages = vec![("subidctl.8".to_owned(), main_page(&all))];
    all.build();
    for command in all.get_subcommands() {
        pages.push((format!("subidctl-{}.8", command.get_name()), command_page(command)));
    }
    for (name, about) in [
        ("subidctl-policy.toml", "how subidctl chooses ranges, and who gets them"),
        ("subidctl-json", "the documents that subidctl prints with --json"),
    ] {
        pages.push((format!("{name}.5"), format_page(name, about)));
    }
    pages
}

/// A page of a format, which no command has.
fn format_page(name: &str, about: &str) -> String {
    head(name, 5, about) + &roff(&filled(&source(name)))
}

fn main_page(all: &Command) -> String {
    let mut lines = String::new();
    for command in all.get_subcommands() {
        let _ = writeln!(lines, "- `subidctl {}`: {}.", command.get_name(), about(command));
    }
    let source = source("subidctl").replace("@commands\n", &lines);
    let options = options(all.get_arguments());
    head("subidctl", 8, "gives users their subordinate IDs and proves that rootless containers work")
        + ".SH SYNOPSIS\n\\fBsubidctl\\fR [\\fIOPTIONS\\fR] \\fICOMMAND\\fR \\&...\n"
        + &roff(&filled(&source.replace("@options\n", &options)))
}

fn command_page(command: &Command) -> String {
    let name = command.get_name();
    let mut own = options(command.get_arguments());
    for inner in command.get_subcommands() {
        let _ = write!(own, "\n## {} {}\n{}.\n\n", name, inner.get_name(), about(inner));
        own.push_str(&options(inner.get_arguments()));
    }
    let globals: Vec<String> = command.get_arguments().filter(|arg| is_global(arg)).map(flag).collect();
    let _ = write!(own, "\n{} as for every command: see subidctl(8).\n", globals.join(", "));
    let text = source(name).replace("@options\n", &own);
    assert!(text.contains(&own), "man/src/{name}.md has no line @options");
    head(&format!("subidctl-{name}"), 8, &lower(&about(command)))
        + ".SH SYNOPSIS\n"
        + &roff(&usages(command))
        + &roff(&filled(&text))
}

/// Title and name: a `-` of either is a minus, or manual browsers do not find it.
fn head(name: &str, section: u8, about: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let minus = |text: &str| text.replace('-', "\\-");
    let line = roff(&format!("{name} - {about}")).replacen(
        &format!("{name} - "),
        &format!("{} \\- ", minus(name)),
        1,
    );
    format!(
        ".\\\" Made by UPDATE=1 cargo test --test integration man:: from man/src and the command line's types.\n\
         .TH {} {section} \"{DATE}\" \"subidctl {version}\" \"subidctl\"\n.SH NAME\n{}",
        minus(&name.to_uppercase()),
        line.replace("--", "\\-\\-")
    )
}

/// The hand-written part.
fn source(name: &str) -> String {
    let path = super::folder().join(format!("src/{name}.md"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

/// How it is called: a line for it, or for each of its own commands.
fn usages(command: &Command) -> String {
    let usage = |command: &Command| {
        let text = command.clone().render_usage().to_string();
        let words = text.trim_start_matches("Usage: ").split_whitespace();
        let words = words.map(|word| {
            if word.starts_with("subidctl") || word.chars().all(|c| c.is_ascii_lowercase()) {
                format!("`{word}`")
            } else {
                // `<FILE>` and `[USER]...`: what is to be filled in.
                word.replace(['<', '>'], "*").replace("[USER", "[*USER*").replace("[CMD", "[*CMD*")
            }
        });
        words.collect::<Vec<_>>().join(" ")
    };
    let inner: Vec<String> = command.get_subcommands().map(usage).collect();
    if inner.is_empty() { usage(command) + "\n" } else { inner.join("\n\n") + "\n" }
}

fn is_global(arg: &Arg) -> bool {
    arg.is_global_set()
}

/// The options that are not every command's, and operands, each with its help.
fn options<'a>(args: impl Iterator<Item = &'a Arg>) -> String {
    let mut out = String::new();
    let mut args: Vec<&Arg> =
        args.filter(|arg| !["help", "version"].contains(&arg.get_id().as_str())).collect();
    // Of the program itself all are global.
    if args.iter().any(|arg| !is_global(arg)) || args.iter().all(|arg| arg.is_positional()) {
        args.retain(|arg| !is_global(arg));
    }
    for arg in args {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = write!(out, "- {}: {}.", flag(arg), marked(&help));
        let values = arg.get_possible_values();
        if !values.is_empty() && arg.get_action().takes_values() {
            let names: Vec<String> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
            let _ = write!(out, "\nOne of {}.", names.join(", "));
        }
        let defaults = arg.get_default_values().iter().map(|value| value.to_string_lossy());
        let defaults = defaults.collect::<Vec<_>>().join(", ");
        if !defaults.is_empty() && arg.get_action().takes_values() {
            let _ = write!(out, "\nThe default is {defaults}.");
        }
        out.push('\n');
    }
    out
}

/// A text that has no marks of its own.
fn marked(text: &str) -> String {
    assert!(!text.contains(['`', '*']), "{text}");
    text.to_owned()
}

/// `-R`, `--root DIR`
fn flag(arg: &Arg) -> String {
    let value = arg.get_value_names().filter(|_| arg.get_action().takes_values());
    let value = value.map(|names| names.join(" ")).unwrap_or_default();
    if arg.is_positional() {
        return format!("*{value}*");
    }
    let short = arg.get_short().map(|short| format!("`-{short}`"));
    let long = arg.get_long().map(|long| format!("`--{long}`"));
    let names = short.into_iter().chain(long).collect::<Vec<_>>().join(", ");
    if value.is_empty() { names } else { format!("{names} *{value}*") }
}

/// Puts in what tables know: exit codes, findings, and other pages.
fn filled(source: &str) -> String {
    let mut out = String::new();
    for line in source.lines() {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        match mark {
            "@exit" => {
                for code in rest.split(' ') {
                    let known = EXITS.iter().find(|(exit, _)| exit.to_string() == code);
                    let (_, means) = known.unwrap_or_else(|| panic!("no exit code {code}"));
                    let _ = writeln!(out, "- `{code}`: {means}");
                }
            }
            "@see" => {
                let pages = rest.split(' ').map(|page| match page {
                    "main" => "`subidctl`(8)".to_owned(),
                    "toml" => "`subidctl-policy.toml`(5)".to_owned(),
                    "json" => "`subidctl-json`(5)".to_owned(),
                    page => match page.split_once('(') {
                        Some((page, section)) => format!("`{page}`({section}"),
                        None => format!("`subidctl-{page}`(8)"),
                    },
                });
                let _ = writeln!(out, "{}", pages.collect::<Vec<_>>().join(",\n"));
            }
            "@findings" => out.push_str(&findings()),
            "@codes" => out.push_str(&codes()),
            _ => {
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    out
}

/// The codes of errors, those of an exit code together.
fn codes() -> String {
    let mut exits: Vec<u8> = Code::ALL.iter().map(|code| code.exit()).collect();
    exits.sort_unstable();
    exits.dedup();
    let names = |exit: u8| {
        let names =
            Code::ALL.iter().filter(|code| code.exit() == exit).map(|code| format!("`{}`", code.as_str()));
        names.collect::<Vec<_>>().join(", ")
    };
    exits.into_iter().map(|exit| format!("- exit {exit}: {}.\n", names(exit))).collect()
}

/// Every entry of the catalogue, those of a group together.
fn findings() -> String {
    let mut out = String::new();
    let mut groups: Vec<&str> = catalogue().map(|entry| entry.group.name()).collect();
    groups.dedup();
    let mut told = Vec::new();
    for group in groups {
        if told.contains(&group) {
            continue;
        }
        told.push(group);
        let _ = writeln!(out, "## {group}");
        for entry in catalogue().filter(|entry| entry.group.name() == group) {
            let severity = serde_json::to_value(entry.severity).unwrap();
            let severity = severity.as_str().unwrap();
            let _ = writeln!(out, "- `{}` ({severity}): {}.", entry.id, marked(entry.title));
        }
    }
    out
}

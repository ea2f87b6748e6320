//! The manual and the completions: what is committed is what the command line, the catalogue and the sources in
//! man/src make. `UPDATE=1 cargo test --test integration man::` makes them anew.

mod json;
mod page;
mod source;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::needs;

/// Where the pages are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("man")
}

/// What the program prints.
fn printed(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_subidctl")).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The committed pages, as (file name, text).
fn committed() -> Vec<(String, String)> {
    let names = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let pages = names.filter(|path| path.is_file());
    pages
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// Compares a committed file with what makes it, or with `UPDATE=1` writes it.
fn compare(path: &Path, made: &str, wrong: &mut Vec<String>) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, made).unwrap();
    } else if std::fs::read_to_string(path).unwrap_or_default() != made {
        wrong.push(path.display().to_string());
    }
}

#[test]
fn the_pages_and_completions_are_up_to_date() {
    let mut wrong = Vec::new();
    let pages = page::all();
    for (name, text) in &pages {
        compare(&folder().join(name), text, &mut wrong);
    }
    for (name, _) in committed() {
        if !pages.iter().any(|(made, _)| *made == name) {
            wrong.push(format!("{name}: nothing makes it"));
        }
    }
    let completions = folder().parent().unwrap().join("completions");
    for (shell, file) in [("bash", "subidctl.bash"), ("zsh", "_subidctl"), ("fish", "subidctl.fish")] {
        compare(&completions.join(file), &printed(&["completions", shell]), &mut wrong);
    }
    // The package's units are what the templates make.
    let units = folder().parent().unwrap().join("packaging/systemd");
    for (template, file) in [
        ("systemd-recover", "subidctl-recover.service"),
        ("systemd-audit-service", "subidctl-audit.service"),
        ("systemd-audit-timer", "subidctl-audit.timer"),
    ] {
        compare(&units.join(file), &printed(&["template", "render", template]), &mut wrong);
    }
    assert!(wrong.is_empty(), "UPDATE=1 cargo test --test integration man::\n{}", wrong.join("\n"));
}

#[test]
fn the_pages_are_without_fault() {
    needs!("mandoc");
    for (name, _) in committed() {
        let output = Command::new("mandoc").args(["-Tlint"]).arg(folder().join(&name)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.is_empty(), "{said}");
    }
}

/// Long options that a text has where options stand: `--json` in the left column of the help, in bold on a page.
fn options(text: &str, mark: &str) -> BTreeSet<String> {
    let names = text.split(mark).skip(1);
    let name =
        |rest: &str| rest.split(|c: char| c != '-' && !c.is_ascii_lowercase()).next().unwrap().to_owned();
    names.map(name).filter(|name| !name.is_empty()).collect()
}

/// The help of a command, or of each of its own commands.
fn helps(command: &str) -> String {
    let of = |words: &[&str]| printed(&[words, &["--help"]].concat());
    let own = of(&[command]);
    let Some((_, inner)) = own.split_once("\nCommands:\n") else { return own };
    let names: Vec<&str> = inner
        .lines()
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    names.iter().filter(|name| **name != "help").map(|name| of(&[command, name])).collect()
}

/// The page, the help and the program have the same commands with the same options.
#[test]
fn the_pages_agree_with_the_help() {
    let help = printed(&["--help"]);
    let commands = help.split_once("\nCommands:\n").unwrap().1.lines().take_while(|line| !line.is_empty());
    let commands: BTreeSet<&str> = commands
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    let pages = committed();
    let paged = pages.iter().filter_map(|(name, _)| name.strip_prefix("subidctl-")?.strip_suffix(".8"));
    assert_eq!(paged.collect::<BTreeSet<_>>(), commands);
    for command in commands {
        // Only where options stand: sentences name other commands' options.
        let column = |line: &&str| line.starts_with("  -") || line.starts_with("      --");
        let told =
            helps(command).lines().filter(column).map(|line| line.to_owned() + "\n").collect::<String>();
        let mut told = options(&told, "--");
        told.remove("help");
        let (_, page) = pages.iter().find(|(name, _)| *name == format!("subidctl-{command}.8")).unwrap();
        let part = page.split_once("\n.SH OPTIONS\n").unwrap().1.split("\n.SH ").next().unwrap();
        let tags = part.lines().zip(part.lines().skip(1)).filter(|(request, _)| *request == ".TP");
        let globals = part.lines().skip_while(|line| *line != ".PP").collect::<Vec<_>>().join("\n");
        let shown = tags.map(|(_, tag)| tag.to_owned() + "\n").collect::<String>() + &globals;
        assert_eq!(options(&shown.replace("\\-", "-"), "\\fB--"), told, "{command}");
    }
}

/// Every example is a command line that the program takes.
#[test]
fn the_examples_can_be_typed() {
    let mut wrong = Vec::new();
    for file in std::fs::read_dir(folder().join("src")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for example in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let words = example.split([' ']).skip_while(|word| *word == "sudo");
            let words =
                words.take_while(|word| !word.starts_with(['|', '>'])).map(|word| word.trim_matches('\''));
            if let Err(error) = subidctl::cli::command().try_get_matches_from(words) {
                wrong.push(format!("{example}: {error}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_findings_are_those_of_check() {
    let (_, page) = committed().into_iter().find(|(name, _)| name == "subidctl-check.8").unwrap();
    let list: serde_json::Value = serde_json::from_str(&printed(&["check", "--list", "--json"])).unwrap();
    let entries = list["entries"].as_array().unwrap();
    let listed: BTreeSet<String> = entries
        .iter()
        .map(|e| {
            format!(
                "\\fB{}\\fR ({})",
                e["id"].as_str().unwrap().replace('-', "\\-"),
                e["severity"].as_str().unwrap()
            )
        })
        .collect();
    let part = page.split_once("\n.SH FINDINGS\n").unwrap().1.split("\n.SH ").next().unwrap();
    let shown: BTreeSet<String> = part
        .lines()
        .filter(|line| line.ends_with(')') && line.starts_with("\\fB"))
        .map(str::to_owned)
        .collect();
    assert_eq!(shown, listed);
}

/// The keys that the reader of the policy knows, as it says them itself where one is wrong.
#[test]
fn the_keys_of_the_policy_are_those_of_its_reader() {
    let source = std::fs::read_to_string(folder().join("src/subidctl-policy.toml.md")).unwrap();
    let known = |text: &str| -> BTreeSet<String> {
        let error = subidctl::policy::parse("p", text.as_bytes()).unwrap_err();
        let (_, keys) = error.fix.split_once("he keys are: ").unwrap_or_else(|| panic!("{error:?}"));
        keys.split(", ").map(str::to_owned).collect()
    };
    for (heading, wrong) in [
        ("# KEYS", "qqq = 1"),
        ("## reserve, directory", "reserve = [{ qqq = 1 }]"),
        ("## reserve, directory", "directory = [{ qqq = 1 }]"),
        ("## [[window]]", "[[window]]\nqqq = 1"),
        ("## [users]", "[users]\nqqq = 1"),
        ("## [history]", "[history]\nqqq = 1"),
    ] {
        let part = source.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}")).1;
        let part = part.split("\n#").next().unwrap();
        let shown = part.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next());
        assert_eq!(shown.map(str::to_owned).collect::<BTreeSet<_>>(), known(wrong), "{heading}");
    }
    // The examples are policies.
    for example in source.split("```\n").skip(1).step_by(2) {
        subidctl::policy::parse("p", example.as_bytes()).unwrap();
    }
}

//! What the README says of the peers is what `tests/peers` printed (`tests/peers.txt`), and what it prints.

use std::process::Command;

use super::breakages::rows;
use crate::harness::{missing, needs, size};

/// A printed table: its tools, and each line's name and cells.
struct Table {
    tools: Vec<String>,
    lines: Vec<(String, Vec<String>)>,
}

/// The width of the names.
const NAME: usize = 48;
const OUTCOMES: [(&str, &str); 3] = [
    ("named", "names the cause"),
    ("fails", "fails, and does not name it"),
    ("well", "says that all is well"),
];

impl Table {
    fn parse(text: &str) -> Self {
        let mut lines = text.lines().filter(|line| !line.is_empty()).map(|line| {
            let (name, cells) = line.split_at(NAME);
            // `3 of 46` is one cell.
            let cells = cells.trim().replace(" of ", "/");
            (name.trim().to_owned(), cells.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>())
        });
        let (_, tools) = lines.next().unwrap();
        Self { tools, lines: lines.collect() }
    }

    fn cells(&self, name: &str) -> &[String] {
        let line = self.lines.iter().find(|(of, _)| of == name);
        &line.unwrap_or_else(|| panic!("no line {name:?}")).1
    }

    /// The cells of one tool, from top to bottom.
    fn column(&self, tool: &str) -> Option<Vec<(&str, &str)>> {
        let at = self.tools.iter().position(|of| of == tool)?;
        Some(self.lines.iter().map(|(name, cells)| (name.as_str(), cells[at].as_str())).collect())
    }
}

fn stored() -> Table {
    Table::parse(include_str!("../../peers.txt"))
}

/// Whether subidctl names the cause of this situation.
pub(super) fn names(situation: &str) -> bool {
    stored().column("subidctl").unwrap().contains(&(situation, "named"))
}

#[test]
fn the_stored_table_adds_up_and_is_of_these_situations() {
    let table = stored();
    let (sums, situations): (Vec<_>, Vec<_>) =
        table.lines.iter().partition(|(name, _)| OUTCOMES.iter().any(|(_, sum)| name == sum));
    assert_eq!(sums.len(), OUTCOMES.len());
    let names: Vec<&str> = situations.iter().map(|(name, _)| name.as_str()).collect();
    let mut expected = vec!["nothing is broken"];
    expected.extend(rows().map(|row| row.situation));
    assert_eq!(names, expected);
    for (at, tool) in table.tools.iter().enumerate() {
        let count = |outcome: &str| situations[1..].iter().filter(|(_, cells)| cells[at] == outcome).count();
        let of = situations.len() - 1 - count("-");
        for (outcome, sum) in OUTCOMES {
            assert_eq!(table.cells(sum)[at], format!("{}/{of}", count(outcome)), "{tool}: {sum}");
        }
        assert_eq!(situations[0].1[at], "well", "{tool} on a host with no fault");
    }
}

#[test]
fn the_readmes_figures_are_the_tables() {
    let (table, readme) = (stored(), include_str!("../../../README.md"));
    for (tool, name) in [
        ("subidctl", "subidctl check"),
        ("dockerd-setup", "dockerd-rootless-setuptool.sh check"),
        ("rootlesskit", "rootlesskit"),
        ("podman", "podman run"),
        ("buildah", "buildah run"),
    ] {
        let at = table.tools.iter().position(|of| of == tool).unwrap();
        let cells: Vec<String> = OUTCOMES.iter().map(|(_, sum)| table.cells(sum)[at].clone()).collect();
        let of = cells[0].split('/').nth(1).unwrap();
        let numbers: Vec<&str> = cells.iter().map(|cell| cell.split('/').next().unwrap()).collect();
        let line = format!("| `{name}` | {of} | {} |", numbers.join(" | "));
        assert!(readme.contains(&line), "the README has no line {line}");
    }
    let situations = rows().count();
    let shown = readme.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains(&format!("{situations} situations")), "{situations} situations");
}

/// Of those tools that are installed, in the long run: it takes some minutes.
#[test]
fn the_script_prints_the_stored_table() {
    needs!("unshare", "nsenter", "useradd", "podman", "crun", "buildah", "slirp4netns", "setcap", "cc");
    let mut script = Command::new("tests/peers");
    script.current_dir(env!("CARGO_MANIFEST_DIR")).env("SUBIDCTL", env!("CARGO_BIN_EXE_subidctl"));
    let there = stored().tools.into_iter().filter(|tool| match tool.as_str() {
        "dockerd-setup" => {
            std::path::Path::new("/usr/share/docker.io/contrib/dockerd-rootless-setuptool.sh").exists()
        }
        "rootlesskit" => missing(&["rootlesskit"]).is_none(),
        _ => true,
    });
    // By default a look at what is quick, so that the script does not break unseen.
    let quick = size(1, 0) == 1;
    let tools: Vec<String> = if quick { vec!["subidctl".to_owned()] } else { there.collect() };
    for tool in &tools {
        script.args(["--tool", tool]);
    }
    if quick {
        script.args(["--only", "setuid"]);
    }
    let output = script.output().unwrap();
    let (said, errors) = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).into();
    assert!(output.status.success(), "{said}{errors}");
    let (printed, stored) = (Table::parse(&said), stored());
    for tool in &tools {
        let (printed, stored) = (printed.column(tool).unwrap(), stored.column(tool).unwrap());
        let sum = |name: &str| OUTCOMES.iter().any(|(_, sum)| *sum == name);
        for (name, cell) in printed.iter().filter(|(name, _)| !(quick && sum(name))) {
            assert!(stored.contains(&(name, cell)), "{tool}, {name}: {cell}, and stored is another");
        }
    }
}

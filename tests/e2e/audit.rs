//! `audit`: a tree for each finding.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use subidctl::findings::catalogue;

/// The trees: one for each finding, which lies over the clean one, and the clean one itself. A tree has only
/// the files that make the fault; a `make` script beside `etc` does what a checkout cannot hold (modes, links,
/// NUL bytes, mounts), in the copy, as its working folder, in the mount namespace that the audit runs in.
/// `policy.toml` beside `etc` is the policy.
fn trees() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audit")
}

/// A copy of the clean tree with one fault's files over it.
fn tree(id: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for layer in ["clean", id] {
        let source = trees().join(layer);
        run(Command::new("cp").arg("-a").arg(source.join(".")).arg(copy.path()));
    }
    run(Command::new("chown").args(["-R", "0:0"]).arg(copy.path()));
    run(Command::new("chmod").args(["-R", "u=rwX,go=rX"]).arg(copy.path()));
    copy
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The exit code and the document of `audit` on a tree.
fn audit(tree: &Path) -> (Option<i32>, serde_json::Value) {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-euc", "if [ -e make ]; then sh -eu make; fi; exec \"$@\"", "audit"]);
    command.current_dir(tree).arg(env!("CARGO_BIN_EXE_subidctl")).args(["audit", "--json", "--root", "."]);
    let policy = tree.join("policy.toml");
    if policy.exists() {
        command.arg("--policy").arg(policy);
    }
    let output = command.output().unwrap();
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), document)
}

fn ids(document: &serde_json::Value) -> BTreeSet<&str> {
    document["findings"].as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap()).collect()
}

#[test]
fn each_tree_has_exactly_its_fault() {
    let mut wrong = Vec::new();
    for entry in catalogue().filter(|entry| entry.in_audit()) {
        let tree = tree(entry.id);
        let (code, document) = audit(tree.path());
        let found = ids(&document);
        if found != BTreeSet::from([entry.id]) {
            wrong.push(format!("{}: {found:?}", entry.id));
        }
        let expected = if entry.severity.is_fault() { 4 } else { 0 };
        if code != Some(expected) {
            wrong.push(format!("{}: exit {code:?}, not {expected}", entry.id));
        }
        for finding in document["findings"].as_array().unwrap() {
            for field in ["message", "consequence", "evidence", "fix"] {
                if finding[field].as_str().is_none_or(str::is_empty) {
                    wrong.push(format!("{}: no {field}", entry.id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_found_in_the_clean_tree() {
    let tree = tree("clean");
    let (code, document) = audit(tree.path());
    assert_eq!((code, ids(&document)), (Some(0), BTreeSet::new()));
}

#[test]
fn there_is_a_tree_for_each_finding_and_a_finding_for_each_tree() {
    let folders = std::fs::read_dir(trees()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
    let folders: BTreeSet<String> = folders.filter(|name| name != "clean").collect();
    let entries: BTreeSet<String> =
        catalogue().filter(|entry| entry.in_audit()).map(|entry| entry.id.to_owned()).collect();
    assert_eq!(folders, entries);
    assert!(!entries.is_empty());
}

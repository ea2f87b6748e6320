//! `check` on trees: one for each finding, one for each kind of host, and the table of all ways to fail.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use subidctl::findings::{Group, ROWS, catalogue};

use crate::harness::Sandbox;

/// What lies over what. The clean tree is a host with systemd on which all is well; every other has only the
/// files that differ. A `make` script beside them does what a checkout cannot hold (modes, devices, NUL bytes),
/// in the copy; `for` names the engine, `policy.toml` is the policy. `also` names findings beside the one that the tree is for.
fn trees() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A copy of the clean tree with another over it.
fn tree(over: &str) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for layer in ["audit/clean", "check/clean", over] {
        run(Command::new("cp").arg("-a").arg(trees().join(layer).join(".")).arg(copy.path()));
    }
    run(Command::new("chown").args(["-R", "0:0"]).arg(copy.path()));
    run(Command::new("chmod").args(["-R", "u=rwX,go=rX"]).arg(copy.path()));
    run(Command::new("sh").args(["-eu", "base"]).current_dir(copy.path()));
    copy
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The exit code and the document of `check USER` on a tree. Its `make` runs in the mount namespace of the check.
fn check(tree: &Path, user: &str, engine: Option<&str>) -> (Option<i32>, Value) {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-euc", "if [ -e make ]; then sh -eu make; fi; exec \"$@\"", "check"]);
    command.current_dir(tree).arg(env!("CARGO_BIN_EXE_subidctl"));
    command.args(["check", "--json", "--root", ".", user]);
    let named = std::fs::read_to_string(tree.join("for")).ok();
    if let Some(engine) = engine.or(named.as_deref()) {
        command.args(["--for", engine.trim()]);
    }
    if tree.join("policy.toml").exists() {
        command.arg("--policy").arg(tree.join("policy.toml"));
    }
    let output = command.output().unwrap();
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    drop(std::fs::remove_file(tree.join("make")));
    (output.status.code(), document)
}

fn findings(document: &Value) -> &Vec<Value> {
    document["findings"].as_array().unwrap()
}

fn text<'a>(finding: &'a Value, field: &str) -> &'a str {
    finding[field].as_str().unwrap_or_default()
}

/// Whether a finding says that something is as it should not be, or worth knowing.
fn is_found(finding: &Value) -> bool {
    ["info", "warning", "error", "critical"].contains(&text(finding, "status"))
}

/// The ids of what is found, once each.
fn found(document: &Value) -> BTreeSet<&str> {
    findings(document).iter().filter(|f| is_found(f)).map(|f| text(f, "id")).collect()
}

/// Findings of `check` that no tree can hold, and the test that makes them.
const NO_TREE: &[(&str, &str)] = &[
    ("user-unknown", "a_caller_without_an_account_is_told_so"),
    ("process-limit", "e2e::causes, a limit of processes of the process itself"),
];

/// The tree of a finding: its own, or the one that the audit has for it.
fn tree_of(id: &str) -> Option<String> {
    ["check", "audit"].iter().map(|kind| format!("{kind}/{id}")).find(|tree| trees().join(tree).exists())
}

#[test]
fn each_tree_has_exactly_its_fault() {
    let mut wrong = Vec::new();
    for entry in catalogue().filter(|entry| entry.in_check()) {
        if NO_TREE.iter().any(|(id, _)| *id == entry.id) {
            continue;
        }
        let Some(name) = tree_of(entry.id) else {
            wrong.push(format!("{}: no tree", entry.id));
            continue;
        };
        // Whose line it is differs from tree to tree.
        let passwd = std::fs::read_to_string(tree(&name).path().join("etc/passwd")).unwrap();
        let users = passwd.lines().filter_map(|line| line.split(':').next());
        let users = users.filter(|user| !["root", "daemon", "nobody"].contains(user));
        let mut tried = Vec::new();
        let engine = if entry.id == "kubelet-range" { Some("kubelet") } else { None };
        let seen = users.map(|user| (user, check(tree(&name).path(), user, engine))).find(
            |(user, (_, document))| {
                tried.push(format!("{user}: {:?}", found(document)));
                found(document).contains(entry.id)
            },
        );
        let Some((user, (code, document))) = seen else {
            wrong.push(format!("{}: not found: {tried:?}", entry.id));
            continue;
        };
        let faults: BTreeSet<&str> = findings(&document)
            .iter()
            .filter(|f| ["error", "critical"].contains(&text(f, "status")))
            .map(|f| text(f, "id"))
            .collect();
        let also = std::fs::read_to_string(trees().join(&name).join("also")).unwrap_or_default();
        let fault = findings(&document).iter().any(|f| text(f, "id") == entry.id && is_fault(f));
        let expected: BTreeSet<&str> =
            also.split_whitespace().filter(|_| fault).chain(fault.then_some(entry.id)).collect();
        if faults != expected {
            wrong.push(format!("{}: faults {faults:?} of {user}", entry.id));
        }
        if code != Some(if fault { 4 } else { 0 }) {
            wrong.push(format!("{}: exit {code:?}", entry.id));
        }
        for finding in findings(&document).iter().filter(|f| text(f, "id") == entry.id) {
            for field in ["message", "consequence", "evidence", "fix"] {
                // The evidence of a blank line is the line.
                if text(finding, field).is_empty() && !(field == "evidence" && entry.id == "line-blank") {
                    wrong.push(format!("{}: no {field}", entry.id));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn is_fault(finding: &Value) -> bool {
    ["error", "critical"].contains(&text(finding, "status"))
}

#[test]
fn nothing_is_found_on_a_host_on_which_all_is_well() {
    for engine in [None, Some("podman"), Some("buildah")] {
        let (code, document) = check(tree("check/clean").path(), "bob", engine);
        let nothing: &[&Value] = &[];
        let found: Vec<&Value> = findings(&document).iter().filter(|f| is_found(f)).collect();
        assert_eq!((code, &found[..]), (Some(0), nothing), "{engine:?}");
        let skipped: Vec<&Value> = findings(&document).iter().filter(|f| f["status"] == "skipped").collect();
        assert_eq!(skipped, nothing, "{engine:?}");
    }
}

#[test]
fn a_tree_is_for_a_finding() {
    let folders = std::fs::read_dir(trees().join("check")).unwrap();
    for folder in folders.map(|e| e.unwrap().file_name().into_string().unwrap()) {
        let known = subidctl::findings::entry(&folder).is_some_and(subidctl::findings::Entry::in_check);
        assert!(known || ["clean", "hosts"].contains(&folder.as_str()), "{folder}");
    }
}

/// What a host's tree is expected to show: `STATUS ID FIX`, the fix's first line.
fn shown(document: &Value) -> String {
    let found = findings(document).iter().filter(|f| is_found(f));
    let line = |f: &Value| {
        let fix = text(f, "fix").lines().next().unwrap_or_default();
        format!("{} {} {fix}\n", text(f, "status"), text(f, "id"))
    };
    found.map(line).collect()
}

/// Every kind of host gets an answer that fits: what is found, how grave it is, and a command of its own.
#[test]
fn each_kind_of_host_gets_a_fitting_answer() {
    let mut wrong = Vec::new();
    for folder in std::fs::read_dir(trees().join("check/hosts")).unwrap() {
        let name = folder.unwrap().file_name().into_string().unwrap();
        let (_, document) = check(tree(&format!("check/hosts/{name}")).path(), "bob", None);
        let path = trees().join("check/hosts").join(&name).join("expected");
        let expected = std::fs::read_to_string(&path).unwrap_or_default();
        if shown(&document) != expected {
            wrong.push(format!("{name}, expected:\n{expected}and not:\n{}", shown(&document)));
        }
        let session = |f: &&Value| f["group"] == "session" && f["status"] != "not-applicable";
        let systemd = !["alpine", "sysvinit", "wsl", "container", "nested"].contains(&name.as_str());
        if !systemd && findings(&document).iter().any(|f| session(&f)) {
            wrong.push(format!("{name}: a finding of the session without systemd"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_unprivileged_container_is_told_few_things_first() {
    let (code, document) = check(tree("check/hosts/container").path(), "bob", None);
    let errors = document["summary"]["error"].as_u64().unwrap();
    assert!(code == Some(4) && (1..=3).contains(&errors), "{errors} errors: {:?}", found(&document));
    let first = text(&document["summary"], "first_fix");
    assert!(findings(&document).iter().any(|f| is_fault(f) && text(f, "fix") == first), "{first}");
}

/// Another user's session cannot be seen, and a tree that nobody runs has no kernel.
#[test]
fn what_cannot_be_seen_is_not_said_to_be_right() {
    let statuses = |document: &Value, group: &str| -> BTreeSet<String> {
        let of_group = findings(document).iter().filter(|f| f["group"] == group);
        of_group.map(|f| format!("{} {}", text(f, "status"), text(f, "message"))).collect()
    };
    let (_, document) = check(tree("check/clean").path(), "alice", None);
    for id in ["runtime-dir-unset", "user-variable", "primary-group", "helper-shadowed"] {
        let finding = findings(&document).iter().find(|f| text(f, "id") == id).unwrap();
        assert_eq!(
            (text(finding, "status"), text(finding, "message")),
            ("skipped", "not this session"),
            "{id}"
        );
    }
    let bare = tree("check/clean");
    for folder in ["proc", "sys", "run", "dev"] {
        std::fs::remove_dir_all(bare.path().join(folder)).unwrap();
    }
    let (code, document) = check(bare.path(), "bob", None);
    assert_eq!((code, found(&document)), (Some(0), BTreeSet::new()));
    let nowhere = BTreeSet::from(["not-applicable nothing runs in a tree without /proc".to_owned()]);
    for group in ["kernel", "session", "cgroup", "storage", "network"] {
        let mut seen = statuses(&document, group);
        seen.retain(|status| !status.ends_with("--for kubelet"));
        assert_eq!(seen, nowhere, "{group}");
    }
}

#[test]
fn only_and_skip_take_ids_and_groups() {
    let tree = tree("check/hosts/container");
    check(tree.path(), "bob", None);
    let ids = |args: &[&str]| -> BTreeSet<String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_subidctl"));
        command.args(["check", "bob", "--json", "--root"]).arg(tree.path()).args(args);
        let output = command.output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        findings(&document).iter().map(|f| text(f, "id").to_owned()).collect()
    };
    let all = ids(&[]);
    let helpers = ids(&["--only", "helpers"]);
    assert!(helpers.contains("helper-missing") && helpers.iter().all(|id| id.starts_with("helper-")));
    assert_eq!(ids(&["--only", "helpers,no-range", "--skip", "helper-both"]).len(), helpers.len());
    let groups: Vec<&str> = Group::ALL.into_iter().map(Group::name).collect();
    assert_eq!(ids(&["--only", &groups.join(",")]), all);
    assert!(ids(&["--skip", &groups.join(",")]).is_empty());
}

#[test]
fn a_caller_without_an_account_is_told_so() {
    let sandbox = Sandbox::new().user("alice", 1001).start();
    let check = sandbox
        .run("exec setpriv --reuid 4242 --regid 4242 --clear-groups env HOME=/tmp subidctl check --json")
        .exits(4);
    let document = check.json();
    let faults: Vec<&str> =
        findings(&document).iter().filter(|f| is_fault(f)).map(|f| text(f, "id")).collect();
    assert_eq!(faults, ["user-unknown"]);
    let follows = |id: &str| {
        findings(&document)
            .iter()
            .any(|f| text(f, "id") == id && text(f, "message").starts_with("because user-unknown: "))
    };
    assert!(follows("no-range") && text(&document["summary"], "first_fix").ends_with("getent passwd 4242"));
}

/// `tests/catalogue.tsv` without its head: number, way to fail, ids or why there is none.
fn table() -> Vec<[String; 3]> {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/catalogue.tsv")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
            fields.try_into().unwrap_or_else(|fields| panic!("three fields a line: {fields:?}"))
        })
        .collect()
}

#[test]
fn the_table_has_all_ways_to_fail() {
    let rows: Vec<[String; 3]> = ROWS
        .iter()
        .map(|row| {
            let ids = row.ids.join(" ");
            let last = if ids.is_empty() { format!("undetectable: {}", row.undetectable) } else { ids };
            [row.number.to_string(), row.title.to_owned(), last]
        })
        .collect();
    assert_eq!(table(), rows);
    let numbers: Vec<u8> = ROWS.iter().map(|row| row.number).collect();
    assert_eq!(numbers, (1..=70).collect::<Vec<u8>>());
    let named = ROWS.iter().filter(|row| !row.ids.is_empty()).count();
    assert!(named >= 60, "{named}");
    for row in ROWS {
        assert_ne!(row.ids.is_empty(), row.undetectable.is_empty(), "{}", row.number);
        let entry =
            |id: &&str| subidctl::findings::entry(id).unwrap_or_else(|| panic!("{}: {id}", row.number));
        let entries: Vec<_> = row.ids.iter().map(entry).collect();
        // Some causes show only where a container is really tried; each way to fail has one that is looked for.
        let looked_for = entries.iter().any(|entry| entry.in_check() || entry.in_audit());
        assert!(looked_for || entries.is_empty(), "row {} is looked for by nobody", row.number);
    }
}

#[test]
fn the_list_says_what_the_table_says() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_subidctl")).args(["check", "--list", "--json"]).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = document["rows"].as_array().unwrap();
    let listed: Vec<[String; 3]> = rows
        .iter()
        .map(|row| {
            let ids: Vec<&str> =
                row["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
            let last = if ids.is_empty() {
                format!("undetectable: {}", text(row, "undetectable"))
            } else {
                ids.join(" ")
            };
            [row["number"].to_string(), text(row, "title").to_owned(), last]
        })
        .collect();
    assert_eq!(listed, table());
    let entries: Vec<&str> =
        document["entries"].as_array().unwrap().iter().map(|entry| text(entry, "id")).collect();
    assert_eq!(entries, catalogue().map(|entry| entry.id).collect::<Vec<_>>());
    for entry in document["entries"].as_array().unwrap() {
        let of_rows = ROWS.iter().filter(|row| row.ids.contains(&text(entry, "id"))).map(|row| row.number);
        assert_eq!(entry["rows"], serde_json::json!(of_rows.collect::<Vec<u8>>()), "{}", text(entry, "id"));
    }
}

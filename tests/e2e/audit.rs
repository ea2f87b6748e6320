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
        let also = std::fs::read_to_string(trees().join(entry.id).join("also")).unwrap_or_default();
        if found != also.split_whitespace().chain([entry.id]).collect() {
            wrong.push(format!("{}: {found:?}", entry.id));
        }
        let expected = if entry.severity.is_fault() { 4 } else { 0 };
        if code != Some(expected) {
            wrong.push(format!("{}: exit {code:?}, not {expected}", entry.id));
        }
        for finding in document["findings"].as_array().unwrap() {
            for field in ["message", "consequence", "evidence", "fix"] {
                // The evidence of a blank line is the line.
                let blank = field == "evidence" && entry.id == "line-blank";
                if finding[field].as_str().is_none_or(|text| text.is_empty() && !blank) {
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

/// The screen, and the exit code, of a command on a tree.
fn on_tree(tree: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_subidctl"));
    let output = command.args(args).arg("--root").arg(tree).output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr),
    )
}

#[test]
fn fix_mends_what_grants_nothing_new() {
    let tree = tree("clean");
    let subuid = tree.path().join("etc/subuid");
    let faulty = "# ours\nalice:+100000:65536\nbob:165536:65536\nbob:165536:65536\nbob:110000:65536";
    std::fs::write(&subuid, faulty).unwrap();
    let gids = std::fs::read(tree.path().join("etc/subgid")).unwrap();

    let (code, screen) = on_tree(tree.path(), &["audit", "--fix", "-n"]);
    assert_eq!(code, Some(4), "{screen}");
    for line in ["mends duplicate-line: /etc/subuid line 4\n", "mends line-spelling: /etc/subuid line 2\n"] {
        assert!(screen.contains(line), "{screen}");
    }
    assert_eq!(std::fs::read_to_string(&subuid).unwrap(), faulty);
    let (code, screen) = on_tree(tree.path(), &["audit", "--fix"]);
    assert_eq!(code, Some(2), "a change needs a yes: {screen}");

    // Saved, reviewed and applied like any other plan; an edit by anybody else is refused.
    let plan = tree.path().join("p.json");
    let (code, screen) = on_tree(tree.path(), &["audit", "--fix", "--out", plan.to_str().unwrap()]);
    assert_eq!(code, Some(4), "{screen}");
    let text = std::fs::read_to_string(&plan).unwrap();
    let more = subidctl::text::to_hex(b"alice:0:65536");
    let forged = text.replacen("\"new_hex\": null", &format!("\"new_hex\": \"{more}\""), 1);
    assert_ne!(forged, text);
    let path = tree.path().join("forged.json");
    std::fs::write(&path, forged).unwrap();
    let (code, screen) = on_tree(tree.path(), &["apply", "--yes", "--plan", path.to_str().unwrap()]);
    assert_eq!(code, Some(6), "{screen}");
    assert_eq!(std::fs::read_to_string(&subuid).unwrap(), faulty);
    let (code, screen) = on_tree(tree.path(), &["apply", "--yes", "--plan", plan.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{screen}");
    let mended = "# ours\nalice:100000:65536\nbob:165536:65536\nbob:110000:65536\n";
    assert_eq!(std::fs::read_to_string(&subuid).unwrap(), mended);

    // What is left is a decision.
    let (code, screen) = on_tree(tree.path(), &["audit", "--fix", "--yes"]);
    assert_eq!(code, Some(4), "{screen}");
    assert!(screen.contains("Nothing can be mended without a decision."), "{screen}");
    assert_eq!(std::fs::read_to_string(&subuid).unwrap(), mended);
    assert_eq!(std::fs::read(tree.path().join("etc/subgid")).unwrap(), gids);
}

#[test]
fn fix_ends_a_file_in_a_newline() {
    let tree = tree("clean");
    let subgid = tree.path().join("etc/subgid");
    std::fs::write(&subgid, "alice:100000:65536\nbob:165536:65536").unwrap();
    let (code, screen) = on_tree(tree.path(), &["audit", "--fix", "--yes"]);
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("mends final-newline: /etc/subgid line 2\n"), "{screen}");
    assert_eq!(std::fs::read(&subgid).unwrap(), b"alice:100000:65536\nbob:165536:65536\n");
}

/// Findings whose printed commands leave a tree without faults. The others need a decision, a person, a mount
/// that lasts, or the running system.
const MENDED: &[&str] = &[
    "change-unfinished",
    "deterministic-mixed",
    "deterministic-wrap",
    "docker-no-range",
    "file-missing",
    "file-not-regular",
    "file-owner",
    "file-symlink",
    "file-unreadable",
    "file-writable",
    "history-damaged",
    "homed-range-outside",
    "kubelet-range",
    "leftover-file",
    "ledger-unusable",
    "lock-blocking",
    "lock-stale",
    "lxd-no-range",
    "meets-directory-range",
    "meets-freeipa-range",
    "nsswitch-newline",
    "own-leftover-file",
    "podman-no-range",
    "pool-count-zero",
    "pool-meets-directory",
    "pool-meets-logins",
    "pool-too-high",
    "pool-too-small",
    "pool-upside-down",
    "pools-differ",
    "released-line-lost",
    "subid-module-missing",
];

/// What runs the commands of a fix on a tree, by a shell; what stands before sudo are words for a person.
fn commands(fix: &str, tree: &Path) -> (String, Command) {
    let commands: Vec<&str> = fix.lines().filter_map(|line| Some(line.split_once("sudo ")?.1)).collect();
    let script = commands
        .join("\n")
        .replace("subidctl -R . ", "\"$0\" --root . ")
        .replace(" apply ", " apply --yes ")
        .replace(" release ", " release --yes ")
        .replace(" audit --fix", " audit --fix --yes")
        .replace(" recover", " recover --yes");
    let mut shell = Command::new("timeout");
    shell.args(["60", "sh", "-euc", &script, env!("CARGO_BIN_EXE_subidctl")]).current_dir(tree);
    (script, shell)
}

/// Runs the commands of the first finding until there is none. Each mends one, and a tree has a few.
fn mend(tree: &Path) -> Result<(), String> {
    for _ in 0..6 {
        let (_, document) = audit(tree);
        drop(std::fs::remove_file(tree.join("make")));
        let Some(finding) = document["findings"].get(0) else { return Ok(()) };
        let (script, mut shell) = commands(finding["fix"].as_str().unwrap(), tree);
        let output = shell.output().unwrap();
        if script.is_empty() || !output.status.success() {
            return Err(format!("{script}: {}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    Err("there is no end of it".to_owned())
}

#[test]
fn the_commands_of_a_fix_mend_the_tree() {
    let wrong = MENDED.iter().filter_map(|id| mend(tree(id).path()).err().map(|why| format!("{id}: {why}")));
    assert_eq!(wrong.collect::<Vec<_>>().join("\n"), "");
}

/// What a fix says to do, it can do: the commands before any alternative end well, whatever else is left.
#[test]
fn no_printed_command_fails() {
    let mut wrong = Vec::new();
    // Of these the fault is a mount that ends with the audit's mount namespace.
    let lasts = |id: &str| !["file-mounted", "file-immutable"].contains(&id);
    for entry in catalogue().filter(|entry| entry.in_audit() && lasts(entry.id)) {
        let (_, document) = audit(tree(entry.id).path());
        for finding in document["findings"].as_array().unwrap() {
            let first = finding["fix"].as_str().unwrap().lines().take_while(|line| line.starts_with("sudo "));
            let first: Vec<&str> = first.collect();
            let tree = tree(entry.id);
            // Makes the tree as the audit saw it.
            audit(tree.path());
            let (script, mut shell) = commands(&first.join("\n"), tree.path());
            let output = shell.output().unwrap();
            if !output.status.success() {
                wrong.push(format!("{}: {script}: {}", entry.id, String::from_utf8_lossy(&output.stderr)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What `explain` says of a repair and what a finding says are one: each command of the fix is on the page.
#[test]
fn the_page_names_the_commands_of_the_fix() {
    let mut wrong = Vec::new();
    for entry in catalogue().filter(|entry| entry.in_audit()) {
        let (_, document) = audit(tree(entry.id).path());
        for finding in document["findings"].as_array().unwrap().iter().filter(|f| f["id"] == entry.id) {
            let fix = finding["fix"].as_str().unwrap().replace(" -R .", "");
            let commands = fix.lines().flat_map(|line| line.split("sudo ").skip(1)).map(|command| {
                let words: Vec<&str> = command.split_whitespace().collect();
                let own = words[0] == "subidctl";
                let options = words.iter().filter(|word| own && word.starts_with("--"));
                words.iter().take(if own { 2 } else { 1 }).chain(options).copied().collect::<Vec<_>>()
            });
            let unnamed = commands.flatten().filter(|word| !entry.repair.contains(word)).collect::<Vec<_>>();
            if !unnamed.is_empty() {
                wrong.push(format!("{}: {unnamed:?} of {fix}", entry.id));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A line of millions of characters is no evidence that anybody reads.
#[test]
fn a_huge_line_is_shown_in_part() {
    let tree = tree("clean");
    let (name, digits) = ("x".repeat(1 << 20), "1".repeat(1 << 20));
    let lines = format!("{name}:400000:10\n/{name}:1:x\nbob:{digits}:10 \n{name}\n");
    std::fs::write(tree.path().join("etc/subuid"), lines).unwrap();
    let (code, screen) = on_tree(tree.path(), &["audit"]);
    assert_eq!(code, Some(4));
    assert!(screen.contains("more characters)") && screen.len() < 20_000, "{} bytes", screen.len());
}

/// A file of ever the same fault is not listed a million times.
#[test]
fn of_very_many_faults_the_rest_is_counted() {
    let tree = tree("clean");
    let lines: String = (0..15_000).map(|n| format!("u{n}:{}:10\n", 1_000_000 + 10 * n)).collect();
    for file in ["etc/subuid", "etc/subgid"] {
        std::fs::write(tree.path().join(file), &lines).unwrap();
    }
    let (code, document) = audit(tree.path());
    assert_eq!((code, ids(&document)), (Some(0), BTreeSet::from(["owner-unknown"])));
    let findings = document["findings"].as_array().unwrap();
    assert_eq!((findings.len(), &document["summary"]["warning"]), (10_001, &30_000.into()));
    let rest = findings.iter().find(|finding| finding["count"] != 1).unwrap();
    assert_eq!((&rest["count"], &rest["line"]), (&20_000.into(), &serde_json::Value::Null));
    assert_eq!(rest["message"], "20,000 more of the same are not listed");
    let (_, screen) = on_tree(tree.path(), &["audit"]);
    assert!(screen.contains("30000 warnings."), "{}", &screen[screen.len() - 300..]);
}

/// SSSD's own default leaves one range of shadow's pool: the second has to be named.
#[test]
fn a_range_moves_out_of_a_pool_that_a_directory_takes() {
    let tree = tree("meets-directory-range");
    std::fs::remove_file(tree.path().join("etc/samba/smb.conf")).unwrap();
    let conf = "[sssd]\ndomains = corp.example\n[domain/corp.example]\nid_provider = ad\n";
    std::fs::write(tree.path().join("etc/sssd/sssd.conf"), conf).unwrap();
    for file in ["etc/subuid", "etc/subgid"] {
        std::fs::write(tree.path().join(file), "alice:300000:65536\nbob:400000:65536\n").unwrap();
    }
    let (_, document) = audit(tree.path());
    let found = document["findings"].as_array().unwrap().iter();
    for moves in found.filter(|f| f["id"] == "meets-directory-range" && f["file"] == "/etc/subuid") {
        run(&mut commands(moves["fix"].as_str().unwrap(), tree.path()).1);
    }
    assert!(!ids(&audit(tree.path()).1).contains("meets-directory-range"));
    let lines = std::fs::read_to_string(tree.path().join("etc/subuid")).unwrap();
    assert!(
        lines.contains("\nalice:100000:65536\n") && lines.contains("\nbob:2000200000:65536\n"),
        "{lines}"
    );
}

/// The commands of every fix of the lines of subuid, run by a shell.
fn fixes(lines: &str) -> (tempfile::TempDir, Vec<String>) {
    let tree = tree("clean");
    std::fs::write(tree.path().join("etc/subuid"), lines).unwrap();
    let (_, document) = audit(tree.path());
    let of_subuid = |f: &&serde_json::Value| f["file"] == "/etc/subuid";
    let found = document["findings"].as_array().unwrap().iter().filter(of_subuid);
    let fixes = found.flat_map(|f| f["fix"].as_str().unwrap().lines()).map(str::to_owned).collect();
    (tree, fixes)
}

#[test]
fn what_takes_a_line_out_leaves_the_others() {
    let other = "alice:100000:65536\n";
    for line in ["bob:165536:0", "bob:4294967296:65536", "bob:-5:65536", "bob:x:65536", "a/b:300000:65536"] {
        let (tree, fixes) = fixes(&format!("{other}{line}\nbob:165536:65536\n"));
        let out =
            fixes.iter().find(|fix| fix.contains("s/^/# /")).unwrap_or_else(|| panic!("{line}: {fixes:?}"));
        let script = out.split_once("sudo ").unwrap().1;
        run(Command::new("sh").args(["-euc", script]).current_dir(tree.path()));
        let mended = std::fs::read_to_string(tree.path().join("etc/subuid")).unwrap();
        let comment = format!("# {}", line.replace(':', " "));
        assert_eq!(mended, format!("{other}{comment}\nbob:165536:65536\n"), "{script}");
    }
}

/// A range that is replaced stays taken.
#[test]
fn other_ids_are_offered_only_where_a_pool_may_have_some() {
    let offered = |line: &str| fixes(line).1.iter().any(|fix| fix.contains("apply --replace bob"));
    assert!(offered("bob:3000000000:4294967296\n") && offered("bob:100000:65536 \n"));
    assert!(!offered("bob:0:4294967296\n"));
}

/// What some readers grant nothing of is a new range for them: root's, or another user's, is not offered.
#[test]
fn ids_are_kept_only_where_a_new_range_may_have_them() {
    let kept = |lines: &str| {
        let (_tree, fixes) = fixes(lines);
        fixes.into_iter().filter(|fix| fix.contains("to keep the IDs")).count()
    };
    let alice = "alice:100000:65536\n";
    assert_eq!(kept(&format!("{alice}bob:165536:65536 \n")), 1);
    assert_eq!(kept(&format!("{alice}bob:0498000:65536\n")), 1, "another in decimal, nothing in octal");
    assert_eq!(kept(&format!("{alice}bob:0165536:65536\n")), 1, "60254 in octal, which holds nobody");
    assert_eq!(kept(&format!("{alice}bob:0:65536 \n")), 0, "root's");
    assert_eq!(kept(&format!("{alice}bob:100000:65536:x\n")), 0, "alice's");
    assert_eq!(kept("bob:100000:65536\r\nbob:165000:65536\n!carol:165535:1\n"), 0, "kept for carol");
    assert_eq!(kept("bob:130000:10 \nalice:100000:65536\ncarol:120000:10\n"), 0, "inside alice's");
}

#[test]
fn the_script_for_an_overlap_moves_the_range_that_overlaps() {
    let tree = tree("clean");
    for file in ["etc/subuid", "etc/subgid"] {
        let lines = "alice:100000:65536\nbob:300000:65536\nalice:300000:65536\n";
        std::fs::write(tree.path().join(file), lines).unwrap();
    }
    let (_, document) = audit(tree.path());
    let fix = document["findings"][0]["fix"].as_str().unwrap();
    assert!(fix.ends_with("--set old_uid=300000 --set old_gid=300000"), "{fix}");
}

#[test]
fn a_line_with_a_nul_is_not_kept_as_a_comment() {
    let (tree, fixes) = fixes("alice:100000:65536\nbob:1\0:7:\0\nbob:165536:65536\n");
    let out = fixes.iter().find(|fix| fix.contains("sed -i 2")).unwrap();
    let script = out.split_once("sudo ").unwrap().1;
    run(Command::new("sh").args(["-euc", script]).current_dir(tree.path()));
    assert_eq!(ids(&audit(tree.path()).1), BTreeSet::new(), "{script}");
}

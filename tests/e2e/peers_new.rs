//! What the newest release's own tools do wrong, done by them, and what `audit` says of it.

use std::collections::BTreeSet;

use crate::harness::{Sandbox, needs, tree};

/// The ids of `audit`'s findings with their lines' owners and fixes, but for what is only worth knowing of
/// IDs as high as Apptainer's.
fn found(sandbox: &Sandbox) -> BTreeSet<(String, String, String)> {
    let document = sandbox.run("subidctl audit --json || test $? -eq 4").ok().json();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let findings = document["findings"].as_array().unwrap().iter();
    let all = findings.map(|f| (text(&f["id"]), text(&f["owner"]), text(&f["fix"])));
    all.filter(|(id, ..)| id != "above-2-31").collect()
}

#[test]
fn usermod_gives_one_id_too_many_and_its_own_command_takes_it_back() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().system(Some(&tree!("new"))).user("alice", 1001).start();
    sandbox.run("usermod -S alice").ok();
    assert!(sandbox.text("/etc/subuid").ends_with(":65537\n"), "{}", sandbox.text("/etc/subuid"));
    let findings = found(&sandbox);
    assert_eq!(findings.len(), 2, "{findings:?}");
    for (id, owner, fix) in findings {
        assert_eq!((id.as_str(), owner.as_str()), ("usermod-one-too-many", "alice"));
        sandbox.run(fix.trim_start_matches("sudo ")).ok();
    }
    assert!(sandbox.text("/etc/subuid").ends_with(":65536\n"));
    assert!(found(&sandbox).is_empty());
}

#[test]
fn apptainers_overlap_and_its_disabled_line_are_named() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .system(Some(&tree!("new")))
        .user("alice", 1001)
        .user("bob", 1002)
        .subids("bob:4294836230:65536\n")
        .start();
    sandbox.run("apptainer config fakeroot --add alice").ok();
    assert!(sandbox.text("/etc/subuid").contains("1001:4294836224:65536\n"), "it does so no more");
    let findings = found(&sandbox);
    let overlap = findings.iter().find(|(id, owner, _)| id == "apptainer-overlap" && owner == "1001");
    let (_, _, fix) = overlap.unwrap_or_else(|| panic!("{findings:?}"));
    assert_eq!(fix, "sudo subidctl apply --replace +1001");
    sandbox.run("apptainer config fakeroot --disable alice").ok();
    let ids: BTreeSet<String> = found(&sandbox).into_iter().map(|(id, ..)| id).collect();
    assert!(ids.contains("disabled-elsewhere") && !ids.contains("apptainer-overlap"), "{ids:?}");
}

#[test]
fn computed_ranges_meet_a_line_that_audit_had_named() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new().system(Some(&tree!("new"))).user("alice", 1001).start();
    sandbox.run("printf 'alice:231072:65536\\n' | tee /etc/subuid > /etc/subgid").ok();
    sandbox.run("printf 'SUB_UID_DETERMINISTIC yes\\nSUB_GID_DETERMINISTIC yes\\n' >> /etc/login.defs").ok();
    let named = found(&sandbox).into_iter().find(|(id, ..)| id == "deterministic-mixed");
    let (_, owner, fix) = named.expect("nothing is said of alice's line");
    assert_eq!(owner, "alice");
    // What it warned of.
    sandbox.run("useradd -u 1002 eve").ok();
    assert!(sandbox.text("/etc/subuid").contains("eve:231072:65536\n"), "{}", sandbox.text("/etc/subuid"));
    sandbox.run("userdel eve").ok();
    sandbox.run(&format!("{} --yes", fix.trim_start_matches("sudo "))).ok();
    assert!(sandbox.text("/etc/subuid").contains("alice:165536:65536\n"), "{}", sandbox.text("/etc/subuid"));
}

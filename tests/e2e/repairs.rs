//! The commands that `audit` prints, run as they stand, with the real tools.

use crate::harness::{Sandbox, needs};

/// The fixes of all findings with this id, by line of the file.
fn fixes(sandbox: &Sandbox, id: &str) -> Vec<(u64, String)> {
    let document = sandbox.run("subidctl audit --json || test $? -eq 4").ok().json();
    let found = document["findings"].as_array().unwrap().iter().filter(|finding| finding["id"] == id);
    found.map(|f| (f["line"].as_u64().unwrap(), f["fix"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn an_overlap_ends_and_the_files_move_along() {
    needs!("unshare", "nsenter");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("bob", 1002)
        .subids("alice:100000:65536\nbob:100000:65536\n")
        .start();
    let found = fixes(&sandbox, "overlap");
    let lines: Vec<&str> = found[0].1.lines().collect();
    assert_eq!(
        lines[..2],
        ["sudo subidctl apply --replace bob", "then, as bob, to begin anew: podman system reset",]
    );
    let render = lines[2].strip_prefix("or, to keep the files: ").unwrap();
    sandbox
        .run(render)
        .exits(2)
        .says("bob still has 100000-165535")
        .says("sudo subidctl apply --replace bob");
    sandbox.run("subidctl apply --replace --yes bob").ok();
    sandbox.run("touch /home/bob/file && chown 100005:100005 /home/bob/file").ok();
    sandbox
        .run(&format!("{render} --to /root/move.sh && sh /root/move.sh --apply"))
        .ok()
        .says("1 files moved");
    sandbox.run("stat -c %u:%g /home/bob/file").ok().says("165541:165541");
    sandbox.run("subidctl audit").ok();
    // Two ranges, fewer IDs, or none at all: nobody can know.
    sandbox.run("echo bob:400000:65536 >>/etc/subuid").ok();
    sandbox.run(render).exits(2).says("bob has 2 ranges in /etc/subuid");
    sandbox.run("sed -i /bob/d /etc/subuid").ok();
    sandbox.run(render).exits(2).says("bob has no range in /etc/subuid");
    sandbox.run("echo bob:400000:65 >>/etc/subuid").ok();
    sandbox.run(render).exits(2).says("fewer IDs than the old range");
    sandbox.run(&format!("{render} --set new_uid=700000")).ok().says("new_uid=700000").says("new_gid=165536");
}

#[test]
fn one_id_too_many_goes_and_the_next_owner_keeps_his() {
    needs!("unshare", "nsenter", "usermod");
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("bob", 1002)
        .subids("alice:100000:65537\nbob:165536:65536\n")
        .start();
    for (line, fix) in fixes(&sandbox, "overlap") {
        assert_eq!(line, 1, "bob did nothing wrong");
        sandbox.run(fix.strip_prefix("sudo ").unwrap()).ok();
    }
    sandbox.run("subidctl audit").ok().says("No fault found");
    for text in sandbox.id_text() {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["alice:100000:65536", "bob:165536:65536"]);
    }
}

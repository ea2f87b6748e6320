//! Links, FIFOs, hard links and folders where files are expected, and trees that lead outside.

use super::BOTH;
use crate::e2e::alice_and_bob;
use crate::harness::{Output, Sandbox, needs};

/// What is put in a name's place, in the words of a shell: `$1` is the name, `$2` the folder of `victim`, a file
/// of root's that nobody is to reach.
const PLACED: [(&str, &str); 6] = [
    ("symlink", "ln -s $2/victim $1"),
    ("dangling link", "ln -s $2/made $1"),
    ("FIFO", "mkfifo $1"),
    ("hard link", "ln $2/victim $1"),
    ("folder", "mkdir $1"),
    ("alice's file", "touch $1; chown alice $1; chmod 666 $1"),
];

/// Everything of the victims that a write, a change of mode or a new file through a link would alter.
fn victims(sandbox: &Sandbox) -> String {
    let look = "for d in /etc /var/lib; do stat -c '%n %a %U %G %s %Y' $d/victim; cat $d/victim; ls -d $d/made; done";
    sandbox.run(&format!("{look} 2>&1; true")).ok().stdout
}

/// Three lines, and nothing changed.
#[track_caller]
fn refused(ended: &Output, what: &str) {
    // What is in the journal's place and is none is moved away, and that is said.
    let codes: &[i32] = if what.ends_with(".journal") { &[1, 6] } else { &[1, 5] };
    assert!(codes.contains(&ended.code), "{what}\n{ended}");
    assert!(["\n  why: ", "\n  fix: "].iter().all(|line| ended.stderr.contains(line)), "{what}\n{ended}");
}

/// Puts something in each name's place and has alice get her range: the victims are as they were, both files old
/// or new; and when it is gone again the change works.
fn in_the_place_of(names: &[&str]) {
    let sandbox = alice_and_bob();
    // A state folder with a ledger and a history.
    sandbox.run("useradd carol && subidctl release --yes carol").ok();
    let text = sandbox.text("/etc/subuid");
    for victim in ["/etc/victim", "/var/lib/victim"] {
        sandbox.run(&format!("echo precious >{victim}; chmod 640 {victim}; chown root:bob {victim}")).ok();
    }
    let before = victims(&sandbox);
    for name in names {
        let folder = if name.starts_with("/etc") { "/etc" } else { "/var/lib" };
        for (what, place) in PLACED {
            let what = format!("{what} at {name}");
            let placed = format!(
                "rm -rf /tmp/kept; cp -a {name} /tmp/kept 2>/dev/null; rm -rf {name}; set -- {name} {folder}; {place}"
            );
            sandbox.run(&placed).ok();
            let ended = sandbox.within(20).run("subidctl apply --yes --lock-timeout 1 alice");
            assert_eq!(victims(&sandbox), before, "{what}\n{ended}");
            if ended.code == 0 {
                assert!(sandbox.id_text().iter().all(|new| new.contains("\nalice:")), "{what}\n{ended}");
            } else {
                refused(&ended, &what);
                assert_eq!(sandbox.id_text(), [text.clone(), text.clone()], "{what}\n{ended}");
            }
            sandbox.run(&format!("rm -rf {name}; cp -a /tmp/kept {name} 2>/dev/null; true")).ok();
            sandbox.run("subidctl apply --yes alice && sed -i /alice/d /etc/subuid /etc/subgid").ok();
        }
    }
}

#[test]
fn names_that_a_commit_uses_in_etc() {
    needs!("unshare", "nsenter", "useradd");
    in_the_place_of(&[
        "/etc/.subidctl.subuid.new",
        "/etc/.subidctl.subgid.old",
        "/etc/.subidctl.journal",
        "/etc/subuid.lock",
        "/etc/subgid-",
        "/etc/.pwd.lock",
    ]);
}

#[test]
fn names_in_the_state_folder() {
    needs!("unshare", "nsenter", "useradd");
    in_the_place_of(&[
        "/var/lib/subidctl",
        "/var/lib/subidctl/ledger.json",
        "/var/lib/subidctl/.ledger.json.new",
        "/var/lib/subidctl/history",
        "/var/lib/subidctl/history/entries.jsonl",
    ]);
}

#[test]
fn a_file_that_has_a_second_name_is_replaced_and_the_other_keeps_the_old_content() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("ln /etc/subuid /etc/alices; ln /etc/subgid /etc/subgid.bak").ok();
    sandbox.run("subidctl apply --yes alice").ok();
    assert_eq!(sandbox.id_text(), [BOTH, BOTH]);
    assert_eq!(sandbox.text("/etc/alices"), "bob:100000:65536\n");
    sandbox.run("stat -c %h /etc/alices /etc/subgid.bak /etc/subuid /etc/subuid-").ok().says("1\n1\n1\n1\n");
}

#[test]
fn locks_of_pids_to_come_are_nothing() {
    needs!("unshare", "nsenter", "perl");
    let sandbox = alice_and_bob();
    // What shadow links its lock to; and where it makes that, so that it cannot.
    let made = "perl -e 'for (1 .. 2000) { symlink q(/etc/made), qq(/etc/subuid.$_); mkdir qq(/etc/subgid.$_) }'; \
        subidctl apply --yes alice && subidctl apply --yes --count 131072 bob && ls /etc | grep -c 'sub[ug]id[.][0-9]'";
    assert!(sandbox.run(made).ok().stdout.ends_with("\n4000\n"));
    assert!(!sandbox.names("/etc").contains(&"made".to_owned()));
    assert!(sandbox.text("/etc/subuid").starts_with(BOTH));
}

#[test]
fn a_policy_and_a_plan_that_are_links_or_no_files() {
    needs!("unshare", "nsenter", "su");
    let sandbox = alice_and_bob();
    sandbox
        .run("subidctl plan --out /root/p.json alice; echo 'count = 7' >/root/policy.toml; chmod 755 /root")
        .ok();
    for (file, command) in
        [("policy.toml", "plan --policy"), ("p.json", "apply --yes --plan"), ("p.json", "verify --plan")]
    {
        for place in
            ["ln -s /root/F", "mkfifo", "mkdir", "install -m 666 /root/F", "install -o alice /root/F"]
        {
            let place = place.replace('F', file);
            sandbox.run(&format!("rm -rf /tmp/x; {place} /tmp/x")).ok();
            let user = if command.starts_with("plan") { " alice" } else { "" };
            let ended = sandbox.within(20).run(&format!("subidctl {command} /tmp/x{user}"));
            refused(&ended, &format!("{place}, {command}"));
        }
    }
    assert_eq!(sandbox.id_text(), ["bob:100000:65536\n"; 2]);
    // One more name of root's own plan is root's own plan.
    sandbox.run("ln /root/p.json /root/second.json && subidctl apply --yes --plan /root/second.json").ok();
}

#[test]
fn what_is_written_to_a_folder_of_everybodys_is_not_led_astray() {
    needs!("unshare", "nsenter", "su", "perl");
    let sandbox = alice_and_bob();
    let victim = || sandbox.run("stat -c '%a %U %s %i' /etc/shadow; ls -d /etc/made 2>&1; true").ok().stdout;
    let before = victim();
    for (command, name) in
        [("plan --out", "p.json"), ("list --svg", "p.svg"), ("template render chown-script --to", "x.sh")]
    {
        let user = match name {
            "p.svg" => "",
            "x.sh" => {
                " --set owner=alice --set path=/srv --set old_uid=100000 --set old_gid=100000 --set new_uid=200000 \
                 --set new_gid=200000 --set count=10"
            }
            _ => " alice",
        };
        for link in ["/etc/shadow", "/etc/made"] {
            // The name, and every temporary name that a next process could use.
            sandbox.as_user("alice").run(&format!("rm -f /tmp/{name}; ln -s {link} /tmp/{name}")).ok();
            let ended = sandbox.run(&format!("subidctl {command} /tmp/{name}{user}"));
            assert_ne!(ended.code, 0, "{ended}");
            let temps = format!("perl -e 'symlink q({link}), qq(/tmp/.subidctl.$_.{name}) for 1 .. 2000'");
            sandbox.as_user("alice").run(&format!("rm -f /tmp/{name}; {temps}")).ok();
            let ended = sandbox.run(&format!("subidctl {command} /tmp/{name}{user}"));
            assert!(ended.code == 0 || ended.stderr.contains("\n  fix: "), "{ended}");
            assert_eq!(victim(), before, "{command} {link}\n{ended}");
            sandbox.run("rm -f /tmp/.subidctl.* /tmp/p.* /tmp/x.sh").ok();
        }
    }
}

#[test]
fn a_tree_leads_nowhere_else() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    sandbox.run("echo 'SUB_UID_MIN 700000' >/mnt/out.defs; mkdir -p /mnt/out/subidctl/history; echo root:x:0:0::/:/bin/sh >/mnt/out.pw").ok();
    let look = "find /etc /mnt/out /var/lib -printf '%p %y %m %U %i %s %T@\\n' | sort; cat /etc/subuid";
    let tree = "rm -rf /srv/t; mkdir -p /srv/t/etc /srv/t/var/lib/subidctl/history; cd /srv/t/etc; echo bob:100000:65536 | \
        tee subuid >subgid; echo root:x:0:0::/:/bin/sh >passwd; : >login.defs";
    let before = sandbox.run(look).ok().stdout;
    for (name, target) in [
        ("etc", "/etc"),
        ("etc", "../../etc"),
        ("etc/subuid", "/etc/subuid"),
        ("etc/subgid", "../../../etc/subgid"),
        ("etc/subuid-", "/etc/subuid"),
        ("etc/passwd", "../../../../mnt/out.pw"),
        ("etc/login.defs", "/mnt/out.defs"),
        ("etc/nsswitch.conf", "../../../etc/nsswitch.conf"),
        ("etc/.pwd.lock", "../../../etc/.pwd.lock"),
        ("etc/subuid.lock", "/etc/subuid.lock"),
        ("etc/.subidctl.journal", "../../../../mnt/out/journal"),
        ("etc/.subidctl.subuid.new", "../../../../mnt/out/new"),
        ("var", "/var"),
        ("var/lib", "../../../var/lib"),
        ("var/lib/subidctl", "/mnt/out/subidctl"),
        ("var/lib/subidctl/history", "../../../../../../mnt/out/subidctl/history"),
        ("var/lib/subidctl/ledger.json", "/mnt/out/ledger"),
    ] {
        sandbox.run(&format!("{tree}; cd ..; rm -rf {name}; ln -s {target} {name}")).ok();
        let apply = "-R /srv/t --json --yes --lock-timeout 1 --allow-unknown-owner core";
        let ended = sandbox.run(&format!("subidctl apply {apply}"));
        assert_eq!(sandbox.run(look).ok().stdout, before, "{name} -> {target}\n{ended}");
        if ended.code == 0 {
            // Nothing from outside was read either.
            let made = sandbox.run("cat /srv/t/etc/subuid /srv/t/etc/subgid").ok();
            assert_eq!(made.count("core:165536:65536"), 2, "{name} -> {target}\n{ended}{made}");
        } else {
            let known = ["untrusted-file", "busy", "read-failed", "write-failed"];
            let code = ended.json()["code"].as_str().unwrap_or_default().to_owned();
            assert!(known.contains(&&*code), "{name} -> {target}\n{ended}");
        }
    }
    // A policy of the tree's own whose map is to be found above it.
    let map = "echo core 165536 5 >/mnt/out/map; printf 'strategy = \"map\"\\nmap = \"../../../../mnt/out/map\"\\n' >/srv/t/etc/policy.toml";
    sandbox.run(&format!("{tree}; {map}")).ok();
    let plan =
        sandbox.run("subidctl plan -R /srv/t --policy /../../etc/policy.toml --allow-unknown-owner core");
    assert!(plan.code != 0 && !plan.stdout.contains("core:165536:5"), "{plan}");
}

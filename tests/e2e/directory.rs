//! Accounts of a directory that lists nobody, and subordinate IDs that a directory holds.

mod real;

use super::warnings;
use crate::harness::{Sandbox, needs};

const SWITCH: &str = "passwd: files sss\ngroup: files sss\n";

/// SSSD with accounts in these bounds.
const BOUNDED: &str = "[sssd]\ndomains = corp\n\n[domain/corp]\nid_provider = ldap\n\
    min_id = 1200000000\nmax_id = 1200009999\n";

/// SSSD as `realm join` sets it up for Active Directory.
const MAPPED: &str = "[sssd]\ndomains = corp\n\n[domain/corp]\nid_provider = ad\n";

/// A host whose directory has `CORP\Lena` and writes down what it is asked, and bob in the files.
fn host(subids: &str, sssd: Option<&str>) -> Sandbox {
    let mut builder = Sandbox::new().user("bob", 1002).subids(subids).file("/etc/nsswitch.conf", SWITCH);
    builder = match sssd {
        Some(text) => builder.file("/etc/sssd/sssd.conf", text),
        None => builder.without("/etc/sssd"),
    };
    let sandbox = builder.file("/tmp/nss.c", include_str!("directory/nss.c")).start();
    sandbox
        .run("cc -shared -fPIC -o /usr/lib/$(cc -print-multiarch)/libnss_sss.so.2 /tmp/nss.c && touch /tmp/asked && chmod 666 /tmp/asked")
        .ok();
    sandbox.run("getent passwd 'corp\\lena'").ok().says("CORP\\Lena:");
    sandbox.run("true >/tmp/asked").ok();
    sandbox
}

/// What the directory was asked by a command.
fn asked(sandbox: &Sandbox, command: &str, code: i32) -> Vec<String> {
    sandbox.run("true >/tmp/asked").ok();
    sandbox.run(command).exits(code);
    sandbox.text("/tmp/asked").lines().map(str::to_owned).collect()
}

#[test]
fn a_directory_is_asked_once_for_a_user_and_twice_for_a_candidate() {
    needs!("unshare", "nsenter", "cc");
    let sandbox = host("", None);
    let calls = asked(&sandbox, "subidctl apply --yes 'corp\\lena'", 0);
    let candidates = ["getpwuid 100000", "getpwuid 165535", "getgrgid 100000", "getgrgid 165535"];
    assert_eq!(calls[0], "getpwnam corp\\lena");
    assert_eq!(calls[1..], candidates);
    // As the directory spells her, not as she was typed.
    assert_eq!(sandbox.id_text()[0], "CORP\\Lena:100000:65536\n");
    assert_eq!(asked(&sandbox, "subidctl apply --yes 'corp\\lena'", 0), ["getpwnam corp\\lena"]);
    let by_uid = asked(&sandbox, "subidctl plan +1200001007", 0);
    assert_eq!(by_uid, ["getpwuid 1200001007"]);
    assert!(asked(&sandbox, "subidctl plan 1200001007", 0).len() <= 4);
}

#[test]
fn a_login_asks_once_where_nothing_is_to_be_done() {
    needs!("unshare", "nsenter", "cc");
    let sandbox = host("", None);
    sandbox.write("/etc/subidctl/policy.toml", "[users]\nnames = ['CORP\\Lena']\n");
    let login = |user: &str| format!("PAM_TYPE=open_session PAM_USER='{user}' subidctl apply --yes --hook");
    asked(&sandbox, &login("corp\\lena"), 0);
    assert_eq!(sandbox.id_text(), ["CORP\\Lena:100000:65536\n"; 2]);
    let before = sandbox.id_files();
    assert_eq!(asked(&sandbox, &login("corp\\lena"), 0), ["getpwnam corp\\lena"]);
    assert_eq!(asked(&sandbox, &login("CORP\\Lena"), 0), Vec::<String>::new());
    assert_eq!(sandbox.id_files(), before);
}

#[test]
fn nobody_is_asked_where_files_answer_or_bounds_are_declared() {
    needs!("unshare", "nsenter", "cc");
    let sandbox = host("", Some(BOUNDED));
    assert_eq!(asked(&sandbox, "subidctl apply --yes bob", 0), Vec::<String>::new());
    assert_eq!(asked(&sandbox, "subidctl apply --yes 'corp\\lena'", 0), ["getpwnam corp\\lena"]);
    assert_eq!(sandbox.id_text()[0], "bob:100000:65536\nCORP\\Lena:165536:65536\n");
    let over = "subidctl apply --yes --range 1200001000:65536 bob";
    assert_eq!(asked(&sandbox, over, 6), Vec::<String>::new());
    sandbox.run(over).exits(6).says("SSSD").says("[domain/corp] min_id, /etc/sssd/sssd.conf line 6");
    let who = sandbox.run("subidctl who --json 1200005000").ok().json();
    assert_eq!(who["answers"][0]["place"], "[domain/corp] min_id, /etc/sssd/sssd.conf line 6");
    let sandbox = host("", None);
    sandbox.write("/etc/nsswitch.conf", "passwd: files systemd\ngroup: files\n");
    assert_eq!(asked(&sandbox, "subidctl apply --yes bob", 0), Vec::<String>::new());
}

#[test]
fn an_existing_range_in_a_directorys_default_is_kept_and_a_new_one_keeps_out() {
    needs!("unshare", "nsenter", "cc");
    let sandbox = host("bob:300000:65536\n", Some(MAPPED));
    let kept = sandbox.run("subidctl apply --yes --json bob").ok().json();
    assert_eq!(
        (kept["changed"].as_bool(), warnings(&kept)),
        (Some(false), vec!["meets-directory-range".into()])
    );
    sandbox.run("subidctl apply --yes 'corp\\lena'").ok();
    assert_eq!(sandbox.id_text()[1], "bob:300000:65536\nCORP\\Lena:100000:65536\n");
    let full = sandbox.run("subidctl apply --yes --allow-unknown-owner containers").exits(7);
    full.says("SSSD's default for id_provider = ad").says("min = 2000200000");
}

#[test]
fn who_is_not_listed_is_not_selected_in_silence() {
    needs!("unshare", "nsenter", "cc");
    let sandbox = host("", Some(BOUNDED));
    let all = sandbox.run("subidctl plan --all --json").ok().json();
    assert_eq!(
        (all["assignments"].as_array().unwrap().len(), warnings(&all)),
        (2, vec!["directory-lists-nobody".into()])
    );
    sandbox.run("echo empty:x:5000: >>/etc/group").ok();
    let empty = sandbox.run("subidctl apply --yes --group empty").exits(1);
    empty.says("the group 'empty' has no members").says("\n  why: ").says("\n  fix: ");
    sandbox.run("userdel bob").ok();
    sandbox.run("subidctl apply --yes --all").exits(2).says("lists none of its accounts").says("--from");
}

#[test]
fn whoever_waits_for_a_slow_directory_is_told_and_the_change_is_one() {
    needs!("unshare", "nsenter", "cc");
    let sandbox = host("", Some(BOUNDED));
    let names: Vec<String> = (0..100).map(|n| format!("n{n}")).collect();
    sandbox.write("/srv/names", names.join("\n"));
    sandbox.write("/tmp/slow", "");
    let command = "subidctl apply --yes --allow-unknown-owner --from /srv/names";
    let mut terminal = sandbox.terminal(command);
    terminal.expect("looking up user ");
    terminal.expect(" of 100 ...");
    terminal.expect("Committed as");
    assert_eq!(terminal.finish().0, 0);
    assert_eq!(sandbox.text("/var/lib/subidctl/history/entries.jsonl").lines().count(), 1);
    assert_eq!(sandbox.id_text().map(|text| text.lines().count()), [100, 100]);
}

#[test]
fn a_configuration_that_only_root_reads_is_no_silence() {
    needs!("unshare", "nsenter", "cc", "su");
    let sandbox = host("", Some(BOUNDED));
    sandbox.run("chmod 600 /etc/sssd/sssd.conf").ok();
    let theirs = sandbox.as_user("bob").run("subidctl plan --json bob").ok().json();
    assert!(warnings(&theirs).contains(&"site-unread".to_owned()), "{theirs}");
    assert!(
        !warnings(&sandbox.run("subidctl plan --json bob").ok().json()).contains(&"site-unread".to_owned())
    );
}

#[test]
fn the_policy_in_force_names_file_and_line_of_every_value() {
    needs!("unshare", "nsenter", "su");
    let policy = "count = 1000\n[users]\nnames = [\"bob\"]\n";
    let sandbox = Sandbox::new()
        .user("bob", 1002)
        .file("/etc/nsswitch.conf", "passwd: files sss winbind\ngroup: files\n")
        .file("/etc/sssd/sssd.conf", BOUNDED)
        .file("/etc/samba/smb.conf", "[global]\nidmap config * : range = 1000000-1999999\n")
        .file("/etc/subidctl/policy.toml", policy)
        .start();
    let text = sandbox.as_user("bob").run("subidctl policy").ok().stdout;
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    let json = sandbox.as_user("bob").run("subidctl policy --json").ok().json();
    assert_eq!(json["schema"], "subidctl.policy.v1");
    let place = |list: &str, field: &str, key: &str| {
        let all = json[list].as_array().unwrap().iter();
        let found = all.filter(|row| row[field] == key).map(|row| row["place"].as_str().unwrap().to_owned());
        found.collect::<Vec<_>>()
    };
    assert_eq!(place("settings", "key", "count"), ["/etc/subidctl/policy.toml line 1"]);
    assert_eq!(place("settings", "key", "users.names"), ["/etc/subidctl/policy.toml line 3"]);
    assert_eq!(place("settings", "key", "align"), ["built-in default"]);
    let min = ["SUB_UID_MIN, /etc/login.defs line 6", "SUB_GID_MIN, /etc/login.defs line 11"];
    assert_eq!(place("settings", "key", "min"), min);
    assert_eq!(place("kept_free", "by", "SSSD"), ["/etc/sssd/sssd.conf line 6"]);
    assert_eq!(place("kept_free", "by", "winbind"), ["/etc/samba/smb.conf line 2"]);
}

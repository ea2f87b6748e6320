//! A real slapd and a real sssd, of the new release.

use crate::harness::{Sandbox, needs, tree};

/// Files of the directory, before its start.
const START: &str = "set -e; chmod 600 /etc/sssd/sssd.conf; rm -rf /var/lib/ldap/*; \
    slapadd -q -f /tmp/slapd.conf -l /tmp/corp.ldif; slapd -f /tmp/slapd.conf -h ldapi://%2frun%2fslapd.sock; \
    sssd -D --logger=files >/dev/null 2>&1; \
    for try in $(seq 100); do getent passwd 'corp\\lena' && exit; sleep 0.1; done; cat /var/log/sssd/*; exit 1";

fn directory(tree: &std::path::Path) -> Sandbox {
    let sandbox = Sandbox::new()
        .system(Some(tree))
        .user("bob", 1002)
        .file("/etc/nsswitch.conf", super::SWITCH)
        .file("/tmp/slapd.conf", include_str!("slapd.conf"))
        .file("/tmp/corp.ldif", include_str!("corp.ldif"))
        .file("/etc/sssd/sssd.conf", include_str!("sssd.conf"))
        .start();
    sandbox.run(START).ok().says("CORP\\Lena:*:1200001007:");
    sandbox
}

#[test]
fn users_of_a_real_directory_get_ranges() {
    needs!("unshare", "nsenter");
    let sandbox = directory(&tree!("new"));
    sandbox.run("test \"$(getent passwd | grep -c CORP)\" = 0").ok();
    sandbox.run("subidctl apply --yes 'corp\\lena' 'corp\\jörg müller'").ok();
    // The second name is not plain, so his uid stands for him.
    let both = "CORP\\Lena:100000:65536\n1200001008:165536:65536\n";
    assert_eq!(sandbox.id_text(), [both, both]);
    sandbox.run("su -s /bin/sh 'corp\\lena' -c 'getsubids \"$(id -un)\"'").ok().says("100000 65536");
    let over = sandbox.run("subidctl apply --yes --range 1200001000-1200001007 bob").exits(6);
    over.says("uid 1200001007 of the account CORP\\Lena");
    sandbox.run("subidctl plan --group 'corp\\staff'").ok().says("CORP\\Lena: has 100000-165535");
    sandbox.run("subidctl plan --group 'corp\\nobodies'").exits(1).says("has no members");
    sandbox.run("subidctl plan --all").ok().says("bob: gets").says("directory-lists-nobody");
}

#[test]
fn the_first_login_of_a_real_directorys_user_gives_ranges() {
    needs!("unshare", "nsenter");
    let sandbox = directory(&tree!("new"));
    sandbox
        .write("/etc/subidctl/policy.toml", "[users]\ngroups = ['corp\\staff']\nexclude = ['CORP\\ida']\n");
    let render = "subidctl template render pam-session --set subidctl=/usr/local/bin/subidctl";
    sandbox.run(&format!("{render} --to /etc/pam.d/subidctl")).ok();
    sandbox.run("sed -i '0,/^session/s//session include subidctl\\nsession/' /etc/pam.d/su").ok();
    let login = "su -s /bin/sh 'corp\\lena' -c 'getsubids \"$(id -un)\"'";
    sandbox.run(login).ok().says("100000 65536");
    let before = sandbox.id_files();
    sandbox.run(login).ok();
    sandbox.run("su -s /bin/sh 'corp\\ida' -c true && su -s /bin/sh bob -c true").ok();
    assert_eq!(sandbox.id_files(), before, "again, who is excluded, and who is not in the group");
}

#[test]
fn a_directory_that_does_not_answer_is_no_absence() {
    needs!("unshare", "nsenter");
    let sandbox = directory(&tree!("new"));
    sandbox.run("rm -f /var/lib/sss/pipes/nss /var/lib/sss/mc/*").ok();
    let down = sandbox.run("subidctl apply --yes 'corp\\ida'").exits(1);
    down.says("/etc/nsswitch.conf line 1, passwd: files sss");
    let plan = sandbox.run("subidctl plan --json bob").ok().json();
    assert!(super::warnings(&plan).contains(&"lookup-unanswered".to_owned()), "{plan}");
}

#[test]
fn subordinate_ids_of_a_real_directory_are_read_and_never_written() {
    needs!("unshare", "nsenter");
    let sandbox = directory(&tree!("new"));
    sandbox.write("/etc/nsswitch.conf", format!("{}subid: sss\n", super::SWITCH));
    let listed = sandbox.run("subidctl list --json 'corp\\ida'").ok();
    let ranges = listed.json()["ranges"].clone();
    assert_eq!(ranges.as_array().unwrap().len(), 2, "{listed}");
    for (range, kind) in ranges.as_array().unwrap().iter().zip(["uid", "gid"]) {
        assert_eq!((&range["owner"], &range["source"]), (&"CORP\\ida".into(), &"nss".into()));
        assert_eq!((range["kind"].as_str(), range["start"].as_u64()), (Some(kind), Some(2_147_549_184)));
        assert_eq!((range["count"].as_u64(), &range["line"]), (Some(65536), &serde_json::Value::Null));
    }
    sandbox.run("subidctl list").ok().says("/etc/nsswitch.conf line 3: subid: sss").says("lists nobody");
    let before = sandbox.id_files();
    for command in ["plan", "apply --yes", "apply --yes --verify", "setup --yes"] {
        sandbox.run(&format!("subidctl {command} 'corp\\ida'")).exits(8).says("subid: sss");
    }
    assert_eq!(sandbox.id_files(), before);
    sandbox.run("subidctl apply --yes --skip-directory-hosts bob").ok();
    let proof = sandbox.run("subidctl verify --json 'corp\\ida'").ok().json();
    assert_eq!(
        proof["uid_map"],
        serde_json::json!([[0, 1_200_001_009_u32, 1], [1, 2_147_549_184_u32, 65536]])
    );
    sandbox.run("subidctl verify bob").exits(1).says("no subordinate IDs of bob are known");
}

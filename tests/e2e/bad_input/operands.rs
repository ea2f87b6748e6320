//! Names, counts and ranges; who may; a directory that does not answer or decides.

use super::refused;
use crate::e2e::alice_and_bob;
use crate::harness::{Sandbox, needs};

/// A name service that never knows: its look-ups fail.
const BROKEN: &str = "\
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#define FAILS(name, key, entry) \\
    enum nss_status _nss_broken_##name##_r(key k, struct entry *e, char *b, size_t n, int *err) \\
    { (void)k; (void)e; (void)b; (void)n; *err = ECONNREFUSED; return NSS_STATUS_UNAVAIL; }
FAILS(getpwnam, const char *, passwd)
FAILS(getpwuid, uid_t, passwd)
FAILS(getgrnam, const char *, group)
FAILS(getgrgid, gid_t, group)
";

#[test]
fn an_unknown_user_is_named_with_the_one_that_was_meant() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    refused(&sandbox, "subidctl apply --yes alcie", 1, "unknown-user", "no user is named 'alcie'")
        .says("did you mean 'alice'?");
    refused(&sandbox, "subidctl apply --yes nemo77", 1, "unknown-user", "no user is named 'nemo77'")
        .never_says("did you mean");
    refused(&sandbox, "subidctl apply --yes +4711", 1, "unknown-user", "no user has the uid 4711");
    refused(
        &sandbox,
        "subidctl apply --yes --group nogroup1",
        1,
        "unknown-user",
        "no group is named 'nogroup1'",
    );
}

#[test]
fn a_name_with_a_colon_a_newline_or_a_control_character_is_no_user() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    for (typed, shown) in [
        ("al:ice", "al:ice"),
        ("''", ""),
        ("\"$(printf 'al\\nice')\"", "al\\nice"),
        ("\"$(printf 'al\\033[31mice')\"", "al\\x1b[31mice"),
        ("\"$(printf 'al\\177ice')\"", "al\\x7fice"),
    ] {
        let first = format!("'{shown}' is no user");
        refused(&sandbox, &format!("subidctl apply --yes {typed}"), 2, "invalid-name", &first);
    }
}

#[test]
fn a_name_never_begins_with_a_dash() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    refused(&sandbox, "subidctl apply --yes -- -alice", 2, "invalid-name", "'-alice' is no user");
    // An unknown option is not sent after `--`, where it would be such a name.
    refused(&sandbox, "subidctl apply --yes --alice", 2, "usage", "unexpected argument '--alice' found")
        .never_says("-- --alice");
}

#[test]
fn a_count_is_from_one_to_all() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    for count in ["0", "-5", "4294967297", "99999999999999999999999", "0x10", "many"] {
        let first = format!("{count} is no count of IDs");
        refused(&sandbox, &format!("subidctl apply --yes --count {count} alice"), 2, "invalid-count", &first);
    }
    // A count that is one, but that no pool holds.
    let first = "no free range of 4,294,967,296 subordinate uids for alice";
    refused(&sandbox, "subidctl apply --yes --count 4294967296 alice", 7, "no-room", first)
        .says("ask for fewer IDs");
}

#[test]
fn an_explicit_range_that_is_in_use_or_reserved_is_not_moved() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    for (range, shown, met) in [
        ("100000:10", "100000-100009", "bob (/etc/subuid line 1)"),
        ("165535:65536", "165535-231070", "bob (/etc/subuid line 1)"),
        ("90000-100000", "90000-100000", "bob (/etc/subuid line 1)"),
        ("1001:1", "1001-1001", "uid 1001 of the account alice"),
        ("900:10", "900-909", "reserved for root and system users"),
        ("0:65536", "0-65535", "root"),
        ("65534:1", "65534-65534", "the account nobody"),
    ] {
        let first = format!("{shown} cannot be given to alice");
        refused(&sandbox, &format!("subidctl apply --yes --range {range} alice"), 6, "range-taken", &first)
            .says(met);
    }
    sandbox.run("subidctl apply --yes --range 500000-565535 alice").ok();
    assert_eq!(sandbox.text("/etc/subgid"), "bob:100000:65536\nalice:500000:65536\n");
}

#[test]
fn an_explicit_range_beyond_the_end_is_none() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    for range in ["4294967290:100", "4294967296:1", "5-4", "100000:0", "-5-4", "x"] {
        let first = format!("{range} is no range of IDs");
        refused(&sandbox, &format!("subidctl apply --yes --range {range} alice"), 2, "invalid-range", &first);
    }
    let first = "4294967295-4294967295 cannot be given to alice";
    refused(&sandbox, "subidctl apply --yes --range 4294967295:1 alice", 2, "invalid-range", first);
}

#[test]
fn a_command_line_that_makes_no_sense_says_what_is_wrong() {
    needs!("unshare", "nsenter");
    let sandbox = alice_and_bob();
    refused(&sandbox, "subidctl apply --yes", 2, "usage", "no user is named");
    refused(&sandbox, "subidctl frob", 2, "usage", "unrecognized subcommand 'frob'");
    let first = "the argument '--range <RANGE>' cannot be used with '--count <N>'";
    refused(&sandbox, "subidctl apply --yes --range 200000:10 --count 5 alice", 2, "usage", first);
    refused(&sandbox, "subidctl who 4294967296", 2, "usage", "4294967296 is not an ID");
}

#[test]
fn only_root_changes_files() {
    needs!("unshare", "nsenter", "setpriv");
    let sandbox = alice_and_bob();
    let alice = "setpriv --reuid 1001 --regid 1001 --clear-groups";
    let first = "only root can change /etc/subuid and /etc/subgid";
    refused(&sandbox, &format!("{alice} subidctl apply --yes alice"), 1, "not-root", first).says("sudo");
    refused(&sandbox, &format!("{alice} subidctl recover --yes"), 1, "not-root", first);
}

#[test]
fn a_lookup_that_fails_is_not_an_unknown_user() {
    needs!("unshare", "nsenter", "gcc");
    let sandbox = alice_and_bob();
    sandbox.write("/tmp/broken.c", BROKEN);
    sandbox.run("gcc -shared -fPIC -o /usr/lib/libnss_broken.so.2 /tmp/broken.c && ldconfig").ok();
    sandbox.write("/etc/nsswitch.conf", "passwd: files broken\ngroup: files broken\n");
    let apply = |who: &str, asked: &str| {
        let first = format!("nobody knows whether there is a {asked}");
        refused(&sandbox, &format!("subidctl apply --yes {who}"), 1, "lookup-failed", &first)
    };
    apply("carol", "user 'carol'").says("line 1, passwd: files broken").says("getent passwd carol");
    apply("alcie", "user 'alcie'").says("did you mean 'alice'?");
    apply("+4711", "uid 4711").says("getent passwd 4711");
    apply("--group wheel7", "group 'wheel7'").says("line 2, group: files broken").says("getent group wheel7");
    // A name that the files have is asked nowhere else; the candidate range is, and that is a warning.
    sandbox.run("subidctl apply --yes alice").ok().says("[lookup-unanswered]");
    assert_eq!(sandbox.text("/etc/subuid"), "bob:100000:65536\nalice:165536:65536\n");
}

#[test]
fn a_host_whose_ids_come_from_a_directory_is_left_alone() {
    needs!("unshare", "nsenter");
    let nsswitch = "passwd: files\ngroup: files\nsubid: sss\n";
    let sandbox = Sandbox::new().user("alice", 1001).file("/etc/nsswitch.conf", nsswitch).start();
    // Without the module shadow falls back to the files. Only in /usr, a layer of the sandbox's own:
    // elsewhere lie files of the host.
    sandbox.run("find /usr -xdev -name 'libsubid_sss.so*' -delete").ok();
    sandbox.run("subidctl apply --yes alice").ok().says("[subid-module-missing]");
    sandbox.write("/etc/subuid", "");
    sandbox.write("/etc/subgid", "");
    let module = "cp $(ldconfig -p | sed -n 's/.* => //p' | grep -m1 libc.so.6) /usr/lib/libsubid_sss.so";
    sandbox.run(module).ok();
    let before = sandbox.id_files();
    let first = "this host's subordinate IDs come from a directory, not from files";
    for command in ["subidctl plan alice", "subidctl apply --yes alice"] {
        refused(&sandbox, command, 8, "directory", first)
            .says("line 3: subid: sss")
            .says("ipa subid-generate");
    }
    sandbox.run("subidctl apply --yes --skip-directory-hosts alice").ok();
    assert_eq!(sandbox.id_files(), before);
}

//! `template`, and the script of moved ranges on real files.

use crate::harness::{Sandbox, needs};

const RENDER: &str = "subidctl template render chown-script --set owner=alice --set old_uid=100000 \
    --set old_gid=100000 --set new_uid=300000 --set new_gid=400000 --set count=1000 --set path='/home/a b'";

fn alice() -> Sandbox {
    Sandbox::new().user("alice", 1001).start()
}

#[test]
fn templates_are_listed_shown_and_rendered() {
    needs!("unshare", "nsenter");
    let sandbox = alice();
    sandbox.run("subidctl template list").ok().says("chown-script").says("old_uid");
    let list = sandbox.run("subidctl template list --json").ok().json();
    assert_eq!(list["templates"][3]["name"], "chown-script");
    assert_eq!(list["templates"][3]["place"], "anywhere");
    sandbox.run("subidctl template show chown-script").ok().says("owner={{ owner|sh }}");
    sandbox.run("subidctl template show chown").exits(2).says("did you mean chown-script?");
    sandbox.run("subidctl template render chown-script --set owner=alice").exits(2).says("missing: path");
    sandbox.run(&format!("{RENDER} --set owner=bob")).exits(2).says("a value already");
    sandbox.run(&format!("{RENDER} --set mode=1")).exits(2).says("there is no value mode");
    for command in ["show chown-script", "render chown-script"] {
        let error = sandbox.run(&format!("subidctl template {command} --json")).exits(2);
        assert_eq!(error.json()["code"], "usage", "{error}");
    }
}

#[test]
fn a_file_is_replaced_on_a_yes_alone() {
    needs!("unshare", "nsenter");
    let sandbox = alice();
    sandbox.run(&format!("{RENDER} --to /root/move.sh")).ok().says("Written to /root/move.sh");
    sandbox.run("test -x /root/move.sh").ok();
    sandbox.run(&format!("{RENDER} --to /root/move.sh")).ok().says("No changes");
    sandbox.write("/root/move.sh", "mine\n");
    let before = sandbox.state("/root/move.sh");
    sandbox.run(&format!("{RENDER} --to /root/move.sh </dev/null")).exits(2).says("-mine").says("--yes");
    assert_eq!(sandbox.state("/root/move.sh"), before);
    sandbox.run(&format!("{RENDER} --to /root/move.sh --yes")).ok();
    sandbox.run("ln -s /root/move.sh /root/link").ok();
    sandbox.run(&format!("{RENDER} --to /root/link --yes")).exits(1).says("link");
}

#[test]
fn moved_files_keep_their_place_in_the_range() {
    needs!("unshare", "nsenter", "dash", "busybox", "setcap", "getcap");
    for shell in ["dash", "busybox sh", "sh"] {
        let sandbox = alice();
        sandbox.run(&format!("{RENDER} --to /root/move.sh && {shell} -n /root/move.sh")).ok();
        sandbox.run(FILES).ok();
        let look = || {
            sandbox.run("cd /home; find 'a b' target elsewhere -printf '%U:%G %m %p\\n' | sort").ok().stdout
        };
        let before = look();
        let dry = sandbox.run(&format!("{shell} /root/move.sh")).ok();
        dry.clone()
            .says("would move /home/a b/root 100000:100000 -> 300000:400000")
            .says("to do it: run it again with --apply");
        assert_eq!(look(), before, "{dry}");
        sandbox.run("setpriv --reuid=100007 --clear-groups sleep 50 & echo $! >/tmp/pid; sleep 0.3").ok();
        sandbox.run(&format!("{shell} /root/move.sh --apply")).exits(2).says("uid 100007 is running");
        assert_eq!(look(), before);
        sandbox
            .run("kill $(cat /tmp/pid); while kill -0 $(cat /tmp/pid) 2>/dev/null; do sleep 0.1; done")
            .ok();
        let done =
            sandbox.run(&format!("{shell} /root/move.sh --apply")).ok().says("12 files moved, 0 failed");
        done.clone()
            .says("cleared /home/a b/capable loses its file capabilities")
            .says("skipped /home/a b/mount");
        let after = look();
        for line in [
            "1001:1001 755 a b",
            "300000:400000 644 a b/root",
            "300999:400999 644 a b/last",
            "101000:101000 644 a b/beyond",
            "300007:1001 644 a b/half",
            "300005:400005 4755 a b/suid",
            "300005:400005 2755 a b/sgid",
            "300000:400000 777 a b/link",
            "300001:400001 1777 a b/deep",
            "300002:400002 600 a b/deep/.hidden",
            "300003:400003 644 a b/deep/..odd",
            "300004:400004 644 a b/-n $(touch x)",
            "100005:100005 644 target",
            "100006:100006 644 elsewhere/file",
        ] {
            assert!(after.lines().any(|l| l == line), "{shell}: no {line:?} in\n{after}{done}");
        }
        assert!(after.contains("300006:400006 644 a b/new\n"), "{after}");
        sandbox.run(&format!("{shell} /root/move.sh --apply")).ok().says("0 files moved, 0 failed");
    }
}

/// As rootless containers leave them, and worse.
const FILES: &str = r#"
mkdir -p '/home/a b/deep' '/home/a b/mount' /home/elsewhere && cd '/home/a b' && chown 1001:1001 . mount
own() { : >"$2" && chown "$1" "$2"; }
own 100000:100000 root; own 100999:100999 last; own 101000:101000 beyond; own 100007:1001 half
own 100005:100005 suid && chmod 4755 suid; own 100005:100005 sgid && chmod 2755 sgid
own 100005:100005 capable && setcap cap_net_raw=ep capable
own 100005:100005 ../target; ln -s ../target link && chown -h 100000:100000 link
chown 100001:100001 deep && chmod 1777 deep
own 100002:100002 deep/.hidden && chmod 600 deep/.hidden; own 100003:100003 deep/..odd
own 100004:100004 './-n $(touch x)'
own 100006:100006 'new
line'
own 100006:100006 ../elsewhere/file; ln -s ../elsewhere folder
mount -t tmpfs none mount && own 100008:100008 mount/inside
"#;

#[test]
fn the_script_refuses_what_would_be_wrong() {
    needs!("unshare", "nsenter");
    let sandbox = alice();
    sandbox.run("mkdir -p '/home/a b'").ok();
    for (set, why) in [
        ("", "belongs to uid 0 and not to alice"),
        ("--set owner=nobody1", "there is no user"),
        ("--set path=/home/none", "cannot enter"),
    ] {
        let key = set.trim_start_matches("--set ").split('=').next().unwrap();
        let words: Vec<&str> = RENDER
            .split(" --set ")
            .filter(|w| key.is_empty() || !w.starts_with(&format!("{key}=")))
            .collect();
        let render = format!("{} {set}", words.join(" --set "));
        sandbox.run(&format!("{render} >/root/move.sh")).ok();
        sandbox.run("sh /root/move.sh --apply").exits(2).says(why).says("nothing was changed");
    }
    // What is refused when it is rendered is refused of a script that somebody edited.
    let edit = "sed -i s/new_uid=300000/new_uid=100500/ /root/move.sh";
    sandbox.run(&format!("{RENDER} >/root/move.sh && {edit}")).ok();
    sandbox.run("sh /root/move.sh --apply").exits(2).says("overlap").says("nothing was changed");
    sandbox
        .run(&format!("{RENDER} --set new_uid=100500").replace(" --set new_uid=300000", ""))
        .exits(2)
        .says("the old uids 100000-100999 and the new 100500-101499 overlap");
    sandbox.run(&format!("{RENDER} >/root/move.sh; chown 1001 '/home/a b'; sh /root/move.sh -x")).exits(2);
}

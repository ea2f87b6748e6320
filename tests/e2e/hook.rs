//! `apply --yes --hook`, in real logins.

use crate::harness::{Output, Sandbox, needs};

const POLICY: &str = "[users]\nnames = [\"alice\", \"carol\"]\nexclude = [\"carol\"]\n";
const FIRST: &str = "alice:100000:65536\n";

/// alice, bob and carol on a host with a system log, whose `su` has the hook as the template says.
fn host(policy: &str) -> Sandbox {
    let sandbox = Sandbox::new()
        .user("alice", 1001)
        .user("bob", 1002)
        .user("carol", 1003)
        .file("/etc/subidctl/policy.toml", policy)
        .start();
    let render = "subidctl template render pam-session --set subidctl=/usr/local/bin/subidctl";
    sandbox.run(&format!("{render} --to /etc/pam.d/subidctl")).ok();
    let stack = "auth sufficient pam_rootok.so\nauth sufficient pam_permit.so\naccount required pam_permit.so\n\
        session include subidctl\nsession required pam_env.so\nsession required pam_unix.so\n";
    sandbox.write("/etc/pam.d/su", stack);
    sandbox.write("/etc/pam.d/login", stack);
    sandbox.run(LOG).ok();
    sandbox
}

/// A system log in a /dev of the sandbox's own: the host's must not get another.
const LOG: &str = "
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /mnt
mkdir /mnt/pts /mnt/shm; mount --bind /dev/pts /mnt/pts; ln -s /proc/self/fd /mnt/fd
mount --move /mnt /dev
busybox syslogd -n -O /tmp/log >/dev/null 2>&1 &
until [ -S /dev/log ]; do sleep 0.1; done";

/// Waits until the log has this text.
fn logged(sandbox: &Sandbox, text: &str) {
    sandbox.write("/tmp/wanted", format!("{text}\n"));
    sandbox.run("until grep -qFf /tmp/wanted /tmp/log; do sleep 0.1; done").ok();
}

fn hook(sandbox: &Sandbox, user: &str) -> Output {
    sandbox.run(&format!("PAM_TYPE=open_session PAM_USER={user} subidctl apply --yes --hook"))
}

/// The hook succeeds without a word to the caller.
#[track_caller]
fn silent(output: &Output) {
    assert_eq!((output.code, &*output.stdout, &*output.stderr), (0, "", ""), "{output}");
}

#[test]
fn the_first_login_gives_ranges_and_the_next_does_nothing() {
    needs!("unshare", "nsenter", "busybox", "pamtester", "strace");
    let sandbox = host(POLICY);
    // By a user, so that nothing but seteuid makes it root's.
    sandbox.as_user("bob").run("su alice -c 'getsubids alice'").ok().says("0: alice 100000 65536");
    assert_eq!(sandbox.id_text(), [FIRST, FIRST]);
    logged(&sandbox, "command=\"hook\" owners=\"alice\"");
    sandbox.run("subidctl history").ok().says("hook").says("alice 100000-165535");
    let before = sandbox.id_files();
    sandbox.run("pamtester login alice open_session close_session").ok();
    sandbox.run("pamtester login bob open_session").ok();
    sandbox.run("pamtester login carol open_session").ok();
    sandbox.run("su root -c true").ok();
    assert_eq!(sandbox.id_files(), before, "alice again, outside [users], excluded, below UID_MIN");
    let (_, trace) = sandbox.traced(
        "openat,openat2,fcntl,socket,connect,write,linkat,renameat,unlinkat",
        "PAM_TYPE=open_session PAM_USER=alice subidctl apply --yes --hook",
    );
    for call in [".pwd.lock", "F_SETLK", "O_CREAT", "linkat(", "renameat(", "/proc/1/", "policy.toml"] {
        assert!(trace.with(call).is_empty(), "{call}: {:?}", trace.with(call));
    }
}

#[test]
fn a_login_waits_for_nobody_who_has_the_files_locked() {
    needs!("unshare", "nsenter", "busybox", "python3");
    let sandbox = host(POLICY);
    let hold = "import fcntl,time; f=open('/etc/.pwd.lock','a'); fcntl.lockf(f,fcntl.LOCK_EX); print(1,flush=True); \
        time.sleep(1000)";
    sandbox.write("/tmp/hold.py", hold);
    sandbox
        .run("mkfifo /tmp/held; python3 /tmp/hold.py >/tmp/held 2>&1 & echo $! >/tmp/pid; read _ </tmp/held")
        .ok();
    let began = std::time::Instant::now();
    sandbox.run("su alice -c 'echo in' && kill -0 $(cat /tmp/pid)").ok().says("in\n");
    println!("the login took {} ms while the files were locked", began.elapsed().as_millis());
    assert_eq!(sandbox.id_text(), ["", ""]);
    logged(&sandbox, "/etc/.pwd.lock is held by pid");
    sandbox.run("kill $(cat /tmp/pid); while kill -0 $(cat /tmp/pid) 2>/dev/null; do sleep 0.1; done").ok();
    sandbox.run("su alice -c true").ok();
    assert_eq!(sandbox.id_text(), [FIRST, FIRST]);
}

#[test]
fn a_directory_that_does_not_answer_ends_with_the_deadline() {
    needs!("unshare", "nsenter", "busybox", "cc");
    let sandbox = host("[users]\ngroups = [\"users\"]\n");
    sandbox.write(
        "/tmp/nss.c",
        "#include <nss.h>\n#include <pwd.h>\n#include <unistd.h>\n\
         enum nss_status _nss_slow_getpwnam_r(const char *n, struct passwd *p, char *b, size_t l, int *e)\n\
         { sleep(100000); return NSS_STATUS_NOTFOUND; }\n",
    );
    sandbox.run("cc -shared -fPIC -o /usr/lib/$(cc -print-multiarch)/libnss_slow.so.2 /tmp/nss.c").ok();
    sandbox.write("/etc/nsswitch.conf", "passwd: files slow\ngroup: files\n");
    silent(&hook(&sandbox, "lena"));
    logged(&sandbox, "gave up after 3 s");
}

#[test]
fn no_more_users_than_the_policy_says_and_a_lost_ledger_opens_nothing() {
    needs!("unshare", "nsenter", "busybox");
    let policy = |n: u32| format!("[users]\nlogin_accounts = true\nmax_auto_users = {n}\n");
    let sandbox = host(&policy(2));
    // bob's are a person's doing.
    sandbox.run("subidctl apply --yes bob").ok();
    silent(&hook(&sandbox, "alice"));
    let two = "bob:100000:65536\nalice:165536:65536\n";
    assert_eq!(sandbox.id_text(), [two, two]);
    sandbox.write("/etc/subidctl/policy.toml", policy(1));
    silent(&hook(&sandbox, "carol"));
    logged(&sandbox, "max_auto_users is 1, and 1 may have been added by hooks already");
    // Nobody knows any more that bob's are not a hook's doing.
    sandbox.write("/etc/subidctl/policy.toml", policy(2));
    sandbox.run("mv /var/lib/subidctl /root/state").ok();
    silent(&hook(&sandbox, "carol"));
    logged(&sandbox, "max_auto_users is 2, and 2 may have");
    assert_eq!(sandbox.id_text(), [two, two]);
    sandbox.run("mv /root/state /var/lib/subidctl").ok();
    silent(&hook(&sandbox, "carol"));
    assert_eq!(sandbox.id_text()[1], format!("{two}carol:231072:65536\n"));
    // A half is mended, and what was released is for a person to give back.
    sandbox.write("/etc/subgid", two);
    silent(&hook(&sandbox, "carol"));
    assert_eq!(sandbox.id_text()[1], format!("{two}carol:231072:65536\n"));
    sandbox.run("subidctl release --yes carol").ok();
    let before = sandbox.id_files();
    silent(&hook(&sandbox, "carol"));
    logged(&sandbox, "a range of this name was released");
    assert_eq!(sandbox.id_files(), before);
}

#[test]
fn nothing_but_a_login_name_is_taken_from_the_environment() {
    needs!("unshare", "nsenter", "busybox", "setpriv");
    let sandbox = host("[users]\nlogin_accounts = true\nnames = [\"root\", \"daemon\", \"+1001\"]\n");
    for (user, why) in [
        ("''", "PAM_USER is ''"),
        ("../alice", "PAM_USER is '../alice'"),
        ("+1001", "PAM_USER is '+1001'"),
        ("1001", "no user is named '1001'"),
        ("--all", "PAM_USER is '--all'"),
        ("\"$(printf 'alice\\nbob')\"", "PAM_USER is 'alice\\nbob'"),
        ("alice:0:65536", "PAM_USER is 'alice:0:65536'"),
        ("\"$(printf 'a\\033[2J\\377')\"", "PAM_USER is 'a\\x1b[2J\\xff'"),
        ("zed", "no user is named 'zed'"),
    ] {
        silent(&hook(&sandbox, user));
        logged(&sandbox, why);
    }
    silent(&hook(&sandbox, "root"));
    silent(&hook(&sandbox, "daemon"));
    let run = |environment: &str| sandbox.run(&format!("{environment} subidctl apply --yes --hook"));
    silent(&run("PAM_TYPE=close_session PAM_USER=alice"));
    silent(&run("PAM_TYPE=auth PAM_USER=alice"));
    logged(&sandbox, "PAM_TYPE is 'auth'");
    silent(&run("PAM_USER=alice"));
    silent(&run("setpriv --reuid 1001 --clear-groups env PAM_TYPE=open_session PAM_USER=alice"));
    logged(&sandbox, "it runs as uid 1001");
    assert_eq!(sandbox.id_text(), ["", ""]);
    assert!(!sandbox.names("/var/lib").iter().any(|name| name == "subidctl"));
    silent(&run("HOME=/nowhere SUDO_USER=eve SUDO_UID=7 PAM_TYPE=open_session PAM_USER=alice"));
    assert_eq!(sandbox.id_text(), [FIRST, FIRST], "+1001 is alice");
    sandbox.run("cat /var/lib/subidctl/history/*").ok().never_says("eve");
    for command in ["apply --hook", "apply --yes --hook alice", "apply --yes --hook --json"] {
        sandbox.run(&format!("subidctl {command}")).exits(2);
    }
}

#[test]
fn a_host_without_users_in_its_policy_gives_nobody_anything() {
    needs!("unshare", "nsenter", "busybox");
    let sandbox = host("count = 65536\n");
    silent(&hook(&sandbox, "alice"));
    logged(&sandbox, "the policy has no [users]");
    sandbox.write("/etc/subidctl/policy.toml", "[users]\ngroups = [\"bob\", \"no-such-group\"]\n");
    silent(&hook(&sandbox, "alice"));
    assert_eq!(sandbox.id_text(), ["", ""]);
    // By her primary group, and by membership.
    silent(&hook(&sandbox, "bob"));
    sandbox.run("usermod -aG bob alice").ok();
    silent(&hook(&sandbox, "alice"));
    assert_eq!(sandbox.id_text()[0], "bob:100000:65536\nalice:165536:65536\n");
    sandbox.write("/etc/subidctl/policy.toml", "nonsense = 1\n");
    silent(&hook(&sandbox, "carol"));
    logged(&sandbox, "there is no key nonsense");
}

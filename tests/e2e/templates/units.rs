//! systemd, sysctl and AppArmor: what reads the file at boot reads it here.

use super::{installed_oddly, render};
use crate::harness::{Sandbox, needs, tree};

const UNITS: &str = "/etc/systemd/system";

/// A path that both must quote; systemd takes no path with a quote in it.
const ODD: &str = "/srv/100%n of [a b], *?/subidctl";

#[test]
fn systemd_takes_the_units() {
    needs!("unshare", "nsenter", "systemd-analyze");
    let sandbox = Sandbox::new().user("alice", 1001).start();
    installed_oddly(&sandbox, ODD);
    let program = [("subidctl", ODD)];
    let check = format!("{UNITS}/web.service.d/subidctl.conf");
    for (name, values, file) in [
        ("systemd-audit-service", &program[..], format!("{UNITS}/subidctl-audit.service")),
        ("systemd-audit-timer", &[], format!("{UNITS}/subidctl-audit.timer")),
        ("systemd-recover", &program, format!("{UNITS}/subidctl-recover.service")),
        ("systemd-check", &program, check.clone()),
        ("systemd-delegate", &[], format!("{UNITS}/user@.service.d/delegate.conf")),
    ] {
        render(&sandbox, name, values, &file);
    }
    sandbox.write(&format!("{UNITS}/web.service"), "[Service]\nUser=alice\nExecStart=/bin/true\n");
    let verify = "systemd-analyze verify --man=no";
    let units =
        "subidctl-audit.service subidctl-audit.timer subidctl-recover.service web.service user@1001.service";
    let verified = sandbox.run(&format!("{verify} {units}")).ok();
    assert_eq!(verified.stderr, "", "{verified}");
    // It does look at each of them: a program that is not there, a key that nobody knows.
    for (file, unit) in [
        (format!("{UNITS}/subidctl-audit.service"), "subidctl-audit.service"),
        (format!("{UNITS}/subidctl-recover.service"), "subidctl-recover.service"),
        (check, "web.service"),
    ] {
        sandbox.run(&format!("sed -i 's/subidctl\" /nothing\" /' {file}")).ok();
        sandbox.run(&format!("{verify} {unit}")).exits(1).says("nothing");
    }
}

#[test]
fn the_commands_of_the_units_do_what_the_units_are_for() {
    needs!("unshare", "nsenter", "newuidmap");
    let sandbox = Sandbox::new().user("alice", 1001).subids("alice:100000:65536\n").start();
    // As the unit's User=; and where newuidmap cannot work the journal says why.
    let as_alice = |command: &str| sandbox.as_user("alice").run(command);
    let quiet = as_alice("subidctl check --quiet").ok();
    assert_eq!((&*quiet.stdout, &*quiet.stderr), ("", ""), "{quiet}");
    let restricted = as_alice("setpriv --no-new-privs subidctl check --quiet").exits(4);
    assert!(restricted.stderr.contains("no-new-privs"), "{restricted}");
    sandbox.run("setpriv --no-new-privs subidctl audit").ok();
    sandbox.run("echo alice:0:1 >>/etc/subuid; setpriv --no-new-privs subidctl audit").exits(4);
    sandbox.run("subidctl recover --yes </dev/null").ok();
}

#[test]
fn sysctl_sets_the_keys() {
    needs!("unshare", "nsenter", "sysctl");
    let sandbox = Sandbox::new().start();
    render(&sandbox, "sysctl-ports", &[("port", "443")], "/etc/sysctl.d/60-ports.conf");
    render(&sandbox, "sysctl-namespaces", &[("namespaces", "4321")], "/etc/sysctl.d/60-namespaces.conf");
    // Each in a namespace that has the key for itself.
    let ports = "sysctl -p /etc/sysctl.d/60-ports.conf && cat /proc/sys/net/ipv4/ip_unprivileged_port_start";
    sandbox.run(&format!("unshare --net sh -c '{ports}'")).ok().says("\n443\n");
    let namespaces = "sysctl -p /etc/sysctl.d/60-namespaces.conf && cat /proc/sys/user/max_user_namespaces";
    sandbox.run(&format!("unshare --user --map-root-user sh -c '{namespaces}'")).ok().says("\n4321\n");
}

#[test]
fn apparmor_takes_the_profile() {
    needs!("unshare", "nsenter");
    // The first release whose parser knows user namespaces.
    let sandbox = Sandbox::new().system(Some(&tree!("mid"))).start();
    let parse = "apparmor_parser --skip-kernel-load --skip-cache --dump=dfa-states /etc/apparmor.d/subidctl";
    for path in ["/usr/bin/subidctl", ODD] {
        sandbox.remove("/etc/apparmor.d/subidctl");
        render(&sandbox, "apparmor-profile", &[("subidctl", path)], "/etc/apparmor.d/subidctl");
        sandbox.run(parse).ok();
        sandbox.run("apparmor_parser --names /etc/apparmor.d/subidctl").ok().says("subidctl\n");
    }
    sandbox.run("sed -i 's/userns,/usernames,/' /etc/apparmor.d/subidctl").ok();
    sandbox.run(parse).exits(1);
}

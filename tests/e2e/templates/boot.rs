//! The units where they are at home: started by systemd as pid 1 of a system that boots.

use super::render;
use crate::harness::{Booted, Group, Sandbox, needs, skipped};

const UNITS: &str = "/etc/systemd/system";

/// As the package has them.
const PACKAGED: [(&str, &str); 3] = [
    ("subidctl-audit.service", include_str!("../../../packaging/systemd/subidctl-audit.service")),
    ("subidctl-audit.timer", include_str!("../../../packaging/systemd/subidctl-audit.timer")),
    ("subidctl-recover.service", include_str!("../../../packaging/systemd/subidctl-recover.service")),
];

/// A change of alice's that was killed between the two files.
fn crashed(sandbox: &Sandbox) {
    let apply = "subidctl apply --yes alice";
    let before = sandbox.image();
    let (calls, _) = sandbox.recorded(apply);
    let renames: Vec<_> = calls.iter().filter(|call| call.name == "renameat").collect();
    let between = renames.iter().find(|call| {
        sandbox.restore(&before);
        assert!(sandbox.faulted(apply, call, "signal=KILL").hit);
        let [uids, gids] = sandbox.id_text();
        uids != gids
    });
    assert!(between.is_some(), "{renames:?}");
    sandbox.run("test -e /etc/.subidctl.journal").ok();
}

#[test]
fn a_boot_ends_a_crash_and_services_start_only_where_their_user_can_run_containers() {
    needs!("unshare", "nsenter", "newuidmap", "strace", "systemctl", "pgrep", "setpriv");
    let Some(group) = Group::new() else { return skipped("no control group of version 2 can be made") };
    let sandbox = Sandbox::new().user("alice", 1001).start();
    crashed(&sandbox);
    sandbox.run("ln -s /usr/local/bin/subidctl /usr/bin/subidctl; rm -rf /etc/systemd/system").ok();
    for (name, unit) in PACKAGED {
        sandbox.write(&format!("{UNITS}/{name}"), unit);
    }
    sandbox.run("systemctl enable subidctl-recover.service subidctl-audit.timer").ok();
    let service = "[Service]\nType=oneshot\nUser=alice\nExecStart=/bin/touch /tmp/started\n";
    sandbox.write(&format!("{UNITS}/web.service"), service);
    render(&sandbox, "systemd-check", &[], &format!("{UNITS}/web.service.d/subidctl.conf"));
    let system = Booted::new(sandbox, group);

    // Both files were whole before anybody could log in.
    system.run("test ! -e /etc/.subidctl.journal").ok();
    let [uids, gids] = system.sandbox.id_text();
    assert_eq!((&*uids, &*gids), ("alice:100000:65536\n", "alice:100000:65536\n"));
    let show = |unit: &str, property: &str| {
        system.run(&format!("systemctl show --value -p {property} {unit}")).ok().stdout.trim().to_owned()
    };
    assert_eq!(show("subidctl-recover.service", "Result"), "success");
    let order = |unit: &str, property: &str| show(unit, property).parse::<u64>().unwrap();
    let recovered = order("subidctl-recover.service", "ExecMainExitTimestampMonotonic");
    let logins = order("systemd-user-sessions.service", "ExecMainStartTimestampMonotonic");
    assert!(0 < recovered && recovered < logins, "{recovered} {logins}");

    let said = |unit: &str| system.run(&format!("journalctl --sync; journalctl --unit {unit}")).ok();
    assert_eq!(show("subidctl-audit.timer", "ActiveState"), "active");
    assert_eq!(show("subidctl-audit.timer", "Unit"), "subidctl-audit.service");
    system.run("systemctl start subidctl-audit.service").ok();
    system.run("systemctl start web.service").ok();
    system.run("rm /tmp/started").ok();

    // alice's ranges are gone, and somebody is root in their containers.
    system.run("echo 0:0:65536 | tee /etc/subuid >/etc/subgid").ok();
    system.run("systemctl start subidctl-audit.service").exits(1);
    system.run("systemctl --failed").ok().says("subidctl-audit.service");
    said("subidctl-audit.service").says("holds-root");
    system.run("systemctl start web.service").exits(1);
    said("web.service").says("no-range");
    system.run("test ! -e /tmp/started").ok();
}

//! What containers' own networks need. An engine that starts one for each container can be told to do without
//! (`--network none`, `--network host`); Docker and nerdctl cannot even start their daemon.

use super::check::{DAEMONS, known};
use super::{BASE, Check, Engine, Entry, Group, Seen, Status};
use crate::snapshot::{Fact, Package};

/// Engines that have no network of their own for users.
const NETWORKS: &[(Engine, Status)] =
    &[(Engine::Apptainer, Status::NotApplicable), (Engine::Lxc, Status::NotApplicable)];

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "modules-gone",
        group: Group::Network,
        severity: Status::Warning,
        title: "the running kernel's modules are gone",
        explain: "An update replaced the kernel's modules, and the old kernel still runs. What it has not loaded yet (tun, \
                  overlay, fuse, nf_tables) it can load no more.",
        consequence: "devices and file systems are missing until the machine restarts",
        repair: "sudo reboot",
        look: Some(|check| {
            let seen = |release: &String| Seen {
                message: format!("there are no modules for the running kernel {release}"),
                evidence: format!("/lib/modules has other kernels, and no {release}"),
                ..Seen::default()
            };
            check.surroundings.network.modules_gone.iter().map(seen).collect()
        }),
        ..BASE
    },
    Entry {
        id: "network-helper-missing",
        group: Group::Network,
        severity: Status::Info,
        title: "neither pasta nor slirp4netns is installed",
        explain: "One of them connects a rootless container's own network with the host's: podman 5 takes pasta, podman 4, \
                  Docker and nerdctl slirp4netns. With --network none or host, containers need neither.",
        consequence: "no network of its own for any container: podman run fails unless --network none or host is given",
        repair: "install passt and slirp4netns",
        look: Some(helper),
        engines: DAEMONS,
        ..BASE
    },
    Entry {
        id: "tun-missing",
        group: Group::Network,
        severity: Status::Info,
        title: "/dev/net/tun is missing, or root's alone",
        explain: "pasta and slirp4netns give a container's network a device of the kind tun. With --network none or host, \
                  containers do without.",
        consequence: "no network of its own for any container: podman run fails unless --network none or host is given",
        repair: "sudo modprobe tun; where the device is root's alone: sudo chmod 0666 /dev/net/tun",
        look: Some(tun),
        engines: DAEMONS,
        ..BASE
    },
    Entry {
        id: "privileged-ports",
        group: Group::Network,
        severity: Status::Info,
        title: "users cannot publish ports below 1024",
        explain: "Ports below net.ipv4.ip_unprivileged_port_start are root's. A rootless container that publishes 80 or 443 \
                  is refused.",
        consequence: "-p 80:80 is refused",
        repair: "sudo subidctl template render sysctl-ports --to /etc/sysctl.d/60-subidctl-ports.conf && sudo sysctl -p \
                 /etc/sysctl.d/60-subidctl-ports.conf",
        look: Some(ports),
        engines: NETWORKS,
        ..BASE
    },
    Entry {
        id: "ping-denied",
        group: Group::Network,
        severity: Status::Info,
        title: "users cannot ping",
        explain: "Without root, ping works for the groups of net.ipv4.ping_group_range alone. systemd sets it to everybody, \
                  the kernel's own value to nobody.",
        consequence: "ping in a container: Operation not permitted",
        repair: "echo 'net.ipv4.ping_group_range=0 2147483647' | sudo tee /etc/sysctl.d/90-rootless-ping.conf && sudo sysctl \
                 -p /etc/sysctl.d/90-rootless-ping.conf",
        look: Some(ping),
        engines: NETWORKS,
        ..BASE
    },
];

fn helper(check: &Check<'_>) -> Vec<Seen> {
    let around = check.surroundings;
    if ["pasta", "slirp4netns"].iter().any(|name| around.programs.contains_key(*name)) {
        return Vec::new();
    }
    vec![Seen {
        message: "no network of their own for containers: neither pasta nor slirp4netns is there".to_owned(),
        evidence: "neither pasta nor slirp4netns in the usual folders".to_owned(),
        fix: around.packages.install(Package::Network),
        ..Seen::default()
    }]
}

fn tun(check: &Check<'_>) -> Vec<Seen> {
    let around = check.surroundings;
    known(&around.network.tun, |found| {
        let (evidence, fix) = match found {
            None if around.container.is_some() => {
                ("no /dev/net/tun".to_owned(), "start the outer container with --device /dev/net/tun")
            }
            None => ("no /dev/net/tun".to_owned(), "sudo modprobe tun"),
            Some(status) if status.mode & 0o006 != 0o006 => (
                format!("/dev/net/tun has mode {:04o}", status.mode & 0o7777),
                "sudo chmod 0666 /dev/net/tun",
            ),
            Some(_) => return None,
        };
        Some(Seen {
            file: Some("/dev/net/tun".to_owned()),
            message: format!(
                "no network of their own for containers: {} cannot use /dev/net/tun",
                check.facts.user
            ),
            evidence,
            fix: fix.to_owned(),
            ..Seen::default()
        })
    })
}

/// The first port that people want.
const HTTP: u32 = 80;

fn ports(check: &Check<'_>) -> Vec<Seen> {
    let Fact::Seen(start) = check.surroundings.network.port_start else { return Vec::new() };
    let seen = Seen {
        message: format!("{} cannot publish ports below {start}", check.facts.user),
        evidence: format!("net.ipv4.ip_unprivileged_port_start is {start}"),
        ..Seen::default()
    };
    if start > HTTP { vec![seen] } else { Vec::new() }
}

fn ping(check: &Check<'_>) -> Vec<Seen> {
    let Fact::Seen((first, last)) = check.surroundings.network.ping else { return Vec::new() };
    let seen = Seen {
        message: format!("{} cannot ping from containers", check.facts.user),
        evidence: format!("net.ipv4.ping_group_range is {first} {last}, without group {}", check.facts.gid),
        ..Seen::default()
    };
    if (first..=last).contains(&check.facts.gid.get()) { Vec::new() } else { vec![seen] }
}

//! Control groups: which version, and what the user may use of them.

use super::check::known;
use super::{BASE, Check, Engine, Entry, Group, Seen, Status};
use crate::snapshot::{Hierarchy, Packages};

/// Apptainer uses control groups only where limits are asked for.
const NOT_FOR_APPTAINER: &[(Engine, Status)] = &[(Engine::Apptainer, Status::Info)];

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "cgroup-missing",
        group: Group::Cgroup,
        severity: Status::Warning,
        title: "no control groups are mounted",
        explain: "Engines put each container into a control group, to limit and to stop it. Without /sys/fs/cgroup they \
                  start only where they are told to do without (podman run --cgroups=disabled).",
        consequence: "containers start only without control groups",
        repair: "sudo mount -t cgroup2 cgroup2 /sys/fs/cgroup",
        look: Some(|check| {
            let seen = || Seen {
                message: "no control groups are mounted".to_owned(),
                evidence: "nothing of cgroups at /sys/fs/cgroup".to_owned(),
                ..Seen::default()
            };
            if check.surroundings.cgroup.hierarchy.is_none() { vec![seen()] } else { Vec::new() }
        }),
        engines: NOT_FOR_APPTAINER,
        ..BASE
    },
    Entry {
        id: "cgroup-v1",
        group: Group::Cgroup,
        severity: Status::Warning,
        title: "control groups are of version 1",
        explain: "Version 1 cannot be delegated to users safely, and nobody does. Rootless containers run there without \
                  limits of memory, processors and processes (cgroups(7)).",
        consequence: "limits such as --memory and --cpus are refused or ignored",
        repair: "boot with systemd.unified_cgroup_hierarchy=1; without systemd mount cgroup2 at /sys/fs/cgroup",
        look: Some(|check| version(check, Hierarchy::V1)),
        engines: NOT_FOR_APPTAINER,
        ..BASE
    },
    Entry {
        id: "cgroup-hybrid",
        group: Group::Cgroup,
        severity: Status::Warning,
        title: "control groups are of version 1, with an empty version 2 beside it",
        explain: "In the hybrid set-up the controllers belong to version 1, which cannot be delegated, and version 2 at \
                  /sys/fs/cgroup/unified has none. Some engines take what they see there for usable, and fail.",
        consequence: "limits are refused or ignored; some engines fail unless started without cgroups",
        repair: "boot with systemd.unified_cgroup_hierarchy=1; without systemd mount cgroup2 at /sys/fs/cgroup",
        look: Some(|check| version(check, Hierarchy::Hybrid)),
        engines: NOT_FOR_APPTAINER,
        ..BASE
    },
    Entry {
        id: "cgroup-not-delegated",
        group: Group::Cgroup,
        severity: Status::Warning,
        title: "the user may not use a controller of the control groups",
        explain: "systemd delegates controllers to user@.service as its Delegate= says. Engines need cpu, memory and pids \
                  for their usual limits; cpuset and io are for rarer ones.",
        consequence: "the requested cgroup controller is not available",
        repair: "subidctl template render systemd-delegate, by sudo into /etc/systemd/system/user@.service.d/delegate.conf; \
                 sudo systemctl daemon-reload, and log in again",
        look: Some(delegated),
        engines: NOT_FOR_APPTAINER,
        ..BASE
    },
    Entry {
        id: "wsl-no-systemd",
        group: Group::Cgroup,
        severity: Status::Warning,
        title: "the Windows Subsystem for Linux runs without systemd",
        explain: "WSL starts systemd only where /etc/wsl.conf asks for it. Without it nobody has a session, a runtime \
                  folder, or control groups of their own.",
        consequence: "no limits for containers, no services of users; Docker and nerdctl cannot be set up",
        repair: "printf '[boot]\\nsystemd=true\\n' | sudo tee -a /etc/wsl.conf; then in Windows: wsl.exe --shutdown",
        look: Some(|check| {
            let around = check.surroundings;
            let seen = || {
                Seen {
                message: "WSL runs without systemd".to_owned(),
                evidence: "a kernel of Microsoft's in /proc/sys/kernel/osrelease, and no /run/systemd/system".to_owned(),
                fix: "printf '[boot]\\nsystemd=true\\n' | sudo tee -a /etc/wsl.conf\nthen in Windows: wsl.exe --shutdown"
                    .to_owned(),
                ..Seen::default()
            }
            };
            if around.wsl && !around.systemd { vec![seen()] } else { Vec::new() }
        }),
        engines: NOT_FOR_APPTAINER,
        ..BASE
    },
];

fn version(check: &Check<'_>, wrong: Hierarchy) -> Vec<Seen> {
    if check.surroundings.cgroup.hierarchy != Some(wrong) {
        return Vec::new();
    }
    let (message, evidence) = match wrong {
        Hierarchy::Hybrid => {
            ("version 2 of control groups has no controllers", "it is at /sys/fs/cgroup/unified")
        }
        _ => ("control groups are of version 1", "no /sys/fs/cgroup/cgroup.controllers"),
    };
    vec![Seen {
        message: message.to_owned(),
        evidence: evidence.to_owned(),
        fix: unify(check),
        ..Seen::default()
    }]
}

/// How this system gets version 2 alone.
fn unify(check: &Check<'_>) -> String {
    let around = check.surroundings;
    if around.wsl {
        return "in Windows, in [wsl2] of %UserProfile%\\.wslconfig: kernelCommandLine = cgroup_no_v1=all; then: wsl.exe \
                --shutdown"
            .to_owned();
    }
    if around.container.is_some() {
        return "control groups are the outer host's: run this on one with version 2".to_owned();
    }
    if !around.systemd {
        return match around.packages {
            Packages::Apk => {
                "sudo sed -i 's/^#*rc_cgroup_mode=.*/rc_cgroup_mode=\"unified\"/' /etc/rc.conf && sudo \
                              rc-update add cgroups\nthen restart the machine"
                    .to_owned()
            }
            _ => "mount cgroup2 at /sys/fs/cgroup when the system starts".to_owned(),
        };
    }
    let word = "systemd.unified_cgroup_hierarchy=1";
    let known = around.grub || around.packages == Packages::Dnf;
    match around.packages.boot_with(word).filter(|_| known) {
        Some(command) => format!("{command}\nthen restart the machine"),
        None => format!("add {word} to the kernel's command line, and restart the machine"),
    }
}

fn delegated(check: &Check<'_>) -> Vec<Seen> {
    let around = check.surroundings;
    let uid = check.facts.uid;
    if around.cgroup.hierarchy != Some(Hierarchy::V2) || !around.systemd {
        return vec![Seen::not_applicable("only systemd delegates controllers, of version 2")];
    }
    known(&around.cgroup.delegated, |found| {
        let Some(controllers) = found else {
            return Some(Seen::skipped(format!("user@{uid}.service does not run")));
        };
        let lacks = |wanted: &[&'static str]| {
            let missing = wanted.iter().filter(|name| !controllers.iter().any(|own| own == *name));
            missing.copied().collect::<Vec<_>>()
        };
        let (needed, rare) = (lacks(&["cpu", "memory", "pids"]), lacks(&["cpuset", "io"]));
        let missing = [needed.clone(), rare].concat().join(", ");
        let seen = Seen {
            status: needed.is_empty().then_some(Status::Info),
            message: format!("not delegated to {}: {missing}", check.facts.user),
            evidence: format!("cgroup.controllers of user@{uid}.service has: {}", controllers.join(" ")),
            fix: "sudo mkdir -p /etc/systemd/system/user@.service.d && sudo subidctl template render systemd-delegate --to \
                  /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload\nthen log in again"
                .to_owned(),
            ..Seen::default()
        };
        (!missing.is_empty()).then_some(seen)
    })
}

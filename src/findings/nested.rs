//! How `/` and `/proc` are mounted, and what a container around us keeps from containers of our own.

use super::check::KUBELET_ALONE;
use super::kernel::one;
use super::limits::proc_covered;
use super::{BASE, Check, Engine, Entry, Group, Seen, Status, not_permitted};
use crate::proof::Step;
use crate::text::shell_word;

/// Engines that mount no /proc of their own, or bind the host's.
const UNPROTECTED_PROC: &[(Engine, Status)] = &[(Engine::Apptainer, Status::Info)];

/// podman runs under hidepid=2 (seen with 4.3).
const PODMAN_COPES: &[(Engine, Status)] = &[
    (Engine::Podman, Status::Info),
    (Engine::Buildah, Status::Info),
    (Engine::Apptainer, Status::NotApplicable),
];

/// podman and rootlesskit pass mounts on.
const PASSED_ON: &[(Engine, Status)] =
    &[(Engine::Apptainer, Status::NotApplicable), (Engine::Lxc, Status::NotApplicable)];

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "proc-covered",
        group: Group::Kernel,
        severity: Status::Error,
        title: "parts of /proc are hidden",
        explain: "Container engines mount over parts of /proc. The kernel lets nobody in a user namespace mount a new /proc \
                  where the only one in sight is not whole, since that would show what was hidden.",
        consequence: "a container's own /proc cannot be mounted",
        repair: "start the outer container with --security-opt systempaths=unconfined (podman: unmask=ALL; Kubernetes: \
                 procMount: Unmasked); on a host: sudo umount POINT",
        explains: |step, words| step == Step::Mount && words.starts_with("proc") && not_permitted(words),
        find: proc_covered,
        look: Some(masked),
        engines: UNPROTECTED_PROC,
        ..BASE
    },
    Entry {
        id: "proc-hidepid",
        group: Group::Kernel,
        severity: Status::Warning,
        title: "/proc hides other users' processes",
        explain: "With hidepid systemd's helpers and runc cannot see the processes of the user that they work for. podman \
                  copes. A group of gid= in the mount's options is exempt.",
        consequence: "error while starting unit, with runc and systemd's cgroups",
        repair: "sudo mount -o remount,hidepid=0 /proc",
        look: Some(hidden),
        engines: PODMAN_COPES,
        ..BASE
    },
    Entry {
        id: "mount-propagation",
        group: Group::Storage,
        severity: Status::Warning,
        title: "/ is not a shared mount",
        explain: "systemd makes / shared, so that what is mounted later appears in running containers. Other inits, WSL and \
                  containers leave it private.",
        consequence: "what is mounted later is missing in containers that run, and engines warn",
        repair: "sudo mount --make-rshared /",
        look: Some(private),
        engines: PASSED_ON,
        ..BASE
    },
    Entry {
        id: "setgroups-denied",
        group: Group::Kernel,
        severity: Status::Warning,
        title: "setgroups is denied here",
        explain: "A user namespace of a single ID, made without newgidmap, gave setgroups up for itself and all namespaces \
                  inside (user_namespaces(7)).",
        consequence: "package managers, su and daemons fail in containers: setgroups: Operation not permitted",
        repair: "make the outer namespace with the user's ranges: newgidmap does not give setgroups up",
        explains: |step, words| {
            matches!(step, Step::Drop | Step::Enter) && words.starts_with("setgroups") && not_permitted(words)
        },
        find: |facts| {
            one(facts.machine.process.setgroups_denied, "setgroups is denied to this namespace", || {
                "/proc/self/setgroups says deny".into()
            })
        },
        look: Some(|check| {
            let seen = || Seen {
                message: "setgroups is denied to this namespace".to_owned(),
                evidence: "/proc/self/setgroups says deny".to_owned(),
                ..Seen::default()
            };
            if check.surroundings.mounts.setgroups_denied { vec![seen()] } else { Vec::new() }
        }),
        ..BASE
    },
    Entry {
        id: "limits-low",
        group: Group::Kernel,
        severity: Status::Warning,
        title: "the user may have few processes or open files",
        explain: "limits.conf(5) and service managers set such limits. A container's processes count as the user's, and an \
                  image of many layers opens many files.",
        consequence: "fork: Resource temporarily unavailable; or: too many open files",
        repair: "a higher value in the line that is named, or in a file of /etc/security/limits.d; then log in again",
        look: Some(low),
        ..BASE
    },
    Entry {
        id: "idmapped-mounts-missing",
        group: Group::Kernel,
        severity: Status::Error,
        title: "the kernel is too old for pods with user namespaces",
        explain: "The kubelet gives volumes to a pod by idmapped mounts, which tmpfs takes since Linux 6.3.",
        consequence: "pods with hostUsers: false do not start",
        repair: "boot a kernel from 6.3 on",
        look: Some(|check| {
            let old = check.surroundings.release.filter(|release| *release < (6, 3));
            let seen = |(major, minor)| Seen {
                message: format!("Linux {major}.{minor} has no idmapped mounts of tmpfs"),
                evidence: format!("/proc/sys/kernel/osrelease says {major}.{minor}"),
                ..Seen::default()
            };
            old.map(seen).into_iter().collect()
        }),
        engines: KUBELET_ALONE,
        ..BASE
    },
    Entry {
        id: "kernel-lockdown",
        group: Group::Kernel,
        severity: Status::Info,
        title: "the kernel is locked down",
        explain: "With Secure Boot many kernels refuse some uses of eBPF and of /dev/mem, to root too \
                  (kernel_lockdown(7)).",
        consequence: "tools that trace containers by eBPF: bpf create: Operation not permitted",
        repair: "none is needed for containers; to trace by eBPF, boot without Secure Boot or with lockdown=none",
        look: Some(|check| {
            let mode = check.surroundings.security.lockdown.seen().filter(|mode| *mode != "none");
            let seen = |mode: &String| Seen {
                message: format!("lockdown is {mode}"),
                evidence: format!("/sys/kernel/security/lockdown says {mode}"),
                ..Seen::default()
            };
            mode.map(seen).into_iter().collect()
        }),
        ..BASE
    },
];

fn masked(check: &Check<'_>) -> Vec<Seen> {
    const NAMED: usize = 3;
    let around = check.surroundings;
    let masks = &around.mounts.masks;
    if masks.is_empty() {
        return Vec::new();
    }
    let mut named = masks.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if masks.len() > NAMED {
        named = format!("{named} and {} more", masks.len() - NAMED);
    }
    let points: Option<Vec<String>> = masks.iter().map(|point| shell_word(point.as_bytes())).collect();
    let fix = match (around.container.as_deref(), points) {
        (Some("/run/.containerenv"), _) => {
            "start the outer container with --security-opt unmask=ALL".to_owned()
        }
        (Some(_), _) => "start the outer container with --security-opt systempaths=unconfined".to_owned(),
        (None, Some(points)) => format!("sudo umount {}", points.join(" ")),
        (None, None) => String::new(),
    };
    vec![Seen {
        message: "parts of /proc are hidden by mounts".to_owned(),
        evidence: format!("mounted over: {named}"),
        fix,
        ..Seen::default()
    }]
}

fn hidden(check: &Check<'_>) -> Vec<Seen> {
    let mounts = &check.surroundings.mounts;
    let Some((value, group)) = mounts.hidepid.as_ref().filter(|_| !mounts.exempt) else { return Vec::new() };
    let exempt = group.map_or_else(String::new, |gid| format!(",gid={gid}"));
    vec![Seen {
        message: "/proc hides other users' processes".to_owned(),
        evidence: format!("/proc is mounted with hidepid={value}{exempt}"),
        ..Seen::default()
    }]
}

fn private(check: &Check<'_>) -> Vec<Seen> {
    let private = check.surroundings.mounts.root.as_ref().filter(|root| !root.shared);
    let seen = |_| Seen {
        message: "/ is not a shared mount".to_owned(),
        evidence: "no shared: at / in /proc/self/mountinfo".to_owned(),
        ..Seen::default()
    };
    private.map(seen).into_iter().collect()
}

/// Below these, engines and images meet the limit soon.
const FEWEST: [(&str, u64); 2] = [("nproc", 256), ("nofile", 1024)];

fn low(check: &Check<'_>) -> Vec<Seen> {
    let limits = check
        .surroundings
        .limits
        .iter()
        .filter(|limit| FEWEST.iter().any(|(item, fewest)| *item == limit.item && limit.value < *fewest));
    let seen = |limit: &crate::snapshot::Limit| {
        let what = if limit.item == "nproc" { "processes" } else { "open files" };
        let fewest = FEWEST.iter().find(|(item, _)| *item == limit.item).map_or(0, |(_, fewest)| *fewest);
        let user = check.word().unwrap_or_else(|| check.facts.uid.to_string());
        Seen {
            message: format!("{} may have {} {what}", check.facts.user, limit.value),
            evidence: format!("{} says {} {}", limit.place, limit.item, limit.value),
            fix: format!(
                "echo '{user} hard {} {}' | sudo tee -a /etc/security/limits.d/90-{user}-containers.conf\nthen log in again",
                limit.item,
                fewest * 16
            ),
            ..Seen::default()
        }
    };
    limits.map(seen).collect()
}

//! What the process that is to make a container may not do.

use super::kernel::one;
use super::{BASE, Entry, Facts, Group, Seen, Status, is_map, not_permitted};
use crate::idmap::Extent;
use crate::proof::Step;
use crate::range::{Kind, Range};
use crate::text::shell_word;

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "chroot",
        group: Group::Kernel,
        severity: Status::Error,
        title: "this process runs in a chroot",
        explain: "The kernel refuses user namespaces to processes whose root folder is not their mount \
                  namespace's (user_namespaces(7)).",
        consequence: "no rootless container can start from here",
        repair: "run it outside the chroot, or enter the tree by pivot_root (systemd-nspawn, \
                 unshare -R)",
        explains: |step, words| step == Step::Unshare && not_permitted(words),
        find: |facts| {
            one(facts.machine.process.chroot, "this is a chroot", || {
                "no mount point / in /proc/self/mountinfo".into()
            })
        },
        ..BASE
    },
    Entry {
        id: "no-new-privs",
        group: Group::Kernel,
        severity: Status::Error,
        title: "no_new_privs is set",
        explain: "A process with it, and all its children, gain nothing from setuid bits and file \
                  capabilities. systemd sets it for NoNewPrivileges= and several other options \
                  (RestrictAddressFamilies=, SystemCallFilter= …) of units without root, container engines for \
                  no-new-privileges.",
        consequence: "the kernel refuses the map",
        repair: "run it without no_new_privs: drop NoNewPrivileges= and options that imply it from \
                 the unit",
        explains: |step, words| is_map(step) && not_permitted(words),
        find: |facts| {
            one(facts.machine.process.no_new_privs, "this process cannot gain privileges", || {
                "NoNewPrivs: 1 in /proc/self/status".into()
            })
        },
        ..BASE
    },
    Entry {
        id: "bounding-set",
        group: Group::Kernel,
        severity: Status::Error,
        title: "a capability is missing from the bounding set",
        explain: "A setuid or file-capability program cannot get what is not in the caller's bounding set. \
                  newuidmap needs CAP_SETUID, newgidmap CAP_SETGID; setuid helpers of shadow before 4.15 \
                  CAP_SYS_ADMIN too.",
        consequence: "the kernel refuses the map",
        repair: "give the capability back: in a unit CapabilityBoundingSet=, for a container \
                 --cap-add",
        explains: |step, words| (is_map(step) || step == Step::Drop) && not_permitted(words),
        find: bounding_set,
        ..BASE
    },
    Entry {
        id: "outer-map",
        group: Group::Kernel,
        severity: Status::Error,
        title: "this user namespace does not have the user's IDs",
        explain: "subidctl itself runs in a container, and only IDs that exist here can be mapped further.",
        consequence: "the kernel refuses the map",
        repair: "give the outer container these IDs, or choose a range within its own",
        explains: |step, words| is_map(step) && not_permitted(words),
        find: outer_map,
        ..BASE
    },
    Entry {
        id: "primary-group",
        group: Group::Kernel,
        severity: Status::Error,
        title: "the process's group is not the account's primary group",
        explain: "newuidmap serves only processes whose group is the one of passwd; newgrp, sg and batch \
                  systems change it.",
        consequence: "newuidmap: Target process … is owned by a different user",
        repair: "newgrp, which begins a shell with the account's own group",
        explains: |step, words| is_map(step) && words.contains("is owned by a different user"),
        find: |facts| {
            let Some((now, primary)) = facts.machine.process.gid_differs else { return Vec::new() };
            vec![Seen {
                message: "the primary group is another one".to_owned(),
                evidence: format!("group {now}, while passwd says {primary}"),
                fix: "newgrp".to_owned(),
                ..Seen::default()
            }]
        },
        session: true,
        ..BASE
    },
    Entry {
        id: "setgroups-denied",
        group: Group::Kernel,
        severity: Status::Error,
        title: "this user namespace denies setgroups",
        explain: "It was made without newgidmap, or by a process without rights, and the kernel lets nobody in it \
                  change the list of groups (user_namespaces(7)); every namespace inside it inherits that. \
                  Containers drop their groups when they start.",
        consequence: "setgroups: Operation not permitted",
        repair: "let the outer container get its gid_map from newgidmap, or from root",
        explains: |step, words| {
            matches!(step, Step::Drop | Step::Enter) && words.starts_with("setgroups") && not_permitted(words)
        },
        find: |facts| {
            one(facts.machine.process.setgroups_denied, "setgroups is denied here", || {
                "/proc/self/setgroups is deny".into()
            })
        },
        ..BASE
    },
    Entry {
        id: "proc-covered",
        group: Group::Kernel,
        severity: Status::Error,
        title: "parts of /proc are covered by other mounts",
        explain: "The kernel gives a container a /proc of its own only where the one outside is seen whole: else \
                  what is hidden there would come to light. Container engines hide parts of /proc from what runs \
                  inside.",
        consequence: "mounting \"proc\" to rootfs at \"/proc\" caused: operation not permitted",
        repair: "sudo umount what covers it; for an outer container: --security-opt systempaths=unconfined \
                 (Kubernetes: procMount: Unmasked)",
        explains: |step, words| step == Step::Mount && words.starts_with("proc") && not_permitted(words),
        find: proc_covered,
        ..BASE
    },
    Entry {
        id: "process-limit",
        group: Group::Kernel,
        severity: Status::Error,
        title: "the user may not have as many processes as a container needs",
        explain: "The limit (RLIMIT_NPROC, ulimit -u) counts all processes and threads of the user, in every \
                  session. It comes from limits.conf, from LimitNPROC= of a unit, or from a batch system.",
        consequence: "no process can be started: Resource temporarily unavailable",
        repair: "sudo prlimit --pid $$ --nproc=NUMBER in the shell; to stay: /etc/security/limits.conf",
        explains: |_, words| no_more_processes(words),
        find: process_limit,
        session: true,
        ..BASE
    },
];

/// What covers parts of /proc: taken away where that can be, else the outer container has to be another one.
fn proc_covered(facts: &Facts<'_>) -> Vec<Seen> {
    let process = &facts.machine.process;
    if process.proc_covered.is_empty() {
        return Vec::new();
    }
    let words =
        process.proc_covered.iter().map(|point| shell_word(point.as_bytes())).collect::<Option<Vec<_>>>();
    let confined = process.nested || process.seccomp || process.bounding & 1 << SYS_ADMIN == 0;
    let fix = match words {
        Some(points) if !confined => format!("sudo umount {}", points.join(" ")),
        _ => "run the outer container with --security-opt systempaths=unconfined".to_owned(),
    };
    vec![Seen {
        message: "parts of /proc are covered by other mounts".to_owned(),
        evidence: format!("mounted there: {} (/proc/self/mountinfo)", process.proc_covered.join(", ")),
        fix,
        ..Seen::default()
    }]
}

/// The kernel's words where no process can be made.
pub(super) fn no_more_processes(words: &str) -> bool {
    words.contains(nix::errno::Errno::EAGAIN.desc()) || words.contains("Resource temporarily unavailable")
}

/// What a container of ours takes: worker, first process, helper, and one more.
const NEEDED: u64 = 4;

/// More than anybody needs, for a limit that was too low.
const ENOUGH: u64 = 4096;

fn process_limit(facts: &Facts<'_>) -> Vec<Seen> {
    let Some(limit) = facts.machine.process.processes else { return Vec::new() };
    if limit.soft >= limit.now.saturating_add(NEEDED) {
        return Vec::new();
    }
    let fix = if limit.hard >= limit.now.saturating_add(4 * NEEDED) {
        format!("prlimit --pid $$ --nproc={}:", limit.hard.min(ENOUGH))
    } else {
        format!("sudo prlimit --pid $$ --nproc={ENOUGH}")
    };
    vec![Seen {
        message: format!("{} may have {} processes, and a container needs some", facts.user, limit.soft),
        evidence: format!(
            "RLIMIT_NPROC (ulimit -u) is {}, and {} has {} processes",
            limit.soft, facts.user, limit.now
        ),
        fix,
        ..Seen::default()
    }]
}

/// Bits of linux/capability.h.
const SETGID: u32 = 6;
const SETUID: u32 = 7;
const SYS_ADMIN: u32 = 21;

fn bounding_set(facts: &Facts<'_>) -> Vec<Seen> {
    let process = &facts.machine.process;
    let lacks = |bit: u32| process.bounding & 1 << bit == 0;
    let mut missing = Vec::new();
    for (bit, name) in [(SETUID, "CAP_SETUID"), (SETGID, "CAP_SETGID")] {
        if lacks(bit) {
            missing.push(name);
        }
    }
    if lacks(SYS_ADMIN) && facts.machine.helpers.iter().any(|(_, helper)| helper.file_caps.is_none()) {
        missing.push("CAP_SYS_ADMIN");
    }
    let names = missing.join(", ");
    let seen = Seen {
        message: "the bounding set lacks a capability".to_owned(),
        evidence: format!("{names} not in CapBnd {:016x} of /proc/self/status", process.bounding),
        fix: format!("give {names} back: in a unit CapabilityBoundingSet=, for a container --cap-add"),
        ..Seen::default()
    };
    if missing.is_empty() { Vec::new() } else { vec![seen] }
}

fn outer_map(facts: &Facts<'_>) -> Vec<Seen> {
    let lacking = |kind: Kind| {
        let map = &facts.machine.process.maps[kind];
        let range = facts.ranges[kind].iter().find(|range| !mapped(map, **range))?;
        let name = kind.name();
        Some(Seen {
            file: Some(format!("/etc/{}", kind.file())),
            message: format!("{name}s {range} do not exist in this user namespace"),
            evidence: format!("/proc/self/{name}_map does not hold {range}: {}", show(map)),
            fix: format!("give the outer container {range}, or choose a range within its own IDs"),
            ..Seen::default()
        })
    };
    Kind::BOTH.into_iter().filter_map(lacking).collect()
}

fn show(map: &[Extent]) -> String {
    let words = map.iter().map(|e| format!("{} {} {}", e.inside, e.outside, e.count));
    words.collect::<Vec<_>>().join(", ")
}

/// Whether every ID of the range lies in some extent, which may be one after another.
fn mapped(map: &[Extent], range: Range) -> bool {
    let mut next = u64::from(range.first());
    while next <= u64::from(range.last()) {
        let holds = |e: &&Extent| u64::from(e.inside) <= next && next < u64::from(e.inside) + e.count;
        let Some(extent) = map.iter().find(holds) else { return false };
        next = u64::from(extent.inside) + extent.count;
    }
    true
}

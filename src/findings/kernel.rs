//! The kernel's switches, and what this process may not do.

use super::{BASE, Entry, Facts, Group, Seen, Status, is_map, not_permitted};
use crate::idmap::Extent;
use crate::proof::Step;
use crate::range::{Kind, Range};
use crate::snapshot::Helper;

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "userns-missing",
        group: Group::Kernel,
        severity: Status::Error,
        title: "the kernel has no user namespaces",
        explain: "It was built without CONFIG_USER_NS.",
        consequence: "no rootless container can start",
        repair: "boot a kernel with CONFIG_USER_NS=y",
        explains: |step, _| step == Step::Unshare,
        find: |facts| {
            let there = facts.machine.kernel.user_namespaces;
            one(!there, "the kernel has no user namespaces", || "/proc/self/ns/user does not exist".into())
        },
        ..BASE
    },
    Entry {
        id: "userns-limit-zero",
        group: Group::Kernel,
        severity: Status::Error,
        title: "user.max_user_namespaces is 0",
        explain: "Some hardening guides set it; it forbids user namespaces to everybody. The sysctl.d file that keeps \
                  another number is subidctl template render sysctl-namespaces.",
        consequence: "no rootless container can start",
        repair: "sudo sysctl -w user.max_user_namespaces=28633",
        explains: |step, _| step == Step::Unshare,
        find: |facts| {
            let zero = facts.machine.kernel.max_user_namespaces == Some(0);
            one(zero, "user namespaces are limited to none", || {
                "/proc/sys/user/max_user_namespaces is 0".into()
            })
        },
        ..BASE
    },
    Entry {
        id: "namespace-limit-zero",
        group: Group::Kernel,
        severity: Status::Error,
        title: "another kind of namespace is limited to none",
        explain: "A container needs mount, pid, net, ipc and uts namespaces as well.",
        consequence: "no container can start",
        repair: "sudo sysctl -w user.max_…_namespaces=28633",
        explains: |step, _| step == Step::Unshare,
        find: |facts| {
            let zero = &facts.machine.kernel.other_limits_zero;
            let seen = |name: &String| Seen {
                message: format!("{name} is 0"),
                evidence: format!("{name} is 0"),
                fix: format!("sudo sysctl -w {name}=28633"),
                ..Seen::default()
            };
            zero.iter().map(seen).collect()
        },
        ..BASE
    },
    Entry {
        id: "userns-clone-off",
        group: Group::Kernel,
        severity: Status::Error,
        title: "kernel.unprivileged_userns_clone is 0",
        explain: "A switch of Debian's and Arch's older or hardened kernels: only root may make user namespaces.",
        consequence: "no rootless container can start",
        repair: "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        explains: |step, words| step == Step::Unshare && not_permitted(words),
        find: |facts| {
            let off = facts.machine.kernel.unprivileged_userns_clone == Some(0);
            one(off, "user namespaces are for root alone", || {
                "/proc/sys/kernel/unprivileged_userns_clone is 0".into()
            })
        },
        ..BASE
    },
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
];

/// What may refuse a container, and is on on many a host where all works: named where nothing else is found.
pub(super) static CONFINED: &[Entry] = &[
    Entry {
        id: "apparmor-userns",
        group: Group::Kernel,
        severity: Status::Error,
        title: "AppArmor restricts user namespaces to programs with a profile",
        explain: "Ubuntu from 23.10 on. A program needs a profile with the rule `userns,`. The engines come with \
                  theirs; subidctl, and anything of your own, needs one too.",
        consequence: "a program without such a profile gets no namespace, or one without capabilities",
        repair: "sudo subidctl template render apparmor-profile --set subidctl=\"$(command -v subidctl)\" --to \
                 /etc/apparmor.d/subidctl && sudo apparmor_parser -r /etc/apparmor.d/subidctl",
        explains: |step, words| {
            matches!(step, Step::Unshare | Step::UidMap | Step::GidMap | Step::Enter | Step::Mount)
                && not_permitted(words)
        },
        find: |facts| {
            let on = facts.machine.kernel.apparmor_restrict.is_some_and(|value| value != 0);
            one(on, "AppArmor restricts user namespaces", || {
                "/proc/sys/kernel/apparmor_restrict_unprivileged_userns is 1".into()
            })
        },
        look: Some(super::confined::apparmor),
        ..BASE
    },
    Entry {
        id: "seccomp",
        group: Group::Kernel,
        severity: Status::Warning,
        title: "a seccomp filter is active",
        explain: "Container engines forbid new namespaces and mounts to what runs inside, and so does a unit with \
                  RestrictNamespaces= or SystemCallFilter=.",
        consequence: "the filter may refuse what a container needs",
        repair: "allow new namespaces: in a unit RestrictNamespaces=no, for an outer container --security-opt \
                 seccomp=unconfined",
        explains: |step, words| {
            matches!(step, Step::Unshare | Step::Enter | Step::Mount | Step::Command) && not_permitted(words)
        },
        find: |facts| {
            one(facts.machine.process.seccomp, "a seccomp filter is active", || {
                "Seccomp in /proc/self/status is not 0".into()
            })
        },
        ..BASE
    },
];

/// What the entry's own words mend, where it is found.
pub(super) fn one(found: bool, message: &str, evidence: impl FnOnce() -> String) -> Vec<Seen> {
    if !found {
        return Vec::new();
    }
    vec![Seen { message: message.to_owned(), evidence: evidence(), ..Seen::default() }]
}

/// Bits of linux/capability.h.
const SETGID: u32 = 6;
const SETUID: u32 = 7;
pub(super) const SYS_ADMIN: u32 = 21;

fn bounding_set(facts: &Facts<'_>) -> Vec<Seen> {
    let process = &facts.machine.process;
    let lacks = |bit: u32| process.bounding & 1 << bit == 0;
    let mut missing = Vec::new();
    for (bit, name) in [(SETUID, "CAP_SETUID"), (SETGID, "CAP_SETGID")] {
        if lacks(bit) {
            missing.push(name);
        }
    }
    let setuid = |helper: &Helper| helper.path.is_some() && helper.file_caps.is_none();
    if lacks(SYS_ADMIN) && facts.machine.helpers.iter().any(|(_, helper)| setuid(helper)) {
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

/// One finding where both kinds lack the same.
fn outer_map(facts: &Facts<'_>) -> Vec<Seen> {
    let lacking = |kind: Kind| {
        let map = &facts.machine.process.maps[kind];
        Some((kind, *facts.ranges[kind].iter().find(|range| !mapped(map, **range))?))
    };
    let seen = |kinds: &[Kind], range: Range| {
        let names =
            |word: fn(Kind) -> String| kinds.iter().map(|kind| word(*kind)).collect::<Vec<_>>().join(" and ");
        let map = kinds.first().map_or_else(String::new, |kind| show(&facts.machine.process.maps[*kind]));
        Seen {
            file: if let [kind] = kinds { Some(format!("/etc/{}", kind.file())) } else { None },
            message: format!(
                "{} {range} do not exist in this user namespace",
                names(|kind| format!("{}s", kind.name()))
            ),
            evidence: format!(
                "no {range} in {}: {map}",
                names(|kind| format!("/proc/self/{}_map", kind.name()))
            ),
            fix: format!("give the outer container {range}, or choose a range within its own IDs"),
            ..Seen::default()
        }
    };
    match Kind::BOTH.map(lacking) {
        [Some((_, uids)), Some((_, gids))] if uids == gids => vec![seen(&Kind::BOTH, uids)],
        each => each.into_iter().flatten().map(|(kind, range)| seen(&[kind], range)).collect(),
    }
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

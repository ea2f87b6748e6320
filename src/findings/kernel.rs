//! The kernel's switches.

use super::{BASE, Entry, Facts, Group, Seen, Status, not_permitted};
use crate::proof::Step;
use crate::text::shell_word;

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
        explain: "Some hardening guides set it; it forbids user namespaces to everybody.",
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
        repair: "install an AppArmor profile with `userns,` for this program's path, then: sudo \
                 systemctl reload apparmor",
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
        ..BASE
    },
    Entry {
        id: "selinux-confined",
        group: Group::Kernel,
        severity: Status::Warning,
        title: "SELinux confines this login",
        explain: "The policy maps logins to SELinux users, and user_u, staff_u and guest_u may do less than \
                  unconfined_u: depending on the policy rootless containers are denied, or hang (container-selinux \
                  issue 92). What was denied stands in the audit log (ausearch -m avc).",
        consequence: "containers may be refused, or not answer",
        repair: "sudo semanage login -a -s unconfined_u USER; then log in again",
        explains: |step, words| {
            matches!(step, Step::Unshare | Step::UidMap | Step::GidMap | Step::Enter | Step::Mount)
                && not_permitted(words)
                || step == Step::Timeout
        },
        find: selinux,
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

/// Whom the policy does not confine.
const UNCONFINED: [&str; 3] = ["unconfined_u", "system_u", "root"];

fn selinux(facts: &Facts<'_>) -> Vec<Seen> {
    let context = facts.machine.process.selinux.as_deref();
    let Some(context) = context.filter(|c| !UNCONFINED.contains(&c.split(':').next().unwrap_or(c))) else {
        return Vec::new();
    };
    let who = context.split(':').next().unwrap_or_default();
    vec![Seen {
        message: format!("SELinux confines this login to {who}"),
        evidence: format!("{context} in /proc/self/attr/current, and /sys/fs/selinux/enforce is 1"),
        fix: shell_word(facts.user.as_bytes())
            .map_or_else(String::new, |user| format!("sudo semanage login -a -s unconfined_u {user}")),
        ..Seen::default()
    }]
}

/// What the entry's own words mend, where it is found.
pub(super) fn one(found: bool, message: &str, evidence: impl FnOnce() -> String) -> Vec<Seen> {
    if !found {
        return Vec::new();
    }
    vec![Seen { message: message.to_owned(), evidence: evidence(), ..Seen::default() }]
}

//! The templates, by name.

use super::{Key, Template, moves_wrongly, no_policy, no_sysctl, nothing};

/// Where the program is, for templates that start it: where a package puts it.
const PROGRAM: Key =
    Key { name: "subidctl", about: "where subidctl is installed", default: Some("/usr/bin/subidctl") };

/// A key that must be given.
const fn needed(name: &'static str, about: &'static str) -> Key {
    Key { name, about, default: None }
}

/// A key that may be left out.
const fn usual(name: &'static str, about: &'static str, default: &'static str) -> Key {
    Key { name, about, default: Some(default) }
}

/// What most templates have in common.
const PLAIN: Template =
    Template { name: "", about: "", place: "", keys: &[], text: "", mode: 0o644, wrong: nothing };

/// All templates.
pub const ALL: &[Template] = &[
    Template {
        name: "ansible-module",
        about: "a module with check mode and diff",
        place: "library/subidctl.py beside the playbook",
        text: include_str!("../../templates/ansible-module.py"),
        ..PLAIN
    },
    Template {
        name: "ansible-playbook",
        about: "a playbook that gives a group's members their ranges",
        place: "subidctl.yml beside library/",
        keys: &[usual("hosts", "which hosts", "all"), needed("group", "the group"), PROGRAM],
        text: include_str!("../../templates/ansible-playbook.yml"),
        ..PLAIN
    },
    Template {
        name: "apparmor-profile",
        about: "lets people run check and verify on Ubuntu 24.04 and later",
        place: "/etc/apparmor.d/subidctl",
        keys: &[PROGRAM],
        text: include_str!("../../templates/apparmor-profile"),
        ..PLAIN
    },
    Template {
        name: "chown-script",
        about: "moves a user's files from an old range of IDs to a new one",
        place: "anywhere",
        keys: &[
            needed("owner", "the user whose files they are"),
            needed("path", "the folder to begin in, from / on"),
            needed("old_uid", "the first uid of the old range"),
            needed("old_gid", "the first gid of the old range"),
            needed("new_uid", "the first uid of the new range; left out: of the one that the owner has now"),
            needed("new_gid", "the first gid of the new range; left out: of the one that the owner has now"),
            needed("count", "how many IDs each of the ranges has"),
        ],
        text: include_str!("../../templates/chown-script.sh"),
        mode: 0o755,
        wrong: moves_wrongly,
    },
    Template {
        name: "pam-session",
        about: "gives directory users their ranges at the first login",
        place: "/etc/pam.d/subidctl",
        keys: &[PROGRAM],
        text: include_str!("../../templates/pam-session"),
        ..PLAIN
    },
    Template {
        name: "policy-cluster",
        about: "everybody has the ranges of one list, on every node",
        place: "/etc/subidctl/policy.toml",
        keys: &[usual("map", "the list", "/etc/subidctl/map"), needed("group", "whose members get ranges")],
        text: include_str!("../../templates/policy-cluster.toml"),
        wrong: no_policy,
        ..PLAIN
    },
    Template {
        name: "policy-directory",
        about: "the range follows from the uid, on every host",
        place: "/etc/subidctl/policy.toml",
        keys: &[
            needed("first", "the first uid of the directory's users"),
            needed("last", "the last one: 12,000 of them find room"),
            usual("start", "the first ID of the first user's range", "1300037632"),
            needed("group", "whose members get ranges"),
            usual("max_auto_users", "how many users login hooks may add on a host", "1000"),
        ],
        text: include_str!("../../templates/policy-directory.toml"),
        wrong: no_policy,
        ..PLAIN
    },
    Template {
        name: "policy-single-host",
        about: "the first range that is free",
        place: "/etc/subidctl/policy.toml",
        text: include_str!("../../templates/policy-single-host.toml"),
        wrong: no_policy,
        ..PLAIN
    },
    Template {
        name: "sysctl-namespaces",
        about: "users may make user namespaces",
        place: "/etc/sysctl.d/60-subidctl-namespaces.conf",
        keys: &[usual("namespaces", "how many at a time, of all users together", "28633")],
        text: include_str!("../../templates/sysctl-namespaces.conf"),
        wrong: no_sysctl,
        ..PLAIN
    },
    Template {
        name: "sysctl-ports",
        about: "rootless containers may publish low ports",
        place: "/etc/sysctl.d/60-subidctl-ports.conf",
        keys: &[usual("port", "the lowest of them", "80")],
        text: include_str!("../../templates/sysctl-ports.conf"),
        wrong: no_sysctl,
        ..PLAIN
    },
    Template {
        name: "systemd-audit-service",
        about: "fails where audit finds a fault",
        place: "/etc/systemd/system/subidctl-audit.service",
        keys: &[PROGRAM],
        text: include_str!("../../templates/systemd-audit.service"),
        ..PLAIN
    },
    Template {
        name: "systemd-audit-timer",
        about: "starts systemd-audit-service once a day",
        place: "/etc/systemd/system/subidctl-audit.timer",
        text: include_str!("../../templates/systemd-audit.timer"),
        ..PLAIN
    },
    Template {
        name: "systemd-check",
        about: "a service starts only where its user can run containers",
        place: "/etc/systemd/system/NAME.service.d/subidctl.conf",
        keys: &[PROGRAM],
        text: include_str!("../../templates/systemd-check.conf"),
        ..PLAIN
    },
    Template {
        name: "systemd-delegate",
        about: "rootless containers may have limits",
        place: "/etc/systemd/system/user@.service.d/delegate.conf",
        text: include_str!("../../templates/systemd-delegate.conf"),
        ..PLAIN
    },
    Template {
        name: "systemd-recover",
        about: "ends at boot what a crash interrupted",
        place: "/etc/systemd/system/subidctl-recover.service",
        keys: &[PROGRAM],
        text: include_str!("../../templates/systemd-recover.service"),
        ..PLAIN
    },
    Template {
        name: "useradd-hook",
        about: "gives new accounts their ranges",
        place: "/etc/shadow-maint/useradd-post.d/50-subidctl",
        keys: &[usual("uid_min", "the first uid of people", "1000"), PROGRAM],
        text: include_str!("../../templates/useradd-hook.sh"),
        mode: 0o755,
        ..PLAIN
    },
    Template {
        name: "userdel-hook",
        about: "keeps a deleted user's ranges from everybody",
        place: "/etc/shadow-maint/userdel-pre.d/50-subidctl",
        keys: &[PROGRAM],
        text: include_str!("../../templates/userdel-hook.sh"),
        mode: 0o755,
        ..PLAIN
    },
];

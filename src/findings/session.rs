//! The user's login: systemd's part in it, and what is missing where somebody became the user by su or sudo.

use super::check::{DAEMONS, known};
use super::{BASE, Check, Entry, Group, Seen, Status};
use crate::snapshot::{Fact, Package, Packages};
use crate::text::{escape, shell_word};

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "no-user-manager",
        group: Group::Session,
        severity: Status::Warning,
        title: "the user's systemd does not run",
        explain: "systemd starts user@UID.service with a user's first login and ends it after the last, unless the user \
                  lingers. Somebody who became the user by su or sudo, and a cron job, have none. Without it there is \
                  no runtime folder, no D-Bus, no delegated cgroup, and no service of the user's.",
        consequence: "no limits for containers, no services; Docker and nerdctl cannot be set up",
        repair: "sudo loginctl enable-linger USER",
        look: Some(manager),
        engines: DAEMONS,
        ..BASE
    },
    Entry {
        id: "runtime-dir-unset",
        group: Group::Session,
        severity: Status::Warning,
        title: "XDG_RUNTIME_DIR is not set",
        explain: "A login sets it to /run/user/UID; su, sudo and cron do not. podman looks there by itself, and falls back \
                  to a folder in /tmp where there is none; Docker's and nerdctl's tools refuse.",
        consequence: "engines cannot find, or cannot share, what they keep while they run",
        repair: "export XDG_RUNTIME_DIR=/run/user/UID",
        look: Some(unset),
        session: true,
        engines: DAEMONS,
        ..BASE
    },
    Entry {
        id: "runtime-dir-foreign",
        group: Group::Storage,
        severity: Status::Error,
        title: "XDG_RUNTIME_DIR is not a folder of the user's",
        explain: "Engines keep sockets and locks there, and refuse a folder of somebody else's. su and sudo -u leave the \
                  variable of the session that they were called from.",
        consequence: "engines refuse to start",
        repair: "export XDG_RUNTIME_DIR=/run/user/UID where that is there, else: unset XDG_RUNTIME_DIR",
        look: Some(foreign),
        session: true,
        ..BASE
    },
    Entry {
        id: "no-user-bus",
        group: Group::Session,
        severity: Status::Warning,
        title: "the user's D-Bus is missing",
        explain: "Engines ask the user's systemd for cgroups through the socket /run/user/UID/bus. On Debian and Ubuntu \
                  it comes with dbus-user-session, elsewhere with the D-Bus daemon.",
        consequence: "no limits for containers; systemctl --user fails",
        repair: "install D-Bus for users' sessions (dbus-user-session on Debian), then log in again",
        look: Some(bus),
        engines: DAEMONS,
        ..BASE
    },
    Entry {
        id: "linger-off",
        group: Group::Session,
        severity: Status::Info,
        title: "the user's services end with the last logout",
        explain: "Without lingering systemd ends everything of a user's with the last session, containers too, and \
                  starts nothing of theirs at boot.",
        consequence: "containers end at logout, and none starts at boot",
        repair: "sudo loginctl enable-linger USER",
        look: Some(linger),
        ..BASE
    },
];

/// `sudo loginctl enable-linger alice`
fn enable(check: &Check<'_>) -> String {
    let user = check.word().unwrap_or_else(|| check.facts.uid.to_string());
    format!("sudo loginctl enable-linger {user}")
}

fn runtime_dir(check: &Check<'_>) -> String {
    format!("/run/user/{}", check.facts.uid)
}

fn manager(check: &Check<'_>) -> Vec<Seen> {
    known(&check.surroundings.session.manager, |found| {
        let uid = check.facts.uid;
        let seen = Seen {
            message: format!("user@{uid}.service does not run"),
            evidence: format!("no socket {}/systemd/private", runtime_dir(check)),
            fix: enable(check),
            ..Seen::default()
        };
        found.is_none().then_some(seen)
    })
}

fn unset(check: &Check<'_>) -> Vec<Seen> {
    let environment = check.surroundings.environment.as_ref();
    if environment.is_none_or(|environment| environment.get("XDG_RUNTIME_DIR").is_some()) {
        return Vec::new();
    }
    vec![Seen {
        message: "XDG_RUNTIME_DIR is not set".to_owned(),
        evidence: "no XDG_RUNTIME_DIR in the environment".to_owned(),
        fix: format!("export XDG_RUNTIME_DIR={}", runtime_dir(check)),
        ..Seen::default()
    }]
}

fn foreign(check: &Check<'_>) -> Vec<Seen> {
    let around = check.surroundings;
    let Some(named) = around.environment.as_ref().and_then(|env| env.get("XDG_RUNTIME_DIR")) else {
        return Vec::new();
    };
    let named = escape(named);
    let fault = match &around.session.runtime_dir {
        Fact::Missing => format!("{named} does not exist"),
        Fact::Unreadable(why) => why.clone(),
        Fact::Seen(status) if status.uid != check.facts.uid.get() => {
            format!("{named} belongs to uid {}", status.uid)
        }
        Fact::Seen(status) if status.mode & 0o700 != 0o700 => {
            format!("{named} has mode {:04o}", status.mode & 0o7777)
        }
        Fact::Seen(_) => return Vec::new(),
    };
    let own = runtime_dir(check);
    // A user's systemd is where its runtime folder is.
    let there = around.session.manager.seen().is_some() && named != own;
    vec![Seen {
        message: format!("XDG_RUNTIME_DIR names {named}, which is not {}'s folder", check.facts.user),
        evidence: fault,
        fix: if there { format!("export XDG_RUNTIME_DIR={own}") } else { "unset XDG_RUNTIME_DIR".to_owned() },
        ..Seen::default()
    }]
}

fn bus(check: &Check<'_>) -> Vec<Seen> {
    let around = check.surroundings;
    known(&around.session.bus, |found| {
        let installed = ["dbus-daemon", "dbus-broker"].iter().any(|name| around.programs.contains_key(*name));
        // Debian's daemon alone has no socket for users.
        let fix = if installed && around.packages != Packages::Apt {
            check.as_user("systemctl --user enable --now dbus.socket")
        } else {
            format!("{}\nthen log in again", around.packages.install(Package::Bus))
        };
        let seen = Seen {
            message: "no D-Bus of the user's".to_owned(),
            evidence: format!("no socket {}/bus", runtime_dir(check)),
            fix,
            ..Seen::default()
        };
        found.is_none().then_some(seen)
    })
}

fn linger(check: &Check<'_>) -> Vec<Seen> {
    known(&check.surroundings.session.linger, |found| {
        let name = shell_word(check.facts.user.as_bytes()).unwrap_or_default();
        let seen = Seen {
            message: format!("containers end with the last logout: {} does not linger", check.facts.user),
            evidence: format!("no /var/lib/systemd/linger/{name}"),
            fix: enable(check),
            ..Seen::default()
        };
        found.is_none().then_some(seen)
    })
}

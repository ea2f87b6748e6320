//! Who the user is, to those who look.

use super::{BASE, Check, Entry, Group, Seen, Status};
use crate::text::escape;

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "user-unknown",
        group: Group::Owners,
        severity: Status::Error,
        title: "nobody knows an account with the caller's uid",
        explain: "newuidmap asks for the name of whoever calls it, and refuses where it gets none. In most cases the \
                  directory that holds the account (SSSD, LDAP, winbind) does not answer; in a container the image's \
                  /etc/passwd has no line for the uid that it was started with.",
        consequence: "newuidmap: Cannot determine your user name.",
        repair: "see why the account is not found: getent passwd UID",
        look: Some(unresolved),
        ..BASE
    },
    Entry {
        id: "user-variable",
        group: Group::Files,
        severity: Status::Warning,
        title: "USER names somebody else",
        explain: "podman takes the ranges of whom the variable USER names, and newuidmap grants those of the caller's \
                  uid. sudo -u and su without - leave the variable of the session that they were called from.",
        consequence: "podman asks for another user's ranges, and goes on with a single ID",
        repair: "export USER=NAME, or a login of its own: machinectl shell NAME@",
        look: Some(variable),
        session: true,
        engines: super::check::PODMAN_ALONE,
        ..BASE
    },
];

fn unresolved(check: &Check<'_>) -> Vec<Seen> {
    let Some(why) = check.unresolved else { return Vec::new() };
    let uid = check.facts.uid;
    vec![Seen {
        message: format!("uid {uid} has no account"),
        evidence: why.to_owned(),
        fix: format!("see why the account is not found: getent passwd {uid}"),
        ..Seen::default()
    }]
}

fn variable(check: &Check<'_>) -> Vec<Seen> {
    let environment = check.surroundings.environment.as_ref();
    let named = environment.and_then(|environment| environment.get("USER"));
    let Some(named) = named.filter(|named| *named != check.facts.user.as_bytes()) else { return Vec::new() };
    vec![Seen {
        message: format!("USER is {}, and this is {}", escape(named), check.facts.user),
        evidence: format!("USER={} in the environment, uid {}", escape(named), check.facts.uid),
        fix: check.word().map_or_else(String::new, |user| format!("export USER={user}")),
        ..Seen::default()
    }]
}

//! What follows from what: a fault whose cause is found as well is not reported beside it.

/// A finding, and those which it alone brings about.
const FOLLOW: &[(&str, &[&str])] = &[
    ("file-missing", &["no-range", "half"]),
    ("file-symlink", &["no-range", "half", "file-missing"]),
    ("file-not-regular", &["no-range", "half", "file-missing"]),
    ("file-unread", &["no-range", "half"]),
    ("file-unreadable", &["no-range", "half", "file-unread"]),
    ("line-nul", &["no-range", "half"]),
    ("line-extra-fields", &["no-range", "half"]),
    ("line-stops-readers", &["no-range", "half"]),
    ("line-nis-marker", &["no-range", "half"]),
    ("line-too-long", &["no-range", "half"]),
    ("line-unread", &["no-range", "half"]),
    ("line-trailing-blank", &["no-range", "half"]),
    ("line-leading-blank", &["no-range", "half"]),
    ("line-inner-blank", &["no-range", "half"]),
    ("line-carriage-return", &["no-range", "half"]),
    (
        "line-octal",
        &[
            "no-range",
            "half",
            "holds-root",
            "holds-system-id",
            "holds-login-id",
            "holds-account",
            "holds-nobody",
            "holds-65535",
        ],
    ),
    (
        "line-hex",
        &[
            "no-range",
            "half",
            "holds-root",
            "holds-system-id",
            "holds-login-id",
            "holds-account",
            "holds-nobody",
            "holds-65535",
        ],
    ),
    ("line-negative", &["no-range", "half"]),
    ("count-zero", &["no-range", "half"]),
    ("beyond-space", &["no-range", "half"]),
    ("owner-renamed", &["no-range", "half"]),
    ("owner-leading-zero", &["no-range", "half"]),
    ("subid-module-missing", &["no-range", "half"]),
    ("half", &["no-range"]),
    ("overlap", &["own-ranges-overlap"]),
    ("duplicate-line", &["own-ranges-overlap"]),
    ("holds-minus-one", &["outer-map"]),
    ("userns-missing", &["userns-limit-zero", "namespace-limit-zero", "userns-clone-off", "apparmor-userns"]),
    ("user-unknown", &["no-range", "half", "primary-group", "user-variable", "home-unusable"]),
    // What restricts a helper is judged where there is one.
    ("helper-missing", &["bounding-set", "no-new-privs"]),
    ("outer-map", &["setgroups-denied"]),
    ("process-limit", &["limits-low"]),
    ("no-user-manager", &["no-user-bus", "runtime-dir-unset", "cgroup-not-delegated"]),
    ("home-unusable", &["storage-settings"]),
    ("fuse-missing", &["overlay-missing"]),
    ("modules-gone", &["overlay-missing", "tun-missing"]),
    ("storage-network", &["selinux-storage-label", "storage-flags"]),
    ("storage-noexec", &["storage-flags"]),
    ("wsl-no-systemd", &["cgroup-v1", "cgroup-hybrid", "mount-propagation"]),
    ("nsswitch-newline", &["subid-module-missing"]),
];

/// The findings of which this one is a consequence.
pub(super) fn causes(id: &str) -> impl Iterator<Item = &'static str> {
    FOLLOW.iter().filter(move |(_, follow)| follow.contains(&id)).map(|(cause, _)| *cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::{Entry, entry};

    #[test]
    fn nothing_follows_from_itself_and_all_ids_are_known() {
        for (cause, follow) in FOLLOW {
            for id in follow.iter().chain([cause]) {
                assert!(entry(id).is_some_and(Entry::in_check), "{id}");
            }
            assert!(
                !follow.contains(cause) && !causes(cause).any(|other| follow.contains(&other)),
                "{cause}"
            );
        }
    }
}

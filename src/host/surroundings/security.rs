//! SELinux, `AppArmor` and lockdown, as far as everybody may see them.

use super::look::{listed, settings, text, there};
use crate::host::Root;
use crate::snapshot::{Fact, Security};

const PROFILES: &str = "/etc/apparmor.d";

pub(super) fn security(root: &Root, own: bool) -> Security {
    let enforce = text(root, "/sys/fs/selinux/enforce");
    let context = || {
        let context = text(root, "/proc/self/attr/current");
        let context = context.seen()?.trim_matches(['\0', '\n']).to_owned();
        Some(crate::text::escape(context.as_bytes()))
    };
    let selinux = enforce.seen().map(|value| (value.trim() == "1", own.then(context).flatten()));
    // `none [integrity] confidentiality`: the one in brackets is in force.
    let lockdown = text(root, "/sys/kernel/security/lockdown");
    let in_force = |text: String| {
        let (_, rest) = text.split_once('[')?;
        Some(crate::text::escape(rest.split_once(']')?.0.as_bytes()))
    };
    Security {
        selinux,
        userns_profiles: profiles(root),
        unprivileged_profile: there(root, &format!("{PROFILES}/unprivileged_userns")),
        // Only root sees it on some systems: not worth a word.
        lockdown: match lockdown.and_then(in_force) {
            Fact::Unreadable(_) => Fact::Missing,
            fact => fact,
        },
    }
}

/// Profiles with a `userns` rule: the file, and what it is attached to. Whether they are loaded only root can see.
fn profiles(root: &Root) -> Vec<(String, Vec<String>)> {
    let names = listed(root, PROFILES).into_iter().filter_map(|name| String::from_utf8(name).ok());
    let profile = |name: String| {
        let file = format!("{PROFILES}/{name}");
        let bytes = settings(root, &file, false).ok()??;
        let programs = attached(&String::from_utf8_lossy(&bytes));
        (!programs.is_empty()).then(|| (crate::text::escape(file.as_bytes()), programs))
    };
    names.filter_map(profile).collect()
}

/// The programs of the profiles of one file that allow user namespaces (apparmor.d(5)): the paths of the head
/// lines that end in `{`, where the text has a rule `userns,`.
fn attached(text: &str) -> Vec<String> {
    let lines = || text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let allows = lines().any(|line| {
        let rule = line.strip_prefix("allow ").unwrap_or(line);
        rule == "userns," || rule.starts_with("userns create") || rule.starts_with("userns,")
    });
    if !allows {
        return Vec::new();
    }
    let heads = lines().filter_map(|line| line.strip_suffix('{'));
    let words = heads.flat_map(str::split_ascii_whitespace).map(|word| word.trim_matches('"'));
    words.filter(|word| word.starts_with('/') || word.starts_with("@{")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_with_the_rule_names_its_programs() {
        let podman = "abi <abi/4.0>,\ninclude <tunables/global>\n\nprofile podman /usr/bin/podman \
                      flags=(unconfined) {\n  userns,\n\n  include if exists <local/podman>\n}\n";
        assert_eq!(attached(podman), ["/usr/bin/podman"]);
        let quoted = "\"/usr/local/bin/rootlesskit\" flags=(unconfined) {\n  userns, # needed\n}\n";
        assert_eq!(attached(quoted), ["/usr/local/bin/rootlesskit"]);
        assert!(attached("profile man /usr/bin/man {\n  # userns,\n}\n").is_empty());
        assert!(attached("profile x @{exec_path} {\n  deny userns,\n}\n").is_empty());
    }
}

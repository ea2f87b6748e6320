//! SELinux and `AppArmor`: what they keep from whom.

use super::{BASE, Check, Engine, Entry, Facts, Group, Seen, Status, not_permitted};
use crate::proof::Step;
use crate::snapshot::Fact;
use crate::text::shell_word;

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "selinux-confined",
        group: Group::Kernel,
        severity: Status::Warning,
        title: "the login is confined by SELinux",
        explain: "user_u, staff_u and their like may not do all that engines do: podman hangs or is denied, and only the \
                  audit log says why (ausearch -m avc).",
        consequence: "containers hang or are denied without a word of SELinux",
        repair: "sudo semanage login -a -s unconfined_u USER",
        explains: |step, words| {
            matches!(step, Step::Unshare | Step::UidMap | Step::GidMap | Step::Enter | Step::Mount)
                && not_permitted(words)
                || step == Step::Timeout
        },
        find: selinux_process,
        look: Some(selinux_user),
        session: true,
        ..BASE
    },
    Entry {
        id: "selinux-storage-label",
        group: Group::Storage,
        severity: Status::Warning,
        title: "the storage has a label that containers may not use",
        explain: "A folder that is not the usual one has the label of its place, and not that of images. The policy has to \
                  be told that it is like the usual one (podman-troubleshooting, 11).",
        consequence: "cannot apply additional memory protection after relocation: Permission denied",
        repair: "sudo semanage fcontext -a -e HOME/.local/share/containers/storage FOLDER && sudo restorecon -R FOLDER",
        look: Some(selinux_label),
        ..BASE
    },
];

/// Whom the policy does not confine; services run as `system_u`.
const UNCONFINED: [&str; 2] = ["unconfined_u", "system_u"];

/// The same of the process that makes a container.
fn selinux_process(facts: &Facts<'_>) -> Vec<Seen> {
    let Some(context) = facts.machine.process.selinux.as_deref() else { return Vec::new() };
    let user = context.split(':').next().unwrap_or_default();
    if UNCONFINED.contains(&user) {
        return Vec::new();
    }
    vec![Seen {
        message: format!("SELinux confines this login to {user}"),
        evidence: format!("/proc/self/attr/current says {context}"),
        fix: shell_word(facts.user.as_bytes())
            .map_or_else(String::new, |name| format!("sudo semanage login -a -s unconfined_u {name}")),
        ..Seen::default()
    }]
}

fn selinux_user(check: &Check<'_>) -> Vec<Seen> {
    let Some((enforcing, Some(context))) = &check.surroundings.security.selinux else {
        return vec![Seen::not_applicable("SELinux is off")];
    };
    let user = context.split(':').next().unwrap_or_default();
    if !enforcing || UNCONFINED.contains(&user) {
        return Vec::new();
    }
    vec![Seen {
        message: format!("{} is logged in as SELinux user {user}", check.facts.user),
        evidence: format!("/proc/self/attr/current says {context}"),
        fix: check.word().map_or_else(String::new, |name| {
            format!("sudo semanage login -a -s unconfined_u {name}\nthen log in again")
        }),
        ..Seen::default()
    }]
}

/// Types that images may have (container-selinux), in a user's home too.
const LABELS: &[&str] =
    &["container_file_t", "container_ro_file_t", "container_share_t", "container_var_lib_t", "data_home_t"];

fn selinux_label(check: &Check<'_>) -> Vec<Seen> {
    let around = check.surroundings;
    if around.security.selinux.is_none() {
        return vec![Seen::not_applicable("SELinux is off")];
    }
    let storage = &around.storage;
    let (Some(by), Fact::Seen(label)) = (&storage.configured, &storage.label) else { return Vec::new() };
    if label.split(':').nth(2).is_some_and(|kind| LABELS.contains(&kind)) {
        return Vec::new();
    }
    let home = shell_word(around.session.home.0.as_bytes());
    let fix = match (home, shell_word(storage.folder.as_bytes())) {
        (Some(home), Some(folder)) => format!(
            "sudo semanage fcontext -a -e {home}/.local/share/containers/storage {folder} && sudo restorecon -R {folder}"
        ),
        _ => String::new(),
    };
    vec![Seen {
        file: Some(storage.folder.clone()),
        message: "the storage is not labelled for containers".to_owned(),
        evidence: format!("{} ({by}) has the label {label}", storage.folder),
        fix,
        ..Seen::default()
    }]
}

/// The programs that make the namespaces, of each engine.
fn makers(engine: Engine) -> &'static [&'static str] {
    match engine {
        Engine::Podman => &["podman"],
        Engine::Buildah => &["buildah"],
        Engine::Docker | Engine::Nerdctl => &["rootlesskit"],
        Engine::Apptainer => &["apptainer"],
        Engine::Lxc => &["lxc-usernsexec"],
        Engine::Kubelet => &[],
        Engine::Any => &["podman", "buildah", "rootlesskit", "apptainer", "lxc-usernsexec"],
    }
}

/// `AppArmor`'s restriction, for the programs of an engine: those with a profile that allows namespaces are
/// free.
pub(super) fn apparmor(check: &Check<'_>) -> Vec<Seen> {
    let around = check.surroundings;
    if check.facts.machine.kernel.apparmor_restrict.is_none_or(|value| value == 0) {
        return Vec::new();
    }
    let installed = |name: &&&str| check.engine != Engine::Any || around.programs.contains_key(**name);
    let makers: Vec<&str> = makers(check.engine).iter().filter(installed).copied().collect();
    let path = |name: &str| around.programs.get(name).cloned().unwrap_or_else(|| format!("/usr/bin/{name}"));
    let profiles = &around.security.userns_profiles;
    let free = |name: &str| {
        let path = path(name);
        profiles.iter().flat_map(|(_, programs)| programs).any(|attached| is_for(attached, name, &path))
    };
    if makers.is_empty() {
        return vec![Seen {
            status: Some(Status::Warning),
            message: "AppArmor restricts user namespaces to programs with a profile".to_owned(),
            evidence: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns is 1; no engine is installed"
                .to_owned(),
            ..Seen::default()
        }];
    }
    let later =
        if around.security.unprivileged_profile { ": its namespaces have no capabilities" } else { "" };
    let seen = |name: &str| {
        let path = path(name);
        Seen {
            file: Some(path.clone()),
            message: format!("AppArmor has no profile that allows user namespaces to {path}{later}"),
            evidence: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns is 1, and no profile of /etc/apparmor.d with \
                       userns, is for it"
                .to_owned(),
            fix: format!(
                "printf 'abi <abi/4.0>,\\nprofile {name}-userns {path} flags=(unconfined) {{\\n  userns,\\n}}\\n' | sudo tee \
                 /etc/apparmor.d/{name}-userns && sudo systemctl reload apparmor"
            ),
            ..Seen::default()
        }
    };
    makers.into_iter().filter(|name| !free(name)).map(seen).collect()
}

/// Whether a profile is attached to a program: by its path, or by a pattern that its name could match.
fn is_for(attached: &str, name: &str, path: &str) -> bool {
    let pattern = attached.contains(['*', '{', '?', '[']) || attached.starts_with("@{");
    attached == path || (pattern && attached.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_for_its_path_or_a_pattern_of_the_name() {
        let podman = |attached: &str| is_for(attached, "podman", "/usr/bin/podman");
        assert!(podman("/usr/bin/podman") && podman("/usr/{,local/}bin/podman") && podman("@{bin}/podman"));
        assert!(!podman("/usr/bin/crun") && !podman("/opt/bin/podman") && !podman("/usr/bin/{crun,runc}"));
    }
}

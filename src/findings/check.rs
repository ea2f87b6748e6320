//! One user's way to a rootless container: what `check` looks at, and what it finds.

use super::order::causes;
use super::survey::audit;
use super::{Entry, Facts, Finding, Group, Reach, Seen, Status, Survey, catalogue};
use crate::text::escape;

/// What the containers are for: what one engine cannot do without is advice for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// podman.
    Podman,
    /// Rootless Docker.
    Docker,
    /// Rootless containerd with nerdctl.
    Nerdctl,
    /// buildah.
    Buildah,
    /// Apptainer's fakeroot.
    Apptainer,
    /// Unprivileged LXC.
    Lxc,
    /// Kubernetes' pods with user namespaces.
    Kubelet,
    /// Whatever comes.
    Any,
}

impl Engine {
    /// All of them, as `--for` lists them.
    pub const ALL: [Self; 8] = [
        Self::Podman,
        Self::Docker,
        Self::Nerdctl,
        Self::Buildah,
        Self::Apptainer,
        Self::Lxc,
        Self::Kubelet,
        Self::Any,
    ];

    /// Its name, as in `--for` and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
            Self::Nerdctl => "nerdctl",
            Self::Buildah => "buildah",
            Self::Apptainer => "apptainer",
            Self::Lxc => "lxc",
            Self::Kubelet => "kubelet",
            Self::Any => "any",
        }
    }

    /// The engine of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|engine| engine.name() == name)
    }
}

/// What is known of one user and of where the containers are to run.
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    /// Both files, all owners.
    pub survey: &'a Survey<'a>,
    /// The user, the user's ranges, helpers and kernel.
    pub facts: Facts<'a>,
    /// Whether the caller is the user: only then its environment says anything of the user's sessions.
    pub own_session: bool,
    /// What for.
    pub engine: Engine,
}

impl Check<'_> {
    /// Whether a directory says what the user has, and the lines of the files count for nothing.
    fn by_directory(&self) -> bool {
        self.survey.snapshot.nsswitch.directory().is_some()
    }

    /// Whether an owner, as a finding names it, is this user. A zero too many and blanks are part of what is
    /// wrong with a line, and change nothing about whose it was meant to be.
    fn is_user(&self, owner: &str) -> bool {
        let owner = owner.trim_ascii();
        let number = owner.trim_start_matches('0');
        owner == escape(self.facts.user.as_bytes()) || number == self.facts.uid.to_string()
    }

    /// Whether what an audit found keeps this user's containers from starting, or endangers them.
    fn concerns(&self, entry: &Entry, finding: &Finding) -> bool {
        entry.reach == Reach::Everybody
            || [&finding.owner, &finding.other].into_iter().flatten().any(|owner| self.is_user(owner))
    }
}

/// Everything that was looked at for one user: at least one finding for each entry that is wanted and that a
/// user's containers depend on. The worst first; of one severity in the catalogue's order.
pub fn check(check: &Check<'_>, wanted: impl Fn(&Entry) -> bool) -> Vec<Finding> {
    let audits = catalogue().any(|entry| wanted(entry) && entry.in_audit());
    let audited = if audits { audit(check.survey).findings } else { Vec::new() };
    let mut all: Vec<(&Entry, Vec<Finding>)> = Vec::new();
    for entry in catalogue().filter(|entry| entry.in_check()) {
        let of_entry = audited.iter().filter(|finding| finding.id == entry.id);
        let found = of_entry.filter(|finding| check.concerns(entry, finding)).cloned().collect();
        all.push((entry, look(entry, check, found)));
    }
    let faults: Vec<&str> = all
        .iter()
        .filter(|(_, found)| found.iter().any(|f| f.status.is_fault()))
        .map(|(e, _)| e.id)
        .collect();
    let mut found: Vec<Finding> = Vec::new();
    for (entry, findings) in all.into_iter().filter(|(entry, _)| wanted(entry)) {
        let cause = causes(entry.id).find(|cause| faults.contains(cause));
        found.extend(findings.into_iter().map(|finding| match cause {
            Some(cause) if finding.status.is_found() => followed(finding, cause),
            _ => finding,
        }));
    }
    found.sort_by_key(|finding| finding.status.rank());
    found
}

/// What one entry finds, or that it finds nothing.
fn look(entry: &Entry, check: &Check<'_>, audited: Vec<Finding>) -> Vec<Finding> {
    let without = |status, message: &str| {
        vec![Finding {
            consequence: String::new(),
            ..entry.finding(Seen { status: Some(status), message: message.to_owned(), ..Seen::default() })
        }]
    };
    let severity = entry.severity_for(check.engine);
    if severity == Status::NotApplicable {
        return without(severity, &format!("{} does without", check.engine.name()));
    }
    if entry.session && !check.own_session {
        return without(Status::Skipped, "not this session");
    }
    let mut found = entry.find(&check.facts);
    // What both find is said once, with the lines that only the audit knows. Of a directory there are none.
    if entry.in_audit() && !check.by_directory() {
        found = audited;
    }
    if found.is_empty() {
        return without(Status::Ok, "nothing found");
    }
    for finding in found.iter_mut().filter(|finding| finding.status == entry.severity) {
        finding.status = severity;
    }
    found
}

/// What follows from a fault that is named itself.
fn followed(finding: Finding, cause: &str) -> Finding {
    let message = format!("because {cause}: {}", finding.message);
    Finding { status: Status::Skipped, message, fix: String::new(), ..finding }
}

/// For entries that only the kubelet cares about.
pub(super) const KUBELET_ALONE: &[(Engine, Status)] = &[
    (Engine::Podman, Status::NotApplicable),
    (Engine::Docker, Status::NotApplicable),
    (Engine::Nerdctl, Status::NotApplicable),
    (Engine::Buildah, Status::NotApplicable),
    (Engine::Apptainer, Status::NotApplicable),
    (Engine::Lxc, Status::NotApplicable),
    (Engine::Any, Status::NotApplicable),
];

impl Entry {
    /// Whether `check` looks for it.
    pub fn in_check(&self) -> bool {
        self.reach != Reach::Nobody
    }

    /// What it is for this engine. The kubelet asks for a line of its own, and maps the IDs itself.
    pub fn severity_for(&self, engine: Engine) -> Status {
        let own = self.engines.iter().find(|(of, _)| *of == engine);
        match own {
            Some((_, status)) => *status,
            None if engine == Engine::Kubelet && !self.group.concerns_kubelet() => Status::NotApplicable,
            None => self.severity,
        }
    }
}

impl Group {
    const fn concerns_kubelet(self) -> bool {
        !matches!(self, Self::Helpers)
    }
}

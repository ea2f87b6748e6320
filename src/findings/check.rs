//! One user's way to a rootless container: what `check` looks at, and what it finds.

use super::order::causes;
use super::survey::audit;
use super::{Entry, Facts, Finding, Group, Reach, Seen, Status, Survey, catalogue};
use crate::proof::{self, Kept};
use crate::range::Kind;
use crate::snapshot::{Account, Fact, Surroundings};
use crate::text::{escape, shell_word};

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
    /// Everything around.
    pub surroundings: &'a Surroundings,
    /// Namespaces that the user's engines keep.
    pub kept: &'a [(proof::Engine, Kept)],
    /// The account; where nobody knows it, what stands in for it.
    pub account: &'a Account,
    /// Why nobody knows an account of the caller's uid, where that is so.
    pub unresolved: Option<&'a str>,
    /// Whether the caller is the user: only then its environment says anything of the user's sessions.
    pub own_session: bool,
    /// What for.
    pub engine: Engine,
}

impl Check<'_> {
    /// The user as a word of a command; `None` where the name cannot be pasted.
    pub(super) fn word(&self) -> Option<String> {
        shell_word(self.facts.user.as_bytes())
    }

    /// The home folder that the account has.
    pub(super) fn account_home(&self) -> Option<String> {
        String::from_utf8(self.account.home.to_vec()).ok().filter(|home| !home.is_empty())
    }

    /// A command of the user's, as the caller gets to run it.
    pub(super) fn as_user(&self, command: &str) -> String {
        match (self.own_session, self.word()) {
            (true, _) => command.to_owned(),
            (false, Some(user)) if command.starts_with("systemctl --user ") => {
                let rest = command.trim_start_matches("systemctl --user ");
                format!("sudo systemctl --user -M {user}@ {rest}")
            }
            (false, Some(user)) => format!("sudo -iu {user} {command}"),
            (false, None) => format!("as this user: {command}"),
        }
    }

    /// Whether a directory says what the user has, and the lines of the files count for nothing.
    fn by_directory(&self) -> bool {
        self.survey.snapshot.nsswitch.directory().is_some()
    }

    /// Whether an owner, as a finding names it, is this user. A zero too many, blanks and signs before the name are
    /// part of what is wrong with a line, and change nothing about whose it was meant to be.
    fn is_user(&self, owner: &str) -> bool {
        let owner = owner.trim_ascii().trim_start_matches(['+', '-', '!', '@']);
        let number = owner.trim_start_matches('0');
        owner == escape(self.facts.user.as_bytes()) || number == self.facts.uid.to_string()
    }

    /// Whether what an audit found keeps this user's containers from starting, or endangers them.
    fn concerns(&self, entry: &Entry, finding: &Finding) -> bool {
        let named = [&finding.owner, &finding.other].into_iter().flatten();
        entry.reach == Reach::Everybody
            || named.cloned().chain(self.meant(finding)).any(|owner| self.is_user(&owner))
    }

    /// Whose a line was meant to be that no program takes for anybody's.
    fn meant(&self, finding: &Finding) -> Option<String> {
        let (None, Some(file), Some(line)) = (&finding.owner, &finding.file, finding.line) else {
            return None;
        };
        let kind = Kind::BOTH.into_iter().find(|kind| *file == super::survey::path(*kind))?;
        self.survey.bytes(kind, line).split(|b| *b == b':').next().map(escape)
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
    // What keeps nothing from starting is no cause of what is graver.
    let worst = |found: &[Finding]| {
        found.iter().filter(|finding| finding.status.is_found()).map(|finding| finding.status.rank()).min()
    };
    let ranks: Vec<(&str, u8)> = all.iter().filter_map(|(e, found)| Some((e.id, worst(found)?))).collect();
    let cause_of = |finding: &Finding| {
        let least = finding.status.rank().max(Status::Error.rank());
        let grave = |id: &str| ranks.iter().any(|(of, rank)| *of == id && *rank <= least);
        causes(finding.id).find(|cause| grave(cause))
    };
    let mut found: Vec<Finding> = Vec::new();
    for (_, findings) in all.into_iter().filter(|(entry, _)| wanted(entry)) {
        found.extend(findings.into_iter().map(|finding| match cause_of(&finding) {
            Some(cause) if finding.status.is_found() => followed(finding, cause),
            _ => finding,
        }));
    }
    found.sort_by_key(|finding| finding.status.rank());
    found
}

/// What one entry finds, or that it finds nothing.
fn look(entry: &Entry, check: &Check<'_>, audited: Vec<Finding>) -> Vec<Finding> {
    let without = |status, message: &str| vec![entry.nothing(status, message)];
    let severity = entry.severity_for(check.engine);
    if severity == Status::NotApplicable {
        let message = match check.engine {
            Engine::Any => "looked for with --for kubelet".to_owned(),
            engine => format!("{} does without", engine.name()),
        };
        return without(severity, &message);
    }
    if entry.group.needs_processes() && !check.surroundings.live {
        return without(Status::NotApplicable, "nothing runs in a tree without /proc");
    }
    if entry.group == Group::Session && !check.surroundings.systemd {
        return without(Status::NotApplicable, "systemd does not run here");
    }
    if entry.session && !check.own_session {
        return without(Status::Skipped, "not this session");
    }
    let mut found = match entry.look {
        Some(look) => look(check).into_iter().map(|seen| entry.of_user(&check.facts, seen)).collect(),
        None => entry.find(&check.facts),
    };
    // What both find is said once, with the lines that only the audit knows. Where a directory counts, no
    // user's lines do.
    if entry.in_audit() && (entry.reach == Reach::Everybody || !check.by_directory()) {
        found = audited;
    }
    if found.is_empty() {
        return without(Status::Ok, "nothing found");
    }
    for finding in &mut found {
        if !finding.status.is_found() {
            *finding = entry.nothing(finding.status, &finding.message);
            continue;
        }
        if finding.status == entry.severity {
            finding.status = severity;
        }
        if !entry.in_audit() {
            finding.fix = check.survey.there(std::mem::take(&mut finding.fix));
        }
    }
    found
}

/// What can be seen of something that may not be there; what cannot be read is not said to be missing.
pub(super) fn known<T>(fact: &Fact<T>, look: impl FnOnce(Option<&T>) -> Option<Seen>) -> Vec<Seen> {
    match fact {
        Fact::Unreadable(why) => vec![Seen::skipped(why.clone())],
        fact => look(fact.seen()).into_iter().collect(),
    }
}

/// What follows from a fault that is named itself.
fn followed(finding: Finding, cause: &str) -> Finding {
    let message = format!("because {cause}: {}", finding.message);
    Finding { status: Status::Skipped, message, fix: String::new(), ..finding }
}

/// What daemons of the user's cannot do without.
pub(super) const DAEMONS: &[(Engine, Status)] = &[
    (Engine::Docker, Status::Error),
    (Engine::Nerdctl, Status::Error),
    (Engine::Apptainer, Status::NotApplicable),
    (Engine::Lxc, Status::NotApplicable),
];

/// What misleads podman, and no other.
pub(super) const PODMAN_ALONE: &[(Engine, Status)] = &[
    (Engine::Podman, Status::Error),
    (Engine::Docker, Status::NotApplicable),
    (Engine::Nerdctl, Status::NotApplicable),
    (Engine::Buildah, Status::NotApplicable),
    (Engine::Apptainer, Status::NotApplicable),
    (Engine::Lxc, Status::NotApplicable),
    (Engine::Kubelet, Status::NotApplicable),
];

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

//! Why an installed engine does not have the IDs that the files give. Most of it shows only where the engine
//! itself is asked: `verify --engine`.

use super::{BASE, Check, Entry, Group, Reach, Seen, Status};
use crate::idmap::Extent;
use crate::proof::{Engine, Failure, Kept, Step};
use crate::range::{Kind, Login, PerKind, Range};
use crate::snapshot::Package;
use crate::text::shell_word;

/// Docker and nerdctl come with runc, the others do without.
const STORES: &[(super::Engine, Status)] = &[
    (super::Engine::Docker, Status::NotApplicable),
    (super::Engine::Nerdctl, Status::NotApplicable),
    (super::Engine::Apptainer, Status::NotApplicable),
    (super::Engine::Lxc, Status::NotApplicable),
    (super::Engine::Kubelet, Status::NotApplicable),
];

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "engine-missing",
        group: Group::Engines,
        title: "the engine is not installed, or its program cannot be trusted",
        explain: "verify --engine asks the installed engine itself. Its program is looked for in fixed folders, \
                  whatever PATH says, and must belong to root and be writable by root alone. One that is not there \
                  proves nothing, neither good nor bad.",
        consequence: "nobody knows whether this engine would work",
        repair: "install the engine; where its program cannot be trusted, put the real one in its place",
        look: Some(missing),
        ..BASE
    },
    Entry {
        id: "runtime-missing",
        group: Group::Engines,
        title: "neither crun nor runc is installed",
        explain: "podman and buildah leave it to one of them to make a container.",
        consequence: "podman run: default OCI runtime not found",
        repair: "install crun",
        look: Some(runtime),
        engines: STORES,
        ..BASE
    },
    Entry {
        id: "engine-stale-namespace",
        group: Group::Engines,
        title: "the engine still has the namespace that it made before the files changed",
        explain: "podman keeps its user namespace alive by a pause process, and Docker and nerdctl have a daemon in \
                  theirs: what they map was read from the files when it was made. A range that came later counts \
                  only in a new namespace. 'podman system migrate' ends the pause process and stops the user's \
                  running containers; a daemon is restarted. Images and containers stay.",
        consequence: "images with files of higher IDs cannot be unpacked, as if the range had not been given",
        repair: "podman system migrate, as the user; of a daemon: systemctl --user restart docker \
                 (containerd)",
        look: Some(stale),
        ..BASE
    },
    Entry {
        id: "engine-single-id",
        group: Group::Engines,
        title: "the engine maps the user's own ID alone",
        explain: "Where podman, buildah or Apptainer cannot map the user's ranges, or find none, they say a warning \
                  and go on with one ID: 0 inside is the user, and nothing else exists. Most images cannot be \
                  unpacked there.",
        consequence: "every file of another owner than root fails: 'potentially insufficient UIDs or GIDs'",
        repair: "mend what keeps the ranges from being mapped: subidctl verify USER names it; then, as the user: \
                 podman system migrate",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "engine-map-differs",
        group: Group::Engines,
        title: "the engine maps other IDs than the files give",
        explain: "The engine reads the files by its own rules, or has settings of its own that choose other IDs \
                  (containers.conf, storage.conf, flags of a service). Or the ranges come from a directory that \
                  this build of the engine does not ask.",
        consequence: "containers run with IDs that nobody planned for them",
        repair: "see what the engine reads: getsubids USER, and its own settings",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "engine-range-too-short",
        group: Group::Engines,
        title: "Apptainer takes one range of at least 65536 IDs, and there is none",
        explain: "Other engines put all of a user's ranges together. Apptainer takes the first line that has 65536 IDs \
                  or more, alone.",
        consequence: "apptainer --fakeroot refuses, although other engines work",
        repair: "sudo subidctl apply --count N USER, where N is what the user has and 65536 more",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "engine-not-running",
        group: Group::Engines,
        title: "the user's daemon of this engine does not run",
        explain: "Rootless Docker and nerdctl work through a daemon of the user's own, whose namespace is what there \
                  is to look at. It is started by the user's systemd, and ends with the last session unless the \
                  user lingers.",
        consequence: "nobody knows which IDs its containers would have; none can run now",
        repair: "systemctl --user start docker (containerd), as the user",
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "engine-failed",
        group: Group::Engines,
        severity: Status::Error,
        title: "the engine failed for a reason that is not in the IDs",
        explain: "A container of subidctl's own works with the same user and the same IDs, so that the files, the \
                  helpers and the kernel are right. What the engine said is all that is known: its storage, its \
                  settings or its network may be broken.",
        consequence: "this engine's containers do not start",
        repair: "see what the engine says when it is asked for more: podman --log-level=debug unshare true",
        reach: Reach::Nobody,
        ..BASE
    },
];

/// Whether an engine that was asked for by name is there at all.
fn missing(check: &Check<'_>) -> Vec<Seen> {
    use super::Engine as For;
    let program = match check.engine {
        For::Podman => "podman",
        For::Docker => "dockerd-rootless.sh",
        For::Nerdctl => "nerdctl",
        For::Buildah => "buildah",
        For::Apptainer => "apptainer",
        For::Lxc => "lxc-usernsexec",
        For::Kubelet | For::Any => return Vec::new(),
    };
    let seen = || Seen {
        status: Some(Status::Warning),
        message: format!("{} is not installed", check.engine.name()),
        evidence: format!("no {program} in the usual folders"),
        fix: format!("install {}", check.engine.name()),
        ..Seen::default()
    };
    if check.surroundings.programs.contains_key(program) { Vec::new() } else { vec![seen()] }
}

/// What makes podman's and buildah's containers.
fn runtime(check: &Check<'_>) -> Vec<Seen> {
    let programs = &check.surroundings.programs;
    let there = |names: &[&str]| names.iter().any(|name| programs.contains_key(*name));
    if there(&["crun", "runc"]) || !there(&["podman", "buildah"]) {
        return Vec::new();
    }
    vec![Seen {
        message: "nothing is installed that makes containers".to_owned(),
        evidence: "neither crun nor runc in the usual folders".to_owned(),
        fix: check.surroundings.packages.install(Package::Runtime),
        ..Seen::default()
    }]
}

/// Namespaces that engines keep, and that have other IDs than the user.
fn stale(check: &Check<'_>) -> Vec<Seen> {
    let facts = &check.facts;
    let differs = |engine: Engine, kept: &Kept| {
        // Without ranges that is what has to be mended first.
        let own = PerKind { uid: facts.uid.get(), gid: facts.gid.get() };
        let expected = |kind: Kind| engine.expected(own[kind], facts.ranges[kind]);
        Kind::BOTH.iter().any(|kind| expected(*kind).is_some_and(|expected| expected != kept.maps[*kind]))
    };
    let named = |engine: Engine| {
        let all = matches!(check.engine, super::Engine::Any);
        all || check.engine.name() == engine.name()
    };
    let kept = check.kept.iter().filter(|(engine, kept)| named(*engine) && differs(*engine, kept));
    let seen = |(engine, kept): &(Engine, Kept)| Seen {
        message: format!("{} still has the namespace that it made before the files changed", engine.name()),
        evidence: format!("pid {} ({}) keeps it: {}", kept.pid, kept.place, maps(&kept.maps)),
        fix: match engine {
            Engine::Docker => check.as_user("systemctl --user restart docker"),
            Engine::Nerdctl => check.as_user("systemctl --user restart containerd"),
            _ => check.as_user("podman system migrate"),
        },
        ..Seen::default()
    };
    kept.map(seen).collect()
}

/// What was seen of an engine that is not as it should be.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Which.
    pub engine: Engine,
    /// Whose.
    pub user: &'a Login,
    /// Whether the caller is another user, so that a fix must become this one first.
    pub by_other: bool,
    /// What the files give.
    pub expected: &'a PerKind<Vec<Extent>>,
    /// What the engine showed.
    pub shown: Option<&'a PerKind<Vec<Extent>>>,
    /// What kept its namespace before it was asked.
    pub kept: Option<&'a Kept>,
    /// What it said, escaped.
    pub words: &'a str,
    /// Why a container of our own fails too.
    pub own: Option<Failure>,
}

/// The cause, the more specific before the more general.
pub fn engine_cause(asked: Asked<'_>) -> Failure {
    let name = asked.engine.name();
    let stale = asked
        .kept
        .filter(|kept| kept.maps != *asked.expected && asked.shown.is_none_or(|shown| *shown == kept.maps));
    let (cause, message, evidence, fix) = if let Some(kept) = stale {
        let evidence = format!("pid {} ({}) keeps it: {}", kept.pid, kept.place, maps(&kept.maps));
        let message = format!("{name} still has the namespace that it made before the files changed");
        ("engine-stale-namespace".to_owned(), message, evidence, renew(&asked))
    } else if let Some(own) = asked.own {
        let evidence =
            asked.shown.map_or_else(|| own.evidence.clone(), |m| format!("{}; {}", maps(m), own.evidence));
        (own.cause, own.message, evidence, own.fix)
    } else if matches!(asked.engine, Engine::Docker | Engine::Nerdctl) && asked.kept.is_none() {
        let message = format!("no rootless daemon of {name}'s runs as {}", asked.user);
        let evidence = "its runtime folder names no process that keeps a namespace".to_owned();
        ("engine-not-running".to_owned(), message, evidence, service(&asked, "start"))
    } else if let Some(shown) = asked.shown.filter(|shown| *shown != asked.expected) {
        let single = Kind::BOTH.iter().any(|kind| matches!(shown[*kind][..], [Extent { count: 1, .. }]));
        let evidence = maps(shown);
        if single {
            let message = format!("{name} maps the user's own ID alone, although a container works here");
            ("engine-single-id".to_owned(), message, evidence, by_hand(&asked))
        } else {
            let message = format!("{name} maps other IDs than the files give");
            ("engine-map-differs".to_owned(), message, evidence, by_hand(&asked))
        }
    } else {
        let message = format!("{name} fails, although a container works here");
        ("engine-failed".to_owned(), message, asked.words.to_owned(), by_hand(&asked))
    };
    Failure { step: Step::Engine, helper_message: asked.words.to_owned(), cause, message, evidence, fix }
}

/// Why Apptainer is not asked at all: a container works with these ranges, but none of them is one that it takes.
pub fn too_short(user: &Login, ranges: &PerKind<Vec<Range>>) -> Failure {
    let has = |kind: Kind| ranges[kind].iter().map(|range| range.count().get()).sum::<u64>();
    let count = Kind::BOTH.map(has).into_iter().max().unwrap_or(0) + 65_536;
    let all: Vec<String> = ranges.uid.iter().chain(&ranges.gid).map(ToString::to_string).collect();
    let user = shell_word(user.as_bytes()).unwrap_or_else(|| "USER".to_owned());
    Failure {
        step: Step::Engine,
        helper_message: "not asked".to_owned(),
        cause: "engine-range-too-short".to_owned(),
        message: "no range has the 65536 IDs that Apptainer takes".to_owned(),
        evidence: format!("the ranges are {}", all.join(", ")),
        fix: format!("sudo subidctl apply --count {count} {user}"),
    }
}

/// The command that gives an engine a new namespace.
fn renew(asked: &Asked<'_>) -> String {
    match asked.engine {
        Engine::Docker | Engine::Nerdctl => service(asked, "restart"),
        _ => as_user(asked, "podman system migrate"),
    }
}

/// What the user's own systemd is told about a daemon.
fn service(asked: &Asked<'_>, verb: &str) -> String {
    let name = if asked.engine == Engine::Docker { "docker" } else { "containerd" };
    let command = format!("systemctl --user {verb} {name}");
    match (asked.by_other, shell_word(format!("{}@", asked.user).as_bytes())) {
        (false, _) => command,
        (true, Some(user)) => format!("sudo systemctl --user -M {user} {verb} {name}"),
        (true, None) => format!("as this user: {command}"),
    }
}

/// The command that shows what the engine has to say.
fn by_hand(asked: &Asked<'_>) -> String {
    let command = match asked.engine {
        Engine::Podman => "podman --log-level=debug unshare true",
        Engine::Buildah => "buildah --log-level=debug unshare true",
        Engine::Docker => "journalctl --user -u docker",
        Engine::Nerdctl => "journalctl --user -u containerd",
        Engine::Apptainer => "apptainer --debug exec --fakeroot /usr /bin/true",
    };
    format!("see what it says: {}", as_user(asked, command))
}

fn as_user(asked: &Asked<'_>, command: &str) -> String {
    match (asked.by_other, shell_word(asked.user.as_bytes())) {
        (false, _) => command.to_owned(),
        (true, Some(user)) => format!("sudo -iu {user} {command}"),
        (true, None) => format!("as this user: {command}"),
    }
}

/// Both maps in one line.
fn maps(maps: &PerKind<Vec<Extent>>) -> String {
    let text = |kind: Kind| {
        let extents = maps[kind].iter().map(|e| format!("{} {} {}", e.inside, e.outside, e.count));
        extents.collect::<Vec<_>>().join(", ")
    };
    if maps.uid == maps.gid {
        return format!("uid_map and gid_map {}", text(Kind::Uid));
    }
    format!("uid_map {}; gid_map {}", text(Kind::Uid), text(Kind::Gid))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(ranges: &[&str]) -> PerKind<Vec<Extent>> {
        let ranges: Vec<Range> = ranges.iter().map(|r| Range::parse(r).unwrap()).collect();
        let map = Engine::Podman.expected(1001, &ranges).unwrap();
        PerKind { uid: map.clone(), gid: map }
    }

    /// `kept`, `shown` and whether a container of our own fails → the cause and its fix.
    fn cause(kept: Option<&[&str]>, shown: Option<&[&str]>, own: bool, by_other: bool) -> (String, String) {
        let user = Login::new(b"alice").unwrap();
        let expected = map(&["100000:65536", "300000:65536"]);
        let kept = kept.map(|ranges| Kept { pid: 7, place: "/pid".to_owned(), maps: map(ranges) });
        let own = own.then(|| Failure {
            step: Step::UidMap,
            helper_message: String::new(),
            cause: "helper-missing".to_owned(),
            message: "m".to_owned(),
            evidence: "e".to_owned(),
            fix: "f".to_owned(),
        });
        let shown = shown.map(map);
        let failure = engine_cause(Asked {
            engine: Engine::Podman,
            user: &user,
            by_other,
            expected: &expected,
            shown: shown.as_ref(),
            kept: kept.as_ref(),
            words: "words",
            own,
        });
        assert!(super::super::entry(&failure.cause).is_some() && !failure.evidence.is_empty(), "{failure:?}");
        (failure.cause, failure.fix)
    }

    #[test]
    fn what_an_engine_kept_explains_what_it_shows() {
        let (old, other): (&[&str], &[&str]) = (&["100000:65536"], &["5:5"]);
        let stale = |fix: &str| ("engine-stale-namespace".to_owned(), fix.to_owned());
        assert_eq!(cause(Some(old), Some(old), false, true), stale("sudo -iu alice podman system migrate"));
        assert_eq!(cause(Some(old), Some(old), false, false), stale("podman system migrate"));
        // A single ID from before the first range; and a failure in the old namespace.
        assert_eq!(cause(Some(&[]), Some(&[]), false, false), stale("podman system migrate"));
        assert_eq!(cause(Some(old), None, false, false).0, "engine-stale-namespace");
        // Something was kept, and it is not what the engine uses now.
        assert_eq!(cause(Some(old), Some(other), false, false).0, "engine-map-differs");
        let new: &[&str] = &["100000:65536", "300000:65536"];
        assert_eq!(cause(Some(new), None, false, false).0, "engine-failed");
    }

    #[test]
    fn what_stops_our_own_container_explains_an_engines_failure() {
        assert_eq!(cause(None, Some(&[]), true, false), ("helper-missing".to_owned(), "f".to_owned()));
        assert_eq!(cause(None, None, true, false).0, "helper-missing");
        assert_eq!(cause(None, Some(&[]), false, false).0, "engine-single-id");
        assert_eq!(cause(None, Some(&["5:5"]), false, false).0, "engine-map-differs");
        assert_eq!(cause(None, None, false, false).0, "engine-failed");
    }
}

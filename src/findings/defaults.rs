//! What login.defs and nsswitch.conf make useradd and newuidmap do.

use super::{BASE, Entry, Group, Reach, Seen, Status, Survey};
use crate::idfile::Claim;
use crate::planner::taken;
use crate::policy::CEILING;
use crate::range::{Kind, Range};
use crate::snapshot::{Account, LoginDefs};
use crate::text::{escape, shell_word, thousands};

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "deterministic-wrap",
        group: Group::Defaults,
        severity: Status::Error,
        title: "login.defs lets computed ranges wrap around",
        explain: "UNSAFE_SUB_UID_DETERMINISTIC_WRAP yes (shadow 4.20) makes useradd begin again at SUB_UID_MIN where \
                  the pool ends, so that accounts with high uids get the ranges of those with low ones: they \
                  overlap by design, as the name says.",
        consequence: "two accounts get the same IDs",
        audit: Some(wrap),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "pool-upside-down",
        group: Group::Defaults,
        severity: Status::Error,
        title: "useradd's pool of subordinate IDs ends before it begins",
        explain: "useradd searches SUB_UID_MIN to SUB_UID_MAX for SUB_UID_COUNT free IDs (SUB_GID_… for gids). With \
                  these values it says 'Invalid configuration' and makes no account at all (lib/find_new_sub_uids.c).",
        consequence: "useradd fails",
        audit: Some(|survey| pools(survey, upside_down)),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "pool-too-small",
        group: Group::Defaults,
        severity: Status::Error,
        title: "useradd's pool holds fewer IDs than one user gets",
        explain: "SUB_UID_MIN to SUB_UID_MAX holds fewer IDs than SUB_UID_COUNT, or the same for gids. useradd says \
                  'Invalid configuration' and makes no account at all (lib/find_new_sub_uids.c).",
        consequence: "useradd fails",
        audit: Some(|survey| pools(survey, too_small)),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "pool-meets-logins",
        group: Group::Defaults,
        severity: Status::Error,
        title: "useradd's pool of subordinate IDs holds IDs that it gives to accounts",
        explain: "useradd chooses a new uid by looking at passwd, and a new range by looking at subuid: neither looks \
                  at the other. Where SUB_UID_MIN to SUB_UID_MAX and UID_MIN to UID_MAX meet (or the same for gids), \
                  one user's containers get another user's uid (CVE-2024-56433 is this on a network).",
        consequence: "a container of one user can own another user's files",
        audit: Some(|survey| pools(survey, meets_logins)),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "pool-meets-directory",
        group: Group::Defaults,
        severity: Status::Warning,
        title: "useradd's pool of subordinate IDs holds IDs of directory accounts",
        explain: "useradd gives ranges from SUB_UID_MIN to SUB_UID_MAX, 100000 to 600100000 unless set, and does not \
                  know which IDs LDAP, AD, SSSD or winbind have for accounts (CVE-2024-56433). The directory's ranges \
                  are those of the policy (directory) and of sssd.conf and smb.conf. subidctl keeps away from them by \
                  itself; useradd does so only with another pool.",
        consequence: "useradd may give a directory account's ID to somebody's containers",
        audit: Some(|survey| pools(survey, meets_directory)),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "pool-too-high",
        group: Group::Defaults,
        severity: Status::Warning,
        title: "useradd's pool of subordinate IDs goes beyond 2^31",
        explain: "IDs from 2147483648 on are negative numbers for programs that take them for signed: devpts and \
                  setfsuid are known cases (systemd's UIDS-GIDS document), and FreeIPA gives them to its own users. \
                  shadow's default ends at 600100000.",
        consequence: "ranges from there break some programs in containers",
        audit: Some(|survey| pools(survey, high)),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "pool-count-zero",
        group: Group::Defaults,
        severity: Status::Info,
        title: "useradd gives no subordinate IDs",
        explain: "SUB_UID_COUNT 0 or SUB_GID_COUNT 0 in login.defs turns it off: right where something else gives \
                  ranges, such as subidctl with a window or a map, and else the reason why new users have none.",
        consequence: "new accounts have no range until somebody gives them one",
        audit: Some(count_zero),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "pools-differ",
        group: Group::Defaults,
        severity: Status::Info,
        title: "login.defs has different pools for uids and gids",
        explain: "Where SUB_UID_MIN, _MAX and _COUNT are not SUB_GID_MIN, _MAX and _COUNT, useradd gives an account \
                  uids and gids that begin at different IDs. Everything works; but whoever reads the owner of a file \
                  must count twice, and the kubelet does not take such ranges.",
        consequence: "new accounts get ranges that differ between both files",
        audit: Some(differ),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "subid-module-missing",
        group: Group::Defaults,
        severity: Status::Error,
        title: "nsswitch.conf names a source of subordinate IDs that is not installed",
        explain: "newuidmap loads libsubid_NAME.so for the first word after subid: (shadow, lib/nss.c), and takes the \
                  files where it cannot. What the directory grants is then granted to nobody, and what stands in the \
                  files is. The module sss comes with SSSD (libsubid_sss.so).",
        consequence: "ranges of the directory are not granted; the files count instead",
        audit: Some(|survey| module(survey, false)),
        reach: Reach::Everybody,
        ..BASE
    },
    Entry {
        id: "subid-files-unused",
        group: Group::Defaults,
        severity: Status::Warning,
        title: "the files have lines, and subordinate IDs come from a directory",
        explain: "Where nsswitch.conf says subid: sss (or any word but files) and its module loads, newuidmap asks the \
                  directory alone; files and directory are never added (shadow, lib/nss.c). Programs without libsubid \
                  still read the files: podman built without it, and LXC.",
        consequence: "newuidmap grants nothing of what the files say",
        audit: Some(|survey| module(survey, true)),
        reach: Reach::Everybody,
        ..BASE
    },
];

/// Of lines, before it is said that they differ from the rule.
pub(super) static COMPUTED: &[Entry] = &[Entry {
    id: "deterministic-mixed",
    group: Group::Defaults,
    severity: Status::Error,
    title: "a line stands where login.defs computes somebody else's range",
    explain: "With SUB_UID_DETERMINISTIC yes (shadow 4.20) useradd gives SUB_UID_MIN + (uid - UID_MIN) x \
                  SUB_UID_COUNT without a look at the file. A line from before, or from another tool, that is not \
                  its owner's computed range is given to the account whose turn it is, too, and so is a released one; \
                  login.defs(5) says never to mix both.",
    consequence: "a later useradd gives its IDs to another account as well",
    audit: Some(mixed),
    reach: Reach::Nobody,
    ..BASE
}];

/// shadow's own defaults (`lib/find_new_sub_uids.c`, `src/useradd.c`).
fn default(key: &str) -> u64 {
    match key.split_once('_').map(|(_, rest)| rest) {
        Some("UID_COUNT" | "GID_COUNT") => 65536,
        Some("UID_MIN" | "GID_MIN") => 100_000,
        Some("UID_MAX" | "GID_MAX") => 600_100_000,
        Some("MIN") => 1000,
        _ => 60000,
    }
}

/// What useradd works with for one kind of ID.
struct Pool<'a> {
    kind: Kind,
    defs: &'a LoginDefs,
    min: u64,
    max: u64,
    count: u64,
}

impl<'a> Pool<'a> {
    fn new(defs: &'a LoginDefs, kind: Kind) -> Self {
        let number = |end: &str| {
            let key = key(kind, end);
            defs.number(&key).unwrap_or_else(|| default(&key))
        };
        Self { kind, defs, min: number("MIN"), max: number("MAX"), count: number("COUNT") }
    }

    /// The IDs, where they make sense.
    fn range(&self) -> Option<Range> {
        let last = u32::try_from(self.max).unwrap_or(u32::MAX);
        Range::between(u32::try_from(self.min).ok()?, last)
    }

    /// What login.defs says of these keys, and the fault at the first of them that is set.
    fn seen(&self, keys: &[&str], message: String, fix: String) -> Seen {
        let keys: Vec<String> = keys.iter().map(|end| key(self.kind, end)).collect();
        set(self.defs, &keys, message, fix)
    }
}

fn key(kind: Kind, end: &str) -> String {
    format!("SUB_{}_{end}", kind.name().to_uppercase())
}

/// What was seen in login.defs.
fn set(defs: &LoginDefs, keys: &[String], message: String, fix: String) -> Seen {
    let file = if defs.path.is_empty() { "/etc/login.defs" } else { &defs.path };
    let first = keys.iter().find_map(|key| defs.value(key));
    let said = keys.iter().map(|key| match defs.value(key) {
        Some((value, ..)) => format!("{key} {}", escape(value.as_bytes())),
        None => format!("{key} not set: {}", default(key)),
    });
    Seen {
        file: Some(first.map_or(file, |(_, path, _)| path).to_owned()),
        line: first.map(|(_, _, line)| line),
        message,
        evidence: said.collect::<Vec<_>>().join(", "),
        fix,
        ..Seen::default()
    }
}

/// The command that sets a key: in its line, or at the end of the file.
fn assign(defs: &LoginDefs, key: &str, value: impl std::fmt::Display) -> String {
    let file = if defs.path.is_empty() { "/etc/login.defs" } else { &defs.path };
    match defs.value(key) {
        Some((_, path, line)) => replace_line(path, line, &format!("{key} {value}")),
        None => format!("echo {key} {value} | sudo tee -a {}", word(file)),
    }
}

fn replace_line(path: &str, line: usize, text: &str) -> String {
    format!("sudo sed -i '{line}s/.*/{text}/' {}", word(path))
}

fn word(path: &str) -> String {
    shell_word(path.as_bytes()).unwrap_or_else(|| "that file".to_owned())
}

/// Faults of each pool from which useradd gives anything.
fn pools(survey: &Survey<'_>, look: fn(&Survey<'_>, &Pool<'_>) -> Vec<Seen>) -> Vec<Seen> {
    let pools = Kind::BOTH.into_iter().map(|kind| Pool::new(&survey.snapshot.login_defs, kind));
    pools.filter(|pool| pool.count > 0).flat_map(|pool| look(survey, &pool)).collect()
}

fn upside_down(_: &Survey<'_>, pool: &Pool<'_>) -> Vec<Seen> {
    let (min, max) = (key(pool.kind, "MIN"), key(pool.kind, "MAX"));
    let message = format!("{min} {} lies above {max} {}", pool.min, pool.max);
    let usual = |key: &str| assign(pool.defs, key, default(key));
    let fix = format!("{}\n{}", usual(&min), usual(&max));
    if pool.min > pool.max { vec![pool.seen(&["MIN", "MAX"], message, fix)] } else { Vec::new() }
}

fn too_small(_: &Survey<'_>, pool: &Pool<'_>) -> Vec<Seen> {
    let Some(ids) = pool.max.checked_sub(pool.min).and_then(|n| n.checked_add(1)) else { return Vec::new() };
    let count = key(pool.kind, "COUNT");
    let message = format!(
        "the pool holds {} {}s, and one user gets {}",
        thousands(ids),
        pool.kind.name(),
        thousands(pool.count)
    );
    let usual = |key: &str| assign(pool.defs, key, default(key));
    let fix = format!("{}\n{}", usual(&count), usual(&key(pool.kind, "MAX")));
    if ids < pool.count { vec![pool.seen(&["MIN", "MAX", "COUNT"], message, fix)] } else { Vec::new() }
}

fn meets_logins(_: &Survey<'_>, pool: &Pool<'_>) -> Vec<Seen> {
    let upper = pool.kind.name().to_uppercase();
    let (low, high) = (format!("{upper}_MIN"), format!("{upper}_MAX"));
    let bound = |key: &String| pool.defs.number(key).unwrap_or_else(|| default(key));
    let logins = u32::try_from(bound(&low)).ok().zip(u32::try_from(bound(&high)).ok());
    let logins = logins.and_then(|(first, last)| Range::between(first, last));
    let Some(both) = logins.zip(pool.range()).and_then(|(logins, pool)| logins.intersection(pool)) else {
        return Vec::new();
    };
    let keys = [key(pool.kind, "MIN"), key(pool.kind, "MAX"), low, high];
    let message =
        format!("useradd gives the {}s {both} to accounts and to their containers", pool.kind.name());
    // Whichever of the two is not as usual.
    let odd = if pool.min < default(&keys[0]) { &keys[0] } else { &keys[3] };
    let fix = assign(pool.defs, odd, default(odd));
    vec![set(pool.defs, &keys, message, fix)]
}

fn meets_directory(survey: &Survey<'_>, pool: &Pool<'_>) -> Vec<Seen> {
    let Some(range) = pool.range() else { return Vec::new() };
    let policy = survey.policy;
    let ours = policy
        .directory
        .iter()
        .map(|d| (d.range, format!("{} ({})", escape(d.name.as_bytes()), policy.place(d.line))));
    let theirs = survey.snapshot.site.of_accounts(pool.kind);
    let theirs = theirs.map(|d| (d.range, format!("{} ({}, {})", d.by.name(), d.name, d.place)));
    let meeting = |(declared, by): (Range, String)| {
        let both = declared.intersection(range)?;
        let message = format!("{both} of useradd's pool of {}s may be IDs of {by}", pool.kind.name());
        let set = |part: &str, value: u64| assign(pool.defs, &key(pool.kind, part), value);
        let fix = match clear(survey, pool) {
            Some(hole) => {
                format!("{}\n{}", set("MIN", hole.first().into()), set("MAX", hole.last().into()))
            }
            None => format!("{}\nthen, for each new account: sudo subidctl apply NAME", set("COUNT", 0)),
        };
        Some(pool.seen(&["MIN", "MAX"], message, fix))
    };
    // One for each pool: of one line only one is shown.
    ours.chain(theirs).find_map(meeting).into_iter().collect()
}

/// Another pool for useradd: the largest hole below 2^31. None where windows or a map give the ranges: there
/// useradd should give none at all. Without them subidctl takes its own pool from login.defs too.
fn clear(survey: &Survey<'_>, pool: &Pool<'_>) -> Option<Range> {
    if !survey.policy.windows.is_empty() || survey.policy.map_path.is_some() {
        return None;
    }
    let of = |kind| taken(survey.snapshot, survey.policy, kind);
    let taken = of(Kind::Uid).union(&of(Kind::Gid));
    let holes = taken.gaps(Range::between(65536, CEILING - 1)?).filter(|gap| gap.count().get() >= pool.count);
    holes.max_by_key(|gap| gap.count())
}

fn high(_: &Survey<'_>, pool: &Pool<'_>) -> Vec<Seen> {
    let max = key(pool.kind, "MAX");
    let message = format!("useradd gives {}s up to {}", pool.kind.name(), pool.max);
    let fix = assign(pool.defs, &max, default(&max));
    let beyond = pool.max >= u64::from(CEILING);
    if beyond { vec![pool.seen(&["MAX"], message, fix)] } else { Vec::new() }
}

fn count_zero(survey: &Survey<'_>) -> Vec<Seen> {
    let pools = Kind::BOTH.into_iter().map(|kind| Pool::new(&survey.snapshot.login_defs, kind));
    let off = pools.filter(|pool| pool.count == 0).map(|pool| {
        let message = format!("useradd gives no subordinate {}s", pool.kind.name());
        let fix = assign(pool.defs, &key(pool.kind, "COUNT"), 65536);
        pool.seen(&["COUNT"], message, fix)
    });
    off.collect()
}

fn differ(survey: &Survey<'_>) -> Vec<Seen> {
    let defs = &survey.snapshot.login_defs;
    let [uids, gids] = Kind::BOTH.map(|kind| Pool::new(defs, kind));
    let off = uids.count == 0 || gids.count == 0;
    let ends = [("MIN", uids.min, gids.min), ("MAX", uids.max, gids.max), ("COUNT", uids.count, gids.count)];
    let Some((end, of_uids, _)) = ends.into_iter().find(|(_, uids, gids)| uids != gids && !off) else {
        return Vec::new();
    };
    let keys = Kind::BOTH.map(|kind| key(kind, end));
    let message = format!("{} and {} differ", keys[0], keys[1]);
    let fix = assign(defs, &keys[1], of_uids);
    vec![set(defs, &keys, message, fix)]
}

fn wrap(survey: &Survey<'_>) -> Vec<Seen> {
    let defs = &survey.snapshot.login_defs;
    let keys = Kind::BOTH.map(|kind| format!("UNSAFE_{}", key(kind, "DETERMINISTIC_WRAP")));
    let on = keys.into_iter().filter(|key| defs.yes(key));
    on.map(|key| {
        let fix = assign(defs, &key, "no");
        set(defs, std::slice::from_ref(&key), format!("{key} is on"), fix)
    })
    .collect()
}

/// Lines within the pool that are not what login.defs computes for their owners.
fn mixed(survey: &Survey<'_>) -> Vec<Seen> {
    let defs = &survey.snapshot.login_defs;
    let mut seen = Vec::new();
    for kind in Kind::BOTH.into_iter().filter(|kind| defs.yes(&key(*kind, "DETERMINISTIC"))) {
        let pool = Pool::new(defs, kind);
        let Some(range) = pool.range().filter(|_| pool.count > 0) else { continue };
        let first_uid = defs.number("UID_MIN").unwrap_or(1000);
        let slot = |uid: u64| -> Option<Range> {
            let start = uid.checked_sub(first_uid)?.checked_mul(pool.count)?.checked_add(pool.min)?;
            Range::clipped(start, pool.count)
        };
        let whose = |claim: &Claim<'_>| {
            let at = u64::from(claim.range.first()).saturating_sub(pool.min) / pool.count;
            first_uid.saturating_add(at)
        };
        for claim in survey.claims[kind].iter().filter(|claim| !claim.released && claim.range.overlaps(range))
        {
            let account: Option<&Account> = survey.account(claim.owner);
            let right = match account {
                Some(account) => slot(u64::from(account.uid.get())) == Some(claim.range),
                // Nobody can tell whose turn it was; on the grid it may have been theirs.
                None => slot(whose(claim)) == Some(claim.range),
            };
            if right {
                continue;
            }
            let (owner, next) = (escape(claim.owner), whose(claim));
            let message = format!(
                "{} of {owner} is in the range that {} computes for uid {next}",
                claim.range,
                key(kind, "DETERMINISTIC")
            );
            let fix = shell_word(claim.owner).map_or_else(
                || format!("give line {} the range that login.defs computes", claim.line),
                |name| format!("sudo subidctl apply --replace {name}"),
            );
            seen.push(survey.of_claim(kind, claim, message, fix));
        }
    }
    seen
}

fn module(survey: &Survey<'_>, loads: bool) -> Vec<Seen> {
    let switch = &survey.snapshot.nsswitch;
    let Some(module) = switch.subid_module.as_ref().filter(|module| module.found == loads) else {
        return Vec::new();
    };
    let lines = Kind::BOTH.map(|kind| survey.claims[kind].iter().filter(|claim| !claim.released).count());
    if loads && lines == [0, 0] {
        return Vec::new();
    }
    let name = escape(module.name.as_bytes());
    let files = replace_line(&switch.path, switch.subid.line, "subid: files");
    let (message, fix) = if loads {
        let message = format!(
            "{} lines of subuid and {} of subgid count for nothing: subid: {name}",
            lines[0], lines[1]
        );
        (message, format!("where the files should count: {files}"))
    } else {
        let message = format!("subid: {name} is in force nowhere: libsubid_{name}.so cannot be loaded");
        (message, format!("install the module (for sss: SSSD's), or {files}"))
    };
    vec![Seen {
        file: Some(switch.path.clone()),
        line: Some(switch.subid.line),
        message,
        evidence: format!("subid: {}", switch.subid.sources.join(" ")),
        fix,
        ..Seen::default()
    }]
}

//! The pools of login.defs from which useradd gives ranges.

use super::{BASE, Entry, Group, Reach, Seen, Status, Survey, all};
use crate::planner::taken;
use crate::policy::CEILING;
use crate::range::{Kind, Range};
use crate::snapshot::LoginDefs;
use crate::text::{escape, shell_word, thousands};

pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "pool-upside-down",
        group: Group::Defaults,
        severity: Status::Error,
        title: "useradd's pool of subordinate IDs ends before it begins",
        explain: "useradd searches SUB_UID_MIN to SUB_UID_MAX for SUB_UID_COUNT free IDs (SUB_GID_… for gids). With \
                  these values it says 'Invalid configuration' and makes no account at all (lib/find_new_sub_uids.c).",
        consequence: "useradd fails",
        repair: "sudo sed -i to set in login.defs: SUB_UID_MIN and SUB_UID_MAX (SUB_GID_…) as \
                 shadow has them: 100000 and 600100000",
        audit: Some(|survey| all(pools(survey, upside_down))),
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
        repair: "sudo sed -i to set in login.defs: SUB_UID_COUNT 65536 and SUB_UID_MAX 600100000 \
                 (SUB_GID_…)",
        audit: Some(|survey| all(pools(survey, too_small))),
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
        repair: "sudo sed -i to set in login.defs: SUB_UID_MIN 100000 or UID_MAX 60000 (…GID…), \
                 whichever is not as usual",
        audit: Some(|survey| all(pools(survey, meets_logins))),
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
        repair: "sudo sed -i to set in login.defs: SUB_UID_MIN and SUB_UID_MAX (SUB_GID_…) of a \
                 hole beside the directory; audit says which",
        audit: Some(|survey| all(pools(survey, meets_directory))),
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
        repair: "sudo sed -i to set in login.defs: SUB_UID_MAX 600100000 (SUB_GID_MAX)",
        audit: Some(|survey| all(pools(survey, high))),
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
        repair: "where useradd shall give ranges: sudo sed -i to set SUB_UID_COUNT 65536 \
                 (SUB_GID_COUNT) in login.defs",
        audit: Some(|survey| all(count_zero(survey))),
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
        repair: "sudo sed -i to set in login.defs: the uids' values for the gids as well",
        audit: Some(|survey| all(differ(survey))),
        reach: Reach::Nobody,
        ..BASE
    },
];

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
pub(super) struct Pool<'a> {
    kind: Kind,
    defs: &'a LoginDefs,
    pub(super) min: u64,
    max: u64,
    pub(super) count: u64,
}

impl<'a> Pool<'a> {
    pub(super) fn new(defs: &'a LoginDefs, kind: Kind) -> Self {
        let number = |end: &str| {
            let key = key(kind, end);
            defs.number(&key).unwrap_or_else(|| default(&key))
        };
        Self { kind, defs, min: number("MIN"), max: number("MAX"), count: number("COUNT") }
    }

    /// The IDs, where they make sense.
    pub(super) fn range(&self) -> Option<Range> {
        let last = u32::try_from(self.max).unwrap_or(u32::MAX);
        Range::between(u32::try_from(self.min).ok()?, last)
    }

    /// What login.defs says of these keys, and the fault at the first of them that is set.
    fn seen(&self, keys: &[&str], message: String, fix: String) -> Seen {
        let keys: Vec<String> = keys.iter().map(|end| key(self.kind, end)).collect();
        set(self.defs, &keys, message, fix)
    }
}

pub(super) fn key(kind: Kind, end: &str) -> String {
    format!("SUB_{}_{end}", kind.name().to_uppercase())
}

/// What was seen in login.defs.
pub(super) fn set(defs: &LoginDefs, keys: &[String], message: String, fix: String) -> Seen {
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
pub(super) fn assign(defs: &LoginDefs, key: &str, value: impl std::fmt::Display) -> String {
    let file = if defs.path.is_empty() { "/etc/login.defs" } else { &defs.path };
    match defs.value(key) {
        Some((_, path, line)) => replace_line(path, line, &format!("{key} {value}")),
        None => format!("echo {key} {value} | sudo tee -a {}", word(file)),
    }
}

pub(super) fn replace_line(path: &str, line: usize, text: &str) -> String {
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

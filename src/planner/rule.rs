//! Which rule serves a user: window, map or first-fit, and the pool that first-fit searches.

use std::sync::Arc;

use super::Warning;
use crate::error::{Code, Error, Result};
use crate::policy::{Policy, Strategy, Window};
use crate::range::{Count, Kind, LAST_USABLE, PerKind, Range};
use crate::snapshot::{LoginDefs, Snapshot};

/// Where first-fit searches one file.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pub(super) range: Range,
    /// Where its ends come from, for messages.
    pub(super) place: String,
    /// Why a range of it is given: to thousands, mostly.
    pub(super) reason: Arc<str>,
}

/// The rules in force.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) strategy: Strategy,
    pub(super) windows: Vec<Window>,
    /// A pool that makes no sense is an error only for whom first-fit is to serve.
    pools: PerKind<Result<Pool>>,
    /// The same for the number of IDs that a user gets where nobody says how many.
    counts: PerKind<Result<Count>>,
    pool_from_login_defs: bool,
}

/// shadow's own defaults (`lib/find_new_sub_uids.c`).
pub(super) const DEFAULTS: (u64, u64, u64) = (100_000, 600_100_000, 65536);

pub(super) fn keys(kind: Kind) -> (&'static str, &'static str, &'static str) {
    match kind {
        Kind::Uid => ("SUB_UID_MIN", "SUB_UID_MAX", "SUB_UID_COUNT"),
        Kind::Gid => ("SUB_GID_MIN", "SUB_GID_MAX", "SUB_GID_COUNT"),
    }
}

impl Rules {
    /// # Errors
    /// `invalid-policy` where `login.defs` gives deterministic ranges that differ between uids and gids.
    pub(super) fn new(snapshot: &Snapshot, policy: &Policy) -> Result<Self> {
        let defs = &snapshot.login_defs;
        let pools = PerKind::from_fn(|kind| pool(kind, defs, policy));
        let counts = PerKind::from_fn(|kind| count(kind, defs, policy));
        let mut windows = policy.windows.clone();
        let deterministic = match policy.strategy {
            None => deterministic(defs, &pools, &counts)?,
            Some(_) => None,
        };
        let strategy = match (policy.strategy, &deterministic) {
            (Some(strategy), _) => strategy,
            (None, Some(_)) => Strategy::Windows,
            (None, None) => Strategy::FirstFit,
        };
        windows.extend(deterministic);
        let pool_from_login_defs = policy.min.is_none() || policy.max.is_none();
        Ok(Self { strategy, windows, pools, counts, pool_from_login_defs })
    }

    /// Where first-fit searches one file.
    ///
    /// # Errors
    /// `invalid-policy` where the pool is upside down.
    pub(super) fn pool(&self, kind: Kind) -> Result<&Pool> {
        self.pools[kind].as_ref().map_err(Clone::clone)
    }

    /// IDs of one kind that a user gets where nobody says how many.
    ///
    /// # Errors
    /// `invalid-policy` where `login.defs` says 0 (useradd then gives none) or no number.
    pub(super) fn count(&self, kind: Kind) -> Result<Count> {
        self.counts[kind].clone()
    }

    /// `pool-meets-window`: useradd hands out IDs of a window.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        // A window with line 0 is login.defs' own: there the pool is the window.
        for window in self.windows.iter().filter(|w| w.line != 0 && self.pool_from_login_defs) {
            let Some(span) = window.span() else { continue };
            for kind in Kind::BOTH {
                // useradd gives nobody anything where the count is 0.
                let (Ok(pool), Ok(_)) = (self.pool(kind), self.count(kind)) else { continue };
                if !pool.range.overlaps(span) {
                    continue;
                }
                let message = format!(
                    "useradd's pool of {}s {} ({}) meets the window {span} of line {}: set SUB_{}_COUNT 0 there, or move one",
                    kind.name(),
                    pool.range,
                    pool.place,
                    window.line,
                    kind.name().to_uppercase(),
                );
                warnings.push(Warning { code: "pool-meets-window", owner: String::new(), message });
            }
        }
        warnings
    }
}

/// Where a window comes from, for messages.
pub(super) fn window_place(snapshot: &Snapshot, policy: &Policy, window: &Window) -> String {
    match window.line {
        0 => snapshot.login_defs.place("SUB_UID_DETERMINISTIC"),
        line => policy.place(line),
    }
}

fn bad(defs: &LoginDefs, policy: &Policy, why: String) -> Error {
    let file = if policy.path.is_empty() { &defs.path } else { &policy.path };
    Error::new(Code::InvalidPolicy, "there is no usable pool of subordinate IDs")
        .why(why)
        .fix(format!("correct {file}, or set min, max and count in /etc/subidctl/policy.toml"))
}

fn pool(kind: Kind, defs: &LoginDefs, policy: &Policy) -> Result<Pool> {
    let (low_key, high_key, _) = keys(kind);
    let (low, low_place) = match policy.min {
        Some(set) => (u64::from(set.value), policy.place(set.line)),
        None => (defs.number(low_key).unwrap_or(DEFAULTS.0), defs.place(low_key)),
    };
    let (high, high_place) = match policy.max {
        Some(set) => (u64::from(set.value), policy.place(set.line)),
        None => (defs.number(high_key).unwrap_or(DEFAULTS.1), defs.place(high_key)),
    };
    let place = both_places(&low_place, &high_place);
    let ends = u32::try_from(low).ok().zip(Some(u32::try_from(high).unwrap_or(LAST_USABLE).min(LAST_USABLE)));
    let range = ends.and_then(|(low, high)| Range::between(low, high));
    let range = range.ok_or_else(|| {
        bad(
            defs,
            policy,
            format!("{low_key} {low} ({low_place}) lies above {high_key} {high} ({high_place})"),
        )
    })?;
    let reason = format!("first free in {range} ({place})").into();
    Ok(Pool { range, place, reason })
}

/// `FILE lines 7, 9` for two places in one file.
fn both_places(low: &str, high: &str) -> String {
    match (low.rsplit_once(" line "), high.rsplit_once(" line ")) {
        _ if low == high => low.to_owned(),
        (Some((file, low)), Some((same, high))) if file == same => format!("{file} lines {low}, {high}"),
        _ => format!("{low}, {high}"),
    }
}

fn count(kind: Kind, defs: &LoginDefs, policy: &Policy) -> Result<Count> {
    let (_, _, key) = keys(kind);
    if let Some(set) = policy.count {
        return Ok(set.value);
    }
    let number = defs.number(key).unwrap_or(DEFAULTS.2);
    Count::new(number).ok_or_else(|| bad(defs, policy, format!("{key} is {number} ({})", defs.place(key))))
}

/// `SUB_UID_DETERMINISTIC` (shadow 4.20) as one window: `SUB_UID_MIN` + (uid − `UID_MIN`) × `SUB_UID_COUNT`,
/// as far as the ranges end below `SUB_UID_MAX` and 2^31.
fn deterministic(
    defs: &LoginDefs,
    pools: &PerKind<Result<Pool>>,
    counts: &PerKind<Result<Count>>,
) -> Result<Option<Window>> {
    let switch = PerKind { uid: defs.yes("SUB_UID_DETERMINISTIC"), gid: defs.yes("SUB_GID_DETERMINISTIC") };
    if !switch.uid && !switch.gid {
        return Ok(None);
    }
    let pools = PerKind { uid: pools.uid.clone()?, gid: pools.gid.clone()? };
    let count = PerKind { uid: counts.uid.clone()?, gid: counts.gid.clone()? };
    if switch.uid != switch.gid || pools.uid.range != pools.gid.range || count.uid != count.gid {
        return Err(Error::new(Code::InvalidPolicy, format!("{} gives uids and gids by different rules", defs.path))
            .why("SUB_UID_DETERMINISTIC, _MIN, _MAX and _COUNT differ from SUB_GID_DETERMINISTIC, _MIN, _MAX and _COUNT")
            .fix("make them equal, or put a [[window]] into /etc/subidctl/policy.toml"));
    }
    let number = |key: &str, default| defs.number(key).unwrap_or(default);
    let (low, high) = (number("UID_MIN", 1000), number("UID_MAX", 60000));
    let last = pools.uid.range.last().min(crate::policy::CEILING.saturating_sub(1));
    let slots =
        Range::between(pools.uid.range.first(), last).map_or(0, |r| r.count().get()) / count.uid.get();
    let uids = u32::try_from(low)
        .ok()
        .zip(u32::try_from(high.min(low.saturating_add(slots).saturating_sub(1))).ok());
    let uids = uids.filter(|_| slots > 0).and_then(|(first, last)| Range::between(first, last));
    Ok(uids.map(|uids| Window { uids, start: pools.uid.range.first(), count: count.uid, line: 0 }))
}

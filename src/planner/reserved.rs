//! Ranges that are never given to anybody, whatever the policy says.

use crate::range::{Kind, Range};
use crate::snapshot::LoginDefs;

/// A fixed range with its user's name.
pub(super) struct Fixed(u32, u32, pub(super) &'static str);

/// From systemd's UIDS-GIDS document, Debian's base-passwd and the kernel's `(uid_t) -1`.
const FIXED: [Fixed; 10] = [
    Fixed(0, 999, "root and system users"),
    Fixed(1000, 60000, "login users"),
    Fixed(60001, 60513, "systemd-homed"),
    Fixed(60514, 60577, "systemd-nspawn's host users"),
    Fixed(60578, 60705, "greeters"),
    Fixed(60706, 61183, "Debian's reserved users"),
    Fixed(61184, 65519, "systemd's dynamic users"),
    Fixed(65520, 65535, "nobody and the 16-bit -1"),
    Fixed(2_147_352_576, 2_147_418_111, "systemd's foreign ID range"),
    Fixed(u32::MAX, u32::MAX, "the ID that means no ID (-1)"),
];

/// For messages: where the fixed ranges come from.
pub(super) const FIXED_RULE: &str = "a fixed rule";

/// Everything up to here is reserved whatever `login.defs` says.
const LOWEST: u32 = 65535;

/// The fixed ranges.
pub(super) fn fixed() -> impl Iterator<Item = (Range, &'static str)> {
    FIXED.iter().filter_map(|f| Some((Range::between(f.0, f.1)?, f.2)))
}

/// What useradd and groupadd choose accounts' IDs from.
pub(super) struct OfLoginDefs {
    /// `UID` or `SYS_UID`, before `_MIN` and `_MAX`.
    pub(super) prefix: String,
    pub(super) range: Range,
    pub(super) name: &'static str,
}

/// `UID_MIN` to `UID_MAX` and `SYS_UID_MIN` to `SYS_UID_MAX`; a bound that is not set has shadow's default.
pub(super) fn declared_by_login_defs(kind: Kind, defs: &LoginDefs) -> impl Iterator<Item = OfLoginDefs> {
    let prefix = kind.name().to_uppercase();
    let login = (prefix.clone(), (1000, 60000), "login users by login.defs");
    let system = (format!("SYS_{prefix}"), (101, 999), "system users by login.defs");
    [login, system].into_iter().filter_map(|(prefix, default, name)| {
        let bound = |end, default| match defs.number(&format!("{prefix}_{end}")) {
            Some(number) => u32::try_from(number).unwrap_or(u32::MAX),
            None => default,
        };
        let range = Range::between(bound("MIN", default.0), bound("MAX", default.1))?;
        Some(OfLoginDefs { prefix, range, name })
    })
}

/// The fixed ranges, and those of `login.defs` that reach beyond them.
pub(super) fn reserved(kind: Kind, defs: &LoginDefs) -> impl Iterator<Item = (Range, &'static str)> {
    let wider = declared_by_login_defs(kind, defs).filter(|d| d.range.last() > LOWEST);
    fixed().chain(wider.map(|d| (d.range, d.name)))
}

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

/// The fixed ranges, and the accounts' own range of `login.defs` (`UID_MIN` to `UID_MAX`).
pub(super) fn reserved(kind: Kind, defs: &LoginDefs) -> impl Iterator<Item = (Range, &'static str)> {
    let (low, high) = match kind {
        Kind::Uid => ("UID_MIN", "UID_MAX"),
        Kind::Gid => ("GID_MIN", "GID_MAX"),
    };
    let bound = |key| defs.number(key).and_then(|n| u32::try_from(n).ok());
    let login = bound(low).zip(bound(high)).and_then(|(first, last)| Range::between(first, last));
    let fixed = FIXED.iter().filter_map(|f| Some((Range::between(f.0, f.1)?, f.2)));
    let wider = login.filter(|range| range.first() < 1000 || range.last() > 60000);
    fixed.chain(wider.map(|range| (range, "login users by login.defs")))
}

//! Ranges that useradd computes (`SUB_UID_DETERMINISTIC`, shadow 4.20), and what does not go with them.

use super::pools::{Pool, assign, key, set};
use super::{ANOTHER, BASE, Entry, Group, Reach, Seen, Status, Survey, all};
use crate::idfile::Claim;
use crate::range::{Kind, Range};
use crate::snapshot::Account;
use crate::text::escape;

/// Of lines, before it is said that they differ from the rule.
pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        id: "deterministic-mixed",
        group: Group::Defaults,
        severity: Status::Error,
        title: "a line stands where login.defs computes somebody else's range",
        explain: "With SUB_UID_DETERMINISTIC yes (shadow 4.20) useradd gives SUB_UID_MIN + (uid - UID_MIN) x \
                      SUB_UID_COUNT without a look at the file. A line from before, or from another tool, that is not \
                      its owner's computed range is given to the account whose turn it is, too, and so is a released one; \
                      login.defs(5) says never to mix both.",
        consequence: "a later useradd gives its IDs to another account as well",
        repair: ANOTHER,
        audit: Some(|survey| all(mixed(survey))),
        reach: Reach::Nobody,
        ..BASE
    },
    Entry {
        id: "deterministic-wrap",
        group: Group::Defaults,
        severity: Status::Error,
        title: "login.defs lets computed ranges wrap around",
        explain: "UNSAFE_SUB_UID_DETERMINISTIC_WRAP yes (shadow 4.20) makes useradd begin again at SUB_UID_MIN where \
                  the pool ends, so that accounts with high uids get the ranges of those with low ones: they \
                  overlap by design, as the name says.",
        consequence: "two accounts get the same IDs",
        repair: "sudo sed -i to set in login.defs: UNSAFE_SUB_UID_DETERMINISTIC_WRAP no",
        audit: Some(|survey| all(wrap(survey))),
        reach: Reach::Nobody,
        ..BASE
    },
];

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
            let account: Option<&Account> = survey.account_of(claim);
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
            seen.push(survey.of_claim(kind, claim, message, survey.another(claim.owner)));
        }
    }
    seen
}

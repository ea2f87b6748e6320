//! What lies where in the whole ID space: what a picture is drawn from.

use std::collections::HashMap;

use super::rule::Rules;
use super::taken::standing;
use crate::policy::{Policy, Strategy};
use crate::range::{Kind, Range};
use crate::snapshot::Snapshot;
use crate::text::escape;

/// The ID space of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Space {
    /// Where new ranges come from: first-fit's pool, or the windows. Empty where the rules make no sense.
    pub pools: Vec<Range>,
    /// The owners of live lines, escaped, in order of their lowest IDs. One account is one owner, however
    /// its lines spell it.
    pub owners: Vec<String>,
    /// Everything that is not free, in order of first IDs.
    pub marks: Vec<Mark>,
}

/// IDs that are not free.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The IDs.
    pub range: Range,
    /// Whose or why.
    pub what: Use,
}

/// Why IDs are not free.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// A live line of this owner, by index.
    Owner(usize),
    /// A released line.
    Released,
    /// Kept for something else: accounts, reserved and declared ranges. Its name, escaped.
    Kept(String),
}

/// Gathers the picture's facts of one kind.
pub fn space(snapshot: &Snapshot, policy: &Policy, kind: Kind) -> Space {
    let pools = Rules::new(snapshot, policy).map(|rules| match rules.strategy {
        Strategy::FirstFit => rules.pool(kind).map(|pool| vec![pool.range]).unwrap_or_default(),
        _ => rules.windows.iter().filter_map(crate::policy::Window::span).collect(),
    });
    let mut claims: Vec<_> = snapshot.files[kind].claims().collect();
    claims.sort_by_key(|claim| (claim.range, claim.line));
    let mut index: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut owners = Vec::new();
    let mut marks = Vec::new();
    for claim in claims {
        let what = if claim.is_dormant() {
            Use::Released
        } else {
            let account = snapshot.accounts.by_owner(claim.owner);
            let name = account.map_or(claim.owner, |account| account.name.as_bytes());
            let owner = *index.entry(name.to_vec()).or_insert_with(|| {
                owners.push(escape(name));
                owners.len() - 1
            });
            Use::Owner(owner)
        };
        marks.push(Mark { range: claim.range, what });
    }
    let kept = standing(snapshot, policy, kind).map(|(range, witness)| Mark {
        range,
        what: Use::Kept(witness.phrase(kind, policy).trim_start_matches("IDs reserved for ").to_owned()),
    });
    marks.extend(kept);
    marks.sort_by(|a, b| (a.range, &a.what).cmp(&(b.range, &b.what)));
    Space { pools: pools.unwrap_or_default(), owners, marks }
}

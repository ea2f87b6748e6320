//! What lies where in the whole ID space: what a picture is drawn from.

use std::collections::HashMap;

use super::rule::Rules;
use super::taken::{Witness, standing};
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
    /// Who released what, escaped, in order of IDs.
    pub released: Vec<(Range, String)>,
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
    /// New ranges stay out of it, and lines that are there already may stay: what a directory declares for
    /// accounts. Its name, escaped.
    Kept(String),
    /// No line may hold it: accounts, reserved ranges and those of the policy. Its name, escaped.
    Barred(String),
}

/// Gathers the picture's facts of one kind.
pub fn space(snapshot: &Snapshot, policy: &Policy, kind: Kind) -> Space {
    let pools = Rules::new(snapshot, policy).map(|rules| match rules.strategy {
        Strategy::FirstFit => rules.pool(kind).map(|pool| vec![pool.range]).unwrap_or_default(),
        _ => rules.windows.iter().filter_map(crate::policy::Window::span).collect(),
    });
    let mut claims: Vec<_> = snapshot.files[kind].claims().collect();
    claims.sort_unstable_by_key(|claim| (claim.range, claim.line));
    let mut index: HashMap<&[u8], usize> = HashMap::new();
    let mut owners = Vec::new();
    let mut marks = Vec::with_capacity(claims.len());
    // What the ledger alone remembers; where the line is there, it is the same once more.
    let ledger = snapshot.released.iter().filter(|released| released.kind == kind);
    let mut released: Vec<(Range, String)> = ledger.map(|r| (r.range, escape(&r.owner))).collect();
    marks.extend(released.iter().map(|(range, _)| Mark { range: *range, what: Use::Released }));
    for claim in claims {
        let what = if claim.is_dormant() {
            released.push((claim.range, escape(claim.owner)));
            Use::Released
        } else {
            let account = snapshot.accounts.by_owner(claim.owner);
            let name = account.map_or(claim.owner, |account| account.name.as_bytes());
            let owner = *index.entry(name).or_insert_with(|| {
                owners.push(escape(name));
                owners.len() - 1
            });
            Use::Owner(owner)
        };
        marks.push(Mark { range: claim.range, what });
    }
    released.sort_unstable();
    released.dedup();
    let site = snapshot.site.of_accounts(kind);
    marks.extend(site.map(|site| Mark { range: site.range, what: Use::Kept(site.by.name().to_owned()) }));
    let barred = standing(snapshot, policy, kind);
    marks.extend(barred.map(|(range, witness)| Mark { range, what: Use::Barred(name(&witness)) }));
    marks.sort_unstable_by(|a, b| (a.range, &a.what).cmp(&(b.range, &b.what)));
    Space { pools: pools.unwrap_or_default(), owners, marks, released }
}

/// Its name in a picture, where a single account is too small to be told from others.
fn name(witness: &Witness<'_>) -> String {
    match witness {
        Witness::Reserved(who) => (*who).to_owned(),
        Witness::Declared(key, declared) => format!("{key} \"{}\"", escape(declared.name.as_bytes())),
        _ => "accounts and groups".to_owned(),
    }
}

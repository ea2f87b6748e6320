//! Which IDs no range may hold whatever the files say, and the finding that a line has which holds them.

use super::taken::{Witness, standing};
use crate::policy::Policy;
use crate::range::{Kind, Range, RangeSet};
use crate::snapshot::Snapshot;

/// The findings of such lines, the gravest first: of a range only the first is said.
const ORDER: [&str; 9] = [
    "holds-root",
    "holds-system-id",
    "holds-login-id",
    "holds-nobody",
    "holds-65535",
    "holds-minus-one",
    "holds-account",
    "in-declared-range",
    "in-reserved-range",
];

/// Accounts, groups, reserved and declared ranges of one kind, found by range.
#[derive(Debug)]
pub struct Barred<'a> {
    kind: Kind,
    policy: &'a Policy,
    /// Accounts and groups, by ID.
    ids: Vec<(u32, Witness<'a>)>,
    /// Everything else: a few ranges.
    ranges: Vec<(Range, Witness<'a>)>,
    /// All of them: most of what is asked for meets nothing.
    all: RangeSet,
}

/// Why a range should not be anybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// The finding's id.
    pub id: &'static str,
    /// What it meets, as a phrase, escaped.
    pub what: String,
    /// An account or group among the IDs, where `what` is not one itself.
    pub account: Option<String>,
}

impl<'a> Barred<'a> {
    /// Indexes what stands in the way of ranges of this kind.
    pub fn new(snapshot: &'a Snapshot, policy: &'a Policy, kind: Kind) -> Self {
        let (mut ids, mut ranges) = (Vec::new(), Vec::new());
        for (range, witness) in standing(snapshot, policy, kind) {
            match witness {
                Witness::Reserved(_) | Witness::Declared(..) => ranges.push((range, witness)),
                _ => ids.push((range.first(), witness)),
            }
        }
        ids.sort_by_key(|(id, _)| *id);
        let single = ids.iter().map(|(id, _)| Range::single(*id));
        let all = single.chain(ranges.iter().map(|(range, _)| *range)).collect();
        Self { kind, policy, ids, ranges, all }
    }

    /// The gravest of what a range meets.
    pub fn first(&self, range: Range) -> Option<Met> {
        self.all.first_overlap(range)?;
        let at = self.ids.partition_point(|(id, _)| *id < range.first());
        let account = self.ids.get(at).filter(|(id, _)| range.contains(*id)).map(|(_, witness)| witness);
        let met = self.ranges.iter().filter(|(taken, _)| taken.overlaps(range));
        let met = met.map(|(taken, witness)| (finding(witness, *taken, range), witness));
        let met = met.chain(account.map(|account| ("holds-account", account)));
        let rank = |id: &str| ORDER.iter().position(|other| *other == id);
        let (id, witness) = met.min_by_key(|(id, _)| rank(id))?;
        let phrase = |witness: &Witness<'_>| witness.phrase(self.kind, self.policy);
        let account = account.filter(|_| id != "holds-account").map(phrase);
        Some(Met { id, what: phrase(witness), account })
    }
}

/// The finding of a line that holds `range`, which meets `taken`.
fn finding(witness: &Witness<'_>, taken: Range, range: Range) -> &'static str {
    let holds = |id: u32| taken.contains(id) && range.contains(id);
    match witness {
        Witness::Declared("directory", _) => "in-declared-range",
        Witness::Reserved(_) if holds(0) => "holds-root",
        Witness::Reserved(_) if holds(65534) => "holds-nobody",
        Witness::Reserved(_) if holds(65535) => "holds-65535",
        Witness::Reserved(_) if holds(u32::MAX) => "holds-minus-one",
        Witness::Reserved(who) if who.starts_with("login users") => "holds-login-id",
        Witness::Reserved(who) if who.contains("system users") => "holds-system-id",
        Witness::Reserved(_) | Witness::Declared(..) => "in-reserved-range",
        _ => "holds-account",
    }
}

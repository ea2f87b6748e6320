//! Who has other ranges than the policy's windows or map name.

use super::allocate::{Allocator, differs};
use super::request::{Owner, Request, Want};
use super::rule::Rules;
use crate::error::{Code, Result};
use crate::policy::{Policy, Strategy};
use crate::range::{Count, Kind, PerKind};
use crate::snapshot::{Account, Snapshot};

/// A user whose ranges are not as the rule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// Whose ranges.
    pub account: Account,
    /// The file of the first line concerned.
    pub kind: Kind,
    /// That line, from 1.
    pub line: usize,
    /// What was found, a phrase, escaped.
    pub what: String,
    /// Whether the policy has no rule for this user at all.
    pub no_rule: bool,
}

/// What is not as the policy's windows or map say, of these accounts; nothing where the policy names neither.
///
/// # Errors
/// As [`super::plan`].
pub fn deviations(snapshot: &Snapshot, policy: &Policy, accounts: &[&Account]) -> Result<Vec<Deviation>> {
    if !matches!(policy.strategy, Some(Strategy::Windows | Strategy::Map)) {
        return Ok(Vec::new());
    }
    let rules = Rules::new(snapshot, policy)?;
    let want =
        |account: &&Account| Want { owner: Owner::account((*account).clone()), count: None, range: None };
    let request = Request { wants: accounts.iter().map(want).collect(), ..Request::default() };
    let mut allocator = Allocator::new(snapshot, policy, &rules, &request);
    let mut found = Vec::new();
    for (index, want) in request.wants.iter().enumerate() {
        let case = allocator.case(index, want);
        let (kind, what, no_rule) = match allocator.targets(want) {
            Ok(Some(targets)) => match differs(&case, &targets) {
                Some((kind, what)) => (kind, what, false),
                None => continue,
            },
            Ok(None) => continue,
            Err(error) if error.code == Code::NoRule => {
                let Some(kind) = Kind::BOTH.into_iter().find(|kind| case.has_any(*kind)) else { continue };
                (kind, error.why, true)
            }
            Err(error) => return Err(error),
        };
        let line = case.live(kind).map(|held| held.claim.line).min().unwrap_or_default();
        let account = want.owner.account.clone();
        found.extend(account.map(|account| Deviation { account, kind, line, what, no_rule }));
    }
    Ok(found)
}

/// How many IDs a user should have of each kind where nobody says how many: the policy's count or that of
/// `login.defs`; `None` where windows or a map say it for each user, or where neither makes sense.
pub fn usual_count(snapshot: &Snapshot, policy: &Policy) -> PerKind<Option<Count>> {
    let rules = Rules::new(snapshot, policy).ok().filter(|rules| rules.strategy == Strategy::FirstFit);
    PerKind::from_fn(|kind| rules.as_ref().and_then(|rules| rules.count(kind).ok()))
}

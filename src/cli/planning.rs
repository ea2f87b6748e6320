//! From a selection to a plan: names, then ranges, then a look at who might have those IDs.

use super::args::Selection;
use super::facts::Context;
use super::in_use;
use super::select::{Selected, select};
use crate::error::Result;
use crate::host;
use crate::planner::{self, Action, Plan, Request};

/// Asking a name service about candidate ranges ends after so many rounds: each finds new accounts only
/// where the pool is full of them, and then `directory` belongs into the policy.
const ROUNDS: usize = 50;

/// Looks up the users and plans, and sees that nothing that is in use is taken from anybody.
pub(super) fn make(context: &mut Context, selection: &Selection) -> Result<(Request, Plan)> {
    let Selected { mut request, refusals, warnings } = select(context, selection)?;
    let plan = settle(context, &request)?;
    let mut plan = in_use::judged(context, plan, selection.force, |context, users| {
        request.wants.retain(|want| !users.contains(&want.owner.label));
        settle(context, &request)
    })?;
    plan.refusals.splice(0..0, refusals);
    plan.warnings.splice(0..0, warnings);
    Ok((request, plan))
}

/// Plans, asks the name service about the candidates, and plans again until no candidate holds an account.
pub(super) fn settle(context: &mut Context, request: &Request) -> Result<Plan> {
    let mut plan = planner::plan(&context.snapshot, &context.policy, request)?;
    // Where the policy or the directory itself says which IDs it may hold, the candidates lie outside already.
    if !context.asks_for_candidates() {
        return Ok(plan);
    }
    for _ in 0..ROUNDS {
        let (users, groups) =
            (context.snapshot.accounts.users().len(), context.snapshot.accounts.groups().len());
        for candidate in plan.assignments.iter().filter(|a| a.action == Action::Add) {
            host::probe(&mut context.snapshot, candidate.kind, candidate.range);
        }
        let known = (context.snapshot.accounts.users().len(), context.snapshot.accounts.groups().len());
        // Planned once more in any case: unanswered look-ups have become warnings.
        plan = planner::plan(&context.snapshot, &context.policy, request)?;
        if known == (users, groups) {
            break;
        }
    }
    Ok(plan)
}

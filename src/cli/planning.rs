//! From a selection to a plan: names, then ranges, then a look at who might have those IDs.

use super::args::Selection;
use super::facts::Context;
use super::from::List;
use super::in_use;
use super::progress::Progress;
use super::select::{Selected, select};
use crate::error::Result;
use crate::host;
use crate::planner::{self, Action, Plan, Request};
use crate::text::thousands;

/// Asking a name service about candidate ranges ends after so many rounds: each finds new accounts only
/// where the pool is full of them, and then `directory` belongs into the policy.
const ROUNDS: usize = 50;

/// Looks up the users, those of the list too, and plans, and sees that nothing that is in use is taken from anybody.
pub(super) fn make(
    context: &mut Context,
    selection: &Selection,
    listed: Option<&List>,
    progress: &mut Progress,
) -> Result<(Request, Plan)> {
    let Selected { mut request, refusals, warnings } = select(context, selection, listed, progress)?;
    let plan = settle(context, &request, progress)?;
    let mut plan = in_use::judged(context, plan, selection.force, |context, users| {
        request.wants.retain(|want| !users.contains(&want.owner.label));
        settle(context, &request, progress)
    })?;
    plan.refusals.splice(0..0, refusals);
    plan.warnings.splice(0..0, warnings);
    Ok((request, plan))
}

/// Plans, asks the name service about the candidates, and plans again until no candidate holds an account.
pub(super) fn settle(context: &mut Context, request: &Request, progress: &mut Progress) -> Result<Plan> {
    let users = request.wants.len();
    progress.step(|| format!("planning for {} users", thousands(users as u64)));
    let mut plan = planner::plan(&context.snapshot, &context.policy, request)?;
    // Where the policy or the directory itself says which IDs it may hold, the candidates lie outside already.
    if !context.asks_for_candidates() {
        return Ok(plan);
    }
    for _ in 0..ROUNDS {
        let known = |context: &Context| {
            (context.snapshot.accounts.users().len(), context.snapshot.accounts.groups().len())
        };
        let before = known(context);
        for (candidate, number) in plan.assignments.iter().filter(|a| a.action == Action::Add).zip(1..) {
            progress.step(|| format!("asking whose the IDs of new range {} are", thousands(number)));
            host::probe(&mut context.snapshot, candidate.kind, candidate.range);
        }
        // Planned once more in any case: unanswered look-ups have become warnings.
        plan = planner::plan(&context.snapshot, &context.policy, request)?;
        if known(context) == before {
            break;
        }
    }
    Ok(plan)
}

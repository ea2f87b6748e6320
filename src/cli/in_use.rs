//! Nothing is taken from its owner while somebody uses it.

use std::collections::BTreeMap;

use super::facts::Context;
use crate::error::{Code, Error, Result};
use crate::host::{self, User};
use crate::planner::{Action, Plan, Refusal, Warning};
use crate::range::{Kind, PerKind, Range, RangeSet};
use crate::text::{Part, escape, shell_word};

/// So many processes are named.
const NAMED: usize = 5;

/// Refuses everybody from whom the plan takes IDs that processes or user namespaces use; with `force` they are
/// told of it, and lose them all the same. `without` plans again for all but the users named, so that nothing
/// is said of what is not done. Looks at `/proc`, so not to be called under locks.
///
/// # Errors
/// Those of `without`.
pub(super) fn judged(
    context: &mut Context,
    mut plan: Plan,
    force: bool,
    without: impl FnOnce(&mut Context, &[Part]) -> Result<Plan>,
) -> Result<Plan> {
    let taken = taken(&plan);
    if taken.is_empty() {
        return Ok(plan);
    }
    let all: PerKind<RangeSet> = PerKind::from_fn(|kind| {
        taken.values().flatten().filter(|(k, _)| *k == kind).map(|(_, range)| *range).collect()
    });
    let usage = host::usage(&context.snapshot, &all);
    let busy: Vec<(Part, Error)> = taken
        .into_iter()
        .filter_map(|(user, ranges)| {
            let users: Vec<&User> =
                usage.users.iter().filter(|u| ranges.iter().any(|range| uses(u, *range))).collect();
            let used: Vec<Range> = ranges
                .iter()
                .filter(|range| users.iter().any(|u| uses(u, **range)))
                .map(|(_, r)| *r)
                .collect();
            let error = (!users.is_empty()).then(|| in_use(&user, used, &users))?;
            Some((user, error))
        })
        .collect();
    if !force && !busy.is_empty() {
        let users: Vec<Part> = busy.iter().map(|(user, _)| user.clone()).collect();
        plan = without(context, &users)?;
    }
    for (user, error) in busy {
        let (owner, code) = (escape(&user), error.code.as_str());
        if force {
            let message = format!("{}: {}", error.what, error.why);
            plan.warnings.push(Warning { code, owner, message });
        } else {
            plan.refusals.push(Refusal { owner, code, error });
        }
    }
    if usage.hidden > 0 {
        let message = format!("{} processes do not show whether they use the IDs", usage.hidden);
        plan.warnings.push(Warning { code: "processes-unseen", owner: String::new(), message });
    }
    Ok(plan)
}

/// What the plan takes from each user.
fn taken(plan: &Plan) -> BTreeMap<Part, Vec<(Kind, Range)>> {
    let mut taken: BTreeMap<Part, Vec<(Kind, Range)>> = BTreeMap::new();
    for a in plan.assignments.iter().filter(|a| matches!(a.action, Action::Release | Action::Forget)) {
        taken.entry(a.user.clone()).or_default().push((a.kind, a.range));
    }
    taken
}

fn uses(user: &User, (kind, range): (Kind, Range)) -> bool {
    user.ids.iter().any(|(k, ids)| *k == kind && ids.overlaps(range))
}

fn in_use(user: &[u8], mut used: Vec<Range>, users: &[&User]) -> Error {
    let mut named: Vec<String> =
        users.iter().take(NAMED).map(|u| format!("pid {} ({})", u.pid, u.command)).collect();
    if users.len() > NAMED {
        named.push(format!("{} more", users.len() - NAMED));
    }
    used.sort_unstable();
    used.dedup();
    let used: Vec<String> = used.iter().map(Range::to_string).collect();
    let podman =
        users.iter().any(|u| u.maps && (u.command.contains("podman") || u.command.contains("catatonit")));
    let end = match (podman, shell_word(user)) {
        (true, Some(name)) => format!("end them (podman's: sudo -iu {name} podman system migrate)"),
        (false, Some(name)) => format!("end them (all of the user's: sudo loginctl terminate-user {name})"),
        (_, None) => "end them".to_owned(),
    };
    Error::new(Code::RangeInUse, format!("{} of {} is in use", used.join(", "), escape(user)))
        .why(format!("used by {}", named.join(", ")))
        .fix(format!("{end}, then run it again; --force goes on all the same"))
}

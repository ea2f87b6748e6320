//! `apply --plan FILE`: a plan that somebody wrote down. It is not trusted: the files that it leads to are
//! computed again from its assignments, and must be the ones that it says.

use std::path::Path;

use super::facts::Context;
use crate::error::{Code, Error, Result};
use crate::host::{self, Trust, read_bounded, read_named};
use crate::planner::{Action, Assignment, Evidence, Plan, Repair, SavedPlan, check, compose, host_warnings};
use crate::range::Kind;
use crate::report::{Shown, Style};
use crate::text::escape;

/// Reads the plan and makes it one of this host's, or refuses it.
///
/// # Errors
/// `invalid-plan` (2), `untrusted-file` (1), `other-host` and `stale` (6).
pub(super) fn load(context: &mut Context, path: &Path) -> Result<Plan> {
    let (shown, bytes) = if path == Path::new("-") {
        ("on stdin".to_owned(), read_bounded(&mut std::io::stdin().lock(), "the plan on stdin")?)
    } else {
        (crate::text::path(path), read_named(path, Trust::Plan)?)
    };
    let (saved, mut assignments, repairs) = SavedPlan::parse(&shown, &bytes)?;
    same_host(context, &saved, &shown)?;
    for kind in Kind::BOTH {
        let name = format!("/etc/{}", kind.file());
        let before = saved.files.iter().find(|f| f.path == name).map(|f| f.before_sha256);
        if before != Some(context.snapshot.files[kind].digest) {
            return Err(stale(&shown, &format!("{name} is not the file that the plan was made from")));
        }
    }
    same_accounts(context, &mut assignments, &shown)?;
    let plan = assembled(context, assignments, repairs)?;
    let computed =
        Shown { snapshot: &context.snapshot, plan: &plan }.files(Style { full: true, ..Style::default() });
    if computed != saved.files {
        return Err(stale(&shown, "its diff is not what its assignments lead to: it was edited"));
    }
    Ok(plan)
}

/// The plan of these assignments and repairs on the present facts.
///
/// # Errors
/// `stale` where an invariant does not hold any more.
fn assembled(context: &Context, assignments: Vec<Assignment>, repairs: Vec<Repair>) -> Result<Plan> {
    let files = compose(&context.snapshot, &assignments, &repairs).map_err(|why| stale("", &why))?;
    let mut plan = Plan { assignments, repairs, files, ..Plan::default() };
    check(&context.snapshot, &context.policy, &plan, Evidence::Ledger)?;
    plan.warnings = host_warnings(&context.snapshot, &plan);
    Ok(plan)
}

fn same_host(context: &Context, saved: &SavedPlan, shown: &str) -> Result<()> {
    let host = &context.snapshot.host;
    if saved.host.machine_id == host.machine_id
        && saved.host.hostname == host.hostname
        && saved.root == host.root
    {
        return Ok(());
    }
    Err(Error::new(Code::OtherHost, format!("the plan {shown} is not for this host"))
        .why(format!(
            "it was made on {} for the root {}, this is {} with the root {}",
            escape(saved.host.hostname.as_bytes()),
            escape(saved.root.as_bytes()),
            host.hostname,
            host.root,
        ))
        .fix("make a plan here: subidctl plan --out FILE"))
}

/// Every owner is still the account that the plan was made for; its name is what people are shown.
fn same_accounts(context: &mut Context, assignments: &mut [Assignment], shown: &str) -> Result<()> {
    for a in assignments {
        let known = match host::find_user(&mut context.snapshot, &a.owner) {
            Ok(account) => {
                a.user = account.name.as_part().clone();
                Some(account.uid)
            }
            Err(error) if error.code == Code::UnknownUser => None,
            Err(error) => return Err(error),
        };
        if known != a.uid {
            return Err(stale(
                shown,
                &format!("{} is not the account that it was made for", escape(&a.owner)),
            ));
        }
        let given = matches!(a.action, Action::Add | Action::Reclaim);
        if given && context.asks_for_candidates() {
            host::probe(&mut context.snapshot, a.kind, a.range);
        }
    }
    Ok(())
}

fn stale(shown: &str, why: &str) -> Error {
    let name = if shown.is_empty() { String::new() } else { format!(" {shown}") };
    Error::new(Code::Stale, format!("the plan{name} cannot be applied; nothing was changed"))
        .why(why.to_owned())
        .fix("make a new plan: subidctl plan --out FILE")
}

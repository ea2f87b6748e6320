//! `subidctl setup`: can this host run rootless containers at all? Then `apply --verify`.

use serde_json::json;

use super::apply::{self, Named};
use super::args::{Apply, Global, SAMPLE, Selection, Setup as Args};
use super::facts::Context;
use super::output::Output;
use super::select::bytes;
use super::state;
use crate::error::{Code, Error, Result};
use crate::findings::{self, Facts, Finding, Group, Status};
use crate::host;
use crate::range::PerKind;
use crate::snapshot::Account;

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    if global.root.is_some() {
        return Err(Error::new(Code::Usage, "setup works on the running system only")
            .why("a tree below --root has no kernel of its own")
            .fix("subidctl --root DIR apply USER"));
    }
    state::need_root(global)?;
    let mut context = Context::load(global)?;
    context.refuse_directory()?;
    let mut found: Vec<Finding> = Vec::new();
    for user in &args.users {
        // Whoever is unknown is refused by the plan, with everybody else who is.
        let Ok(account) = host::find_user(&mut context.snapshot, &bytes(user)) else { continue };
        let new: Vec<Finding> =
            check(&context, &account)?.into_iter().filter(|f| !found.contains(f)).collect();
        found.extend(new);
    }
    for finding in &found {
        output.note(&format!("{}: {} ({})\n", finding.id, finding.message, finding.evidence));
    }
    if let Some(fault) = found.iter().find(|f| f.status >= Status::Error && f.status <= Status::Critical) {
        return Err(Error::new(Code::Finding, format!("{}; nothing was changed", fault.message))
            .why(format!("{}: {}: {}", fault.id, fault.evidence, fault.consequence))
            .fix(fault.fix.clone()));
    }
    let selection = Selection { users: args.users.clone(), ..Selection::default() };
    let apply = Apply { selection, plan: None, how: args.how.clone(), verify: true, sample: SAMPLE };
    apply::run(global, &apply, output, &Named { command: "setup", findings: json!(found) })
}

/// `check --only helpers,kernel` for a user.
fn check(context: &Context, account: &Account) -> Result<Vec<Finding>> {
    let (machine, _) = host::machine(&context.root, Some(account))?;
    let facts = Facts {
        machine: &machine,
        user: &account.name,
        uid: account.uid,
        gid: account.gid,
        ranges: PerKind { uid: &[], gid: &[] },
    };
    let wanted = findings::catalogue().filter(|e| matches!(e.group, Group::Helpers | Group::Kernel));
    Ok(wanted.flat_map(|entry| entry.find(&facts)).collect())
}

//! `subidctl setup`: can this host run rootless containers at all? Then `apply --verify`.

use serde_json::json;

use super::apply::{self, Named};
use super::args::{Apply, Global, SAMPLE, Selection, Setup as Args};
use super::check::look;
use super::facts::Context;
use super::output::Output;
use super::select::bytes;
use super::state;
use crate::error::{Code, Error, Result};
use crate::findings::{Engine, Entry, Finding, Group};
use crate::host;

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
        let only = |entry: &Entry| matches!(entry.group, Group::Helpers | Group::Kernel);
        let all = look(&mut context, &account, Engine::Any, only)?;
        let new: Vec<Finding> =
            all.into_iter().filter(|f| f.status.is_found() && !found.contains(f)).collect();
        found.extend(new);
    }
    for finding in &found {
        output.note(&format!("{}: {} ({})\n", finding.id, finding.message, finding.evidence));
    }
    if let Some(fault) = found.iter().find(|f| f.status.is_fault()) {
        return Err(Error::new(Code::Finding, format!("{}; nothing was changed", fault.message))
            .why(format!("{}: {}: {}", fault.id, fault.evidence, fault.consequence))
            .fix(fault.fix.clone()));
    }
    let selection = Selection { users: args.users.clone(), ..Selection::default() };
    let apply =
        Apply { selection, plan: None, how: args.how.clone(), hook: false, verify: true, sample: SAMPLE };
    apply::run(global, &apply, output, &Named { command: "setup", findings: json!(found) })
}

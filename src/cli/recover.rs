//! `subidctl recover`: what an interrupted change will become, and making it so.

use std::sync::Arc;

use super::args::{Global, Recover as Args};
use super::ask::{From, confirm};
use super::facts::Context;
use super::output::Output;
use super::plan::{after_commit, committed};
use super::state;
use crate::error::Result;
use crate::host;
use crate::planner::{Plan, Planned};
use crate::range::PerKind;
use crate::report::{Shown, plan_json, plan_text};

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    state::need_root(global)?;
    let context = Context::load(global)?;
    let Some(unfinished) = &context.snapshot.unfinished else {
        output.text("No change is unfinished.\n")?;
        let plan = Plan::default();
        output.document(|| committed(plan_json(Shown { snapshot: &context.snapshot, plan: &plan }), None))?;
        return Ok(0);
    };
    // The files as they are, and as recovery leaves them.
    let present = host::snapshot(&context.root)?;
    let files = PerKind::from_fn(|kind| Planned {
        edits: Arc::default(),
        after: context.snapshot.files[kind].document.clone().unwrap_or_default(),
    });
    let plan = Plan { files, ..Plan::default() };
    let shown = Shown { snapshot: &present, plan: &plan };
    output.text(&plan_text(shown, output.style))?;
    let (name, outcome) = (unfinished.name(), &unfinished.outcome);
    output.text(&format!("Interrupted was {name}; it will be {outcome}.\n"))?;
    confirm("Recover now?", args.yes, From::Stdin)?;
    let done = state::recover(&context, args.lock_timeout)?;
    if let Some(done) = &done {
        state::say_notes(&done.notes, output);
        let _ = output.text(&state::recovered_line(done));
    }
    after_commit(output, || {
        let outcome = done.as_ref().map(|done| done.outcome);
        let completed = done.as_ref().filter(|done| done.verdict.completes());
        let mut document = committed(plan_json(shown), completed.map(|done| done.transaction.as_str()));
        document["outcome"] = outcome.into();
        document
    });
    Ok(0)
}

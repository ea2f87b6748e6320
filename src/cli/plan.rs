//! `subidctl plan`: the diff, the reasons, and nothing else.

use serde_json::Value;

use super::args::{Global, Plan as Args};
use super::facts::Context;
use super::from::List;
use super::output::{Output, json_text};
use super::planning;
use super::progress::Progress;
use crate::error::{Code, Result};
use crate::planner::{Plan, precedence};
use crate::report::{Shown, next_hint, plan_json, plan_text, refusals_text, warnings_text};

/// Changes are pending (`--exit-code`).
const PENDING: u8 = 3;

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    let mut progress = Progress::new(output);
    let mut context = Context::load(global)?;
    if let Err(error) = context.refuse_directory() {
        return super::directory_host(&error, args.selection.skip_directory_hosts, output);
    }
    super::state::note_unfinished(&context.snapshot, output);
    let listed = List::read(args.selection.from.as_deref())?;
    let made = planning::make(&mut context, &args.selection, listed.as_ref(), &mut progress);
    progress.clear();
    let (_, plan) = made?;
    let shown = Shown { snapshot: &context.snapshot, plan: &plan };
    let refused = exit(&plan, args.selection.keep_going);
    if let Some(path) = args.out.as_ref().filter(|_| refused.is_none() || args.selection.keep_going) {
        super::write_named(path, &json_text(&plan_json(shown))?, 0o644)?;
    }
    show(shown, NOBODY, output)?;
    output.document(|| plan_json(shown))?;
    let pending = if args.exit_code && plan.changed() { PENDING } else { 0 };
    Ok(refused.map_or(pending, |refused| worse(refused, pending)))
}

/// What is said of a plan that names nobody.
pub(super) const NOBODY: &str = "Nobody is selected. No changes.\n";

/// Prints diff, reasons, warnings and refusals.
pub(super) fn show(shown: Shown<'_>, nothing: &str, output: Output) -> Result<()> {
    if output.is_read() {
        output.text(&plan_text(shown, output.style))?;
    }
    if !shown.plan.changed()
        && shown.plan.refusals.is_empty()
        && let Some(hint) = next_hint(shown.plan)
    {
        output.text(&hint)?;
    }
    let nobody = shown.plan.assignments.is_empty() && shown.plan.refusals.is_empty();
    if nobody && shown.plan.repairs.is_empty() && shown.plan.idle.is_empty() {
        output.text(nothing)?;
    }
    output.note(&warnings_text(shown.plan, output.errors));
    if !shown.plan.refusals.is_empty() {
        // Errors are printed also with --quiet.
        super::to_stderr(&refusals_text(&shown.plan.refusals, output.errors));
    }
    Ok(())
}

/// The exit code of a plan's refusals.
pub(super) fn exit(plan: &Plan, keep_going: bool) -> Option<u8> {
    let refused = plan.refused()?;
    Some(if keep_going { Code::Finding.exit() } else { refused.exit() })
}

/// The one of two exit codes that takes precedence.
pub(super) fn worse(a: u8, b: u8) -> u8 {
    if precedence(a) <= precedence(b) { a } else { b }
}

/// Prints the document of a change that is made: a reader who left does not change how it ended.
pub(super) fn after_commit(output: Output, document: impl FnOnce() -> Value) {
    if let Err(error) = output.document(document) {
        output
            .note(&format!("note: the change is made, but its document cannot be written: {}\n", error.why));
    }
}

/// Adds what `apply` knows of a commit.
pub(super) fn committed(mut document: Value, transaction: Option<&str>) -> Value {
    if let Some(object) = document.as_object_mut() {
        object.insert("committed".to_owned(), transaction.is_some().into());
        object.insert("transaction".to_owned(), transaction.into());
    }
    document
}

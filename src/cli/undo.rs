//! `subidctl undo`: the way back from a change, planned, shown, asked and committed like any other.

use serde_json::Value;

use super::args::{Global, Undo as Args};
use super::ask::From;
use super::change::{self, Again, Ask, Manner, compare};
use super::facts::Context;
use super::history;
use super::in_use;
use super::output::Output;
use super::plan::committed;
use super::progress::Progress;
use super::state;
use crate::error::{Code, Error, Result};
use crate::planner::{self, Plan};
use crate::report::{Shown, plan_json};
use crate::snapshot::Snapshot;
use crate::state::{HistoryEntry, Timeline, date};
use crate::text::escape;

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    state::need_root(global)?;
    if !args.how.dry_run {
        // What is unfinished now is, by then, the last change or none.
        state::recover_first(global, args.how.lock_timeout, output)?;
    }
    let context = Context::load(global)?;
    let timeline = history::load(&context.root, output)?;
    let meant = match &args.id {
        Some(id) => Some(history::one(&timeline, id)?),
        None => timeline.last_in_force(),
    };
    let Some(entry) = meant else {
        output.text("Nothing to undo: the history has no change that is in force.\n")?;
        let plan = Plan::default();
        let shown = Shown { snapshot: &context.snapshot, plan: &plan };
        output.document(|| committed(plan_json(shown), None))?;
        return Ok(0);
    };
    output.text(&format!(
        "Undoing {} of {}, {}\n\n",
        escape(entry.record.command.as_bytes()),
        date(entry.time),
        entry.transaction
    ))?;
    let manner = Manner {
        command: "undo",
        how: &args.how,
        question: "Undo this change?",
        answers: From::Stdin,
        keep_going: false,
        skip_directory_hosts: false,
        sample: None,
        findings: Value::Null,
    };
    change::run(global, &manner, output, &mut Back { entry, timeline: &timeline, force: args.force })
}

/// A change that shall be put back.
struct Back<'a> {
    entry: &'a HistoryEntry,
    timeline: &'a Timeline,
    force: bool,
}

impl Back<'_> {
    fn make(&self, context: &Context, facts: &Snapshot) -> Result<Plan> {
        let (entry, timeline) = (self.entry, self.timeline);
        let plan = planner::undo(facts, &context.policy, entry, timeline.after(entry));
        let Some(by) = timeline.undone_by(&entry.transaction) else { return plan };
        // Its lines may stand again all the same, after a reclaim; lines that would be added know nothing.
        let adds = |plan: &Plan| plan.repairs.iter().any(|repair| repair.edit.old.is_none());
        match plan {
            Ok(plan) if !adds(&plan) => Ok(plan),
            Err(error) if error.code != Code::Stale => Err(error),
            _ => Err(Error::new(Code::Stale, format!("the change {} is undone already", entry.transaction))
                .why(format!("by {} at {}", by.transaction, date(by.time)))
                .fix(format!("to have it again: sudo subidctl undo {}", by.transaction))),
        }
    }
}

impl Ask for Back<'_> {
    fn plan(&mut self, context: &mut Context, _progress: &mut Progress) -> Result<Plan> {
        let plan = self.make(context, &context.snapshot)?;
        // All or nothing: there is no plan without some of the users.
        in_use::judged(context, plan, self.force, |_, _| Ok(Plan::default()))
    }

    fn again(&self, context: &Context, now: &Snapshot, shown: &Plan) -> Again {
        compare(self.make(context, now), shown)
    }

    fn undoes(&self) -> Option<&HistoryEntry> {
        Some(self.entry)
    }
}

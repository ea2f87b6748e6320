//! A change, whichever command asks for it: plan without locks, show, ask once, commit; begin again where
//! the plan would differ.

use std::time::Instant;

use serde_json::Value;

use super::args::{Global, How};
use super::ask::{From, confirm};
use super::facts::{Context, policy_digest};
use super::output::Output;
use super::plan::{NOBODY, after_commit, committed, exit, show, worse};
use super::progress::Progress;
use super::proving::{Proofs, with_findings};
use super::{hook, memory, state};
use crate::commit::{self, Change, Checks, Committed, FileChange, Options, Outcome, Recovered, Replan};
use crate::error::{Code, Error, Result};
use crate::planner::{Action, Assignment, Owner, Plan};
use crate::range::PerKind;
use crate::report::{Shown, next_hint, plan_json, plan_text};
use crate::snapshot::{Snapshot, Source};
use crate::state::{HistoryEntry, Record};
use crate::text::escape;

/// What a command asks of the planner.
pub(super) trait Ask {
    /// Gathers what is needed, name services included, and plans.
    fn plan(&mut self, context: &mut Context, progress: &mut Progress) -> Result<Plan>;

    /// What is said where there is nothing to do and nobody to name.
    fn nothing(&self) -> &'static str {
        NOBODY
    }

    /// Plans again on the facts as they are under the locks: no look-up, prompt, output or process here.
    fn again(&self, context: &Context, now: &Snapshot, shown: &Plan) -> Again;

    /// The change that is undone.
    fn undoes(&self) -> Option<&HistoryEntry> {
        None
    }

    /// A question that only a person can answer, in place of the usual one: `--yes` does not.
    fn personal(&self, _context: &Context, _plan: &Plan) -> Option<String> {
        None
    }

    /// Looks at something more once the change is made, or would be: a field of the document. Nothing hangs
    /// on it.
    fn look(&self, _context: &Context, _plan: &Plan, _output: Output) -> Option<(&'static str, Value)> {
        None
    }
}

/// What planning again gives.
pub(super) enum Again {
    /// The same as was shown, as edits of the files that were read again.
    Same(Plan),
    /// Something else: begin again.
    Differs,
    /// It cannot be done any more.
    Refused(Error),
}

/// How a command goes about its change.
pub(super) struct Manner<'a> {
    /// As history names it.
    pub(super) command: &'static str,
    pub(super) how: &'a How,
    /// The one question.
    pub(super) question: &'static str,
    pub(super) answers: From,
    /// Serve those who can be served.
    pub(super) keep_going: bool,
    /// A host whose subordinate IDs come from a directory is exit 0.
    pub(super) skip_directory_hosts: bool,
    /// Start the containers of so many users.
    pub(super) sample: Option<usize>,
    /// What was found before, for the document.
    pub(super) findings: Value,
}

pub(super) fn run(global: &Global, manner: &Manner<'_>, output: Output, ask: &mut dyn Ask) -> Result<u8> {
    let (how, began) = (manner.how, Instant::now());
    let mut progress = Progress::new(output);
    loop {
        if !how.dry_run || manner.sample.is_some() {
            state::need_root(global)?;
        }
        if !how.dry_run {
            state::recover_first(global, how.lock_timeout, output)?;
        }
        let mut context = Context::load(global)?;
        if let Err(error) = context.refuse_directory() {
            return super::directory_host(&error, manner.skip_directory_hosts, output);
        }
        if how.dry_run {
            state::note_unfinished(&context.snapshot, output);
        }
        progress.step(|| "planning".to_owned());
        let made = ask.plan(&mut context, &mut progress);
        progress.clear();
        let plan = made?;
        let shown = Shown { snapshot: &context.snapshot, plan: &plan };
        show(shown, ask.nothing(), output)?;
        let refused = exit(&plan, manner.keep_going);
        let stops = refused.is_some() && !manner.keep_going;
        if how.dry_run && manner.sample.is_none() {
            let seen = if stops { None } else { ask.look(&context, &plan, output) };
            output.document(|| with(with_findings(plan_json(shown), &manner.findings), seen))?;
            return Ok(refused.unwrap_or(0));
        }
        let mut proofs = Proofs::new(&context, &plan, manner.sample, &manner.findings);
        if stops || !plan.changed() {
            // Nothing is planned, so what there is to try is the host.
            let failed = match stops {
                true => None,
                false if how.dry_run => proofs.in_world(output, &mut progress)?,
                false => proofs.on_host(None, output, &mut progress),
            };
            let seen = if stops { None } else { ask.look(&context, &plan, output) };
            output.document(|| with(proofs.document(committed(plan_json(shown), None)), seen))?;
            return Ok(worse(refused.unwrap_or(0), failed.unwrap_or(0)));
        }
        let failed = proofs.in_world(output, &mut progress)?;
        if how.dry_run || failed.is_some() {
            output.document(|| proofs.document(committed(plan_json(shown), None)))?;
            return Ok(worse(refused.unwrap_or(0), failed.unwrap_or(0)));
        }
        let personal = ask.personal(&context, &plan);
        let yes = how.yes && personal.is_none();
        if !yes && (output.json || output.quiet) {
            // What is asked about has been seen, whatever stdout is for.
            super::to_stderr(&plan_text(shown, output.errors));
        }
        let question = personal.as_deref().unwrap_or(manner.question);
        let answer = progress.pause(|| confirm(question, yes, manner.answers));
        answer.map_err(|error| match personal {
            Some(_) if error.code == Code::NeedsYes => error
                .why("this is for a person at a terminal to answer: --yes does not")
                .fix("run it on a terminal"),
            _ => error,
        })?;
        progress.step(|| "committing".to_owned());
        let options = Options { lock_timeout: how.lock_timeout, ..Options::default() };
        let attempted = attempt(global, manner.command, &options, &context, ask, &plan);
        progress.clear();
        match attempted? {
            Outcome::Committed(done) => {
                note_recovered(done.recovered.as_ref(), output);
                report(&done, &plan, manner.sample.is_some(), output);
                let failed = proofs.on_host(Some(&done.transaction), output, &mut progress);
                let seen = ask.look(&context, &plan, output);
                let document = || committed(plan_json(shown), Some(&done.transaction));
                after_commit(output, || with(proofs.document(document()), seen));
                return Ok(worse(refused.unwrap_or(0), failed.unwrap_or(0)));
            }
            Outcome::Unchanged { recovered, notes } => {
                note_recovered(recovered.as_ref(), output);
                state::say_notes(&notes, output);
                output.document(|| proofs.document(committed(plan_json(shown), None)))?;
                return Ok(refused.unwrap_or(0));
            }
            Outcome::Differs if how.yes && began.elapsed() >= how.lock_timeout => return Err(busy(how)),
            Outcome::Differs => output.note("subidctl: the files changed meanwhile, and so does the plan:\n"),
        }
    }
}

/// Says what became of a change that another command left unfinished after this one had looked.
fn note_recovered(recovered: Option<&Recovered>, output: Output) {
    if let Some(done) = recovered {
        output.note(&state::recovered_line(done));
    }
}

/// Adds what was looked at.
fn with(mut document: Value, seen: Option<(&'static str, Value)>) -> Value {
    if let (Some(object), Some((key, value))) = (document.as_object_mut(), seen) {
        object.insert(key.to_owned(), value);
    }
    document
}

fn busy(how: &How) -> Error {
    Error::new(
        Code::Busy,
        "the files changed each time before the plan could be committed; nothing was changed",
    )
    .why(format!("within {} s every plan was out of date", how.lock_timeout.as_secs()))
    .fix("wait until the other programs are done, or give a longer --lock-timeout")
}

/// One attempt under the locks. How much of the history is kept is the policy's to say.
pub(super) fn attempt(
    global: &Global,
    command: &str,
    options: &Options,
    context: &Context,
    ask: &dyn Ask,
    plan: &Plan,
) -> Result<Outcome> {
    let change = |facts: &Snapshot, plan: &Plan| change(facts, plan, command, ask.undoes());
    let mut replan = |now: &Snapshot| match ask.again(context, now, plan) {
        Again::Same(plan) => Replan::Same(change(now, &plan)),
        Again::Differs => Replan::Differs,
        Again::Refused(error) => Replan::Refused(error),
    };
    let first = change(&context.snapshot, plan);
    let mut judge = memory::judge(&context.snapshot, &context.policy);
    let policy = || policy_digest(&context.root, global.policy.as_deref());
    let mut checks = Checks { replan: &mut replan, judge: &mut judge, policy: &policy };
    let options = Options { keep_history: context.policy.history_keep(), ..options.clone() };
    commit::commit(&context.root, &context.snapshot, first, &mut checks, &options)
}

/// Compares a plan made again with the one that was shown.
pub(super) fn compare(again: Result<Plan>, shown: &Plan) -> Again {
    match again {
        Ok(plan) if same(&plan, shown) => Again::Same(plan),
        Ok(_) => Again::Differs,
        Err(error) => Again::Refused(error),
    }
}

/// Whether the owners that were looked up are the same people in the files as they are now: the same
/// account, or none as before. What a name service said stands.
pub(super) fn same_people<'a>(now: &Snapshot, owners: impl IntoIterator<Item = &'a Owner>) -> bool {
    owners.into_iter().all(|owner| match &owner.account {
        Some(account) => {
            let known = now.accounts.by_name(account.name.as_bytes());
            account.source == Source::Nss
                || known.is_some_and(|k| (k.uid, k.gid) == (account.uid, account.gid))
        }
        None => now.accounts.by_owner(&owner.label).is_none(),
    })
}

/// Whether nothing else would be done than what was shown; places and line numbers in reasons may move.
fn same(now: &Plan, shown: &Plan) -> bool {
    let key = |a: &Assignment| (a.kind, a.owner.clone(), a.uid, a.range, a.action);
    now.assignments.iter().map(key).eq(shown.assignments.iter().map(key)) && now.repairs == shown.repairs
}

/// The plan as a change of the files, with what is remembered of it.
pub(super) fn change(
    snapshot: &Snapshot,
    plan: &Plan,
    command: &str,
    undoes: Option<&HistoryEntry>,
) -> Change {
    let files = PerKind::from_fn(|kind| FileChange {
        before: snapshot.files[kind].digest,
        edits: plan.files[kind].edits.clone(),
    });
    let mut owners: Vec<&[u8]> =
        plan.assignments.iter().filter(|a| a.action != Action::Keep).map(|a| &a.user[..]).collect();
    owners.dedup();
    let record = Record {
        command: command.to_owned(),
        owners: owners.into_iter().map(escape).collect(),
        claim: state::sudo_claim(),
        undoes: undoes.map(|entry| entry.transaction.clone()),
        forgot: state::forgot(snapshot, &plan.assignments),
    };
    let undone = undoes.map_or(&[][..], |entry| &entry.record.forgot);
    let ledger =
        state::ledger_notes(snapshot, &plan.assignments, &plan.files, undone, command == hook::COMMAND);
    Change { files, ledger, record }
}

fn report(done: &Committed, plan: &Plan, proven: bool, output: Output) {
    state::say_notes(&done.notes, output);
    if output.verbose {
        output.note(&format!("the locks were held for {:.1} ms\n", done.held.as_secs_f64() * 1000.0));
    }
    // Committed is committed: a reader who left does not change the exit code.
    let hint = next_hint(plan).filter(|_| !proven).unwrap_or_default();
    let _ = output.text(&format!("Committed as {}.\n{hint}", done.transaction));
}

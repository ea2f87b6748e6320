//! `subidctl apply`: plan without locks, show, ask once, commit; begin again where the plan would differ.

use std::time::Instant;

use super::args::{Apply as Args, Global, Plan as PlanArgs};
use super::ask::{From, confirm};
use super::facts::{Context, policy_digest};
use super::output::Output;
use super::plan::{after_commit, committed, exit, show, worse};
use super::{memory, planning, saved, state};
use crate::commit::{self, Change, Checks, Committed, FileChange, Options, Outcome, Replan};
use crate::error::{Code, Error, Result};
use crate::planner::{self, Action, Assignment, Plan, Request};
use crate::range::PerKind;
use crate::report::{Shown, plan_json, verify_hint};
use crate::snapshot::{Snapshot, Source};
use crate::state::{LedgerNote, Record};
use crate::text::escape;

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    if args.dry_run && args.plan.is_none() {
        let plan = PlanArgs { selection: args.selection.clone(), out: None, exit_code: false };
        return super::plan::run(global, &plan, output);
    }
    let began = Instant::now();
    loop {
        if !args.dry_run {
            state::need_root(global)?;
            state::recover_first(global, args.lock_timeout, output)?;
        }
        let mut context = Context::load(global)?;
        if let Err(error) = context.refuse_directory() {
            return super::directory_host(&error, args.selection.skip_directory_hosts, output);
        }
        let (request, plan) = if let Some(path) = &args.plan {
            (None, saved::load(&mut context, path)?)
        } else {
            let (request, plan) = planning::make(&mut context, &args.selection)?;
            (Some(request), plan)
        };
        let shown = Shown { snapshot: &context.snapshot, plan: &plan };
        show(shown, output)?;
        let refused = exit(&plan, args.selection.keep_going);
        let stops = refused.is_some() && !args.selection.keep_going;
        if stops || !plan.changed() || args.dry_run {
            output.document(&committed(plan_json(shown), None))?;
            return Ok(refused.unwrap_or(0));
        }
        let stdin = args.plan.as_deref() == Some(std::path::Path::new("-"));
        confirm("Apply this change?", args.yes, if stdin { From::Terminal } else { From::Stdin })?;
        match attempt(global, args, &context, request.as_ref(), &plan)? {
            Outcome::Committed(done) => {
                report(&done, &plan, output);
                after_commit(output, &committed(plan_json(shown), Some(&done.transaction)));
                return Ok(refused.map_or(0, |code| worse(code, 0)));
            }
            Outcome::Unchanged { .. } => {
                output.document(&committed(plan_json(shown), None))?;
                return Ok(refused.unwrap_or(0));
            }
            Outcome::Differs if args.yes && began.elapsed() >= args.lock_timeout => return Err(busy(args)),
            Outcome::Differs => output.note("subidctl: the files changed meanwhile, and so does the plan:\n"),
        }
    }
}

fn busy(args: &Args) -> Error {
    Error::new(
        Code::Busy,
        "the files changed each time before the plan could be committed; nothing was changed",
    )
    .why(format!("within {} s every plan was out of date", args.lock_timeout.as_secs()))
    .fix("wait until the other programs are done, or give a longer --lock-timeout")
}

/// One attempt under the locks.
fn attempt(
    global: &Global,
    args: &Args,
    context: &Context,
    request: Option<&Request>,
    plan: &Plan,
) -> Result<Outcome> {
    let change = change(&context.snapshot, plan);
    let mut replan = |now: &Snapshot| match request {
        Some(request) => again(context, request, plan, now),
        None => still_holds(context, plan, now),
    };
    let mut judge = memory::judge(&context.snapshot, &context.policy);
    let policy = || policy_digest(&context.root, global.policy.as_deref());
    let mut checks = Checks { replan: &mut replan, judge: &mut judge, policy: &policy };
    let options = Options { lock_timeout: args.lock_timeout, ..Options::default() };
    commit::commit(&context.root, &context.snapshot, &change, &mut checks, &options)
}

/// Plans again on what was read under the locks.
fn again(context: &Context, request: &Request, shown: &Plan, now: &Snapshot) -> Replan {
    let same_people = request.wants.iter().filter_map(|w| w.owner.account.as_ref()).all(|account| {
        let known = now.accounts.by_name(account.name.as_bytes());
        account.source == Source::Nss || known.is_some_and(|k| (k.uid, k.gid) == (account.uid, account.gid))
    });
    if !same_people || now.facts.policy != context.snapshot.facts.policy {
        return Replan::Differs;
    }
    match planner::plan(now, &context.policy, request) {
        Ok(plan) if same(&plan.assignments, &shown.assignments) => Replan::Same(change(now, &plan)),
        Ok(_) => Replan::Differs,
        Err(error) => Replan::Refused(error),
    }
}

/// A saved plan is applied to exactly the files that it was made from, or not at all.
fn still_holds(context: &Context, plan: &Plan, now: &Snapshot) -> Replan {
    let same_files = now.files.iter().all(|(kind, file)| file.digest == context.snapshot.files[kind].digest);
    let unchanged = same_files && now.facts.policy == context.snapshot.facts.policy;
    if !unchanged {
        let error = Error::new(Code::Stale, "the plan cannot be applied; nothing was changed")
            .why("the files or the policy changed since it was shown")
            .fix("make a new plan: subidctl plan --out FILE");
        return Replan::Refused(error);
    }
    match planner::check(now, &context.policy, &plan.assignments, &plan.files) {
        Ok(()) => Replan::Same(change(now, plan)),
        Err(error) => Replan::Refused(error),
    }
}

/// Whether nothing else would be done than what was shown; places and line numbers in reasons may move.
fn same(now: &[Assignment], shown: &[Assignment]) -> bool {
    let key = |a: &Assignment| (a.kind, a.owner.clone(), a.uid, a.range, a.action);
    now.iter().map(key).eq(shown.iter().map(key))
}

/// The plan as a change of the files, with what is remembered of it.
fn change(snapshot: &Snapshot, plan: &Plan) -> Change {
    let files = PerKind::from_fn(|kind| FileChange {
        before: snapshot.files[kind].digest,
        edits: plan.files[kind].edits.clone(),
    });
    let mut owners: Vec<String> =
        plan.assignments.iter().filter(|a| a.action != Action::Keep).map(|a| escape(&a.user)).collect();
    owners.dedup();
    let record = Record { command: "apply".to_owned(), owners, claim: state::sudo_claim() };
    Change { files, ledger: notes(snapshot, plan), record }
}

/// What the ledger learns: released and reclaimed ranges, and which owners are local accounts.
fn notes(snapshot: &Snapshot, plan: &Plan) -> Vec<LedgerNote> {
    state::ledger_notes(snapshot, &plan.assignments, &plan.files)
}

fn report(done: &Committed, plan: &Plan, output: Output) {
    for note in &done.notes {
        output.note(&format!("note: {note}\n"));
    }
    if output.verbose {
        output.note(&format!("the locks were held for {:.1} ms\n", done.held.as_secs_f64() * 1000.0));
    }
    // Committed is committed: a reader who left does not change the exit code.
    let hint = verify_hint(plan).unwrap_or_default();
    let _ = output.text(&format!("Committed as {}.\n{hint}", done.transaction));
}

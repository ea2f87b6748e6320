//! `subidctl apply`: plan without locks, show, ask once, commit; begin again where the plan would differ.

use std::time::Instant;

use serde_json::{Value, json};

use super::args::{Apply as Args, Global, Plan as PlanArgs};
use super::ask::{From, confirm};
use super::facts::{Context, policy_digest};
use super::output::Output;
use super::plan::{after_commit, committed, exit, show, worse};
use super::proving::{self, People};
use super::{memory, planning, saved, state};
use crate::commit::{self, Change, Checks, Committed, FileChange, Options, Outcome, Replan};
use crate::error::{Code, Error, Result};
use crate::planner::{self, Action, Assignment, Plan, Request};
use crate::proof::Proof;
use crate::range::PerKind;
use crate::report::{Shown, error_text, plan_json, plan_text, verify_hint};
use crate::snapshot::{Snapshot, Source};
use crate::state::{LedgerNote, Record};
use crate::text::escape;

/// Which command a change is made by, and what was found before.
pub(super) struct Named {
    pub(super) command: &'static str,
    pub(super) findings: Value,
}

impl Named {
    pub(super) fn apply() -> Self {
        Self { command: "apply", findings: json!([]) }
    }
}

pub(super) fn run(global: &Global, args: &Args, output: Output, by: &Named) -> Result<u8> {
    if args.verify && global.root.is_some() {
        return Err(Error::new(Code::Usage, "--verify works on the running system only")
            .why("a tree below --root has no kernel of its own")
            .fix("leave --verify out; after the tree was booted: subidctl verify USER"));
    }
    if args.how.dry_run && args.plan.is_none() && !args.verify {
        let plan = PlanArgs { selection: args.selection.clone(), out: None, exit_code: false };
        return super::plan::run(global, &plan, output);
    }
    let began = Instant::now();
    loop {
        if !args.how.dry_run || args.verify {
            state::need_root(global)?;
        }
        if !args.how.dry_run {
            state::recover_first(global, args.how.lock_timeout, output)?;
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
        let mut proofs = Proofs::new(args, &context, &plan, by);
        if stops || !plan.changed() {
            // Nothing is planned, so what there is to try is the host.
            let failed = match stops {
                true => None,
                false if args.how.dry_run => proofs.in_world(output)?,
                false => proofs.on_host(None, output),
            };
            output.document(|| proofs.document(committed(plan_json(shown), None)))?;
            return Ok(worse(refused.unwrap_or(0), failed.unwrap_or(0)));
        }
        let failed = proofs.in_world(output)?;
        if args.how.dry_run || failed.is_some() {
            output.document(|| proofs.document(committed(plan_json(shown), None)))?;
            return Ok(worse(refused.unwrap_or(0), failed.unwrap_or(0)));
        }
        if !args.how.yes && (output.json || output.quiet) {
            // What is asked about has been seen, whatever stdout is for.
            super::to_stderr(&plan_text(shown, output.errors));
        }
        let stdin = args.plan.as_deref() == Some(std::path::Path::new("-"));
        confirm("Apply this change?", args.how.yes, if stdin { From::Terminal } else { From::Stdin })?;
        match attempt(global, args, &context, request.as_ref(), &plan, by.command)? {
            Outcome::Committed(done) => {
                report(&done, &plan, args.verify, output);
                let failed = proofs.on_host(Some(&done.transaction), output);
                let document = || committed(plan_json(shown), Some(&done.transaction));
                after_commit(output, || proofs.document(document()));
                return Ok(worse(refused.unwrap_or(0), failed.unwrap_or(0)));
            }
            Outcome::Unchanged { .. } => {
                output.document(|| proofs.document(committed(plan_json(shown), None)))?;
                return Ok(refused.unwrap_or(0));
            }
            Outcome::Differs if args.how.yes && began.elapsed() >= args.how.lock_timeout => {
                return Err(busy(args));
            }
            Outcome::Differs => output.note("subidctl: the files changed meanwhile, and so does the plan:\n"),
        }
    }
}

fn busy(args: &Args) -> Error {
    Error::new(
        Code::Busy,
        "the files changed each time before the plan could be committed; nothing was changed",
    )
    .why(format!("within {} s every plan was out of date", args.how.lock_timeout.as_secs()))
    .fix("wait until the other programs are done, or give a longer --lock-timeout")
}

/// One attempt under the locks.
fn attempt(
    global: &Global,
    args: &Args,
    context: &Context,
    request: Option<&Request>,
    plan: &Plan,
    command: &str,
) -> Result<Outcome> {
    let change = |now: &Snapshot, plan: &Plan| change(now, plan, command);
    let mut replan = |now: &Snapshot| match request {
        Some(request) => again(context, request, plan, now, &change),
        None => still_holds(context, plan, now, &change),
    };
    let first = change(&context.snapshot, plan);
    let mut judge = memory::judge(&context.snapshot, &context.policy);
    let policy = || policy_digest(&context.root, global.policy.as_deref());
    let mut checks = Checks { replan: &mut replan, judge: &mut judge, policy: &policy };
    let options = Options { lock_timeout: args.how.lock_timeout, ..Options::default() };
    commit::commit(&context.root, &context.snapshot, &first, &mut checks, &options)
}

/// Makes a plan a change.
type MakeChange<'a> = dyn Fn(&Snapshot, &Plan) -> Change + 'a;

/// Plans again on what was read under the locks.
fn again(
    context: &Context,
    request: &Request,
    shown: &Plan,
    now: &Snapshot,
    change: &MakeChange<'_>,
) -> Replan {
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
fn still_holds(context: &Context, plan: &Plan, now: &Snapshot, change: &MakeChange<'_>) -> Replan {
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
pub(super) fn change(snapshot: &Snapshot, plan: &Plan, command: &str) -> Change {
    let files = PerKind::from_fn(|kind| FileChange {
        before: snapshot.files[kind].digest,
        edits: plan.files[kind].edits.clone(),
    });
    let mut owners: Vec<String> =
        plan.assignments.iter().filter(|a| a.action != Action::Keep).map(|a| escape(&a.user)).collect();
    owners.dedup();
    let record = Record { command: command.to_owned(), owners, claim: state::sudo_claim() };
    Change { files, ledger: notes(snapshot, plan), record }
}

/// What the ledger learns: released and reclaimed ranges, and which owners are local accounts.
fn notes(snapshot: &Snapshot, plan: &Plan) -> Vec<LedgerNote> {
    state::ledger_notes(snapshot, &plan.assignments, &plan.files)
}

fn report(done: &Committed, plan: &Plan, proven: bool, output: Output) {
    for note in &done.notes {
        output.note(&format!("note: {note}\n"));
    }
    if output.verbose {
        output.note(&format!("the locks were held for {:.1} ms\n", done.held.as_secs_f64() * 1000.0));
    }
    // Committed is committed: a reader who left does not change the exit code.
    let hint = verify_hint(plan).filter(|_| !proven).unwrap_or_default();
    let _ = output.text(&format!("Committed as {}.\n{hint}", done.transaction));
}

/// What `--verify` has seen so far.
struct Proofs<'a> {
    people: Option<People>,
    context: &'a Context,
    plan: &'a Plan,
    by: &'a Named,
    seen: Vec<Proof>,
}

impl<'a> Proofs<'a> {
    fn new(args: &Args, context: &'a Context, plan: &'a Plan, by: &'a Named) -> Self {
        let people = args.verify.then(|| People::of(context, plan, args.sample));
        Self { people, context, plan, by, seen: Vec::new() }
    }

    /// Tries the planned files; the exit code where that fails.
    fn in_world(&mut self, output: Output) -> Result<Option<u8>> {
        let Some(people) = &self.people else { return Ok(None) };
        let proofs = people.in_world(self.context, self.plan)?;
        people.show(&proofs, output)?;
        let failed = proving::failure(&proofs, None);
        self.seen.extend(proofs);
        Ok(failed.map(|error| said(&error, output)))
    }

    /// Tries the host. The change stands, whatever comes of it, so a failure is said and no error.
    fn on_host(&mut self, transaction: Option<&str>, output: Output) -> Option<u8> {
        let people = self.people.as_ref()?;
        let proofs = match people.on_host(self.context) {
            Ok(proofs) => proofs,
            Err(error) => return Some(said(&error, output)),
        };
        let _ = people.show(&proofs, output);
        let failed = proving::failure(&proofs, transaction);
        self.seen.extend(proofs);
        failed.map(|error| said(&error, output))
    }

    fn document(&self, document: Value) -> Value {
        match self.people {
            Some(_) => proving::with_proofs(document, &self.seen, &self.by.findings),
            None => document,
        }
    }
}

/// Prints an error beside the document that is still to come; its exit code.
fn said(error: &Error, output: Output) -> u8 {
    super::to_stderr(&error_text(error, output.errors));
    error.code.exit()
}

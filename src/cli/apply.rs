//! `subidctl apply`: users to ranges, or a saved plan, as one change.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::args::{Apply as Args, Global, Selection};
use super::ask::From;
use super::change::{self, Again, Ask, Manner, compare, same_people};
use super::facts::Context;
use super::from::List;
use super::in_use;
use super::output::Output;
use super::progress::Progress;
use super::{hook, planning, saved};
use crate::error::{Code, Error, Result};
use crate::planner::{self, Evidence, Plan, Request};
use crate::snapshot::Snapshot;
use crate::text::escape;

/// Which command a change is made by, and what was found before.
pub(super) struct Named {
    pub(super) command: &'static str,
    pub(super) findings: Value,
}

impl Named {
    pub(super) fn apply() -> Self {
        Self { command: "apply", findings: Value::Null }
    }
}

pub(super) fn run(global: &Global, args: &Args, output: Output, by: &Named) -> Result<u8> {
    if args.hook {
        return hook::run(global, output);
    }
    if args.verify && global.root.is_some() {
        return Err(Error::new(Code::Usage, "--verify works on the running system only")
            .why("a tree below --root has no kernel of its own")
            .fix("leave --verify out; after the tree was booted: subidctl verify USER"));
    }
    let stdin = args.plan.as_deref() == Some(Path::new("-"));
    let manner = Manner {
        command: by.command,
        how: &args.how,
        question: "Apply this change?",
        answers: if stdin { From::Terminal } else { From::Stdin },
        keep_going: args.selection.keep_going,
        skip_directory_hosts: args.selection.skip_directory_hosts,
        sample: args.verify.then_some(args.sample),
        findings: by.findings.clone(),
    };
    match &args.plan {
        Some(path) => change::run(
            global,
            &manner,
            output,
            &mut Saved { path: path.clone(), force: args.selection.force },
        ),
        None => change::run(global, &manner, output, &mut Assign::new(&args.selection)),
    }
}

/// Users who shall have ranges.
struct Assign<'a> {
    selection: &'a Selection,
    listed: Option<List>,
    request: Request,
}

impl<'a> Assign<'a> {
    fn new(selection: &'a Selection) -> Self {
        Self { selection, listed: None, request: Request::default() }
    }
}

impl Ask for Assign<'_> {
    fn plan(&mut self, context: &mut Context, progress: &mut Progress) -> Result<Plan> {
        if self.listed.is_none() {
            self.listed = List::read(self.selection.from.as_deref())?;
        }
        let (request, plan) = planning::make(context, self.selection, self.listed.as_ref(), progress)?;
        self.request = request;
        Ok(plan)
    }

    fn again(&self, context: &Context, now: &Snapshot, shown: &Plan) -> Again {
        again(&self.request, context, now, shown)
    }

    fn personal(&self, context: &Context, plan: &Plan) -> Option<String> {
        let unproven = planner::unproven(&context.snapshot, plan);
        let mut ranges: Vec<String> =
            unproven.iter().map(|a| format!("{} of {}", a.range, escape(&a.user))).collect();
        ranges.dedup();
        let (first, more) = (ranges.first()?, ranges.len() - 1);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Some(format!(
            "Nothing shows that {first}{more} was this account's, and all files of these IDs become the\n\
             account's. Is it the same person?"
        ))
    }
}

/// The same users again, on the files as they are now.
pub(super) fn again(request: &Request, context: &Context, now: &Snapshot, shown: &Plan) -> Again {
    let people = request.wants.iter().map(|want| &want.owner);
    if !same_people(now, people) || now.facts.policy != context.snapshot.facts.policy {
        return Again::Differs;
    }
    compare(planner::plan(now, &context.policy, request), shown)
}

/// A plan that somebody wrote down: applied to exactly the files that it was made from, or not at all.
struct Saved {
    path: PathBuf,
    force: bool,
}

impl Ask for Saved {
    fn plan(&mut self, context: &mut Context, _progress: &mut Progress) -> Result<Plan> {
        let plan = saved::load(context, &self.path)?;
        in_use::judged(context, plan, self.force, |_, _| Ok(Plan::default()))
    }

    fn again(&self, context: &Context, now: &Snapshot, shown: &Plan) -> Again {
        let mut files = now.files.iter();
        let same_files = files.all(|(kind, file)| file.digest == context.snapshot.files[kind].digest);
        if !same_files || now.facts.policy != context.snapshot.facts.policy {
            let error = Error::new(Code::Stale, "the plan cannot be applied; nothing was changed")
                .why("the files or the policy changed since it was shown")
                .fix("make a new plan: subidctl plan --out FILE");
            return Again::Refused(error);
        }
        match planner::check(now, &context.policy, shown, Evidence::Ledger) {
            Ok(()) => Again::Same(shown.clone()),
            Err(error) => Again::Refused(error),
        }
    }
}

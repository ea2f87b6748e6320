//! `subidctl audit`: every fault of both files and of what surrounds them; `--fix` mends what is safe to.

use std::path::Path;

use serde_json::json;

use super::args::{Audit as Args, Global, How};
use super::ask::From;
use super::change::{self, Again, Ask, Manner, compare};
use super::facts::Context;
use super::output::{Output, json_text};
use super::plan::worse;
use super::progress::Progress;
use super::proving::with_findings;
use crate::error::{Code, Result};
use crate::findings::{Finding, Status, Survey, audit};
use crate::host;
use crate::planner::{self, Plan};
use crate::range::Kind;
use crate::report::{Shown, findings_json, findings_text, plan_json, summary_text};
use crate::snapshot::Snapshot;

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    let found = look(global, output)?;
    if !args.fix {
        output.document(|| findings_json("audit", &found))?;
        return Ok(exit(&found, args.strict));
    }
    let how =
        How { dry_run: args.dry_run || args.out.is_some(), yes: args.yes, lock_timeout: args.lock_timeout };
    let manner = Manner {
        command: "audit --fix",
        how: &how,
        question: "Make these repairs?",
        answers: From::Stdin,
        keep_going: false,
        skip_directory_hosts: false,
        sample: None,
        findings: json!(found),
    };
    let mut mend = Mend { out: args.out.as_deref(), findings: &manner.findings };
    let ended = change::run(global, &manner, output, &mut mend)?;
    let left = if how.dry_run { found } else { survey(global, output)?.1 };
    Ok(worse(ended, exit(&left, args.strict)))
}

/// Finds and reports everything.
fn look(global: &Global, output: Output) -> Result<Vec<Finding>> {
    let (context, found) = survey(global, output)?;
    if output.is_read() {
        output.text(&findings_text(&found, output.style))?;
        output.text(&if found.is_empty() { clean(&context) } else { summary_text(&found) })?;
    }
    Ok(found)
}

fn survey(global: &Global, output: Output) -> Result<(Context, Vec<Finding>)> {
    let mut progress = Progress::new(output);
    let mut context = Context::survey(global)?;
    // Without a directory nobody is asked, and there may be a million owners to gather.
    if context.snapshot.accounts.lookups.directory {
        let owners = planner::unknown_owners(&context.snapshot);
        progress.step(|| format!("looking up {} owners", owners.len()));
        host::look_up_owners(&mut context.snapshot, &owners);
    }
    progress.step(|| "looking for faults".to_owned());
    let found = audit(&Survey::new(&context.snapshot, &context.policy)).findings;
    progress.clear();
    Ok((context, found))
}

/// What was looked at, where nothing is wrong with it.
fn clean(context: &Context) -> String {
    let [uids, gids] = Kind::BOTH.map(|kind| context.snapshot.files[kind].claims().count());
    format!("No fault found in {uids} lines of subuid and {gids} of subgid.\n")
}

/// 4 where anything does not work, or with `strict` has a drawback.
pub(super) fn exit(found: &[Finding], strict: bool) -> u8 {
    let counts = |f: &Finding| f.status.is_fault() || (strict && f.status == Status::Warning);
    if found.iter().any(counts) { Code::Finding.exit() } else { 0 }
}

/// The safe repairs.
struct Mend<'a> {
    out: Option<&'a Path>,
    findings: &'a serde_json::Value,
}

impl Ask for Mend<'_> {
    fn plan(&mut self, context: &mut Context, _progress: &mut Progress) -> Result<Plan> {
        let plan = planner::repairs(&context.snapshot, &context.policy)?;
        if let Some(path) = self.out {
            let shown = Shown { snapshot: &context.snapshot, plan: &plan };
            let document = with_findings(plan_json(shown), self.findings);
            super::write_named(path, &json_text(&document)?, 0o644)?;
        }
        Ok(plan)
    }

    fn nothing(&self) -> &'static str {
        "Nothing can be mended without a decision. No changes.\n"
    }

    fn again(&self, context: &Context, now: &Snapshot, shown: &Plan) -> Again {
        compare(planner::repairs(now, &context.policy), shown)
    }
}

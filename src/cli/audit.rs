//! `subidctl audit`: every fault of both files and of what surrounds them.

use super::args::{Audit as Args, Global};
use super::facts::Context;
use super::output::Output;
use crate::error::{Code, Result};
use crate::findings::{Finding, Status, Survey, audit};
use crate::range::Kind;
use crate::report::{findings_json, findings_text, summary_text};

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    let context = Context::survey(global)?;
    let found = audit(&Survey::new(&context.snapshot, &context.policy)).findings;
    output.text(&findings_text(&found, output.style))?;
    if found.is_empty() {
        output.text(&clean(&context))?;
    } else {
        output.text(&summary_text(&found))?;
    }
    output.document(|| findings_json(&found))?;
    Ok(exit(&found, args.strict))
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

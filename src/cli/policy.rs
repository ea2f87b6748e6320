//! `subidctl policy`.

use super::args::Global;
use super::facts::Context;
use super::output::Output;
use crate::error::Result;
use crate::planner;
use crate::report::{policy_json, policy_text};

pub(super) fn run(global: &Global, output: Output) -> Result<u8> {
    let context = Context::load(global)?;
    let effective = planner::effective(&context.snapshot, &context.policy)?;
    output.text(&policy_text(&effective))?;
    output.document(|| policy_json(&effective))?;
    Ok(0)
}

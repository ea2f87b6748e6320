//! `subidctl who`.

use super::args::{Global, Who as Args};
use super::facts::Context;
use super::output::Output;
use crate::error::{Code, Error, Result};
use crate::planner;
use crate::range::SubId;
use crate::report::{who_json, who_text};
use crate::text::escape;

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    let mut ids = Vec::new();
    for text in &args.ids {
        let id = SubId::parse(text).ok_or_else(|| {
            Error::new(Code::Usage, format!("{} is not an ID", escape(text.as_bytes())))
                .why("an ID is a whole number from 0 to 4294967295")
                .fix("for the ranges of a user: subidctl list USER")
        })?;
        ids.push(id.get());
    }
    let context = Context::load(global)?;
    super::state::note_state(&context.snapshot, output);
    let mut answers = Vec::new();
    for id in ids {
        answers.push((id, planner::who(&context.snapshot, &context.policy, id)?));
    }
    output.text(&who_text(&answers, output.style))?;
    output.document(|| who_json(&answers))?;
    Ok(0)
}

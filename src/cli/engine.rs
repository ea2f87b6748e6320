//! `subidctl verify --engine`: what an installed engine makes of the files.

use super::args::{Global, Verify as Args};
use super::facts::Context;
use super::output::Output;
use super::person::{CHECKS, account, ranges, spec};
use crate::container::{self, Spec};
use crate::error::{Code, Result};
use crate::host;
use crate::proof::Engine;
use crate::report::{engine_json, engine_text};

pub(super) fn run(global: &Global, args: &Args, engine: Engine, output: Output) -> Result<u8> {
    let mut context = Context::load(global)?;
    let account = account(&mut context, args.user.as_deref(), "ask for")?;
    let (helpers, _) = host::helpers(&context.root)?;
    let machine = || host::machine(&context.root, Some(&account));
    let person = (account.clone(), ranges(&context, &account)?);
    let spec = Spec { timeout: args.timeout.unwrap_or(CHECKS), ..spec(&person, helpers) };
    let seen = container::ask_engine(engine, &spec, &machine, &context.root)?;
    output.text(&engine_text(&seen))?;
    output.document(|| engine_json(&seen))?;
    Ok(if seen.proof.ok { 0 } else { Code::ProofFailed.exit() })
}

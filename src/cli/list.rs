//! `subidctl list`.

use super::args::{Global, List as Args};
use super::facts::Context;
use super::output::{Output, print};
use super::select::bytes;
use crate::error::{Code, Error, Result};
use crate::host;
use crate::planner::{self, Owned, Owner};
use crate::range::Kind;
use crate::report::{FILES, error_text, list_json, list_text, subid_lines};

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    if args.subid && output.json {
        return Err(Error::new(Code::Usage, "--subid and --json exclude each other")
            .why("each is a form of its own for the same ranges")
            .fix("leave one of them out"));
    }
    let mut context = Context::load(global)?;
    let mut owned: Vec<Owned> = planner::owners(&context.snapshot).collect();
    if !args.users.is_empty() {
        let mut spellings = Vec::new();
        for user in &args.users {
            spellings.extend(spelled(&mut context, &bytes(user), &owned)?);
        }
        owned.retain(|o| spellings.contains(&o.owner));
    }
    if args.subid {
        let lines = subid_lines(&owned, Kind::Uid);
        if lines != subid_lines(&owned, Kind::Gid) {
            output.note("subidctl: subuid and subgid differ; these are subuid's lines\n");
        }
        print(&lines)?;
        return Ok(0);
    }
    // A pool that makes no sense hides no range.
    let free = match planner::free(&context.snapshot, &context.policy) {
        Ok(free) => Some(free),
        Err(error) => {
            output.note(&error_text(&error, output.errors));
            None
        }
    };
    super::state::note_state(&context.snapshot, output);
    let whole = free.as_ref().filter(|_| args.users.is_empty());
    output.text(&list_text(&owned, whole))?;
    output.document(|| list_json(&owned, FILES, free.as_ref()))?;
    Ok(0)
}

/// How lines spell this owner: an account's spellings, or what stands in the files as typed.
fn spelled(context: &mut Context, typed: &[u8], owned: &[Owned]) -> Result<Vec<Vec<u8>>> {
    match host::find_user(&mut context.snapshot, typed) {
        Ok(account) => Ok(Owner::account(account).spellings(&context.snapshot.accounts)),
        Err(_) if owned.iter().any(|o| o.owner == typed) => Ok(vec![typed.to_vec()]),
        Err(error) => Err(error),
    }
}

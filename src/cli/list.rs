//! `subidctl list`.

use std::collections::HashSet;
use std::ffi::OsString;

use super::args::{Global, List as Args};
use super::facts::Context;
use super::output::{Output, print, width};
use super::progress::Progress;
use super::select::bytes;
use crate::error::{Code, Error, Result};
use crate::host;
use crate::planner::{self, Owned, Owner};
use crate::range::{Kind, PerKind};
use crate::report::{FILES, NSS, error_text, list_json, list_text, map_svg, map_text, subid_lines};
use crate::snapshot::Account;
use crate::text::Part;

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    if args.subid && output.json {
        return Err(Error::new(Code::Usage, "--subid and --json exclude each other")
            .why("each is a form of its own for the same ranges")
            .fix("leave one of them out"));
    }
    let drawn = args.map || args.svg.is_some();
    if drawn && output.json {
        return Err(Error::new(Code::Usage, "a picture has no JSON form")
            .why("--map and --svg draw for people")
            .fix("leave --json out; list --json has the ranges"));
    }
    let mut progress = Progress::new(output);
    let mut context = Context::load(global)?;
    if drawn {
        return draw(&context, args, output);
    }
    let directory = context.directory();
    let accounts: Vec<Account>;
    let (owned, source) = match &directory {
        Some(place) if !args.users.is_empty() => {
            let find = |user: &OsString| host::find_user(&mut context.snapshot, &bytes(user));
            accounts = args.users.iter().map(find).collect::<Result<_>>()?;
            (given(&context, &accounts, place, output)?, NSS)
        }
        _ => {
            let named = spellings(&mut context, &args.users)?;
            let owned = planner::owners(&context.snapshot);
            let wanted = |o: &Owned<'_>| args.users.is_empty() || named.contains(o.owner);
            (owned.filter(wanted).collect(), FILES)
        }
    };
    if let Some(place) = directory.as_ref().filter(|_| source == FILES) {
        output.note(&format!(
            "subidctl: {place}: subordinate IDs come from a directory, which lists nobody: name the users.\n\
             These are the lines of the files, which count for nobody here.\n"
        ));
    }
    if args.subid {
        let lines = subid_lines(&owned, Kind::Uid);
        if lines != subid_lines(&owned, Kind::Gid) {
            output.note("subidctl: subuid and subgid differ; these are subuid's lines\n");
        }
        print(&lines)?;
        return Ok(0);
    }
    // A pool that makes no sense hides no range; and what a directory gives next, no file shows.
    let free = match planner::free(&context.snapshot, &context.policy) {
        Ok(free) => Some(free).filter(|_| directory.is_none()),
        Err(error) => {
            output.note(&error_text(&error, output.errors));
            None
        }
    };
    super::state::note_state(&context.snapshot, output);
    let whole = free.as_ref().filter(|_| args.users.is_empty());
    progress.step(|| format!("listing {} ranges", owned.len()));
    let text = list_text(&owned, whole, context.snapshot.accounts.lookups.directory, output.style);
    progress.clear();
    output.text(&text)?;
    output.document(|| list_json(&owned, source, free.as_ref()))?;
    Ok(0)
}

/// The ranges that a directory gives to accounts.
fn given<'a>(
    context: &Context,
    accounts: &'a [Account],
    place: &str,
    output: Output,
) -> Result<Vec<Owned<'a>>> {
    let mut owned = Vec::new();
    for account in accounts {
        let ranges = host::directory_ranges(&context.root, &context.snapshot, &account.name)?;
        if ranges.uid.is_empty() && ranges.gid.is_empty() {
            output.note(&format!("subidctl: {place}: no range for {}, or no answer\n", account.name));
        }
        for (kind, ranges) in ranges.iter() {
            let (owner, uid) = (account.name.as_bytes(), Some(account.uid));
            owned.extend(ranges.iter().map(|range| Owned {
                kind,
                owner,
                uid,
                range: *range,
                line: 0,
                released: false,
                canonical: true,
            }));
        }
    }
    Ok(owned)
}

/// The ID space, on the terminal and into a file.
fn draw(context: &Context, args: &Args, output: Output) -> Result<u8> {
    super::state::note_unfinished(&context.snapshot, output);
    let spaces = PerKind::from_fn(|kind| planner::space(&context.snapshot, &context.policy, kind));
    if let Some(path) = &args.svg {
        let svg = map_svg(&spaces);
        if path.as_os_str() == "-" {
            print(svg.as_bytes())?;
        } else {
            super::write_named(path, svg.as_bytes(), 0o644)?;
        }
    }
    if args.map {
        output.text(&map_text(&spaces, width(), output.style))?;
    }
    Ok(0)
}

/// How lines spell these users: an account's spellings, or what stands in the files as typed.
fn spellings(context: &mut Context, users: &[OsString]) -> Result<HashSet<Part>> {
    let mut all = HashSet::new();
    for typed in users.iter().map(|user| bytes(user)) {
        match host::find_user(&mut context.snapshot, &typed) {
            Ok(account) => all.extend(Owner::account(account).spellings(&context.snapshot.accounts)),
            Err(_) if planner::owners(&context.snapshot).any(|o| o.owner == typed) => {
                all.insert(typed.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

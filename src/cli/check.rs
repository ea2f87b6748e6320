//! `subidctl check`: can this user run rootless containers here, and what stands in the way?

use super::args::{Check as Args, Global};
use super::audit::exit;
use super::facts::Context;
use super::output::Output;
use super::verify;
use crate::error::{Code, Error, Result};
use crate::findings::{Check, Engine, Entry, Facts, Finding, Group, Survey, catalogue, check};
use crate::host;
use crate::range::{PerKind, Range};
use crate::report::{entries_json, entries_text, findings_json, findings_text, summary_text, unseen_text};
use crate::snapshot::Account;
use crate::text::{escape, nearest};

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    if args.list {
        output.text(&entries_text(output.style))?;
        output.document(entries_json)?;
        return Ok(0);
    }
    for name in args.only.iter().chain(&args.skip) {
        known(name)?;
    }
    let names = |names: &[String], entry: &Entry| {
        names.iter().any(|name| *name == entry.id || *name == entry.group.name())
    };
    let wanted =
        |entry: &Entry| (args.only.is_empty() || names(&args.only, entry)) && !names(&args.skip, entry);
    let mut context = Context::survey(global)?;
    let account = account(&mut context, args)?;
    let found = look(&mut context, &account, args.engine, wanted)?;
    show(&found, &account, args.engine, output)?;
    output.document(|| findings_json("check", &found))?;
    Ok(exit(&found, args.strict))
}

/// Looks at everything that is wanted, for one user.
pub(super) fn look(
    context: &mut Context,
    account: &Account,
    engine: Engine,
    wanted: impl Fn(&Entry) -> bool,
) -> Result<Vec<Finding>> {
    look_for(context, account, |facts| check(&Check { engine, ..*facts }, wanted))
}

/// Gathers what is known of one user, for whatever looks at it.
pub(super) fn look_for<T>(
    context: &mut Context,
    account: &Account,
    look: impl FnOnce(&Check<'_>) -> T,
) -> Result<T> {
    context.snapshot.accounts.add_user(account.clone());
    let running = context.root.is_running();
    let (machine, _) = host::machine(&context.root, Some(account))?;
    let ranges = ranges(context, account)?;
    let own_session = running && account.uid.get() == nix::unistd::getuid().as_raw();
    Ok(look(&Check {
        survey: &Survey::new(&context.snapshot, &context.policy),
        facts: Facts {
            machine: &machine,
            user: &account.name,
            uid: account.uid,
            gid: account.gid,
            ranges: PerKind { uid: &ranges.uid, gid: &ranges.gid },
        },
        own_session,
        engine: Engine::Any,
    }))
}

/// Whose containers: of a tree anybody's, here the caller's unless root asks.
fn account(context: &mut Context, args: &Args) -> Result<Account> {
    if context.root.is_running() {
        return verify::account(context, args.user.as_deref(), "check");
    }
    let user = args.user.as_ref().ok_or_else(|| {
        Error::new(Code::Usage, "a tree has no caller: name a USER")
            .why("the accounts below --root are not those of this host")
            .fix("subidctl --root DIR check USER")
    })?;
    host::find_user(&mut context.snapshot, &super::select::bytes(user))
}

/// The user's ranges. A directory that does not answer gives none, as for newuidmap.
fn ranges(context: &Context, account: &Account) -> Result<PerKind<Vec<Range>>> {
    match verify::ranges(context, account) {
        Err(error) if error.code == Code::LookupFailed => Ok(PerKind::default()),
        ranges => ranges,
    }
}

/// What was found, for people. With --quiet only what keeps containers from starting, where errors go.
fn show(found: &[Finding], account: &Account, engine: Engine, output: Output) -> Result<()> {
    if output.quiet {
        let faults: Vec<Finding> = found.iter().filter(|f| f.status.is_fault()).cloned().collect();
        if !output.json && !faults.is_empty() {
            super::to_stderr(&findings_text(&faults, output.errors));
        }
        return Ok(());
    }
    let seen: Vec<Finding> = found.iter().filter(|f| f.status.is_found()).cloned().collect();
    output.text(&findings_text(&seen, output.style))?;
    if output.verbose {
        output.text(&unseen_text(found, output.style))?;
    }
    let summary = summary_text(found);
    if !summary.is_empty() {
        return output.text(&summary);
    }
    let what = if engine == Engine::Any { "rootless containers" } else { engine.name() };
    output.text(&format!("No fault found on {}'s way to {what}.\n", account.name))
}

/// Whether a name of `--only` or `--skip` is an entry's or a group's.
fn known(name: &str) -> Result<()> {
    let names = || catalogue().map(|entry| entry.id).chain(Group::ALL.map(Group::name));
    if names().any(|known| known == name) {
        return Ok(());
    }
    Err(Error::new(Code::Usage, format!("there is no finding or group {}", escape(name.as_bytes())))
        .why("--only and --skip take ids and groups of the catalogue")
        .fix(nearest(name, names()).map_or_else(
            || "subidctl check --list shows all of them".to_owned(),
            |near| format!("did you mean {near}? subidctl check --list shows all of them"),
        )))
}

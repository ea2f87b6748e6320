//! `subidctl check`: can this user run rootless containers here, and what stands in the way?

use super::args::{Check as Args, Global};
use super::audit::exit;
use super::facts::Context;
use super::output::Output;
use super::person;
use crate::error::{Code, Error, Result};
use crate::findings::{Check, Engine, Entry, Facts, Finding, Group, Survey, catalogue, check};
use crate::host;
use crate::range::{Gid, Login, PerKind, Range, Uid};
use crate::report::{entries_json, entries_text, findings_json, findings_text, summary_text, unseen_text};
use crate::snapshot::{Account, Source};
use crate::text::{escape, nearest};

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    if args.list {
        output.text(&entries_text(args.engine, output.style))?;
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
    let (account, unresolved) = match account(&mut context, args) {
        Ok(account) => (account, None),
        Err(error) => match stranger().filter(|_| args.user.is_none() && nameless(&error)) {
            Some(account) => (account, Some(error)),
            None => return Err(error),
        },
    };
    let found = look_at(&mut context, &account, unresolved, args.engine, wanted)?;
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
    look_at(context, account, None, engine, wanted)
}

/// [`look`], also for a caller of whom nobody knows an account.
fn look_at(
    context: &mut Context,
    account: &Account,
    unresolved: Option<Error>,
    engine: Engine,
    wanted: impl Fn(&Entry) -> bool,
) -> Result<Vec<Finding>> {
    look_for(context, account, unresolved, engine, |facts| check(facts, wanted))
}

/// Gathers what is known of one user, for whatever looks at it.
pub(super) fn look_for<T>(
    context: &mut Context,
    account: &Account,
    unresolved: Option<Error>,
    engine: Engine,
    look: impl FnOnce(&Check<'_>) -> T,
) -> Result<T> {
    let ranges = if unresolved.is_none() {
        context.snapshot.accounts.add_user(account.clone());
        ranges(context, account)?
    } else {
        PerKind::default()
    };
    let machine = host::machine(&context.root, Some(account))?;
    let surroundings = host::surroundings(&context.root, &context.snapshot, account, engine)?;
    let why = unresolved.map(|error| format!("{error}: {}", error.why));
    let kept = host::kept_namespaces(&context.root, account.uid);
    Ok(look(&Check {
        survey: &Survey::new(&context.snapshot, &context.policy),
        facts: Facts {
            machine: &machine,
            user: &account.name,
            uid: account.uid,
            gid: account.gid,
            ranges: PerKind { uid: &ranges.uid, gid: &ranges.gid },
        },
        surroundings: &surroundings,
        kept: &kept,
        account,
        unresolved: why.as_deref(),
        own_session: host::is_own_session(&context.root, account),
        engine,
    }))
}

/// Whether an error only says that nobody knows the caller's account: newuidmap would say no more.
fn nameless(error: &Error) -> bool {
    matches!(error.code, Code::UnknownUser | Code::LookupFailed)
}

/// Stands in for the account of a caller of whom only the uid is known.
fn stranger() -> Option<Account> {
    let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
    Some(Account {
        name: Login::new(uid.to_string().as_bytes())?,
        uid: Uid::new(uid),
        gid: Gid::new(gid),
        home: crate::text::Part::default(),
        shell: crate::text::Part::default(),
        source: Source::Nss,
    })
}

/// Whose containers: of a tree anybody's, here the caller's unless root asks.
fn account(context: &mut Context, args: &Args) -> Result<Account> {
    if context.root.is_running() {
        return person::account(context, args.user.as_deref(), "check");
    }
    let user = args.user.as_ref().ok_or_else(|| {
        Error::new(Code::Usage, "a tree has no caller: name a USER")
            .why("the accounts below --root are not those of this host")
            .fix("subidctl --root DIR check USER")
    })?;
    host::find_user(&mut context.snapshot, &super::select::bytes(user))
}

/// The user's ranges. A directory that does not answer gives none, as for newuidmap; that of a tree cannot be
/// asked, and nothing of a tree is ever started.
fn ranges(context: &Context, account: &Account) -> Result<PerKind<Vec<Range>>> {
    if !context.root.is_running() {
        return Ok(person::file_ranges(context, account));
    }
    match person::ranges(context, account) {
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

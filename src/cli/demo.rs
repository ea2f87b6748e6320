//! `subidctl demo`: the whole story on made-up users, in a world, with the same functions as for real ones.

use std::ffi::OsString;

use super::args::{Global, Selection};
use super::change::change;
use super::facts::Context;
use super::output::Output;
use super::progress::Progress;
use super::proving::{self, People};
use super::{plan, planning};
use crate::commit::{self, Checks, Options, Outcome, Replan};
use crate::container::{Stage, World};
use crate::error::{Code, Error, Result};
use crate::host::{self, Root};
use crate::idfile::Document;
use crate::planner::Plan;
use crate::policy::Policy;
use crate::range::{Gid, Kind, Login, PerKind, Range, Uid};
use crate::report::{Shown, demo as words, refusals_text};
use crate::snapshot::{Account, Source};

/// The same on every machine; the pool is shadow's own default.
const LOGIN_DEFS: &[u8] = b"UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\n\
    SUB_UID_MIN 100000\nSUB_UID_MAX 600100000\nSUB_UID_COUNT 65536\n\
    SUB_GID_MIN 100000\nSUB_GID_MAX 600100000\nSUB_GID_COUNT 65536\n";

/// What tscherf gets, and dora asks for.
const RANGE: &str = "100000:65536";

pub(super) fn run(global: &Global, output: Output) -> Result<u8> {
    let refuse = |what, why| Err(Error::new(Code::Usage, what).why(why).fix("sudo subidctl demo"));
    if output.json {
        return refuse("demo has no JSON form", "it tells a story to people");
    }
    if global.root.is_some() {
        return refuse("demo takes no --root", "it has a made-up host of its own");
    }
    proving::need_root()?;
    let host = Root::system()?;
    let digests = || PerKind::try_from_fn(|kind| host.digest(&format!("/etc/{}", kind.file())));
    let before = digests()?;
    let (helpers, found) = host::helpers(&host)?;
    let machine = || host::machine(&host, None);
    if let Some(kind) = Kind::BOTH.into_iter().find(|kind| helpers[*kind].is_none()) {
        let why = found[kind].untrusted.clone();
        return Err(Error::new(Code::Finding, format!("{} cannot be used", kind.helper()))
            .why(why.unwrap_or_else(|| "it is not installed".to_owned()))
            .fix(machine()?.install));
    }

    let snapshot = host::snapshot(&host)?;
    let world = World::make(&snapshot, &Policy::default(), &stage(&host)?, &helpers)?;
    output.text(words::SCENE)?;

    output.text(&words::step(1, words::PLAN, output.style))?;
    let (context, first) = planned(&world, output, "tscherf", None)?;
    plan::show(Shown { snapshot: &context.snapshot, plan: &first }, plan::NOBODY, output)?;

    output.text(&words::step(2, words::APPLY, output.style))?;
    commit_there(&world, &context, &first)?;
    let (context, again) = planned(&world, output, "tscherf", None)?;
    output.text(&words::files(PerKind::from_fn(|kind| &again.files[kind].after)))?;

    output.text(&words::step(3, words::VERIFY, output.style))?;
    let proofs = People::of(&context, &again, 1).there(&world, &machine, &mut Progress::new(output))?;
    for proof in &proofs {
        output.text(&words::container(proof))?;
    }
    if let Some(error) = proving::failure(&proofs, None) {
        return Err(error);
    }

    output.text(&words::step(4, words::REFUSAL, output.style))?;
    let (_, refused) = planned(&world, output, "dora", Range::parse(RANGE))?;
    output.text(&refusals_text(&refused.refusals, output.style))?;

    drop(world);
    let after = digests()?;
    output.text(&words::host_files(&before, &after))?;
    Ok(0)
}

/// root, tscherf and dora, and both files empty.
fn stage(host: &Root) -> Result<Stage> {
    let account = |name: &[u8], id| {
        let name = Login::new(name)?;
        let (home, shell) = (b"/"[..].into(), b"/bin/sh"[..].into());
        Some(Account { name, uid: Uid::new(id), gid: Gid::new(id), home, shell, source: Source::File(0) })
    };
    let accounts: Vec<Account> =
        [account(b"tscherf", 1000), account(b"dora", 1001)].into_iter().flatten().collect();
    let empty = Document::default();
    let mut stage = Stage::new(host, &accounts, PerKind { uid: &empty, gid: &empty }, LOGIN_DEFS.to_vec())?;
    for kind in Kind::BOTH {
        if let Some(range) = Range::parse(RANGE) {
            stage.give(kind, range);
        }
    }
    Ok(stage.with_state())
}

/// A plan on the world's files as they are now.
fn planned(world: &World, output: Output, user: &str, range: Option<Range>) -> Result<(Context, Plan)> {
    let root = Root::below(&world.root())?;
    let mut snapshot = host::snapshot(&root)?;
    // As its own people would name it; and a distribution's settings are none of the made-up host's.
    "/etc/login.defs".clone_into(&mut snapshot.login_defs.path);
    snapshot.login_defs.vendor = None;
    let mut context = Context { root, policy: Policy::default(), snapshot };
    let selection = Selection {
        users: vec![OsString::from(user)],
        range: range.map(|range| range.to_string()),
        ..Selection::default()
    };
    let (_, plan) = planning::make(&mut context, &selection, None, &mut Progress::new(output))?;
    Ok((context, plan))
}

/// The real commit, by a process of the world's root, who can write to nothing of the host's.
fn commit_there(world: &World, context: &Context, plan: &Plan) -> Result<()> {
    let code = world.run(|| {
        let mut checks = Checks {
            replan: &mut |_| Replan::Differs,
            policy: &|| Ok(None),
            judge: &mut |_, _| Err("nothing was unfinished".to_owned()),
        };
        let change = change(&context.snapshot, plan, "demo", None);
        let done = Root::system().and_then(|root| {
            commit::commit(&root, &context.snapshot, change, &mut checks, &Options::default())
        });
        match done {
            Ok(Outcome::Committed(_)) => 0,
            Ok(_) => 1,
            Err(error) => {
                super::to_stderr(&crate::report::error_text(&error, crate::report::Style::default()));
                1
            }
        }
    })?;
    if code == 0 {
        return Ok(());
    }
    Err(Error::new(Code::System, "the change in the made-up host could not be committed")
        .why(format!("the process that commits it ended with exit code {code}"))
        .fix("sudo strace -f subidctl demo"))
}

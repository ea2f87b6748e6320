//! `subidctl verify`: a real container, and what its maps are.

use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::args::{Global, Verify as Args};
use super::facts::Context;
use super::output::Output;
use super::person::{CHECKS, account, ranges, spec};
use super::plan::committed;
use super::progress::Progress;
use super::proving::{People, failure, need_root, with_proofs};
use super::why;
use crate::container::{self, Spec};
use crate::error::{Code, Error, Result};
use crate::host;
use crate::idmap::Userns;
use crate::proof::Proof;
use crate::range::PerKind;
use crate::report::proof::{json, text};
use crate::report::{Shown, error_text, plan_json};
use crate::snapshot::Account;

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    let with_command = !args.command.is_empty();
    // CMD may exit with any code; 125 says that it was never CMD's.
    let fail = |mut error: Error| {
        if with_command && error.code.exit() != 2 && error.code != Code::Interrupted {
            error.code = Code::VerifyFailed;
        }
        error
    };
    if global.root.is_some() {
        return Err(Error::new(Code::Usage, "verify works on the running system only")
            .why("a tree below --root has no kernel of its own")
            .fix("leave --root out"));
    }
    if let Some(engine) = args.engine {
        return super::engine::run(global, args, engine, output);
    }
    if let Some(plan) = &args.plan {
        return of_plan(global, plan, args, output);
    }
    let proof = attempt(global, args, output).map_err(fail)?;
    if !with_command {
        output.text(&text(&proof))?;
    } else if !proof.ok && proof.command_exit.is_none() {
        super::to_stderr(&text(&proof));
    } else if output.verbose {
        output.note(&text(&proof));
    }
    output.document(|| json(&proof)).map_err(fail)?;
    Ok(exit(&proof, with_command))
}

/// The proof, or why there can be none.
fn attempt(global: &Global, args: &Args, output: Output) -> Result<Proof> {
    let userns = userns(args)?;
    if let Some(proof) = why::without_proc(&userns) {
        return Ok(proof);
    }
    let mut context = match Context::of_files(global) {
        Ok(context) => context,
        Err(error) => return why::unreadable(global, args, &userns, error),
    };
    let account = match account(&mut context, args.user.as_deref(), "start") {
        Ok(account) => account,
        Err(error) => return why::of_nobody(args, &userns, error),
    };
    super::state::note_state(&context.snapshot, output);
    let to_stderr = output.json && !args.command.is_empty();
    let mut proof = prove(&context, &account, args, userns, to_stderr)?;
    proof.failure = proof.failure.map(|failure| why::in_the_files(global, &account, failure));
    Ok(proof)
}

/// Tries a saved plan, which is checked as `apply --plan` does before any container is made.
fn of_plan(global: &Global, path: &Path, args: &Args, output: Output) -> Result<u8> {
    let userns = userns(args)?;
    need_root()?;
    let mut context = Context::load(global)?;
    context.refuse_directory()?;
    let plan = super::saved::load(&mut context, path)?;
    let people = People::of(&context, &plan, args.sample).with(userns);
    let proofs = people.in_world(&context, &plan, &mut Progress::new(output))?;
    people.show(&proofs, output)?;
    let shown = Shown { snapshot: &context.snapshot, plan: &plan };
    output.document(|| with_proofs(committed(plan_json(shown), None), &proofs, &serde_json::json!([])))?;
    if let Some(error) = failure(&proofs, None) {
        super::to_stderr(&error_text(&error, output.errors));
        return Ok(error.code.exit());
    }
    Ok(0)
}

fn exit(proof: &Proof, with_command: bool) -> u8 {
    match proof.command_exit {
        Some(code) => u8::try_from(code).unwrap_or(Code::VerifyFailed.exit()),
        None if with_command => Code::VerifyFailed.exit(),
        None if proof.ok => 0,
        None => Code::ProofFailed.exit(),
    }
}

/// Which map it gets.
fn userns(args: &Args) -> Result<Userns> {
    match (&args.userns, &args.gidmap) {
        (Userns::Explicit(maps), Some(gid)) => {
            Ok(Userns::Explicit(PerKind { uid: maps.uid.clone(), gid: gid.clone() }))
        }
        (userns, None) => Ok(userns.clone()),
        (userns, Some(_)) => Err(Error::new(Code::Usage, "--gidmap needs triples in --userns too")
            .why(format!("--userns {} says already which gids there are", userns.name()))
            .fix("subidctl verify --userns INSIDE:HOST:COUNT,… --gidmap INSIDE:HOST:COUNT,… USER")),
    }
}

/// Runs the container on the host.
fn prove(
    context: &Context,
    account: &Account,
    args: &Args,
    userns: Userns,
    stdout_to_stderr: bool,
) -> Result<Proof> {
    let (helpers, _) = host::helpers(&context.root)?;
    let machine = || host::machine(&context.root, Some(account));
    let command = (!args.command.is_empty()).then(|| args.command.clone());
    let person = (account.clone(), ranges(context, account)?);
    let root = args.rootfs.as_deref().map(root_folder).transpose()?;
    let (mut home, mut shell) = (account.home.to_vec(), account.shell.to_vec());
    if root.is_some() {
        (home, shell) = (b"/root".to_vec(), b"/bin/sh".to_vec());
    }
    let spec = Spec {
        userns,
        command,
        root,
        home,
        shell,
        command_timeout: args.timeout,
        timeout: args.timeout.unwrap_or(CHECKS),
        ..spec(&person, helpers)
    };
    if !stdout_to_stderr {
        return container::run(&spec, &machine);
    }
    // With --json stdout carries one document, so CMD's output goes to stderr.
    let failed =
        |what: &'static str| move |errno: nix::errno::Errno| Error::new(Code::System, what).why(errno.desc());
    let saved = nix::unistd::dup(std::io::stdout()).map_err(failed("cannot keep stdout"))?;
    let _ = std::io::stdout().flush();
    nix::unistd::dup2_stdout(std::io::stderr()).map_err(failed("cannot redirect stdout"))?;
    let proof = container::run(&spec, &machine);
    nix::unistd::dup2_stdout(&saved).map_err(failed("cannot restore stdout"))?;
    proof
}

/// The folder that is to be CMD's root, from where the caller is. Whether the user may go there shows inside.
fn root_folder(path: &Path) -> Result<Vec<u8>> {
    let failed = |why: String| {
        Error::new(Code::ReadFailed, format!("{} cannot be a root folder", crate::text::path(path)))
            .why(why)
            .fix("name the folder that holds bin, etc, usr … of a system")
    };
    match std::fs::metadata(path) {
        Ok(folder) if folder.is_dir() => {}
        Ok(_) => return Err(failed("it is no folder".to_owned())),
        Err(error) => {
            let errno = nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
            return Err(failed(errno.desc().to_owned()));
        }
    }
    let absolute = std::path::absolute(path).map_err(|error| failed(error.to_string()))?;
    Ok(absolute.as_os_str().as_bytes().to_vec())
}

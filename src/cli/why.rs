//! Why a container failed that could not be begun, and what the files say of one that was.

use super::args::{Global, Verify as Args};
use super::check::look_for;
use super::facts::Context;
use super::person::account;
use crate::error::{Code, Error, Result};
use crate::findings::{Check, Engine, in_files, named};
use crate::host;
use crate::idmap::Userns;
use crate::proof::{Failure, Place, Proof, Step};
use crate::range::PerKind;
use crate::snapshot::Account;
use crate::text::escape;

/// The proof of a host whose /proc cannot be used; `None` where it can.
pub(super) fn without_proc(userns: &Userns) -> Option<Proof> {
    let evidence = host::foreign_proc()?;
    let fix = "sudo mount -t proc proc /proc".to_owned();
    let words = "/proc does not show this process".to_owned();
    let uid = nix::unistd::getuid().as_raw();
    Some(unmade(uid.to_string(), uid, userns, named("proc-missing", Step::Prepare, words, evidence, fix)))
}

/// The proof of a caller whom no name service knows; the error itself where it is of another kind.
pub(super) fn of_nobody(args: &Args, userns: &Userns, error: Error) -> Result<Proof> {
    if args.user.is_some() || !matches!(error.code, Code::UnknownUser | Code::LookupFailed) {
        return Err(error);
    }
    let uid = nix::unistd::getuid().as_raw();
    let fix = if error.code == Code::LookupFailed {
        error.fix
    } else {
        format!("bring the account back: getent passwd {uid} has to print it")
    };
    let failure = named("user-unknown", Step::Prepare, error.what, error.why, fix);
    Ok(unmade(uid.to_string(), uid, userns, failure))
}

/// The proof of a user for whom a file cannot be read; the error itself where that is not why.
pub(super) fn unreadable(global: &Global, args: &Args, userns: &Userns, error: Error) -> Result<Proof> {
    if error.code != Code::ReadFailed {
        return Err(error);
    }
    let Ok(mut context) = Context::survey(global) else { return Err(error) };
    let Ok(account) = account(&mut context, args.user.as_deref(), "start") else { return Err(error) };
    let words = format!("{}: {}", error.what, error.why);
    let failure = named("no-range", Step::Prepare, words, String::new(), String::new());
    let failure = sharpened(&mut context, &account, failure)?;
    if failure.cause == "no-range" {
        return Err(error);
    }
    Ok(unmade(escape(account.name.as_bytes()), account.uid.get(), userns, failure))
}

/// The failure as the files show it.
pub(super) fn in_the_files(global: &Global, account: &Account, failure: Failure) -> Failure {
    match Context::survey(global) {
        Ok(mut context) => {
            let named = failure.clone();
            sharpened(&mut context, account, failure).unwrap_or(named)
        }
        Err(_) => failure,
    }
}

fn sharpened(context: &mut Context, account: &Account, failure: Failure) -> Result<Failure> {
    look_for(context, account, None, Engine::Any, |check: &Check<'_>| in_files(failure, check))
}

fn unmade(user: String, uid: u32, userns: &Userns, failure: Failure) -> Proof {
    Proof {
        ok: false,
        place: Place::Host,
        user,
        uid,
        userns: userns.name(),
        maps: PerKind::default(),
        inside: PerKind::default(),
        expected: PerKind::default(),
        identity: None,
        probes: Vec::new(),
        failure: Some(failure),
        command_exit: None,
    }
}

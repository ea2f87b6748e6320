//! One person: whose containers a command is about, their ranges, and the container that is made of both.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use super::facts::Context;
use crate::container::Spec;
use crate::error::{Code, Error, Result};
use crate::host::{self, Helpers};
use crate::idfile::Document;
use crate::idmap::Userns;
use crate::planner::{Holders, Owner};
use crate::range::{PerKind, Range};
use crate::snapshot::Account;
use crate::text::shell_word;

/// How long the checks of one container may take where nobody says.
pub(super) const CHECKS: Duration = Duration::from_secs(30);

/// A user with their ranges.
pub(super) type Person = (Account, PerKind<Vec<Range>>);

/// Whose containers it is about, for a command that does something with them.
pub(super) fn account(context: &mut Context, user: Option<&OsStr>, does: &str) -> Result<Account> {
    let root = nix::unistd::geteuid().is_root();
    let Some(user) = user else {
        if root {
            return Err(Error::new(Code::Usage, "root must name a USER")
                .why("root's own containers need no subordinate IDs")
                .fix("name the user whose containers are meant"));
        }
        return host::me(&mut context.snapshot);
    };
    let account = host::find_user(&mut context.snapshot, user.as_bytes())?;
    if !root && account.uid.get() != nix::unistd::geteuid().as_raw() {
        return Err(Error::new(Code::NotRoot, format!("only root can {does} {}'s containers", account.name))
            .why(format!("this process runs as uid {}", nix::unistd::geteuid()))
            .fix("run it with sudo, or without a USER for yourself"));
    }
    Ok(account)
}

/// The user's ranges, in the order of the files, a line each, or of the directory that counts instead.
pub(super) fn ranges(context: &Context, account: &Account) -> Result<PerKind<Vec<Range>>> {
    let snapshot = &context.snapshot;
    if let Some(place) = context.directory() {
        let ranges = host::directory_ranges(&context.root, snapshot, &account.name)?;
        if ranges.uid.is_empty() || ranges.gid.is_empty() {
            return Err(no_ranges(account, &place));
        }
        return Ok(ranges);
    }
    Ok(file_ranges(context, account))
}

/// The user's ranges of the files, in their order, a line each.
pub(super) fn file_ranges(context: &Context, account: &Account) -> PerKind<Vec<Range>> {
    let snapshot = &context.snapshot;
    let spellings = Owner::account(account.clone()).spellings(&snapshot.accounts);
    let empty = Document::default();
    let files = PerKind::from_fn(|kind| snapshot.files[kind].document.as_ref().unwrap_or(&empty));
    Holders::new(files).ranges(&spellings)
}

/// A directory that gives nothing cannot be told from one that is down.
fn no_ranges(account: &Account, place: &str) -> Error {
    let asked = shell_word(account.name.as_bytes());
    Error::new(Code::LookupFailed, format!("no subordinate IDs of {} are known", account.name))
        .why(format!("{place}: it gives none, or does not answer"))
        .fix(match asked {
            Some(name) => {
                format!("see what it says (getsubids {name}; getsubids -g {name}), and add a range in the directory")
            }
            None => "add a range in the directory".to_owned(),
        })
}

/// A container of checks alone; `verify` adds CMD and its own times.
pub(super) fn spec((account, ranges): &Person, helpers: Helpers) -> Spec {
    Spec {
        user: account.name.clone(),
        uid: account.uid,
        gid: account.gid,
        home: account.home.to_vec(),
        shell: account.shell.to_vec(),
        ranges: ranges.clone(),
        userns: Userns::default(),
        command: None,
        root: None,
        timeout: CHECKS,
        command_timeout: None,
        helpers,
    }
}

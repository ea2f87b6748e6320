//! `subidctl release`: ranges are given back and kept from everybody, or forgotten for good.

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use serde_json::Value;

use super::args::{Global, Release as Args};
use super::ask::From;
use super::change::{self, Again, Ask, Manner, compare, same_people};
use super::facts::Context;
use super::in_use;
use super::output::Output;
use super::progress::Progress;
use super::select::{bytes, range};
use crate::error::{Code, Error, Result};
use crate::host::{self, Top};
use crate::planner::{self, Forget, Owner, Plan, Refusal, Release, Warning};
use crate::range::{PerKind, Range, RangeSet};
use crate::report::scan::{Scan, scan_json, scan_text};
use crate::snapshot::Snapshot;
use crate::text::{Part, escape, shell_word};

pub(super) fn run(global: &Global, args: &Args, output: Output) -> Result<u8> {
    let Args { users, stale, forget, .. } = args;
    if users.is_empty() && !stale && forget.is_none() {
        return Err(Error::new(Code::Usage, "release needs a USER")
            .why("nobody is named, and everybody is never meant")
            .fix(
                "subidctl release USER; --stale for accounts that are gone; --forget RANGE to end a release",
            ));
    }
    let manner = Manner {
        command: match (forget, stale) {
            (Some(_), _) => "release --forget",
            (None, true) => "release --stale",
            (None, false) => "release",
        },
        how: &args.how,
        question: if args.forget.is_some() { "Forget this for good?" } else { "Apply this change?" },
        answers: From::Stdin,
        keep_going: args.keep_going,
        skip_directory_hosts: false,
        sample: None,
        findings: Value::Null,
    };
    // What cannot be looked at is said before anything is changed.
    let tops = args.scan.iter().map(|path| Top::open(path)).collect::<Result<_>>()?;
    change::run(global, &manner, output, &mut Giving { args, request: Request::default(), tops })
}

/// What is given back.
struct Giving<'a> {
    args: &'a Args,
    request: Request,
    /// Where files are looked for.
    tops: Vec<Top>,
}

enum Request {
    Release(Release),
    Forget(Forget),
}

impl Default for Request {
    fn default() -> Self {
        Self::Release(Release::default())
    }
}

impl Request {
    fn owners(&self) -> &[Owner] {
        match self {
            Self::Release(release) => &release.owners,
            Self::Forget(forget) => &forget.owners,
        }
    }

    /// What it is about, released or not yet.
    fn ranges(&self, snapshot: &Snapshot) -> PerKind<RangeSet> {
        match self {
            Self::Forget(forget) => PerKind::from_fn(|_| [forget.range].into_iter().collect()),
            Self::Release(release) => {
                let accounts = &snapshot.accounts;
                let mine: HashSet<Part> =
                    release.owners.iter().flat_map(|owner| owner.spellings(accounts)).collect();
                PerKind::from_fn(|kind| {
                    let lines = snapshot.files[kind].claims().filter(|claim| mine.contains(claim.owner));
                    let asked = |range: Range| release.range.is_none_or(|asked| asked.covers(range));
                    lines.map(|claim| claim.range).filter(|range| asked(*range)).collect()
                })
            }
        }
    }

    fn plan(&self, snapshot: &Snapshot, context: &Context) -> Result<Plan> {
        match self {
            Self::Release(release) => planner::release(snapshot, &context.policy, release),
            Self::Forget(forget) => planner::forget(snapshot, &context.policy, forget),
        }
    }
}

impl Ask for Giving<'_> {
    fn plan(&mut self, context: &mut Context, _progress: &mut Progress) -> Result<Plan> {
        let forget = self.args.forget.as_deref().map(range).transpose()?;
        let asked = self.args.range.as_deref().map(range).transpose()?;
        let mut named = Named::default();
        if self.args.stale {
            named.stale(context, &self.args.users)?;
        } else {
            named.all(context, &self.args.users);
        }
        let Named { owners, refusals, warnings, .. } = named;
        self.request = match forget {
            Some(range) => Request::Forget(Forget { range, owners }),
            None => Request::Release(Release { owners, range: asked }),
        };
        let plan = match &self.request {
            // Without this, all whose names were refused would be nobody, and nobody means everybody.
            Request::Forget(_) if !refusals.is_empty() => Plan::default(),
            request => request.plan(&context.snapshot, context)?,
        };
        let request = &mut self.request;
        let mut plan = in_use::judged(context, plan, self.args.force, |context, users| match request {
            Request::Release(release) => {
                release.owners.retain(|owner| !users.contains(&owner.label));
                planner::release(&context.snapshot, &context.policy, release)
            }
            // It is one range, and all of it or nothing.
            Request::Forget(_) => Ok(Plan::default()),
        })?;
        plan.refusals.splice(0..0, refusals);
        plan.warnings.splice(0..0, warnings);
        Ok(plan)
    }

    fn nothing(&self) -> &'static str {
        "No owner that is known to be gone has a range. No changes.\n"
    }

    fn again(&self, context: &Context, now: &Snapshot, shown: &Plan) -> Again {
        if !same_people(now, self.request.owners()) {
            return Again::Differs;
        }
        compare(self.request.plan(now, context), shown)
    }

    fn look(&self, context: &Context, _plan: &Plan, output: Output) -> Option<(&'static str, Value)> {
        if self.tops.is_empty() {
            return None;
        }
        let ranges = self.request.ranges(&context.snapshot);
        output.note("Looking for files that these IDs own ...\n");
        let scan =
            Scan { paths: &self.args.scan, ranges: &ranges, found: &host::owned_files(&self.tops, &ranges) };
        // The change, where there is one, stands, whoever reads this.
        let _ = output.text(&scan_text(scan));
        Some(("scan", scan_json(scan)))
    }
}

/// Those who are named, and those who cannot be.
#[derive(Default)]
struct Named {
    owners: Vec<Owner>,
    /// Their labels.
    seen: HashSet<Part>,
    refusals: Vec<Refusal>,
    warnings: Vec<Warning>,
}

impl Named {
    /// Accounts, and owners of the files that have none.
    fn all(&mut self, context: &mut Context, users: &[OsString]) {
        let standing = standing(&context.snapshot, users);
        for user in users {
            match named(context, &standing, &bytes(user)) {
                Ok(owner) => self.add(owner),
                Err(error) => self.refuse(&bytes(user), error),
            }
        }
    }

    /// Owners whose account is gone: those who are named, and those of whom the ledger says that they were
    /// local, so that no directory could still know them. All others are told apart, for a person to decide.
    ///
    /// # Errors
    /// The first look-up that got no answer: a directory that is offline must not look like a thousand people
    /// who left.
    fn stale(&mut self, context: &mut Context, users: &[OsString]) -> Result<()> {
        let standing = standing(&context.snapshot, users);
        for user in users {
            match named(context, &standing, &bytes(user)) {
                Ok(owner) if owner.account.is_some() => self.refuse(&bytes(user), not_gone(&owner)),
                Ok(owner) => self.add(owner),
                Err(error) if error.code == Code::LookupFailed => return Err(error),
                Err(error) => self.refuse(&bytes(user), error),
            }
        }
        for owner in planner::unknown_owners(&context.snapshot) {
            match host::look_up(&mut context.snapshot, &owner) {
                Err(error) if error.code == Code::LookupFailed => return Err(error),
                // Of an odd spelling there can be no account.
                Ok(_) | Err(_) => {}
            }
        }
        for gone in planner::stale(&context.snapshot) {
            if self.seen.contains(&gone.owner[..]) {
                continue;
            }
            if gone.local {
                self.add(Owner { label: gone.owner.into(), account: None });
                continue;
            }
            let owner = escape(&gone.owner);
            let command = match shell_word(&gone.owner) {
                Some(word) => format!("; to release it: sudo subidctl release --stale {word}"),
                None => String::new(),
            };
            let message = format!(
                "{owner} ({}) has no account, and nothing says that it was local{command}",
                gone.place
            );
            self.warnings.push(Warning { code: "no-account", owner, message });
        }
        Ok(())
    }

    fn add(&mut self, owner: Owner) {
        if self.seen.insert(owner.label.clone()) {
            self.owners.push(owner);
        }
    }

    fn refuse(&mut self, typed: &[u8], error: Error) {
        self.refusals.push(Refusal { owner: escape(typed), code: error.code.as_str(), error });
    }
}

/// How the files spell what may be an owner without an account: `+1001` there is 1001.
fn label(typed: &[u8]) -> &[u8] {
    typed.strip_prefix(b"+").unwrap_or(typed)
}

/// Those of the users typed who are owners as the files or the ledger spell them: one look at all lines,
/// however many users there are.
fn standing(snapshot: &Snapshot, users: &[OsString]) -> HashSet<Part> {
    let typed: HashSet<&[u8]> = users.iter().map(|user| label(user.as_bytes())).collect();
    let lines = snapshot.files.iter().flat_map(|(_, file)| file.claims().map(|claim| claim.owner));
    let owners = lines.chain(snapshot.released.iter().map(|released| &released.owner[..]));
    owners.filter(|owner| typed.contains(owner)).map(Part::from).collect()
}

/// An account, or an owner of lines.
fn named(context: &mut Context, standing: &HashSet<Part>, typed: &[u8]) -> Result<Owner> {
    let label = label(typed);
    if standing.contains(label) {
        let account = host::look_up(&mut context.snapshot, typed);
        return match account {
            Err(error) if error.code == Code::LookupFailed => Err(error),
            Ok(Some(account)) => Ok(Owner::account(account)),
            // Of an odd spelling there can be no account.
            Ok(None) | Err(_) => Ok(Owner { label: label.into(), account: None }),
        };
    }
    host::find_user(&mut context.snapshot, typed).map(Owner::account).map_err(|error| match error.code {
        Code::LookupFailed => error,
        _ => Error { why: format!("{}; and no line of subuid or subgid has this owner", error.why), ..error },
    })
}

fn not_gone(owner: &Owner) -> Error {
    let uid = owner.uid().map_or_else(String::new, |uid| format!(" (uid {uid})"));
    let fix = match shell_word(&owner.label) {
        Some(word) => format!("to release its ranges all the same: sudo subidctl release {word}"),
        None => "leave --stale out to release its ranges all the same".to_owned(),
    };
    Error::new(Code::RangeTaken, format!("{} is not gone", owner.shown()))
        .why(format!("the account is there{uid}"))
        .fix(fix)
}

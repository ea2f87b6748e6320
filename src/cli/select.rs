//! Users as they are named on the command line or in the policy → the planner's request.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use foldhash::fast::RandomState;

use super::args::Selection;
use super::facts::Context;
use super::from::List;
use super::progress::Progress;
use crate::error::{Code, Error, Result};
use crate::host;
use crate::planner::{Owner, Refusal, Request, Want, Warning};
use crate::range::{Count, Login, Range, Uid};
use crate::snapshot::Account;
use crate::text::{Part, escape, thousands};

/// The request, who was refused while names were looked up, and what could not be seen.
pub(super) struct Selected {
    pub(super) request: Request,
    pub(super) refusals: Vec<Refusal>,
    pub(super) warnings: Vec<Warning>,
}

/// Looks up everybody who is selected.
///
/// # Errors
/// `usage`, `empty-selection`, `empty-group` and faults of the list: of the request as a whole. A single
/// user who is unknown or cannot be looked up is a refusal.
pub(super) fn select(
    context: &mut Context,
    selection: &Selection,
    listed: Option<&List>,
    progress: &mut Progress,
) -> Result<Selected> {
    let range = selection.range.as_deref().map(range).transpose()?;
    let mut gathered =
        Gathered { count: selection.count.as_deref().map(count).transpose()?, ..Gathered::default() };
    let explicit = !selection.users.is_empty() || listed.is_some();
    let count = listed.map_or(0, |list| list.users.len());
    gathered.wants.reserve(count);
    gathered.seen.reserve(count);
    for user in &selection.users {
        gathered.named(context, selection, user.as_bytes(), range)?;
    }
    let lines = listed.into_iter().flat_map(|list| list.users.iter().map(move |listed| (list, listed)));
    for ((list, listed), number) in lines.zip(1..) {
        progress.step(|| format!("looking up user {} of {}", thousands(number), thousands(count as u64)));
        let user = &listed.user;
        if listed.range.is_some() && selection.count.is_some() {
            return Err(Error::new(Code::Usage, "--count and a list with ranges exclude each other")
                .why(format!("the list gives {} a range, which has its own count", escape(user)))
                .fix("leave --count out, or the ranges in the list"));
        }
        let gathered = gathered.named(context, selection, user, listed.range.or(range));
        gathered.map_err(|error| list.at(listed, error))?;
    }
    for group in &selection.group {
        for account in host::group_members(&mut context.snapshot, group.as_bytes())? {
            gathered.account(account, range)?;
        }
        gathered.listed(context, PRIMARY, "--from");
    }
    if selection.all {
        all(context, &mut gathered, &[])?;
    }
    let chosen = explicit || !selection.group.is_empty() || selection.all;
    let by_policy = !chosen && selection.from.is_none();
    if by_policy {
        policy_users(context, &mut gathered, selection)?;
    }
    // A host where the policy's [users] are nobody is in order; who names users means somebody.
    if !by_policy && gathered.wants.is_empty() && gathered.refusals.is_empty() {
        let unlisted = gathered.warnings.pop().map(|warning| warning.message);
        return Err(Error::new(Code::EmptySelection, "nobody is selected")
            .why(unlisted.unwrap_or_else(|| "the selection has no user".to_owned()))
            .fix("name users, or use --all, --group or --from with somebody in it"));
    }
    if range.is_some() && gathered.wants.len() > 1 {
        return Err(Error::new(Code::Usage, "--range is for one user")
            .why(format!("{} users are selected", gathered.wants.len()))
            .fix("name one user, or give a list by --from with lines USER:START:COUNT"));
    }
    let request = Request {
        wants: gathered.wants,
        replace: selection.replace,
        reclaim: selection.reclaim,
        unproven: selection.reclaim && selection.force,
    };
    Ok(Selected { request, refusals: gathered.refusals, warnings: gathered.warnings })
}

#[derive(Default)]
struct Gathered {
    count: Option<Count>,
    wants: Vec<Want>,
    /// Index in `wants`, by uid or name.
    seen: HashMap<std::result::Result<Uid, Part>, usize, RandomState>,
    refusals: Vec<Refusal>,
    warnings: Vec<Warning>,
}

impl Gathered {
    /// A user by name or uid; unknown ones are collected.
    fn named(
        &mut self,
        context: &mut Context,
        selection: &Selection,
        typed: &[u8],
        range: Option<Range>,
    ) -> Result<()> {
        match host::find_user(&mut context.snapshot, typed) {
            Ok(account) => self.account(account, range)?,
            Err(error) if error.code == Code::InvalidName => return Err(error),
            Err(error) if error.code == Code::UnknownUser && selection.allow_unknown_owner => {
                let plain = Login::new(typed).filter(Login::is_plain);
                let login = plain.ok_or_else(|| {
                    Error::new(Code::InvalidName, format!("{} cannot own a range", escape(typed)))
                        .why("an owner without an account needs a name of letters, digits and . _ - @ \\ $")
                        .fix("choose such a name")
                })?;
                self.add(Owner { label: login.as_part().clone(), account: None }, range)?;
            }
            Err(error) => {
                self.refusals.push(Refusal { owner: escape(typed), code: error.code.as_str(), error });
            }
        }
        Ok(())
    }

    /// Says, once, that a directory told nobody whom it has: those were not selected.
    fn listed(&mut self, context: &Context, whom: &str, instead: &str) {
        if context.snapshot.accounts.lookups.silent && self.warnings.is_empty() {
            let place = host::directory_place(&context.snapshot);
            let message = format!(
                "the directory lists none of its accounts ({place}): those {whom} are not selected; use {instead}"
            );
            self.warnings.push(Warning { code: "directory-lists-nobody", owner: String::new(), message });
        }
    }

    fn account(&mut self, account: Account, range: Option<Range>) -> Result<()> {
        self.add(Owner::account(account), range)
    }

    /// Adds a want, once an owner. Who is named again with another range would silently lose it.
    fn add(&mut self, owner: Owner, range: Option<Range>) -> Result<()> {
        let key = owner.uid().ok_or_else(|| owner.label.clone());
        if let Some(known) = self.seen.get(&key).and_then(|index| self.wants.get(*index)) {
            if range.is_some() && range != known.range {
                return Err(Error::new(Code::Usage, format!("{} is named twice", owner.shown()))
                    .why("a user gets one range a command, and these differ")
                    .fix("name the user once; for a second range run the command again"));
            }
            return Ok(());
        }
        self.seen.insert(key, self.wants.len());
        let count = if range.is_some() { None } else { self.count };
        self.wants.push(Want { owner, count, range });
        Ok(())
    }
}

/// The accounts of people, without those of `exclude`.
fn all(context: &mut Context, gathered: &mut Gathered, exclude: &[String]) -> Result<()> {
    host::enumerate(&mut context.snapshot);
    let policy = context.policy.users.iter().flat_map(|users| &users.exclude);
    let out: Vec<Login> =
        exclude.iter().chain(policy).filter_map(|name| Login::new(name.as_bytes())).collect();
    for account in host::login_accounts(&context.snapshot, &out) {
        gathered.account(account, None)?;
    }
    gathered.listed(context, "with a login shell", "--group or --from");
    Ok(())
}

/// Members whom the group itself does not name.
const PRIMARY: &str = "whose primary group it is";

/// The policy's `[users]`.
fn policy_users(context: &mut Context, gathered: &mut Gathered, selection: &Selection) -> Result<()> {
    let Some(users) = context.policy.users.clone() else {
        return Err(Error::new(Code::Usage, "no user is named")
            .why("and there is no [users] in the policy")
            .fix(
                "name users, or use --all, --group or --from; or put [users] into /etc/subidctl/policy.toml",
            ));
    };
    let excluded = |name: &[u8]| users.exclude.iter().any(|e| e.as_bytes() == name);
    for name in users.names.iter().filter(|name| !excluded(name.as_bytes())) {
        gathered.named(context, selection, name.as_bytes(), None)?;
    }
    for group in &users.groups {
        for account in host::group_members(&mut context.snapshot, group.as_bytes())? {
            if !excluded(account.name.as_bytes()) {
                gathered.account(account, None)?;
            }
        }
        gathered.listed(context, PRIMARY, "names");
    }
    if users.login_accounts {
        all(context, gathered, &users.exclude)?;
    }
    Ok(())
}

/// `--count`.
fn count(text: &str) -> Result<Count> {
    Count::parse(text).ok_or_else(|| {
        Error::new(Code::InvalidCount, format!("{} is no count of IDs", escape(text.as_bytes())))
            .why("a count is a whole number from 1 to 4294967296")
            .fix("--count 65536 is what most images need")
    })
}

/// `--range`.
pub(super) fn range(text: &str) -> Result<Range> {
    Range::parse(text).ok_or_else(|| {
        Error::new(Code::InvalidRange, format!("{} is no range of IDs", escape(text.as_bytes())))
            .why("a range is START:COUNT or FIRST-LAST in decimal, and ends at 4294967294 or before")
            .fix("write it as in --range 100000:65536 or --range 100000-165535")
    })
}

/// A typed operand's bytes.
pub(super) fn bytes(text: &OsStr) -> Vec<u8> {
    text.to_owned().into_vec()
}

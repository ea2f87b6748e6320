//! `subidctl apply --yes --hook`: a user's ranges at the first login, for `pam_exec`. A login never waits long
//! and never fails for it: everything that goes wrong is a line of the system log.

use std::os::unix::ffi::OsStringExt as _;
use std::time::{Duration, Instant};

use super::apply;
use super::args::Global;
use super::change::{Again, Ask, attempt};
use super::facts::{Context, root};
use super::output::Output;
use super::planning;
use super::progress::Progress;
use crate::commit::{self, Options, Outcome};
use crate::error::{Code, Error, Result};
use crate::host::{self, Operand};
use crate::planner::{self, Action, Owner, Plan, Request, Want};
use crate::policy::Users;
use crate::range::{Gid, Login, Uid};
use crate::snapshot::{Account, Snapshot};
use crate::sys;
use crate::text::escape;

/// As the history names it.
pub(super) const COMMAND: &str = "hook";

/// A login waits so long and no longer, whatever a directory or another program does.
const WHOLE: Duration = Duration::from_secs(3);
/// How much of it for the locks.
const LOCKS: Duration = Duration::from_secs(2);
/// How long the locks may be held before the first rename.
const HOLD: Duration = Duration::from_millis(500);
/// authpriv.warning, as [`commit::warn`] writes it.
const LATE: &[u8] =
    b"<84>subidctl: apply --hook gave up after 3 s: a name service or a disk did not answer; \
    the login goes on without ranges";

pub(super) fn run(global: &Global, output: Output) -> Result<u8> {
    if global.json || global.root.is_some() {
        return Err(Error::new(Code::Usage, "--hook goes with neither --json nor --root")
            .why("it works on the running system, and tells the system log alone")
            .fix("leave them out"));
    }
    let began = Instant::now();
    let asked = asked();
    // Nothing that a library may look for there is anybody's choice.
    sys::clear_environment();
    let deadline = sys::Deadline::new(commit::connect_log(), LATE);
    if let Err(error) = asked.and_then(|user| match user {
        Some(user) => serve(global, output, &user, began, &deadline),
        None => Ok(()),
    }) {
        commit::warn(&format!("apply --hook: {}: {}; {}", error.what, error.why, error.fix));
    }
    Ok(0)
}

/// Who begins a session; `None` where one ends.
fn asked() -> Result<Option<Login>> {
    let wrong = |what: &str, why: String| {
        Err(Error::new(Code::Usage, what).why(why).fix(
            "use it as in: session optional pam_exec.so seteuid quiet /usr/bin/subidctl apply --yes --hook",
        ))
    };
    if !nix::unistd::geteuid().is_root() {
        return wrong("it must run as root", format!("it runs as uid {}", nix::unistd::geteuid()));
    }
    let variable = |name| std::env::var_os(name).unwrap_or_default().into_vec();
    match &variable("PAM_TYPE")[..] {
        b"open_session" => {}
        // It is called for both.
        b"close_session" => return Ok(None),
        other => {
            return wrong("it is for the beginning of a session", format!("PAM_TYPE is '{}'", escape(other)));
        }
    }
    let user = variable("PAM_USER");
    match Login::new(&user).filter(|_| !user.starts_with(b"+")) {
        Some(login) => Ok(Some(login)),
        None => wrong("it is for one user", format!("PAM_USER is '{}'", escape(&user))),
    }
}

/// Gives this user ranges, if that is what the policy says and nothing is there yet.
fn serve(
    global: &Global,
    output: Output,
    user: &Login,
    began: Instant,
    deadline: &sys::Deadline,
) -> Result<()> {
    let slow = |errno: nix::errno::Errno| {
        Error::new(Code::System, "no deadline can be set").why(errno.desc()).fix("nothing was changed")
    };
    deadline.set(WHOLE).map_err(slow)?;
    // Nearly every login ends here, without a look-up for whoever's lines have the name.
    let mut glance = host::glance(&root(global)?)?;
    if planner::has_both(&glance, &Owner { label: user.as_bytes().into(), account: None }) {
        return Ok(());
    }
    let Some(account) = host::look_up_name(&mut glance, user)? else {
        return Err(Error::new(Code::UnknownUser, format!("no user is named '{user}'"))
            .why("PAM_USER names no account")
            .fix("getent passwd lists the users of this host"));
    };
    let lowest = glance.login_defs.number("UID_MIN").unwrap_or(1000);
    if u64::from(account.uid.get()) < lowest || planner::has_both(&glance, &Owner::account(account.clone())) {
        return Ok(());
    }
    loop {
        let mut context = Context::load(global)?;
        // A host whose ranges come from a directory has them there, and not to be given here.
        if context.directory().is_some() {
            return Ok(());
        }
        let mut first = First { account: account.clone(), request: Request::default() };
        // A login is told nothing, and no terminal is its own.
        let plan = first.plan(&mut context, &mut Progress::new(Output { quiet: true, ..output }))?;
        let left = WHOLE.saturating_sub(began.elapsed() + HOLD);
        if !plan.changed() {
            return Ok(());
        }
        // From here on each wait has an end of its own, and nothing may stop the change half way.
        deadline.lift().map_err(slow)?;
        let options = Options { lock_timeout: LOCKS.min(left), hold_limit: HOLD, ..Options::default() };
        match attempt(global, COMMAND, &options, &context, &first, &plan).map_err(later)? {
            Outcome::Committed(_) | Outcome::Unchanged { .. } => return Ok(()),
            Outcome::Differs if left.is_zero() => {
                return Err(Error::new(Code::Busy, format!("{user} was not given ranges"))
                    .why("the files changed each time before the plan could be committed")
                    .fix("the next login tries again"));
            }
            Outcome::Differs => deadline.set(left).map_err(slow)?,
        }
    }
}

/// Of a busy host nobody at this login can make anything.
fn later(error: Error) -> Error {
    if error.code == Code::Busy { error.fix("the next login tries again") } else { error }
}

/// The user whose first login it is.
struct First {
    account: Account,
    request: Request,
}

impl Ask for First {
    fn plan(&mut self, context: &mut Context, progress: &mut Progress) -> Result<Plan> {
        // What the name service said a moment ago; what the files say is read again.
        context.snapshot.accounts.add_user(self.account.clone());
        let owner = Owner::account(self.account.clone());
        let nothing = |why: String, fix: String| {
            Error::new(Code::NoRule, format!("{} was not given ranges", owner.shown())).why(why).fix(fix)
        };
        let Some(users) = context.policy.users.clone() else {
            return Err(nothing(
                "the policy has no [users], and hooks give nobody else anything".to_owned(),
                "say in /etc/subidctl/policy.toml who may have ranges".to_owned(),
            ));
        };
        let selected = Selected::new(&mut context.snapshot, &users)?;
        if !selected.has(&context.snapshot, &self.account) {
            return Ok(Plan::default());
        }
        if planner::gave_back(&context.snapshot, &owner) {
            return Err(nothing(
                "a range of this name was released".to_owned(),
                "if it is the same person: subidctl apply --reclaim; else: subidctl apply".to_owned(),
            ));
        }
        let others =
            planner::hooked(&context.snapshot, &owner, |other| selected.has(&context.snapshot, other));
        if others >= users.max_auto_users() {
            return Err(nothing(
                format!(
                    "max_auto_users is {}, and {others} may have been added by hooks already",
                    users.max_auto_users()
                ),
                "raise max_auto_users in [users] of the policy, or: subidctl apply".to_owned(),
            ));
        }
        self.request =
            Request { wants: vec![Want { owner, count: None, range: None }], ..Request::default() };
        let plan = planning::settle(context, &self.request, progress)?;
        if let Some(refusal) = plan.refusals.first() {
            return Err(refusal.error.clone());
        }
        let gives = plan.assignments.iter().all(|a| matches!(a.action, Action::Add | Action::Keep));
        if !gives || !plan.repairs.is_empty() {
            return Err(Error::new(Code::System, "a hook only gives")
                .why("the plan does more")
                .fix("subidctl plan"));
        }
        Ok(plan)
    }

    fn again(&self, context: &Context, now: &Snapshot, shown: &Plan) -> Again {
        apply::again(&self.request, context, now, shown)
    }
}

/// The policy's `[users]`, asked about single accounts: nobody else is looked up.
struct Selected<'a> {
    users: &'a Users,
    /// Each with the members that it names.
    groups: Vec<(Gid, Vec<Login>)>,
}

impl<'a> Selected<'a> {
    fn new(snapshot: &mut Snapshot, users: &'a Users) -> Result<Self> {
        let mut groups = Vec::new();
        for group in &users.groups {
            groups.extend(host::groups_named(snapshot, group.as_bytes())?);
        }
        Ok(Self { users, groups })
    }

    /// Whether `plan` without a USER would find this account.
    fn has(&self, snapshot: &Snapshot, account: &Account) -> bool {
        let Users { names, exclude, login_accounts, .. } = self.users;
        if exclude.iter().any(|name| name.as_bytes() == account.name.as_bytes()) {
            return false;
        }
        let named = |typed: &String| match Operand::parse(typed.as_bytes()) {
            Ok(Operand::Uid(uid)) => uid == account.uid,
            Ok(Operand::Name(name)) if name == account.name => true,
            // A number is a uid where nobody has that name.
            Ok(Operand::Name(name)) => {
                Uid::parse(typed) == Some(account.uid) && snapshot.accounts.by_name(name.as_bytes()).is_none()
            }
            Err(_) => false,
        };
        names.iter().any(named)
            || self.groups.iter().any(|(gid, members)| *gid == account.gid || members.contains(&account.name))
            || (*login_accounts && host::login_accounts(snapshot, &[]).contains(account))
    }
}

//! Accounts that the files do not have: what a name service is asked, and only where one is configured.

use nix::errno::Errno;

use super::nsswitch;
use crate::range::{Gid, Kind, Login, Range, Uid};
use crate::snapshot::{Account, Accounts, Group, Service, Snapshot, Source};
use crate::sys;

/// After so many look-ups without an answer no candidate range is asked for any more: each may take a
/// directory's whole timeout, and the plan's warning would not become truer.
const PATIENCE: usize = 3;

/// Asks for all accounts and groups, and adds those that the files lack. Most directories list nothing
/// (sssd's `enumerate = false`), so what is missing afterwards is not known to be absent; where they list
/// nobody at all, the snapshot's look-ups say so.
pub fn enumerate(snapshot: &mut Snapshot) {
    // A list has no errors: see `sys::all_users`.
    let users = ask(snapshot, Kind::Uid, || Ok(sys::all_users())).unwrap_or_default();
    let groups = ask(snapshot, Kind::Gid, || Ok(sys::all_groups())).unwrap_or_default();
    snapshot.accounts.lookups.silent = snapshot.accounts.lookups.directory && users.is_empty();
    for user in users {
        add_user(&mut snapshot.accounts, user);
    }
    for group in groups {
        add_group(&mut snapshot.accounts, group);
    }
}

/// Asks who has the first and the last ID of a candidate range: two look-ups at most, and none for an ID
/// that was asked for before or that the files have. An account or group that is found is added to the
/// snapshot, a look-up without an answer to its `unanswered`.
pub fn probe(snapshot: &mut Snapshot, kind: Kind, range: Range) {
    if !snapshot.host.running || !snapshot.accounts.lookups.directory {
        return;
    }
    for id in [range.first(), range.last()] {
        let lookups = &mut snapshot.accounts.lookups;
        if lookups.unanswered.len() >= PATIENCE || !lookups.asked.insert((kind, id)) {
            continue;
        }
        let answer = match kind {
            Kind::Uid if snapshot.accounts.by_uid(Uid::new(id)).is_some() => Ok(()),
            Kind::Uid => user_by_uid(snapshot, Uid::new(id)).map(drop),
            Kind::Gid => ask(snapshot, kind, || sys::group_by_gid(id)).map(|found| {
                found.map(|group| add_group(&mut snapshot.accounts, group));
            }),
        };
        if let Err(errno) = answer {
            let mut sentence = format!("{} {id}: {}", kind.name(), no_answer(snapshot, kind, errno));
            let unanswered = &mut snapshot.accounts.lookups.unanswered;
            if unanswered.len() + 1 == PATIENCE {
                sentence.push_str("; no further ID is asked for");
            }
            unanswered.push(sentence);
        }
    }
}

/// Asks who owners of lines are whom the files do not know: one look-up each, and none where no directory is
/// configured. Accounts that are found are added to the snapshot; owners of whom nobody knows are noted.
pub fn look_up_owners(snapshot: &mut Snapshot, owners: &[Vec<u8>]) {
    if !snapshot.host.running || !snapshot.accounts.lookups.directory {
        return;
    }
    let mut failed = 0;
    for owner in owners {
        let uid = std::str::from_utf8(owner).ok().and_then(Uid::parse);
        let answer = match (uid, Login::new(owner)) {
            _ if failed >= PATIENCE => None,
            (Some(uid), _) => Some(user_by_uid(snapshot, uid).map(drop)),
            (None, Some(name)) => Some(user_by_name(snapshot, &name).map(drop)),
            (None, None) => Some(Ok(())),
        };
        if let Some(Err(errno)) = answer {
            failed += 1;
            let sentence =
                format!("{}: {}", crate::text::escape(owner), no_answer(snapshot, Kind::Uid, errno));
            snapshot.accounts.lookups.unanswered.push(sentence);
        }
        if !matches!(answer, Some(Ok(()))) {
            snapshot.accounts.lookups.owners.insert(owner.clone());
        }
    }
}

/// The account of this name that a directory has, added to the snapshot.
pub(super) fn user_by_name(snapshot: &mut Snapshot, name: &Login) -> Result<Option<Account>, Errno> {
    let user = ask(snapshot, Kind::Uid, || sys::user_by_name(name.as_bytes()))?;
    Ok(user.and_then(|user| add_user(&mut snapshot.accounts, user)))
}

/// The account of this uid that a directory has, added to the snapshot.
pub(super) fn user_by_uid(snapshot: &mut Snapshot, uid: Uid) -> Result<Option<Account>, Errno> {
    let user = ask(snapshot, Kind::Uid, || sys::user_by_uid(uid.get()))?;
    Ok(user.and_then(|user| add_user(&mut snapshot.accounts, user)))
}

/// The group of this name that a directory has, added to the snapshot.
pub(super) fn group_by_name(snapshot: &mut Snapshot, name: &[u8]) -> Result<Option<Group>, Errno> {
    let group = ask(snapshot, Kind::Gid, || sys::group_by_name(name))?;
    Ok(group.map(|group| add_group(&mut snapshot.accounts, group)))
}

/// `uid 5000: no answer (/etc/nsswitch.conf line 7, passwd: files sss): Connection timed out`.
pub(super) fn no_answer(snapshot: &Snapshot, kind: Kind, errno: Errno) -> String {
    let reason = match errno {
        Errno::EIO => "a source failed, or its module cannot be loaded",
        errno => errno.desc(),
    };
    format!("no answer ({}): {reason}", place(snapshot, kind))
}

/// The nsswitch line that names the directory of accounts.
pub fn directory_place(snapshot: &Snapshot) -> String {
    place(snapshot, Kind::Uid)
}

/// The nsswitch line of this kind.
pub(super) fn place(snapshot: &Snapshot, kind: Kind) -> String {
    let (database, service) = database(snapshot, kind);
    format!("{} line {}, {database}: {}", snapshot.nsswitch.path, service.line, service.sources.join(" "))
}

/// Asks the directories of nsswitch.conf and nobody else; `T`'s default where there is none.
///
/// glibc takes the answer of the last source for its own: with `sss files` or `files sss systemd` a
/// directory that is down reads as 'no such account'. So for the time of the question this process has
/// sources of its own, and afterwards those of the file.
fn ask<T: Default>(
    snapshot: &Snapshot,
    kind: Kind,
    question: impl FnOnce() -> nix::Result<T>,
) -> nix::Result<T> {
    let (database, service) = database(snapshot, kind);
    let beyond = nsswitch::beyond_files(&service.sources);
    if !snapshot.host.running || !snapshot.accounts.lookups.directory || beyond.is_empty() {
        return Ok(T::default());
    }
    sys::configure_lookup(database, &beyond);
    let answer = question();
    sys::configure_lookup(database, &service.sources.join(" "));
    answer
}

/// The database of nsswitch.conf that knows IDs of this kind, and its line.
fn database(snapshot: &Snapshot, kind: Kind) -> (&'static str, &Service) {
    match kind {
        Kind::Uid => ("passwd", &snapshot.nsswitch.passwd),
        Kind::Gid => ("group", &snapshot.nsswitch.group),
    }
}

fn add_user(accounts: &mut Accounts, user: sys::NssUser) -> Option<Account> {
    let Some(name) = Login::new(&user.name) else {
        accounts.nameless.uid.insert(user.uid);
        accounts.nameless.gid.insert(user.gid);
        return None;
    };
    let (uid, gid) = (Uid::new(user.uid), Gid::new(user.gid));
    let account =
        Account { name, uid, gid, home: user.home.into(), shell: user.shell.into(), source: Source::Nss };
    accounts.add_user(account.clone());
    Some(account)
}

fn add_group(accounts: &mut Accounts, group: sys::NssGroup) -> Group {
    let members = group.members.iter().filter_map(|name| Login::new(name)).collect();
    let group = Group { name: group.name.into(), gid: Gid::new(group.gid), members, source: Source::Nss };
    accounts.add_group(group.clone());
    group
}

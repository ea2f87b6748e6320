//! Accounts that the files do not have: what a name service is asked, and only where one is configured.

use std::sync::Once;

use nix::errno::Errno;

use super::nsswitch;
use crate::range::{Gid, Kind, Login, Range, Uid};
use crate::snapshot::{Account, Accounts, Group, Snapshot, Source};
use crate::sys;

/// After so many look-ups without an answer no candidate range is asked for any more: each may take a
/// directory's whole timeout, and the plan's warning would not become truer.
const PATIENCE: usize = 3;

/// Asks for all accounts and groups, and adds those that the files lack. Most directories list nothing
/// (sssd's `enumerate = false`), so what is missing afterwards is not known to be absent.
pub fn enumerate(snapshot: &mut Snapshot) {
    if !ready(snapshot) {
        return;
    }
    for user in sys::all_users() {
        add_user(&mut snapshot.accounts, user);
    }
    for group in sys::all_groups() {
        add_group(&mut snapshot.accounts, group);
    }
}

/// Asks who has the first and the last ID of a candidate range: two look-ups at most, and none for an ID
/// that was asked for before or that the files have. An account or group that is found is added to the
/// snapshot, a look-up without an answer to its `unanswered`.
pub fn probe(snapshot: &mut Snapshot, kind: Kind, range: Range) {
    if !ready(snapshot) {
        return;
    }
    for id in [range.first(), range.last()] {
        let lookups = &mut snapshot.accounts.lookups;
        if lookups.unanswered.len() >= PATIENCE || !lookups.asked.insert((kind, id)) {
            continue;
        }
        let known = match kind {
            Kind::Uid => snapshot.accounts.by_uid(Uid::new(id)).is_some(),
            Kind::Gid => snapshot.accounts.groups().iter().any(|group| group.gid.get() == id),
        };
        if known {
            continue;
        }
        let answer = match kind {
            Kind::Uid => {
                sys::user_by_uid(id).map(|user| drop(user.map(|u| add_user(&mut snapshot.accounts, u))))
            }
            Kind::Gid => {
                sys::group_by_gid(id).map(|group| drop(group.map(|g| add_group(&mut snapshot.accounts, g))))
            }
        };
        if let Err(errno) = answer {
            let sentence = no_answer(snapshot, kind, &format!("{} {id}", kind.name()), errno);
            snapshot.accounts.lookups.unanswered.push(sentence);
        }
    }
}

/// The account of this name that a directory has, added to the snapshot.
pub(super) fn user_by_name(snapshot: &mut Snapshot, name: &Login) -> Result<Option<Account>, Errno> {
    // A name that is not UTF-8 is none that a directory could hold.
    let name = std::str::from_utf8(name.as_bytes()).ok().filter(|_| ready(snapshot));
    let user = name.map_or(Ok(None), sys::user_by_name)?;
    Ok(user.and_then(|user| add_user(&mut snapshot.accounts, user)))
}

/// The account of this uid that a directory has, added to the snapshot.
pub(super) fn user_by_uid(snapshot: &mut Snapshot, uid: Uid) -> Result<Option<Account>, Errno> {
    let user = if ready(snapshot) { sys::user_by_uid(uid.get())? } else { None };
    Ok(user.and_then(|user| add_user(&mut snapshot.accounts, user)))
}

/// The group of this name that a directory has, added to the snapshot.
pub(super) fn group_by_name(snapshot: &mut Snapshot, name: &[u8]) -> Result<Option<Group>, Errno> {
    let name = std::str::from_utf8(name).ok().filter(|_| ready(snapshot));
    let group = name.map_or(Ok(None), sys::group_by_name)?;
    Ok(group.map(|group| add_group(&mut snapshot.accounts, group)))
}

/// `uid 5000: no answer (/etc/nsswitch.conf line 7, passwd: files sss): Input/output error`.
pub(super) fn no_answer(snapshot: &Snapshot, kind: Kind, asked: &str, errno: Errno) -> String {
    format!("{asked}: no answer ({}): {}", place(snapshot, kind), errno.desc())
}

/// The nsswitch line that names the directory.
pub(super) fn place(snapshot: &Snapshot, kind: Kind) -> String {
    let switch = &snapshot.nsswitch;
    let (database, service) = match kind {
        Kind::Uid => ("passwd", &switch.passwd),
        Kind::Gid => ("group", &switch.group),
    };
    format!("{} line {}, {database}: {}", switch.path, service.line, service.sources.join(" "))
}

/// Whether there is a directory to ask, with this process's sources set on the first call.
///
/// glibc takes the answer of the last source for its own: with `sss files` or `files sss systemd` a
/// directory that is down reads as 'no such account'. So this process asks the local sources first, and a
/// directory without an answer ends the look-up with its error.
fn ready(snapshot: &Snapshot) -> bool {
    static CONFIGURED: Once = Once::new();
    let directory = snapshot.host.running && snapshot.accounts.lookups.directory;
    if directory {
        CONFIGURED.call_once(|| {
            sys::configure_lookup("passwd", &nsswitch::honest(&snapshot.nsswitch.passwd.sources));
            sys::configure_lookup("group", &nsswitch::honest(&snapshot.nsswitch.group.sources));
        });
    }
    directory
}

fn add_user(accounts: &mut Accounts, user: sys::NssUser) -> Option<Account> {
    let Some(name) = Login::new(&user.name) else {
        accounts.nameless.uid.insert(user.uid);
        accounts.nameless.gid.insert(user.gid);
        return None;
    };
    let (uid, gid) = (Uid::new(user.uid), Gid::new(user.gid));
    let account = Account { name, uid, gid, shell: user.shell, source: Source::Nss };
    accounts.add_user(account.clone());
    Some(account)
}

fn add_group(accounts: &mut Accounts, group: sys::NssGroup) -> Group {
    let members = group.members.iter().filter_map(|name| Login::new(name)).collect();
    let group = Group { name: group.name, gid: Gid::new(group.gid), members, source: Source::Nss };
    accounts.add_group(group.clone());
    group
}

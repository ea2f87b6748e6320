//! Becoming another user completely, from root, with no way back.

use nix::errno::Errno;
use nix::sys::prctl::set_dumpable;
use nix::unistd::{Gid, Uid, getgroups, getresgid, getresuid, setgroups, setresgid, setresuid, setuid};

use crate::sys;

/// Whom to become. Made before the fork: looking up groups may start threads and open files.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    /// All groups, the primary one too.
    pub(super) groups: Vec<Gid>,
}

/// What went wrong: the call and the kernel's word.
pub(super) type Refusal = (&'static str, Errno);

/// Drops groups, gid, uid and all capabilities, and makes sure of it.
///
/// The process is not dumpable until it executes another program: its memory is still a copy of root's,
/// and a change of credentials may have made it dumpable (`fs.suid_dumpable`).
pub(super) fn become_user(identity: &Identity) -> Result<(), Refusal> {
    set_dumpable(false).map_err(|e| ("prctl", e))?;
    match sys::new_session_keyring() {
        // No keys in this kernel, or a filter that hides them from us and from all our children.
        Ok(()) | Err(Errno::ENOSYS | Errno::EPERM) => {}
        Err(errno) => return Err(("keyctl", errno)),
    }
    setgroups(&identity.groups).map_err(|e| ("setgroups", e))?;
    setresgid(identity.gid, identity.gid, identity.gid).map_err(|e| ("setresgid", e))?;
    setresuid(identity.uid, identity.uid, identity.uid).map_err(|e| ("setresuid", e))?;
    set_dumpable(false).map_err(|e| ("prctl", e))?;
    sys::clear_capabilities().map_err(|e| ("capset", e))?;
    verify(identity)
}

/// Reads everything back, and fails to become root again.
fn verify(identity: &Identity) -> Result<(), Refusal> {
    let uids = getresuid().map_err(|e| ("getresuid", e))?;
    let gids = getresgid().map_err(|e| ("getresgid", e))?;
    let same_uid = [uids.real, uids.effective, uids.saved].iter().all(|id| *id == identity.uid);
    let same_gid = [gids.real, gids.effective, gids.saved].iter().all(|id| *id == identity.gid);
    let sorted = |mut groups: Vec<Gid>| {
        groups.sort_unstable_by_key(|g| g.as_raw());
        groups.dedup();
        groups
    };
    let groups = sorted(getgroups().map_err(|e| ("getgroups", e))?) == sorted(identity.groups.clone());
    if !(same_uid && same_gid && groups) {
        return Err(("the check of uid, gid and groups", Errno::EPERM));
    }
    if sys::capabilities().map_err(|e| ("capget", e))? != 0 {
        return Err(("the check of capabilities", Errno::EPERM));
    }
    match setuid(Uid::from_raw(0)) {
        Err(Errno::EPERM) => Ok(()),
        Err(errno) => Err(("setuid", errno)),
        Ok(()) => Err(("the way back to root, which is open:", Errno::EPERM)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::wait::{WaitStatus, waitpid};

    fn nobody() -> Identity {
        let (uid, gid) = (Uid::from_raw(65534), Gid::from_raw(65534));
        Identity { uid, gid, groups: vec![gid, Gid::from_raw(65533)] }
    }

    /// The exit code of `test` in a child.
    fn in_child(test: impl FnOnce() -> i32) -> i32 {
        match sys::spawn(test).and_then(|child| waitpid(child, None)) {
            Ok(WaitStatus::Exited(_, code)) => code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn nothing_of_root_is_left() {
        let dropped = in_child(|| {
            if become_user(&nobody()).is_err() {
                return 3;
            }
            let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
            let line = |name: &str| {
                status.lines().find_map(|l| l.strip_prefix(name)).unwrap_or("?").trim().to_owned()
            };
            let none = "0000000000000000";
            let caps = ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"].iter().all(|name| line(name) == none);
            // Helpers need what comes from the bounding set, and privileges from execution.
            let kept = line("CapBnd:") != none && line("NoNewPrivs:") == "0";
            i32::from(!(caps && kept && line("Groups:") == "65533 65534"))
        });
        // Only root can drop anything.
        assert_eq!(dropped, if nix::unistd::geteuid().is_root() { 0 } else { 3 });
    }

    #[test]
    fn half_a_drop_is_seen() {
        assert!(verify(&nobody()).is_err());
        let seen = in_child(|| {
            let Identity { uid, gid, .. } = nobody();
            let half = setresgid(gid, gid, gid).and_then(|()| setresuid(uid, uid, uid));
            // The groups are still root's.
            i32::from(half.is_ok() && verify(&nobody()).is_ok())
        });
        assert_eq!(seen, 0);
    }
}

//! Name-service look-ups that tell 'no such account' from 'no answer'.

use std::ffi::{CString, OsString, c_char, c_int};
use std::os::unix::ffi::OsStringExt as _;
use std::sync::Mutex;

use nix::errno::Errno;
use nix::unistd::{Gid, Group, Uid, User};
use users::os::unix::{GroupExt as _, UserExt as _};

/// An account as a name service gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NssUser {
    /// Its name. Of a look-up, bytes that are not UTF-8 are replaced.
    pub name: Vec<u8>,
    /// User ID.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Login shell.
    pub shell: Vec<u8>,
}

/// A group as a name service gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NssGroup {
    /// Its name. Of a look-up, bytes that are not UTF-8 are replaced.
    pub name: Vec<u8>,
    /// Group ID.
    pub gid: u32,
    /// Names of its members.
    pub members: Vec<Vec<u8>>,
}

/// Says which sources this process asks for `passwd` or `group`, in the syntax of nsswitch.conf, actions
/// included (`__nss_configure_lookup(3)` of glibc). False where that is not possible: musl knows no
/// sources.
pub fn configure_lookup(database: &str, sources: &str) -> bool {
    let (Ok(database), Ok(sources)) = (CString::new(database), CString::new(sources)) else { return false };
    // SAFETY: both are C strings that live through the call; glibc parses and copies what it needs, under
    // its own lock.
    unsafe { configure(database.as_ptr(), sources.as_ptr()) == 0 }
}

#[cfg(target_env = "gnu")]
unsafe extern "C" {
    #[link_name = "__nss_configure_lookup"]
    fn configure(database: *const c_char, sources: *const c_char) -> c_int;
}

#[cfg(not(target_env = "gnu"))]
unsafe fn configure(_: *const c_char, _: *const c_char) -> c_int {
    -1
}

/// The account with this name, `None` where every source says that there is none.
///
/// # Errors
/// Any errno is a source without an answer. glibc gives none for 'not found', whatever getpwnam(3) says
/// of other systems; a source that fails without an errno is EIO here.
pub fn user_by_name(name: &str) -> nix::Result<Option<NssUser>> {
    answer(|| User::from_name(name)).map(|user| user.map(NssUser::from))
}

/// The account with this uid; else as [`user_by_name`].
pub fn user_by_uid(uid: u32) -> nix::Result<Option<NssUser>> {
    answer(|| User::from_uid(Uid::from_raw(uid))).map(|user| user.map(NssUser::from))
}

/// The group with this name; else as [`user_by_name`].
pub fn group_by_name(name: &str) -> nix::Result<Option<NssGroup>> {
    answer(|| Group::from_name(name)).map(|group| group.map(NssGroup::from))
}

/// The group with this gid; else as [`user_by_name`].
pub fn group_by_gid(gid: u32) -> nix::Result<Option<NssGroup>> {
    answer(|| Group::from_gid(Gid::from_raw(gid))).map(|group| group.map(NssGroup::from))
}

/// A failing source may leave errno alone, and then glibc returns whatever stood there: 0 would read as
/// 'not found'.
fn answer<T>(ask: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
    Errno::EIO.set();
    ask()
}

/// getpwent(3) and its like keep their place in the process.
static ENUMERATION: Mutex<()> = Mutex::new(());

/// All accounts that the sources are willing to list. An error is the end of the list: getpwent(3) does
/// not tell them apart for every source.
pub fn all_users() -> Vec<NssUser> {
    let _alone = ENUMERATION.lock();
    // SAFETY: nothing else in this program enumerates, and the lock is held until the iterator is gone.
    unsafe { users::all_users() }.map(NssUser::from).collect()
}

/// All groups that the sources are willing to list.
pub fn all_groups() -> Vec<NssGroup> {
    let _alone = ENUMERATION.lock();
    // SAFETY: as in `all_users`.
    unsafe { users::all_groups() }.map(NssGroup::from).collect()
}

impl From<User> for NssUser {
    fn from(user: User) -> Self {
        let shell = OsString::from(user.shell).into_vec();
        Self { name: user.name.into_bytes(), uid: user.uid.as_raw(), gid: user.gid.as_raw(), shell }
    }
}

impl From<users::User> for NssUser {
    fn from(user: users::User) -> Self {
        let shell = user.shell().as_os_str().to_owned().into_vec();
        let name = user.name().to_owned().into_vec();
        Self { name, uid: user.uid(), gid: user.primary_group_id(), shell }
    }
}

impl From<Group> for NssGroup {
    fn from(group: Group) -> Self {
        let members = group.mem.into_iter().map(String::into_bytes).collect();
        Self { name: group.name.into_bytes(), gid: group.gid.as_raw(), members }
    }
}

impl From<users::Group> for NssGroup {
    fn from(group: users::Group) -> Self {
        let members = group.members().iter().map(|name| name.clone().into_vec()).collect();
        Self { name: group.name().to_owned().into_vec(), gid: group.gid(), members }
    }
}

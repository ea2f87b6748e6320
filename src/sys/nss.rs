//! Name-service look-ups that tell 'no such account' from 'no answer', and keep the bytes of names. (nix's
//! own clear errno before they ask, and replace what is not UTF-8.)

use std::ffi::{CStr, CString, c_char, c_int};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::Mutex;

use nix::errno::Errno;
use users::os::unix::{GroupExt as _, UserExt as _};

/// An entry in more bytes than this, a group of half a million members, is ERANGE.
const LARGEST_ENTRY: usize = 1 << 23;

/// An account as a name service gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NssUser {
    /// Its name's bytes.
    pub name: Vec<u8>,
    /// User ID.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Home folder.
    pub home: Vec<u8>,
    /// Login shell.
    pub shell: Vec<u8>,
}

/// A group as a name service gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NssGroup {
    /// Its name's bytes.
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

/// The account with this name, `None` where every source says that there is none. A name with a NUL is
/// nobody's.
///
/// # Errors
/// Any errno is a source without an answer. glibc gives none for 'not found', whatever getpwnam(3) says
/// of other systems; a source that fails without an errno is EIO here.
pub fn user_by_name(name: &[u8]) -> nix::Result<Option<NssUser>> {
    let Ok(name) = CString::new(name) else { return Ok(None) };
    // SAFETY: `look_up` passes what getpwnam_r(3) asks for, and the name lives through the call.
    look_up(|entry, buffer, size, found| unsafe {
        libc::getpwnam_r(name.as_ptr(), entry, buffer, size, found)
    })
}

/// The account with this uid; else as [`user_by_name`].
pub fn user_by_uid(uid: u32) -> nix::Result<Option<NssUser>> {
    // SAFETY: `look_up` passes what getpwuid_r(3) asks for.
    look_up(|entry, buffer, size, found| unsafe { libc::getpwuid_r(uid, entry, buffer, size, found) })
}

/// The group with this name; else as [`user_by_name`].
pub fn group_by_name(name: &[u8]) -> nix::Result<Option<NssGroup>> {
    let Ok(name) = CString::new(name) else { return Ok(None) };
    // SAFETY: `look_up` passes what getgrnam_r(3) asks for, and the name lives through the call.
    look_up(|entry, buffer, size, found| unsafe {
        libc::getgrnam_r(name.as_ptr(), entry, buffer, size, found)
    })
}

/// The group with this gid; else as [`user_by_name`].
pub fn group_by_gid(gid: u32) -> nix::Result<Option<NssGroup>> {
    // SAFETY: `look_up` passes what getgrgid_r(3) asks for.
    look_up(|entry, buffer, size, found| unsafe { libc::getgrgid_r(gid, entry, buffer, size, found) })
}

/// A C struct whose pointers lead to C strings, or are null.
trait Entry {
    type Owned;

    /// # Safety
    /// Every pointer in it is null or leads to what `getpwnam_r(3)` or `getgrnam_r(3)` say.
    unsafe fn owned(&self) -> Self::Owned;
}

/// One `get…_r` call: the entry, its buffer and size, and where to put the entry's address.
fn look_up<E: Entry>(
    call: impl Fn(*mut E, *mut c_char, usize, *mut *mut E) -> c_int,
) -> nix::Result<Option<E::Owned>> {
    let mut size = 1 << 14;
    loop {
        let mut entry = MaybeUninit::<E>::uninit();
        let mut buffer: Vec<c_char> = vec![0; size];
        let mut found: *mut E = std::ptr::null_mut();
        // A failing source may leave errno alone, and then glibc returns whatever stood there: 0 would
        // read as 'not found'.
        Errno::EIO.set();
        match call(entry.as_mut_ptr(), buffer.as_mut_ptr(), size, &raw mut found) {
            0 if found.is_null() => return Ok(None),
            // SAFETY: on success `found` leads to `entry`, now filled, and its pointers lead into
            // `buffer`; both live until the copy is made.
            0 => return Ok(Some(unsafe { (*found).owned() })),
            libc::ERANGE if size < LARGEST_ENTRY => size *= 2,
            errno => return Err(Errno::from_raw(errno)),
        }
    }
}

impl Entry for libc::passwd {
    type Owned = NssUser;

    unsafe fn owned(&self) -> NssUser {
        // SAFETY: as the caller promises.
        let (name, home, shell) = unsafe { (bytes(self.pw_name), bytes(self.pw_dir), bytes(self.pw_shell)) };
        NssUser { name, uid: self.pw_uid, gid: self.pw_gid, home, shell }
    }
}

impl Entry for libc::group {
    type Owned = NssGroup;

    unsafe fn owned(&self) -> NssGroup {
        let mut members = Vec::new();
        let mut next = self.gr_mem;
        // SAFETY: as the caller promises: an array of C strings that a null pointer ends.
        while let Some(member) = unsafe { next.as_ref() }.filter(|member| !member.is_null()) {
            // SAFETY: the array goes on behind an element that is not null.
            unsafe {
                members.push(bytes(*member));
                next = next.add(1);
            }
        }
        // SAFETY: as the caller promises.
        NssGroup { name: unsafe { bytes(self.gr_name) }, gid: self.gr_gid, members }
    }
}

/// A C string's bytes, none for a null pointer.
///
/// # Safety
/// `text` is null or leads to a C string.
unsafe fn bytes(text: *const c_char) -> Vec<u8> {
    // SAFETY: as the caller promises, and null is ruled out.
    if text.is_null() { Vec::new() } else { unsafe { CStr::from_ptr(text) }.to_bytes().to_vec() }
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

impl From<users::User> for NssUser {
    fn from(user: users::User) -> Self {
        let home = user.home_dir().as_os_str().to_owned().into_vec();
        let shell = user.shell().as_os_str().to_owned().into_vec();
        let name = user.name().to_owned().into_vec();
        Self { name, uid: user.uid(), gid: user.primary_group_id(), home, shell }
    }
}

impl From<users::Group> for NssGroup {
    fn from(group: users::Group) -> Self {
        let members = group.members().iter().map(|name| name.clone().into_vec()).collect();
        Self { name: group.name().to_owned().into_vec(), gid: group.gid(), members }
    }
}

//! Capabilities and keyrings of this process.

use nix::errno::Errno;

/// `_LINUX_CAPABILITY_VERSION_3` (`capget(2)`): two words of 32 capabilities for each set.
const VERSION_3: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Every capability that this thread has in any of its effective, permitted and inheritable sets.
///
/// # Errors
/// What capget gives.
pub fn capabilities() -> nix::Result<u64> {
    let mut header = Header { version: VERSION_3, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: version 3 writes two elements, which is what `data` has.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) })?;
    let any = |d: Data| u64::from(d.effective | d.permitted | d.inheritable);
    Ok(any(data[0]) | any(data[1]) << 32)
}

/// Gives up every capability in every set but the bounding one, the ambient set included.
///
/// # Errors
/// What prctl and capset give.
pub fn clear_capabilities() -> nix::Result<()> {
    // SAFETY: this prctl takes numbers only.
    let ambient = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    Errno::result(ambient)?;
    let header = Header { version: VERSION_3, pid: 0 };
    let data = [Data::default(); 2];
    // SAFETY: version 3 reads two elements, which is what `data` has.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) }).map(drop)
}

/// Leaves the session keyring for a new, empty one: possession of a key is a right of its own, which no
/// change of uid takes away (`keyrings(7)`).
///
/// # Errors
/// What keyctl gives; `ENOSYS` where the kernel has no keys.
pub fn new_session_keyring() -> nix::Result<()> {
    let name: *const libc::c_char = std::ptr::null();
    // SAFETY: a null name asks for an anonymous keyring.
    Errno::result(unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, name) })
        .map(drop)
}

//! What is executed as the user: the file, its arguments, and an environment made anew.

use std::ffi::CString;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, SealFlag, fcntl, open};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::Mode;

use super::launch::system;
use super::{Spec, WORKER};
use crate::error::Result;

/// `MFD_EXEC` (`memfd_create(2)`, Linux 6.3).
const MFD_EXEC: u32 = 0x10;

/// A program with everything that it is given when it is executed.
pub(super) struct Program {
    pub(super) file: OwnedFd,
    pub(super) arguments: Vec<CString>,
    pub(super) environment: Vec<CString>,
    /// Whether it is the worker, which goes on with the protocol; to any other program the channel closes.
    pub(super) worker: bool,
}

impl Program {
    /// This program as the spec's worker; `for_another`: for another user than this process's.
    pub(super) fn worker(spec: &Spec, for_another: bool) -> Result<Self> {
        let file = own_program(for_another).map_err(system("open our own program"))?;
        let invalid = || system("start a process")(Errno::EINVAL);
        let arguments = arguments(spec).ok_or_else(invalid)?;
        let environment = environment(spec, None).ok_or_else(invalid)?;
        Ok(Self { file, arguments, environment, worker: true })
    }

    /// A program that is installed, opened and judged, with its words and the user's runtime folder.
    pub(super) fn installed(
        file: OwnedFd,
        words: &[&str],
        spec: &Spec,
        runtime: Option<&str>,
    ) -> Result<Self> {
        let invalid = || system("start a process")(Errno::EINVAL);
        let arguments: Option<_> = words.iter().map(|word| CString::new(*word).ok()).collect();
        let environment = environment(spec, runtime).ok_or_else(invalid)?;
        Ok(Self { file, arguments: arguments.ok_or_else(invalid)?, environment, worker: false })
    }
}

/// This program, open for execution. For another user it is a sealed copy in memory: the file itself may
/// lie where that user cannot go, or be executable by root alone.
fn own_program(for_another: bool) -> nix::Result<OwnedFd> {
    let exe = "/proc/self/exe";
    if !for_another {
        return open(exe, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty());
    }
    let own = open(exe, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    // Kernels before 6.3 refuse the flag that later ones may insist on (vm.memfd_noexec).
    let copy = memfd_create(c"subidctl", flags | MFdFlags::from_bits_retain(MFD_EXEC))
        .or_else(|_| memfd_create(c"subidctl", flags))?;
    let mut from = std::fs::File::from(own);
    let mut to = std::fs::File::from(copy);
    std::io::copy(&mut from, &mut to).map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))?;
    let seals =
        SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
    fcntl(&to, FcntlArg::F_ADD_SEALS(seals))?;
    // Executing a file that is open for writing is refused: reopen it.
    open(
        format!("/proc/self/fd/{}", to.as_raw_fd()).as_str(),
        OFlag::O_RDONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )
}

/// The worker's arguments: the hidden subcommand, then CMD as it is.
fn arguments(spec: &Spec) -> Option<Vec<CString>> {
    let command = spec.command.iter().flatten().map(|word| CString::new(word.as_bytes()).ok());
    [Some(c"subidctl".to_owned()), CString::new(WORKER).ok()].into_iter().chain(command).collect()
}

/// The environment of what is executed as the user, built anew. Of our own only `TERM` and `LANG` are taken over, and
/// only where they are plain words: nothing from the environment decides.
fn environment(spec: &Spec, runtime: Option<&str>) -> Option<Vec<CString>> {
    let plain = |name: &str| {
        std::env::var(name).ok().filter(|value| {
            !value.is_empty() && value.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+@".contains(&b))
        })
    };
    let (term, lang) = (plain("TERM"), plain("LANG"));
    let user = spec.user.as_bytes();
    let mut variables: Vec<(&str, &[u8])> = vec![
        ("PATH", b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", &spec.home),
        ("USER", user),
        ("LOGNAME", user),
        ("SHELL", &spec.shell),
        ("TERM", term.as_deref().unwrap_or("dumb").as_bytes()),
        ("LANG", lang.as_deref().unwrap_or("C.UTF-8").as_bytes()),
    ];
    variables.extend(runtime.map(|folder| ("XDG_RUNTIME_DIR", folder.as_bytes())));
    variables
        .into_iter()
        .map(|(name, value)| CString::new([name.as_bytes(), b"=", value].concat()).ok())
        .collect()
}

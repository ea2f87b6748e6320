//! Opening below a folder without ever leaving it or following a link.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, openat, openat2};
use nix::sys::stat::Mode;

use super::file::retry;

/// Opens `path`, relative to `dir`, with every component beneath `dir` and none of them a symbolic link
/// (`openat2(2)`). Where the kernel has no openat2 (before 5.6, or a seccomp filter that hides it) the
/// components are opened one by one.
///
/// # Errors
/// `ELOOP` for a symbolic link anywhere, `EXDEV` for a way out, and whatever open gives.
pub fn open_beneath(dir: BorrowedFd<'_>, path: &Path, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
    // openat2 takes no further flags beside O_PATH.
    let quiet = if flags.contains(OFlag::O_PATH) { OFlag::empty() } else { OFlag::O_NOCTTY };
    let flags = flags | OFlag::O_CLOEXEC | quiet;
    let beneath =
        ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    // openat2 refuses a mode without a file to create.
    let creates = flags.intersects(OFlag::O_CREAT | OFlag::O_TMPFILE);
    let how = OpenHow::new().flags(flags).mode(if creates { mode } else { Mode::empty() }).resolve(beneath);
    match retry(|| openat2(dir, path, how)) {
        Err(Errno::ENOSYS | Errno::EPERM | Errno::EAGAIN) => one_by_one(dir, path, flags, mode),
        result => result,
    }
}

fn one_by_one(dir: BorrowedFd<'_>, path: &Path, flags: OFlag, mode: Mode) -> nix::Result<OwnedFd> {
    let folder = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut at = dir.try_clone_to_owned().map_err(|_| Errno::EMFILE)?;
    let mut components = path.components().peekable();
    while let Some(component) = components.next() {
        let name = match component {
            Component::Normal(name) => name,
            Component::CurDir => std::ffi::OsStr::new("."),
            _ => return Err(Errno::EXDEV),
        };
        let last = components.peek().is_none();
        let flags = if last { flags | OFlag::O_NOFOLLOW } else { folder };
        at = retry(|| openat(at.as_fd(), name, flags, mode)).map_err(|errno| match errno {
            Errno::ENOTDIR if !last => Errno::ELOOP,
            errno => errno,
        })?;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn no_way_out_and_no_links() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join("etc")).unwrap();
        std::fs::write(tree.path().join("etc/subuid"), "x").unwrap();
        symlink("/etc", tree.path().join("out")).unwrap();
        symlink("subuid", tree.path().join("etc/link")).unwrap();
        let dir = std::fs::File::open(tree.path()).unwrap();
        for open in [open_beneath, one_by_one] {
            let open = |path: &str| open(dir.as_fd(), Path::new(path), OFlag::O_RDONLY, Mode::empty());
            assert!(open("etc/subuid").is_ok());
            assert_eq!(open("out/passwd").unwrap_err(), Errno::ELOOP);
            assert_eq!(open("etc/link").unwrap_err(), Errno::ELOOP);
            assert_eq!(open("../x").unwrap_err(), Errno::EXDEV);
            assert_eq!(open("none/x").unwrap_err(), Errno::ENOENT);
        }
        let link = OFlag::O_PATH | OFlag::O_NOFOLLOW;
        for open in [open_beneath, one_by_one] {
            assert!(open(dir.as_fd(), Path::new("etc/link"), link, Mode::empty()).is_ok(), "the link itself");
        }
    }
}

//! Those who write in place and know none of shadow's locks: Apptainer, and editors. They open a file for
//! writing and read it, and later empty and rewrite it. Whoever reads in between sees half a file, and what
//! is committed before they write is lost, or they write into the file that was replaced.

use std::os::fd::{AsFd as _, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;

use super::dotlock::Held;
use super::folder::Folder;
use crate::sys::{read_lease, retry};

/// Keeps everybody from opening a file for writing until it is dropped; who tries waits.
#[derive(Debug)]
pub(super) struct Lease {
    _file: OwnedFd,
}

/// Takes the lease of a file. There is none of what is no regular file, which is refused elsewhere, and on
/// file systems that have no leases.
///
/// # Errors
/// Where somebody has the file open for writing.
pub(super) fn take(etc: &Folder, name: &str) -> Result<Option<Lease>, Held> {
    let regular = |mode| mode & libc::S_IFMT == libc::S_IFREG;
    if !etc.stat(name).ok().flatten().is_some_and(|stat| regular(stat.st_mode)) {
        return Ok(None);
    }
    let Ok(file) = etc.open(name, OFlag::O_RDONLY) else { return Ok(None) };
    match retry(|| read_lease(file.as_fd())) {
        Ok(()) => Ok(Some(Lease { _file: file })),
        Err(Errno::EAGAIN) => {
            let full = etc.full(name);
            let find = crate::text::shell_word(full.as_os_str().as_encoded_bytes())
                .map_or_else(String::new, |path| format!(" (sudo fuser -v {path} names it)"));
            Err(Held {
                why: format!("another program has {} open for writing", crate::text::path(&full)),
                fix: format!("wait until it is done{find}, or give it more time with --lock-timeout"),
            })
        }
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_given_while_somebody_may_write() {
        let tree = tempfile::tempdir().unwrap();
        let dir = std::fs::File::open(tree.path()).unwrap();
        let folder = Folder::new(dir.into(), tree.path().to_owned());
        assert!(matches!(take(&folder, "subuid"), Ok(None)));
        let writer = std::fs::File::create(tree.path().join("subuid")).unwrap();
        assert!(take(&folder, "subuid").unwrap_err().why.contains("open for writing"));
        drop(writer);
        assert!(matches!(take(&folder, "subuid"), Ok(Some(_))));
    }
}

//! Files of /proc: they have no size and belong to no root.

use std::io::ErrorKind;
use std::path::Path;

use nix::errno::Errno;

use super::Root;
use crate::error::{Error, Result};

/// Reads a file of /proc, or `None` where it does not exist.
fn read_proc(path: &str) -> Result<Option<String>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => {
            let errno = Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO));
            Err(Error::reading(Path::new(path), errno).fix("make /proc readable, or run it as root"))
        }
    }
}

/// A file of a system's own /proc or /sys. Below a root it is a file like any other: an image that is looked
/// at where it lies has none, and where one is bound in, its links are another process's.
pub(super) fn read_proc_of(root: &Root, path: &str) -> Result<Option<String>> {
    if root.is_running() {
        return read_proc(path);
    }
    Ok(root.read(path).ok().flatten().map(|(bytes, _)| String::from_utf8_lossy(&bytes).into_owned()))
}

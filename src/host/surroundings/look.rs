//! Single looks at a system. Of the running one through its own mounts and links; of a tree never out of it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;

use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, Mode, fstat};

use crate::error::Code;
use crate::host::{Root, read_proc_of};
use crate::snapshot::{Fact, FileStatus};

/// What a file of `/proc` or `/sys` says.
pub(super) fn text(root: &Root, path: &str) -> Fact<String> {
    match read_proc_of(root, path) {
        Ok(Some(text)) => Fact::Seen(text),
        Ok(None) => Fact::Missing,
        Err(error) => Fact::Unreadable(format!("{error}: {}", error.why)),
    }
}

/// The number that such a file says.
pub(super) fn number(root: &Root, path: &str) -> Fact<u32> {
    text(root, path).and_then(|text| text.trim().parse().ok())
}

/// What is at a path. On the running system links are followed, as whoever uses it follows them.
pub(in crate::host) fn status(root: &Root, path: &str) -> Fact<FileStatus> {
    if root.is_running() {
        return match std::fs::metadata(path) {
            Ok(meta) => Fact::Seen(FileStatus { mode: meta.mode(), uid: meta.uid(), gid: meta.gid() }),
            Err(error) if missing(error.raw_os_error()) => Fact::Missing,
            Err(error) => Fact::Unreadable(format!("{} cannot be looked at: {error}", shown(path))),
        };
    }
    match root.open(path, OFlag::O_PATH, Mode::empty()).and_then(fstat) {
        Ok(FileStat { st_mode: mode, st_uid: uid, st_gid: gid, .. }) => {
            Fact::Seen(FileStatus { mode, uid, gid })
        }
        Err(errno) if missing(Some(errno as i32)) => Fact::Missing,
        Err(errno) => Fact::Unreadable(format!("{} cannot be looked at: {}", shown(path), errno.desc())),
    }
}

/// Whether anything is at a path.
pub(super) fn there(root: &Root, path: &str) -> bool {
    status(root, path).seen().is_some()
}

/// Which file a regular one is, by device and inode.
pub(in crate::host) fn status_id(root: &Root, path: &str) -> Option<(u64, u64)> {
    if root.is_running() {
        return std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|m| (m.dev(), m.ino()));
    }
    let stat = root.open(path, OFlag::O_PATH, Mode::empty()).and_then(fstat).ok()?;
    (stat.st_mode & libc::S_IFMT == libc::S_IFREG).then_some((stat.st_dev, stat.st_ino))
}

/// The names in a folder; none where it cannot be read.
pub(super) fn listed(root: &Root, folder: &str) -> Vec<Vec<u8>> {
    root.list(folder).unwrap_or_default()
}

/// A settings file: its bytes, `None` where there is none.
///
/// # Errors
/// Why it cannot be read, one escaped sentence.
pub(super) fn settings(root: &Root, path: &str, own: bool) -> Result<Option<Vec<u8>>, String> {
    // One's own may lie behind any link; another user's must not lead root anywhere.
    if own && root.is_running() && std::fs::metadata(path).is_ok_and(|meta| meta.is_file()) {
        return std::fs::read(path)
            .map(Some)
            .map_err(|error| format!("cannot read {}: {error}", shown(path)));
    }
    match crate::host::read_following(root, path) {
        Ok(read) => Ok(read.map(|(bytes, _)| bytes)),
        // A folder on the way may be a file.
        Err(error) if error.code == Code::ReadFailed && error.why == nix::errno::Errno::ENOTDIR.desc() => {
            Ok(None)
        }
        Err(error) => Err(format!("{error}: {}", error.why)),
    }
}

/// The caller's PATH; below a root the one of the tree's own `/proc/self/environ`.
pub(in crate::host) fn search_path(root: &Root) -> Option<OsString> {
    if root.is_running() {
        return std::env::var_os("PATH");
    }
    variables(root)?.into_iter().find(|(name, _)| name == b"PATH").map(|(_, value)| bytes(&value).to_owned())
}

/// The variables of a tree's `/proc/self/environ`; `None` where it has none.
pub(super) fn variables(root: &Root) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let (text, _) = root.read("/proc/self/environ").ok()??;
    let pair = |text: &[u8]| {
        let at = text.iter().position(|b| *b == b'=')?;
        let (name, value) = text.split_at(at);
        Some((name.to_vec(), value.get(1..)?.to_vec()))
    };
    Some(text.split(|b| *b == 0).filter_map(pair).collect())
}

fn bytes(value: &[u8]) -> &OsStr {
    OsStr::from_bytes(value)
}

fn missing(errno: Option<i32>) -> bool {
    matches!(errno, Some(libc::ENOENT | libc::ENOTDIR))
}

fn shown(path: &str) -> String {
    crate::text::escape(path.as_bytes())
}

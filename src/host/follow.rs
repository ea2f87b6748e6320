//! Files that libc and libeconf read through symbolic links: authselect makes `/etc/nsswitch.conf` one on
//! Fedora and RHEL, NixOS most of `/etc`.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{OFlag, readlinkat};
use nix::sys::stat::Mode;

use super::{Root, Stat};
use crate::error::Result;

/// The kernel follows 40; a file that one reads for settings lies behind one or two.
const MOST_LINKS: usize = 8;

/// Reads a file whose last component may be a symbolic link. Each link is followed by its text below
/// `root`, where an absolute one begins at `root` again, so none leads out of the tree; folders on the way
/// must be none. Else as [`Root::read`].
pub fn read_following(root: &Root, path: &str) -> Result<Option<(Vec<u8>, Stat)>> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match target(root, &path) {
            Some(next) => path = next,
            None => break,
        }
    }
    root.read(&path)
}

/// Where the link leads, as an absolute path of that system; `None` for anything but a link.
fn target(root: &Root, path: &str) -> Option<String> {
    let link = root.open(path, OFlag::O_PATH | OFlag::O_NOFOLLOW, Mode::empty()).ok()?;
    let text = readlinkat(link, "").ok()?;
    let mut whole = PathBuf::from("/");
    for component in Path::new(path).parent()?.join(text).components() {
        match component {
            Component::Normal(name) => whole.push(name),
            // No folder on the way is a link, so its parent is the one that its path names.
            Component::ParentDir => drop(whole.pop()),
            _ => {}
        }
    }
    std::str::from_utf8(whole.as_os_str().as_bytes()).ok().map(str::to_owned)
}

//! Single files that the user named.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::folder::{Folder, Like};
use crate::error::{Code, Error, Result};
use crate::sys::retry;
use crate::text::shell_word;

/// Writes a file that the user named (`--out`, `--svg`, `--to`), whole or not at all, with these permission bits. An existing
/// regular file is replaced; a link, device or folder is refused.
///
/// # Errors
/// `untrusted-file` for anything but a regular file, `write-failed` for everything else.
pub fn write_file(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let writing =
        |errno| Error::writing("write", path, errno).fix("name a file in a folder that you may write");
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| writing(Errno::EINVAL))?;
    // `dir/` and `dir/.` name a folder, and never the file of that name.
    if !path.as_os_str().as_bytes().ends_with(name.as_bytes()) {
        return Err(writing(Errno::EISDIR));
    }
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let dir = retry(|| open(parent, flags, Mode::empty())).map_err(|errno| {
        let missing = shell_word(parent.as_os_str().as_bytes()).filter(|_| errno == Errno::ENOENT);
        missing.map_or_else(
            || writing(errno),
            |parent| writing(errno).fix(format!("mkdir -p {parent}, and run it again")),
        )
    })?;
    let folder = Folder::new(dir, parent.to_owned());
    let there = folder.stat(name).map_err(writing)?;
    if there.is_some_and(|stat| stat.st_mode & libc::S_IFMT != libc::S_IFREG) {
        return Err(Error::new(Code::UntrustedFile, format!("{} is not replaced", crate::text::path(path)))
            .why("it exists and is not a regular file")
            .fix("name another file"));
    }
    let temp = format!(".subidctl.{}.{name}", std::process::id());
    folder.temp(&temp, bytes, &Like::mode(mode))?;
    folder.rename(&temp, name).and_then(|()| folder.sync()).map_err(|errno| {
        // Where the rename happened the temporary name is gone already.
        let _ = folder.remove(&temp);
        writing(errno)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_is_not_followed_and_nothing_is_left_over() {
        let tree = tempfile::tempdir().unwrap();
        let at = |name| tree.path().join(name);
        std::fs::write(at("victim"), "victim").unwrap();
        symlink(at("victim"), at("link")).unwrap();
        assert_eq!(write_file(&at("link"), b"x", 0o644).unwrap_err().code, Code::UntrustedFile);
        assert_eq!(std::fs::read(at("victim")).unwrap(), b"victim");
        write_file(&at("new"), b"1", 0o644).unwrap();
        write_file(&at("new"), b"2", 0o644).unwrap();
        assert_eq!(std::fs::read(at("new")).unwrap(), b"2");
        assert_eq!(std::fs::read_dir(tree.path()).unwrap().count(), 3);
        for folder in ["new/", "new/.", "newer/"] {
            let error = write_file(&at(folder), b"3", 0o644).unwrap_err();
            assert_eq!(error.code, Code::WriteFailed, "{folder}");
        }
        assert_eq!(std::fs::read(at("new")).unwrap(), b"2");
        let error = write_file(&at("no/such"), b"x", 0o644).unwrap_err();
        assert!(error.code == Code::WriteFailed && error.fix.starts_with("mkdir -p /"), "{error:?}");
    }
}

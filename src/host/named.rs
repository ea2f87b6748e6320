//! Files that the caller names: a policy, a map, a plan, a list of users.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::error::{Code, Error, Result};

/// Such files are read up to this many bytes: 64 MiB, enough for a plan of 100,000 users.
const LARGEST: u64 = 64 << 20;

/// Whose file it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Root's, and writable by nobody else. For a caller who is not root: root's or the caller's.
    Policy,
    /// Root's or the login user's, and writable by nobody else.
    Plan,
    /// Anybody's: its content is only names, each of which is looked up.
    Names,
}

/// Reads a regular file whole, once, from one descriptor.
///
/// # Errors
/// `read-failed` where it is missing or unreadable, `untrusted-file` where it is a symbolic link, not a
/// regular file, too large, another user's or writable by others.
pub fn read_named(path: &Path, trust: Trust) -> Result<Vec<u8>> {
    let shown = crate::text::path(path);
    let refuse = |why: &str| {
        Error::new(Code::UntrustedFile, format!("{shown} cannot be trusted"))
            .why(why.to_owned())
            .fix("use a regular file that belongs to root and that nobody else can write")
    };
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let mut file =
        File::options().read(true).custom_flags(flags).open(path).map_err(|e| match e.raw_os_error() {
            Some(libc::ELOOP) => refuse("it is a symbolic link"),
            Some(errno) => Error::reading(path, nix::errno::Errno::from_raw(errno))
                .fix("check the name and who may read it"),
            None => refuse("its name cannot be opened"),
        })?;
    let meta = file.metadata().map_err(|_| refuse("it cannot be examined"))?;
    if !meta.is_file() {
        return Err(refuse("it is not a regular file"));
    }
    if meta.len() > LARGEST {
        return Err(refuse("it is larger than 64 MiB"));
    }
    let caller = nix::unistd::geteuid().as_raw();
    let owner_ok = match trust {
        Trust::Names => true,
        Trust::Policy => meta.uid() == 0 || (caller != 0 && meta.uid() == caller),
        Trust::Plan => meta.uid() == 0 || meta.uid() == caller || super::login_uid() == Some(meta.uid()),
    };
    if !owner_ok {
        return Err(refuse(&format!("it belongs to uid {}", meta.uid())));
    }
    if trust != Trust::Names && meta.mode() & 0o022 != 0 {
        return Err(refuse(&format!(
            "others than its owner can write it (mode {:04o})",
            meta.mode() & 0o7777
        )));
    }
    if trust != Trust::Names {
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = parent.metadata().map_err(|_| refuse("its folder cannot be examined"))?;
        // In a sticky folder such as /tmp nobody can put another file in the place of root's.
        if folder.mode() & 0o022 != 0 && folder.mode() & libc::S_ISVTX == 0 {
            return Err(refuse(&format!(
                "others can replace it: its folder has mode {:04o}",
                folder.mode() & 0o7777
            )));
        }
    }
    read_bounded(&mut file, &shown)
}

/// Reads standard input, or any other stream, up to 64 MiB.
pub fn read_bounded(source: &mut impl std::io::Read, shown: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::new(Code::ReadFailed, format!("cannot read {shown}")).why(e.to_string()))?;
    if u64::try_from(bytes.len()).is_ok_and(|n| n > LARGEST) {
        return Err(Error::new(Code::UntrustedFile, format!("{shown} cannot be used"))
            .why("it is larger than 64 MiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_file_that_others_can_write_or_replace_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("p"), folder.path().join("l"));
        std::fs::write(&file, "x").unwrap();
        symlink(&file, &link).unwrap();
        let mode =
            |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        let read = |path: &Path, trust| read_named(path, trust).map_err(|e| e.code);
        mode(&file, 0o644);
        assert_eq!(read(&file, Trust::Policy), Ok(b"x".to_vec()));
        assert_eq!(read(&link, Trust::Policy), Err(Code::UntrustedFile));
        assert_eq!(read(folder.path(), Trust::Names), Err(Code::UntrustedFile));
        assert_eq!(read(&folder.path().join("none"), Trust::Plan), Err(Code::ReadFailed));
        mode(folder.path(), 0o777);
        assert_eq!(read(&file, Trust::Policy), Err(Code::UntrustedFile));
        assert_eq!(read(&file, Trust::Names), Ok(b"x".to_vec()));
        mode(folder.path(), 0o1777);
        assert_eq!(read(&file, Trust::Plan), Ok(b"x".to_vec()));
        mode(&file, 0o664);
        assert_eq!(read(&file, Trust::Plan), Err(Code::UntrustedFile));
    }
}

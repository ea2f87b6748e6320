//! newuidmap, newgidmap and their like: found in fixed folders, judged, and opened for execution by descriptor.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, fstat};

use super::{Root, Stat};
use crate::error::{Error, Result};
use crate::range::{Kind, PerKind};
use crate::snapshot::Helper;
use crate::sys;

/// Where helpers are looked for, in order. No PATH decides.
pub const FOLDERS: [&str; 5] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"];

/// The helpers that may be executed; `None` for one that is missing or not to be trusted.
pub type Helpers = PerKind<Option<OwnedFd>>;

/// Both helpers, opened, with what is known of each.
///
/// # Errors
/// `read-failed` where one is there and cannot be looked at.
pub fn helpers(root: &Root) -> Result<(Helpers, PerKind<Helper>)> {
    let (uid, uid_facts) = find(root, Kind::Uid.helper())?;
    let (gid, gid_facts) = find(root, Kind::Gid.helper())?;
    Ok((Helpers { uid, gid }, PerKind { uid: uid_facts, gid: gid_facts }))
}

/// A program of shadow's, opened where it may be executed, with what is known of it.
pub(super) fn find(root: &Root, name: &str) -> Result<(Option<OwnedFd>, Helper)> {
    for folder in FOLDERS {
        let folder_flags = OFlag::O_PATH | OFlag::O_DIRECTORY;
        let dir = match root.open(folder, folder_flags, Mode::empty()) {
            // `/bin` is a link to `/usr/bin` on most systems: it was looked at under that name.
            Err(Errno::ELOOP | Errno::ENOENT) => continue,
            result => result.map_err(|errno| looking(folder, errno))?,
        };
        let path = format!("{folder}/{name}");
        match root.open(&path, OFlag::O_PATH, Mode::empty()) {
            Err(Errno::ENOENT) => {}
            Err(Errno::ELOOP) => {
                let untrusted = Some("it is a symbolic link".to_owned());
                return Ok((None, Helper { path: Some(path), untrusted, ..Helper::default() }));
            }
            Err(errno) => return Err(looking(&path, errno)),
            Ok(file) => {
                let dir: Stat = fstat(&dir).map_err(|errno| looking(&path, errno))?.into();
                let mut facts = judge(file.as_fd(), &path, dir).map_err(|errno| looking(&path, errno))?;
                facts.script = is_script(root, &path);
                if !root.is_running() {
                    // What a tree lies on here is not what it lies on where it runs.
                    let mounts = super::mounts::mounts(root).unwrap_or_default();
                    let mount = super::mounts::mount_of(&mounts, std::path::Path::new(&path));
                    facts.nosuid_mount = mount.filter(|mount| mount.has("nosuid")).map(|m| m.point.clone());
                }
                return Ok((facts.untrusted.is_none().then_some(file), facts));
            }
        }
    }
    Ok((None, Helper::default()))
}

/// Whether a program is for an interpreter, which gets nothing from its setuid bit, and nothing to read where it
/// is executed by a descriptor that closes.
fn is_script(root: &Root, path: &str) -> bool {
    let mut head = [0; 2];
    let file = root.open(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty());
    file.is_ok_and(|file| File::from(file).read_exact(&mut head).is_ok()) && head == *b"#!"
}

fn looking(path: &str, errno: Errno) -> Error {
    Error::reading(std::path::Path::new(path), errno).fix("run it as root")
}

fn judge(file: BorrowedFd<'_>, path: &str, folder: Stat) -> nix::Result<Helper> {
    let stat: Stat = fstat(file)?.into();
    let others = |stat: Stat| stat.mode & 0o002 != 0 || (stat.mode & 0o020 != 0 && stat.gid != 0);
    let untrusted = if stat.mode & libc::S_IFMT != libc::S_IFREG {
        Some("it is not a regular file")
    } else if stat.uid != 0 {
        Some("it does not belong to root")
    } else if others(stat) {
        Some("others than root can write to it")
    } else if folder.uid != 0 || others(folder) {
        Some("others than root can write to its folder")
    } else {
        None
    };
    let caps = sys::xattr(file, c"security.capability")?;
    Ok(Helper {
        path: Some(path.to_owned()),
        untrusted: untrusted.map(str::to_owned),
        mode: stat.mode & 0o7777,
        uid: stat.uid,
        file_caps: caps.as_deref().and_then(file_capabilities),
        nosuid_mount: if sys::mount_ignores_setuid(file)? {
            Some(super::mounts::point_of(path))
        } else {
            None
        },
        script: false,
        shadowed_by: None,
        shadow_powerless: false,
    })
}

/// The permitted set of a `security.capability` attribute and whether its effective bit is set. Layout:
/// `struct vfs_cap_data`, version 2 or 3, in linux/capability.h, little-endian.
fn file_capabilities(bytes: &[u8]) -> Option<(u64, bool)> {
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let magic = word(0)?;
    let version = magic >> 24;
    if !(version == 2 && bytes.len() == 20 || version == 3 && bytes.len() == 24) {
        return None;
    }
    Some((u64::from(word(4)?) | u64::from(word(12)?) << 32, magic & 1 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_capabilities_are_read() {
        let v2 = [1, 0, 0, 2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(file_capabilities(&v2), Some((1 << 7, true)));
        let mut v3 = [0u8; 24];
        v3[3] = 3;
        v3[12] = 1;
        assert_eq!(file_capabilities(&v3), Some((1 << 32, false)));
        assert_eq!(file_capabilities(&v2[..19]), None);
        assert_eq!(file_capabilities(&[]), None);
    }

    #[test]
    fn links_and_writable_files_are_not_trusted() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let tree = tempfile::tempdir().unwrap();
        let bin = tree.path().join("usr/bin");
        std::fs::create_dir_all(&bin).unwrap();
        let root = Root::below(tree.path()).unwrap();
        let find = |kind: Kind| find(&root, kind.helper()).unwrap();
        assert!(find(Kind::Uid).1.path.is_none());
        symlink("/usr/bin/newuidmap", bin.join("newuidmap")).unwrap();
        assert!(matches!(find(Kind::Uid), (None, Helper { untrusted: Some(_), .. })));
        let file = bin.join("newgidmap");
        std::fs::write(&file, "x").unwrap();
        assert!(!find(Kind::Gid).1.script);
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        assert!(find(Kind::Gid).1.script);
        for (mode, trusted) in [(0o4755, nix::unistd::geteuid().is_root()), (0o4757, false)] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            let (fd, facts) = find(Kind::Gid);
            assert_eq!((fd.is_some(), facts.mode), (trusted, mode), "{facts:?}");
        }
    }
}

//! Files that IDs own: a walk below some folders, several threads at once.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

use crate::error::{Error, Result};
use crate::range::{Kind, PerKind, RangeSet};
use crate::snapshot::{OwnedFile, OwnedFiles};

/// So many paths and so many errors are kept; the others are counted.
const KEPT: usize = 20;

/// Most of the time goes into waiting for the disk, so more threads than processors help.
const THREADS: usize = 4;

/// A file or folder to begin at, held open.
#[derive(Debug)]
pub struct Top {
    path: PathBuf,
    file: Arc<OwnedFd>,
    stat: FileStat,
}

impl Top {
    /// Opens what the caller named; a link is followed here and nowhere else.
    ///
    /// # Errors
    /// `read-failed`.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |errno| Error::reading(path, errno).fix("name a folder that is there, as --scan /home");
        let file = open(path, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).map_err(failed)?;
        let stat = fstat(&file).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file: Arc::new(file), stat })
    }
}

/// Looks for files that IDs of these ranges own, or that belong to a group of them, at and below each top. As
/// `find -xdev`: other file systems are not entered, links not followed. Access control lists are not read.
pub fn owned_files(tops: &[Top], ranges: &PerKind<RangeSet>) -> OwnedFiles {
    let walk = Walk { state: Mutex::default(), changed: Condvar::new(), ranges };
    for top in tops {
        let mut seen = Seen::default();
        walk.judge(&mut seen, || top.path.clone(), &top.stat);
        if is_folder(&top.stat) {
            let (parent, path) = (Arc::clone(&top.file), top.path.clone());
            seen.folders.push(Folder { parent, name: c".".to_owned(), path, device: top.stat.st_dev });
        }
        walk.add(seen);
    }
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| walk.work());
        }
    });
    let mut found = walk.lock().found.clone();
    found.sample.sort();
    found.failed.sort();
    found.beyond.retain(|path| tops.iter().all(|top| top.path != *path));
    found.beyond.sort();
    found
}

/// A folder that is still to be read. Its parent is held open, so that nobody can put something else into
/// the way to it.
struct Folder {
    parent: Arc<OwnedFd>,
    name: CString,
    path: PathBuf,
    device: u64,
}

/// What one folder brought.
#[derive(Default)]
struct Seen {
    folders: Vec<Folder>,
    files: Vec<OwnedFile>,
    by_id: HashMap<(Kind, u32), u64>,
    count: u64,
    failed: Vec<String>,
    errors: u64,
    beyond: Vec<PathBuf>,
}

impl Seen {
    fn fail(&mut self, path: &Path, errno: Errno) {
        // What goes away meanwhile owns nothing.
        if errno == Errno::ENOENT {
            return;
        }
        self.errors += 1;
        if self.failed.len() < KEPT {
            self.failed.push(format!("{}: {}", crate::text::path(path), errno.desc()));
        }
    }
}

#[derive(Default)]
struct State {
    /// The last is read next, so that few folders are open at a time.
    folders: Vec<Folder>,
    /// How many threads read one, and may add others.
    busy: usize,
    found: OwnedFiles,
}

struct Walk<'a> {
    state: Mutex<State>,
    changed: Condvar,
    ranges: &'a PerKind<RangeSet>,
}

impl Walk<'_> {
    /// No thread panics while it holds the lock: what it guards is whole at any time.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(folder) = self.next() {
            let mut seen = Seen::default();
            if let Err(errno) = self.read(&folder, &mut seen) {
                seen.fail(&folder.path, errno);
            }
            self.add(seen);
            self.lock().busy -= 1;
            self.changed.notify_all();
        }
    }

    /// The next folder; `None` once all are read.
    fn next(&self) -> Option<Folder> {
        let mut state = self.lock();
        loop {
            if let Some(folder) = state.folders.pop() {
                state.busy += 1;
                return Some(folder);
            }
            if state.busy == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn add(&self, seen: Seen) {
        let mut state = self.lock();
        state.folders.extend(seen.folders);
        let found = &mut state.found;
        found.files += seen.count;
        found.errors += seen.errors;
        for (id, files) in seen.by_id {
            *found.by_id.entry(id).or_default() += files;
        }
        let (files, failed) =
            (KEPT.saturating_sub(found.sample.len()), KEPT.saturating_sub(found.failed.len()));
        found.sample.extend(seen.files.into_iter().take(files));
        found.failed.extend(seen.failed.into_iter().take(failed));
        found.beyond.extend(seen.beyond);
        drop(state);
        self.changed.notify_all();
    }

    fn read(&self, folder: &Folder, seen: &mut Seen) -> nix::Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = openat(folder.parent.as_fd(), folder.name.as_c_str(), flags, Mode::empty())?;
        // Something may have been mounted there since it was looked at.
        if fstat(&opened)?.st_dev != folder.device {
            seen.beyond.push(folder.path.clone());
            return Ok(());
        }
        let opened = Arc::new(opened);
        let mut list = Dir::from_fd(opened.try_clone().map_err(|_| Errno::EMFILE)?)?;
        for entry in list.iter() {
            let entry = entry?;
            let name = entry.file_name();
            if !matches!(name.to_bytes(), b"." | b"..") {
                self.entry(folder, &opened, name, seen);
            }
        }
        Ok(())
    }

    fn entry(&self, folder: &Folder, opened: &Arc<OwnedFd>, name: &CStr, seen: &mut Seen) {
        let path = || folder.path.join(OsStr::from_bytes(name.to_bytes()));
        let stat = match fstatat(opened.as_fd(), name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(errno) => return seen.fail(&path(), errno),
        };
        self.judge(seen, path, &stat);
        if !is_folder(&stat) {
            return;
        }
        if stat.st_dev == folder.device {
            let parent = Arc::clone(opened);
            seen.folders.push(Folder { parent, name: name.to_owned(), path: path(), device: folder.device });
        } else {
            seen.beyond.push(path());
        }
    }

    fn judge(&self, seen: &mut Seen, path: impl FnOnce() -> PathBuf, stat: &FileStat) {
        let owned = [(Kind::Uid, stat.st_uid), (Kind::Gid, stat.st_gid)];
        let owned = owned.into_iter().filter(|(kind, id)| self.ranges[*kind].contains(*id));
        let before = seen.count;
        for id in owned {
            *seen.by_id.entry(id).or_default() += 1;
            seen.count = before + 1;
        }
        if seen.count > before && seen.files.len() < KEPT {
            seen.files.push(OwnedFile { path: path(), uid: stat.st_uid, gid: stat.st_gid });
        }
    }
}

fn is_folder(stat: &FileStat) -> bool {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::Range;
    use std::os::unix::fs::{lchown, symlink};

    fn ranges(first: u32, last: u32) -> PerKind<RangeSet> {
        PerKind::from_fn(|_| Range::between(first, last).into_iter().collect())
    }

    fn found(path: &Path) -> OwnedFiles {
        owned_files(&[Top::open(path).unwrap()], &ranges(5000, 5999))
    }

    #[test]
    fn every_kind_of_file_is_found_and_no_link_followed() {
        let (tree, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| tree.path().join(name);
        std::fs::create_dir_all(at("a/b/c")).unwrap();
        for (name, uid, gid) in
            [("a/b/c/u", 5000, 0), ("a/g", 0, 5999), ("both", 5001, 5001), ("none", 4999, 6000)]
        {
            std::fs::write(at(name), "").unwrap();
            lchown(at(name), Some(uid), Some(gid)).unwrap();
        }
        std::fs::write(outside.path().join("x"), "").unwrap();
        lchown(outside.path().join("x"), Some(5000), None).unwrap();
        symlink(outside.path(), at("a/link")).unwrap();
        assert_eq!(found(tree.path()).files, 3);
        lchown(at("a/link"), Some(5002), None).unwrap();
        lchown(at("a/b"), None, Some(5002)).unwrap();
        let found = found(tree.path());
        let paths: Vec<String> = found
            .sample
            .iter()
            .map(|f| f.path.strip_prefix(tree.path()).unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(paths, ["a/b", "a/b/c/u", "a/g", "a/link", "both"]);
        assert_eq!((found.files, found.errors), (5, 0));
        let by_id: Vec<_> = found.by_id.iter().map(|((kind, id), n)| (kind.name(), *id, *n)).collect();
        let expected = [
            ("uid", 5000, 1),
            ("uid", 5001, 1),
            ("uid", 5002, 1),
            ("gid", 5001, 1),
            ("gid", 5002, 1),
            ("gid", 5999, 1),
        ];
        assert_eq!(by_id, expected);
    }

    #[test]
    fn as_many_as_find_counts() {
        let tree = tempfile::tempdir().unwrap();
        for folder in 0..40 {
            let folder = tree.path().join(format!("d{}/e{folder}", folder % 7));
            std::fs::create_dir_all(&folder).unwrap();
            for file in 0..25 {
                let file = folder.join(file.to_string());
                std::fs::write(&file, "").unwrap();
                lchown(&file, Some(5000 + 1), None).unwrap();
            }
        }
        let found = found(tree.path());
        assert_eq!((found.files, found.sample.len(), found.errors), (1000, KEPT, 0));
    }

    #[test]
    fn another_file_system_is_not_entered_and_a_file_is_its_own_top() {
        let all = owned_files(&[Top::open(Path::new("/dev/null")).unwrap()], &ranges(0, 0));
        assert_eq!((all.files, all.sample[0].path.as_path()), (1, Path::new("/dev/null")));
        let below = owned_files(&[Top::open(Path::new("/dev")).unwrap()], &ranges(0, u32::MAX));
        // /dev/pts and /dev/shm are file systems of their own; their roots still count.
        let find = std::process::Command::new("find").args(["/dev", "-xdev"]).output().unwrap();
        assert_eq!(below.files, find.stdout.split(|b| *b == b'\n').skip(1).count() as u64);
        let pts = PathBuf::from("/dev/pts");
        assert!(below.beyond.contains(&pts), "{:?}", below.beyond);
        let both = ["/dev", "/dev/pts"].map(|path| Top::open(Path::new(path)).unwrap());
        assert!(!owned_files(&both, &ranges(0, 0)).beyond.contains(&pts), "it was looked at by itself");
        assert!(Top::open(Path::new("/nowhere")).is_err());
    }

    #[test]
    fn what_cannot_be_looked_at_is_counted() {
        let tree = tempfile::tempdir().unwrap();
        let mut seen = Seen::default();
        let ranges = ranges(5000, 5999);
        let walk = Walk { state: Mutex::default(), changed: Condvar::new(), ranges: &ranges };
        let parent = Arc::new(OwnedFd::from(std::fs::File::open(tree.path()).unwrap()));
        let device = fstat(&parent).unwrap().st_dev;
        std::fs::write(tree.path().join("file"), "").unwrap();
        // Became a file after it was looked at: root is not stopped by a mode.
        let folder = Folder { parent, name: c"file".to_owned(), path: "/x/file\x1b".into(), device };
        let errno = walk.read(&folder, &mut seen).unwrap_err();
        seen.fail(&folder.path, errno);
        seen.fail(&folder.path, Errno::ENOENT);
        assert_eq!((seen.errors, &seen.failed[..]), (1, &["/x/file\\x1b: Not a directory".to_owned()][..]));
    }
}

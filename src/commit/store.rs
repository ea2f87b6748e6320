//! The state folder: ledger, history, conflicts. That it is missing is normal; that it is not ours is an error.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate, openat};
use nix::sys::stat::{Mode, fchmod, fstat, mkdirat};
use nix::unistd::{fsync, ftruncate};

use super::dotlock::Held;
use super::folder::{Folder, Like, errno};
use super::locks;
use crate::error::{Code, Result};
use crate::host::{Root, records, trust};
use crate::range::PerKind;
use crate::state::{HistoryEntry, Journal, Ledger, StateError};
use crate::sys::retry;

const LEDGER: &str = "ledger.json";
const LEDGER_TEMP: &str = ".ledger.json.new";
const ENTRIES: &str = "entries.jsonl";
const ENTRIES_TEMP: &str = ".entries.jsonl.new";
const POLL: Duration = Duration::from_millis(20);

/// The state folder, locked against other subidctl processes while it lives.
pub(super) struct Store {
    open: Option<Open>,
    notes: Vec<String>,
}

/// What an entry is called: its transaction, and whether that was taken back.
type Name = (String, bool);

fn name(entry: &HistoryEntry) -> Name {
    (entry.transaction.clone(), entry.taken_back)
}

struct Open {
    state: Folder,
    history: Folder,
    /// Holds the flock; the folders' descriptors are others.
    _lock: File,
    /// `None` where there is none yet.
    ledger: Option<Ledger>,
    /// The ledger as it will be, and the name and line of the entry that the history gets, once prepared.
    next: Option<Ledger>,
    entry: Option<(Name, Vec<u8>)>,
    /// How many entries the history holds, the name of the last, and what stands after it.
    entries: usize,
    last: Option<Name>,
    torn: Vec<u8>,
    keep: usize,
}

impl Store {
    /// Opens the folder, and makes it on a running system. Where it cannot be had there is a note and
    /// nothing is remembered.
    ///
    /// # Errors
    /// Where it is not to be trusted, was written by a later version, or another subidctl holds it after
    /// the deadline.
    pub(super) fn open(root: &Root, deadline: Instant, keep: usize) -> Result<Self> {
        let mut notes = Vec::new();
        let without = |why: &str| {
            let path = crate::text::path(&root.full(records::STATE));
            Self { open: None, notes: vec![format!("no history and no ledger: {path}: {why}")] }
        };
        if !root.is_running() && root.open_dir(records::STATE).err() == Some(Errno::ENOENT) {
            return Ok(Self { open: None, notes });
        }
        let made = make(root, "/var/lib", "subidctl", 0o755);
        if let Err(errno) = made.and_then(|parent| parent.map_or(Ok(()), |parent| retry(|| fsync(&parent)))) {
            return Ok(without(errno.desc()));
        }
        let dir = match trust::folder(root, records::STATE) {
            Ok(dir) => dir,
            Err(error) if error.code == Code::WriteFailed => return Ok(without(&error.why)),
            Err(error) => return Err(error),
        };
        let state = Folder::new(dir, root.full(records::STATE));
        let lock = flock(&state, deadline)?;
        if let Err(errno) = make(root, records::STATE, "history", 0o700) {
            return Ok(without(errno.desc()));
        }
        let path = format!("{}/history", records::STATE);
        let history = Folder::new(trust::folder(root, &path)?, root.full(&path));
        let ledger = read_ledger(root, &state, &mut notes)?;
        let (entries, last, torn) = read_history(root, &history, &mut notes)?;
        // Every commit writes both, so that one without the other was lost; or a crash came between them.
        let gone =
            |path: &str| format!("{} is gone: a new one was begun", crate::text::path(&root.full(path)));
        match (&ledger, entries) {
            _ if super::pending(root) => {}
            (None, 1..) => notes.push(gone(records::LEDGER)),
            (Some(ledger), 0) if *ledger != Ledger::default() && torn.is_empty() && notes.is_empty() => {
                notes.push(gone(records::HISTORY));
            }
            _ => {}
        }
        let (next, entry, keep) = (None, None, keep.max(1));
        let open = Open { state, history, _lock: lock, ledger, next, entry, entries, last, torn, keep };
        Ok(Self { open: Some(open), notes })
    }

    /// Takes off the beginning of the journal's own entry, where a crash left no more of it.
    pub(super) fn mend(&mut self, journal: &Journal) -> Result<()> {
        let Self { open: Some(open), notes } = self else { return Ok(()) };
        open.mend(journal, notes)
    }

    /// Makes sure that what [`Store::finish`] will write has room: the journal's notes, and this entry.
    pub(super) fn prepare(&mut self, journal: &Journal, entry: &HistoryEntry) -> Result<()> {
        self.mend(journal)?;
        let Self { open: Some(open), .. } = self else { return Ok(()) };
        if !journal.ledger.is_empty() || open.ledger.is_none() {
            let mut next = open.ledger.clone().unwrap_or_default();
            next.add(&journal.ledger, &journal.entry);
            open.state.temp(LEDGER_TEMP, &next.to_bytes(), &Like::mode(0o644))?;
            open.next = Some(next);
        }
        let failed = |errno| open.history.failed("reserve room in", ENTRIES, errno);
        let file = open.entries_file().map_err(failed)?;
        let size = fstat(&file).map_err(failed)?.st_size;
        let line = entry.to_line();
        let len = i64::try_from(line.len()).map_err(|_| failed(Errno::EFBIG))?;
        open.entry = Some((name(entry), line));
        match retry(|| fallocate(&file, FallocateFlags::FALLOC_FL_KEEP_SIZE, size, len)) {
            Ok(()) | Err(Errno::EOPNOTSUPP | Errno::ENOSYS) => Ok(()),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Removes what [`Store::prepare`] made, here or in a process that was killed.
    pub(super) fn discard(&mut self) {
        let Self { open: Some(open), notes } = self else { return };
        (open.next, open.entry) = (None, None);
        if let Err(errno) = open.state.remove(LEDGER_TEMP) {
            let path = crate::text::path(&open.state.full(LEDGER_TEMP));
            notes
                .push(format!("{path} could not be removed ({}); the next change replaces it", errno.desc()));
        }
    }

    /// Writes ledger and history entry as prepared, whichever is missing, and makes them durable.
    pub(super) fn finish(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if let Some(next) = open.next.take() {
            let failed = |errno| open.state.failed("write", LEDGER, errno);
            open.state.rename(LEDGER_TEMP, LEDGER).map_err(failed)?;
            open.ledger = Some(next);
        }
        // The ledger's name, and that of a new folder for the history.
        open.state.sync().map_err(|errno| open.state.failed("make durable", LEDGER, errno))?;
        let failed = |errno| open.history.failed("write", ENTRIES, errno);
        let file = open.entries_file().map(File::from).map_err(failed)?;
        let end = fstat(&file).map_err(failed)?.st_size;
        let end = u64::try_from(end).map_err(|_| failed(Errno::EIO))?;
        // What a process that was killed has written is not written again, but need not last yet.
        let entry = open.entry.take().filter(|(name, _)| open.last.as_ref() != Some(name));
        if let Some((name, line)) = entry {
            // At its place: nobody else writes here, and a part that is written again is the same part.
            file.write_all_at(&line, end).map_err(|e| failed(errno(&e)))?;
            open.entries += 1;
            open.last = Some(name);
        }
        retry(|| fsync(&file)).map_err(failed)?;
        if open.entries == 1 {
            // Only then its name may be new.
            open.history.sync().map_err(failed)?;
        }
        Ok(())
    }

    /// Keeps a journal that a person must decide about; false where there is no state folder.
    pub(super) fn keep_conflict(&mut self, root: &Root, name: &str, journal: &[u8]) -> Result<bool> {
        let Some(open) = &self.open else { return Ok(false) };
        make(root, records::STATE, "conflicts", 0o700)
            .and_then(last)
            .map_err(|errno| open.state.failed("make", "conflicts", errno))?;
        let conflicts = Folder::new(trust::folder(root, records::CONFLICTS)?, root.full(records::CONFLICTS));
        conflicts.temp(name, journal, &Like::mode(0o600))?;
        conflicts.sync().map_err(|errno| conflicts.failed("make durable", name, errno))?;
        Ok(true)
    }

    /// Cuts the history to what is kept and unlocks the folder. To be called without the files' locks.
    pub(super) fn close(mut self, root: &Root) -> Vec<String> {
        if let Some(open) = &self.open
            // With some slack, so that not every commit copies the whole history.
            && open.entries > open.keep + open.keep / 4
            && let Err(error) = open.cut(root)
        {
            self.notes.push(format!("the history was not shortened: {error}: {}", error.why));
        }
        self.notes
    }
}

impl Open {
    fn entries_file(&self) -> nix::Result<OwnedFd> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        retry(|| openat(self.history.fd(), ENTRIES, flags, Mode::from_bits_truncate(0o600)))
    }

    /// Takes off the beginning of an entry that a crash left, where it is the journal's own; else the
    /// history is damaged and set aside. A file system may have made the file longer before its data was
    /// there: zeros stand for what is missing.
    fn mend(&mut self, journal: &Journal, notes: &mut Vec<String>) -> Result<()> {
        if self.torn.is_empty() {
            return Ok(());
        }
        let failed = |errno| self.history.failed("mend", ENTRIES, errno);
        let name = journal.entry.transaction.as_bytes();
        let finished = HistoryEntry { recovered: true, ..journal.entry.clone() };
        let zeros = self.torn.iter().rev().take_while(|byte| **byte == 0).count();
        let there = self.torn.get(..self.torn.len() - zeros).unwrap_or_default();
        let taken_back =
            HistoryEntry { taken_back: true, files: PerKind::default(), ..journal.entry.clone() };
        let ours =
            [&journal.entry, &finished, &taken_back].iter().any(|entry| entry.to_line().starts_with(there));
        // What all entries begin with says nothing of whose this one is; zeros alone hold nothing to lose.
        if ours && (there.is_empty() || there.windows(name.len()).any(|part| part == name)) {
            let file = self.entries_file().map_err(failed)?;
            let torn = i64::try_from(self.torn.len()).map_err(|_| failed(Errno::EFBIG))?;
            let whole = fstat(&file).map_err(failed)?.st_size - torn;
            // Without the journal nobody could tell later whose beginning it was.
            retry(|| ftruncate(&file, whole)).and_then(|()| retry(|| fsync(&file))).map_err(failed)?;
        } else {
            set_aside(&self.history, ENTRIES, &self.torn, "its last line is torn", notes)?;
            self.entries = 0;
            self.last = None;
        }
        self.torn.clear();
        Ok(())
    }

    fn cut(&self, root: &Root) -> Result<()> {
        let Some((bytes, _)) = root.read(records::HISTORY)? else { return Ok(()) };
        let lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
        let kept = lines.get(lines.len().saturating_sub(self.keep)..).unwrap_or_default().concat();
        self.history.temp(ENTRIES_TEMP, &kept, &Like::mode(0o600))?;
        let renamed = self.history.rename(ENTRIES_TEMP, ENTRIES).and_then(|()| self.history.sync());
        renamed.map_err(|errno| self.history.failed("write", ENTRIES, errno))
    }
}

/// Makes a folder with exactly this mode, whatever the umask, and gives the parent, for [`last`]. What is there
/// already is for the caller to judge.
fn make(root: &Root, parent: &str, name: &str, mode: u32) -> nix::Result<Option<OwnedFd>> {
    let path = format!("{parent}/{name}");
    if root.open_dir(&path).err() != Some(Errno::ENOENT) {
        return Ok(None);
    }
    let dir = root.open_dir(parent)?;
    match retry(|| mkdirat(&dir, name, Mode::from_bits_truncate(0o700))) {
        // By somebody else meanwhile, or by us in a call that was interrupted.
        Err(Errno::EEXIST) => {}
        result => result?,
    }
    let made = root.open_dir(&path)?;
    retry(|| fchmod(&made, Mode::from_bits_truncate(mode)))?;
    Ok(Some(dir))
}

/// Makes a new folder in this parent last.
fn last(parent: Option<OwnedFd>) -> nix::Result<()> {
    parent.map_or(Ok(()), |parent| retry(|| fsync(&parent)))
}

fn flock(state: &Folder, deadline: Instant) -> Result<File> {
    let failed = |errno| state.failed("lock", "", errno);
    let lock = File::from(state.open(".", OFlag::O_RDONLY | OFlag::O_DIRECTORY).map_err(failed)?);
    loop {
        match fs2::FileExt::try_lock_exclusive(&lock).map_err(|e| errno(&e)) {
            Ok(()) => return Ok(lock),
            Err(Errno::EINTR) => {}
            Err(Errno::EWOULDBLOCK) if Instant::now() < deadline => std::thread::sleep(POLL),
            Err(Errno::EWOULDBLOCK) => {
                return Err(locks::busy(Held {
                    why: "another subidctl is at work".to_owned(),
                    fix: "wait until it is done, or give it more time with --lock-timeout".to_owned(),
                }));
            }
            Err(errno) => return Err(failed(errno)),
        }
    }
}

fn read_ledger(root: &Root, state: &Folder, notes: &mut Vec<String>) -> Result<Option<Ledger>> {
    trust::file(root, state.fd(), records::LEDGER)?;
    let Some((bytes, _)) = root.read(records::LEDGER)? else { return Ok(None) };
    match Ledger::parse(&bytes) {
        Ok(ledger) => Ok(Some(ledger)),
        Err(StateError::Damaged(why)) => {
            set_aside(state, LEDGER, &bytes, &why, notes)?;
            Ok(Some(Ledger::default()))
        }
        Err(error) => Err(records::unusable(root, records::LEDGER, &error)),
    }
}

/// How many entries there are, the last one's transaction, and what stands after the last newline.
fn read_history(
    root: &Root,
    history: &Folder,
    notes: &mut Vec<String>,
) -> Result<(usize, Option<Name>, Vec<u8>)> {
    trust::file(root, history.fd(), records::HISTORY)?;
    let Some((bytes, _)) = root.read(records::HISTORY)? else { return Ok((0, None, Vec::new())) };
    let end = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let (whole, torn) = bytes.split_at_checked(end).unwrap_or_default();
    let lines: Vec<&[u8]> = whole.split_inclusive(|b| *b == b'\n').collect();
    // All of them are looked at, and the last is read: it says whether it is the one of the journal.
    let broken = lines.iter().zip(1_usize..).find(|(line, _)| !HistoryEntry::intact(line));
    let read = |(line, number): (&&[u8], usize)| match HistoryEntry::parse(line) {
        Err(StateError::Damaged(why)) => Err(StateError::Damaged(format!("line {number}: {why}"))),
        entry => entry,
    };
    let last = match broken.or_else(|| lines.last().map(|line| (line, lines.len()))).map(read) {
        None => None,
        Some(Ok(entry)) => Some(name(&entry)),
        Some(Err(StateError::Damaged(why))) => {
            set_aside(history, ENTRIES, &bytes, &why, notes)?;
            return Ok((0, None, Vec::new()));
        }
        Some(Err(error)) => return Err(records::unusable(root, records::HISTORY, &error)),
    };
    Ok((lines.len(), last, torn.to_vec()))
}

/// Renames a damaged file, so that nothing of it is lost and a new one can begin.
fn set_aside(folder: &Folder, name: &str, bytes: &[u8], why: &str, notes: &mut Vec<String>) -> Result<()> {
    let digest = crate::idfile::Digest::of(bytes).to_string();
    let aside = format!("{name}.damaged-{}", digest.get(..8).unwrap_or_default());
    let renamed = folder.rename(name, &aside).and_then(|()| folder.sync());
    renamed.map_err(|errno| folder.failed("set aside", name, errno))?;
    let (name, aside) = (folder.full(name), folder.full(&aside));
    notes.push(format!(
        "{} is damaged ({why}): it is now {}, and a new one was begun",
        crate::text::path(&name),
        crate::text::path(&aside)
    ));
    Ok(())
}

//! The commit itself, step by step.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use super::folder::{self, Folder};
use super::locks::Locks;
use super::recovery::{self, Recovered};
use super::store::Store;
use super::swap::{self, Swap};
use super::{Change, Checks, Committed, FileChange, Options, Outcome, Replan, log};
use crate::error::{Code, Error, Result};
use crate::host::{self, Root, records, trust};
use crate::idfile::{Digest, Document};
use crate::range::PerKind;
use crate::snapshot::{IdFile, Snapshot};
use crate::state::{HistoryEntry, Journal, Record, Touched};

pub(super) const JOURNAL: &str = ".subidctl.journal";
const JOURNAL_TEMP: &str = ".subidctl.journal.new";

/// Commits a change, after recovering an unfinished one where there is one. A change that is empty takes
/// no lock and writes nothing unless a journal is there.
///
/// Runs with one thread; nothing is printed, forked or looked up while the locks are held.
///
/// # Errors
/// `busy` where the locks were not to be had in time, `stale` where the change does not fit the files,
/// `untrusted-file`, `write-failed` and `read-failed` with nothing changed, `durability-unknown` where the
/// files were replaced but the system did not confirm that this will last, `recovery-conflict` where a
/// person must decide about an unfinished change first.
pub fn commit(
    root: &Root,
    planned_on: &Snapshot,
    change: Change,
    checks: &mut Checks<'_>,
    options: &Options,
) -> Result<Outcome> {
    if change.is_empty() && !pending(root) {
        return Ok(Outcome::Unchanged { recovered: None, notes: Vec::new() });
    }
    let etc = Folder::new(trust::folder(root, "/etc")?, root.full("/etc"));
    let deadline = Instant::now() + options.lock_timeout;
    let mut store = Store::open(root, deadline, options.keep_history)?;
    let locks = Locks::acquire(&etc, deadline)?;
    let mut recovered = None;
    let mut work = Work { root, etc: &etc, store: &mut store, locks: &locks, options };
    let done = work.run(planned_on, change, checks, &mut recovered);
    let held = locks.held();
    let mut notes = locks.release();
    notes.extend(store.close(root));
    if root.is_running() {
        notes.extend(recovered.iter().filter_map(log::recovered));
        notes.extend(done.iter().filter_map(|done| match done {
            Done::Committed(entry) => log::committed(entry),
            Done::Unchanged | Done::Differs => None,
        }));
        notes.dedup();
    }
    Ok(match done? {
        Done::Committed(entry) => {
            Outcome::Committed(Committed { transaction: entry.transaction, held, notes, recovered })
        }
        Done::Unchanged => Outcome::Unchanged { recovered, notes },
        Done::Differs => Outcome::Differs,
    })
}

/// Whether an unfinished change may be there: anything but a clear no.
pub fn pending(root: &Root) -> bool {
    root.open(records::JOURNAL, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty()).err()
        != Some(Errno::ENOENT)
}

enum Done {
    Committed(Box<HistoryEntry>),
    Unchanged,
    Differs,
}

/// What the steps under the locks share.
pub(super) struct Work<'a> {
    pub(super) root: &'a Root,
    pub(super) etc: &'a Folder,
    pub(super) store: &'a mut Store,
    pub(super) locks: &'a Locks<'a>,
    pub(super) options: &'a Options,
}

impl Work<'_> {
    fn run(
        &mut self,
        planned_on: &Snapshot,
        change: Change,
        checks: &mut Checks<'_>,
        recovered: &mut Option<Recovered>,
    ) -> Result<Done> {
        *recovered = recovery::under_locks(self, checks.judge)?;
        if change.is_empty() {
            return Ok(Done::Unchanged);
        }
        swap::trusted(self.root, self.etc)?;
        let (mut files, mut facts) = host::unread(self.root)?;
        facts.policy = (checks.policy)()?;
        let fresh = |change: &Change, files: &PerKind<IdFile>| {
            change.files.iter().all(|(kind, file)| file.before == files[kind].digest)
        };
        let change = if fresh(&change, &files) && facts == planned_on.facts {
            change
        } else {
            // Files only: what name services and processes said before stands.
            let mut now = host::reread(self.root, planned_on)?;
            now.facts.policy = facts.policy;
            files.clone_from(&now.files);
            match (checks.replan)(&now) {
                Replan::Same(again) => again,
                Replan::Differs => return Ok(Done::Differs),
                Replan::Refused(error) => return Err(error),
            }
        };
        if change.is_empty() {
            return Ok(Done::Unchanged);
        }
        if !fresh(&change, &files) {
            return Err(Error::new(Code::Stale, "the plan was not made from the files as they are")
                .why("its digests are not those of /etc/subuid and /etc/subgid")
                .fix("plan again"));
        }
        let present = PerKind::from_fn(|kind| files[kind].document.clone());
        self.write(change, present).map(|entry| Done::Committed(Box::new(entry)))
    }

    /// From the journal to the journal's end. What does not follow from `before` by the edits is found
    /// here, before anything is written.
    fn write(&mut self, change: Change, before: PerKind<Option<Document>>) -> Result<HistoryEntry> {
        let edits = PerKind::from_fn(|kind| Arc::clone(&change.files[kind].edits));
        let edits = PerKind::from_fn(|kind| &*edits[kind]);
        let after = swap::edited(&before, &edits)?;
        let Change { files, ledger, record } = change;
        let entry = entry(&files, record, &after);
        let documents = PerKind::from_fn(|kind| before[kind].clone().unwrap_or_default());
        let touched = edits.iter().filter(|(_, e)| !e.is_empty()).map(|(kind, _)| kind);
        let journal = Journal::new(entry, ledger, swap::temps(touched), &documents, &after);
        let swap = Swap::new(self.etc, &edits, before, after);

        self.in_time()?;
        let ready = self
            .begin(&journal)
            .and_then(|()| swap.prepare())
            .and_then(|()| self.store.prepare(&journal, &journal.entry))
            .and_then(|()| self.in_time());
        if let Err(error) = ready {
            return Err(self.roll_back(&swap, error));
        }
        match swap.swap() {
            Err(failure) if !failure.changed => return Err(self.roll_back(&swap, failure.error)),
            Err(failure) => return Err(unconfirmed(failure.error)),
            Ok(()) => {}
        }
        self.store.finish().map_err(unconfirmed)?;
        self.end().map_err(unconfirmed)?;
        Ok(journal.entry)
    }

    fn begin(&self, journal: &Journal) -> Result<()> {
        self.etc
            .appear(JOURNAL, JOURNAL_TEMP, &journal.to_bytes(), 0o644)
            .and_then(folder::closed)
            .and_then(|()| self.etc.sync())
            .map_err(|errno| self.etc.failed("write", JOURNAL, errno))
    }

    /// Removes the journal for good: one that came back after a power cut would be applied to later files.
    pub(super) fn end(&self) -> Result<()> {
        let removed = self.etc.remove(JOURNAL).and_then(|()| self.etc.sync());
        removed.map_err(|errno| self.etc.failed("remove", JOURNAL, errno))
    }

    fn in_time(&self) -> Result<()> {
        let held = self.locks.held();
        if held <= self.options.hold_limit {
            return Ok(());
        }
        Err(Error::new(Code::WriteFailed, "the change took too long under the locks")
            .why(format!("{:.1} s, in which every useradd on this host had to wait", held.as_secs_f64()))
            .fix("see what slows the file system of /etc down, then run the command again"))
    }

    fn roll_back(&mut self, swap: &Swap<'_>, mut error: Error) -> Error {
        swap.discard();
        self.store.discard();
        if let Err(stays) = self.end() {
            // The files are as they were, so recovery will only remove it.
            error.why = format!(
                "{}; and {stays}: {}, so that the next change begins with recovery",
                error.why, stays.why
            );
        }
        error
    }
}

/// An error after the first rename.
pub(super) fn unconfirmed(error: Error) -> Error {
    let why = if error.why.is_empty() { error.what } else { format!("{}: {}", error.what, error.why) };
    Error::new(Code::DurabilityUnknown, "committed, durability unknown")
        .why(why)
        .fix("when the disk is well again, run: sudo subidctl recover")
}

fn entry(changes: &PerKind<FileChange>, record: Record, after: &PerKind<Document>) -> HistoryEntry {
    let digests = PerKind::shared(after.uid == after.gid, |kind| after[kind].digest());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let files = PerKind::from_fn(|kind| {
        let file = &changes[kind];
        (!file.edits.is_empty()).then(|| Touched {
            before: file.before,
            after: digests[kind],
            edits: file.edits.clone(),
        })
    });
    // No two commits of a host share the nanosecond and the pid: they wait for each other.
    let moment = format!("{}.{}", now.as_nanos(), std::process::id());
    let unique = Digest::of(moment.as_bytes()).to_string();
    HistoryEntry {
        transaction: format!("{}-{}", crate::state::stamp(time), unique.get(..8).unwrap_or_default()),
        time,
        record,
        login_uid: host::login_uid(),
        uid: nix::unistd::getuid().as_raw(),
        recovered: false,
        taken_back: false,
        files,
    }
}

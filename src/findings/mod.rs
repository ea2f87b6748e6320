//! The catalogue of faults. One static table: an entry has its id, group, severity, text, the steps of a
//! container that it can explain, and a function from facts to findings. One file a group.

mod account;
mod allocators;
mod cause;
mod cgroup;
mod check;
mod computed;
mod confined;
mod disk;
mod engines;
mod files;
mod group;
mod held;
mod helpers;
mod kernel;
mod limits;
mod lines;
mod moves;
mod nested;
mod network;
mod numbers;
mod order;
mod owned;
mod owners;
mod pages;
mod peers;
mod pools;
mod ranges;
mod rows;
mod session;
mod shares;
mod sources;
mod spelling;
mod state;
mod storage;
mod survey;

pub use cause::{GIVEN_ROOT, NO_ANSWER, cause, in_files, named};
pub use check::{Check, Engine, check};
pub use engines::{Asked, engine_cause, too_short};
pub use group::Group;
pub use rows::{ROWS, Row, rows_of};
pub use survey::{Audit, Survey, audit};

use survey::Place;

use crate::proof::Step;
use crate::range::{Gid, Kind, Login, PerKind, Range, Uid};
use crate::snapshot::Machine;
use crate::text::{escape, shortened};

/// What findings are made from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Helpers, kernel, our own restrictions.
    pub machine: &'a Machine,
    /// The account.
    pub user: &'a Login,
    /// Its uid.
    pub uid: Uid,
    /// Its primary group.
    pub gid: Gid,
    /// Its ranges, in the order of the files.
    pub ranges: PerKind<&'a [Range]>,
}

/// How bad it is, or that there is nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Looked at, and right.
    Ok,
    /// Worth knowing.
    Info,
    /// Works, with a drawback.
    Warning,
    /// Does not work.
    Error,
    /// Dangerous.
    Critical,
    /// Could not be looked at.
    Skipped,
    /// Makes no sense here.
    NotApplicable,
}

impl Status {
    /// Whether something was found, good or bad.
    pub const fn is_found(self) -> bool {
        matches!(self, Self::Info | Self::Warning) || self.is_fault()
    }

    /// The worst first, then what was found, then what was not looked at, and what is right last.
    pub const fn rank(self) -> u8 {
        match self {
            Self::Critical => 0,
            Self::Error => 1,
            Self::Warning => 2,
            Self::Info => 3,
            Self::Skipped => 4,
            Self::NotApplicable => 5,
            Self::Ok => 6,
        }
    }

    /// Whether it does not work, or is dangerous: exit 4.
    pub const fn is_fault(self) -> bool {
        matches!(self, Self::Error | Self::Critical)
    }
}

/// One fault that was found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The entry's.
    pub id: &'static str,
    /// The entry's.
    pub group: Group,
    /// The entry's severity, or that it could not be looked at.
    pub status: Status,
    /// The file concerned.
    pub file: Option<String>,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// Whose line, escaped.
    pub owner: Option<String>,
    /// Whom it concerns as well, escaped: the owner of the line that this one meets.
    pub other: Option<String>,
    /// One line: what is wrong.
    pub message: String,
    /// One line: what comes of it.
    pub consequence: String,
    /// What programs will say of it, where that is known: seldom the cause.
    pub later: Option<&'static str>,
    /// What was seen that says so: a path, mode, capability, sysctl.
    pub evidence: String,
    /// What mends it: a command or a sentence a line, the first choice first.
    pub fix: String,
    /// How many it stands for: one, unless there are too many of them to list.
    pub count: usize,
}

/// One entry of the catalogue.
#[derive(Debug)]
pub struct Entry {
    /// Stable name.
    pub id: &'static str,
    /// Its group.
    pub group: Group,
    /// What each of its findings is.
    pub severity: Status,
    /// One line.
    pub title: &'static str,
    /// A paragraph for `explain`.
    pub explain: &'static str,
    /// What comes of it, one line.
    pub consequence: &'static str,
    /// What mends it, for `explain`: the commands that the fix of a finding fills in, or the fix itself where
    /// there is nothing to fill in.
    pub repair: &'static str,
    /// Whether it explains that this step failed with these words.
    explains: fn(Step, &str) -> bool,
    /// Looks for it on one user's way to a container.
    find: fn(&Facts<'_>) -> Vec<Seen>,
    /// Instead, for `check` alone: looks for it in all that surrounds the user's containers.
    look: Option<fn(&Check<'_>) -> Vec<Seen>>,
    /// Looks for it in both files and on the host, all owners; `None` where `audit` has no part in it.
    audit: Option<for<'s> fn(&'s Survey<'s>) -> Found<'s>>,
    /// Said only of lines of which nothing else is said.
    alone: bool,
    /// Whom `check` tells what `audit` finds.
    reach: Reach,
    /// Whether it is a fault of the caller's session, of which another one knows nothing.
    session: bool,
    /// For which engines it is of another severity; not applicable for those that it does not touch.
    engines: &'static [(Engine, Status)],
}

/// Whose containers a fault keeps from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The owner's of the line.
    Owner,
    /// Everybody's on this host.
    Everybody,
    /// Nobody's: it is about what is to come, or other commands say it.
    Nobody,
}

/// What entries have in common that say nothing else: each names its own id, texts and at least one of
/// `find` and `audit`.
const BASE: Entry = Entry {
    id: "",
    group: Group::Files,
    severity: Status::Error,
    title: "",
    explain: "",
    consequence: "",
    repair: "",
    explains: |_, _| false,
    find: |_| Vec::new(),
    look: None,
    audit: None,
    alone: false,
    reach: Reach::Owner,
    session: false,
    engines: &[],
};

/// What mends a line of an owner who should have other IDs.
const ANOTHER: &str =
    "sudo subidctl apply --replace USER; where no account has that name: sudo subidctl release USER";

/// What mends a line that not every program reads alike, and of which a person has to say what was meant.
const AS_MEANT: &str = "sudo subidctl apply --replace USER gives other IDs; to keep them, or to take the line out: \
                        sudo sed -i as audit prints it for the line";

/// What an entry sees in the files and on the host, one after the other: of a million lines each may have
/// its fault.
type Found<'s> = Box<dyn Iterator<Item = Sight<'s>> + 's>;

/// One thing that is seen.
enum Sight<'s> {
    /// Anything.
    Seen(Seen),
    /// A line of one of the two files, of the entry's own severity, put into words only where it is told.
    Line(Kind, usize, Box<dyn FnOnce() -> Seen + 's>),
}

impl<'s> Sight<'s> {
    /// A line, and the words for it.
    fn line(kind: Kind, line: usize, words: impl FnOnce() -> Seen + 's) -> Self {
        Self::Line(kind, line, Box::new(words))
    }

    fn place(&self) -> Option<Place> {
        match self {
            Self::Seen(seen) => Place::of(seen),
            Self::Line(kind, line, _) => Some(Place::Ours(*kind, *line)),
        }
    }

    fn words(self) -> Seen {
        match self {
            Self::Seen(seen) => seen,
            Self::Line(_, _, words) => words(),
        }
    }
}

/// What is seen at once.
fn all<'s>(seen: Vec<Seen>) -> Found<'s> {
    Box::new(seen.into_iter().map(Sight::Seen))
}

/// What an entry's function saw.
#[derive(Debug, Default)]
struct Seen {
    /// The file concerned; with `line` it is `/etc/subuid` or `/etc/subgid`.
    file: Option<String>,
    /// The line's number, from 1.
    line: Option<usize>,
    /// Whose line.
    owner: Option<Vec<u8>>,
    message: String,
    evidence: String,
    /// Empty: the entry's repair.
    fix: String,
    /// Instead of the entry's severity: what could not be looked at.
    status: Option<Status>,
    /// Another owner whom it concerns as well.
    other: Option<Vec<u8>>,
}

impl Seen {
    /// That it could not be looked at, and why.
    fn skipped(why: String) -> Self {
        Self { status: Some(Status::Skipped), message: why, ..Self::default() }
    }

    /// That it makes no sense here, and why.
    fn not_applicable(why: &str) -> Self {
        Self { status: Some(Status::NotApplicable), message: why.to_owned(), ..Self::default() }
    }
}

impl Entry {
    /// Every finding of this entry.
    pub fn find(&self, facts: &Facts<'_>) -> Vec<Finding> {
        (self.find)(facts).into_iter().map(|seen| self.of_user(facts, seen)).collect()
    }

    fn of_user(&self, facts: &Facts<'_>, seen: Seen) -> Finding {
        let owner = matches!(self.group, Group::Files | Group::Ranges).then(|| facts.user.to_string());
        Finding { owner, ..self.finding(seen) }
    }

    /// That there is nothing to mend, and why.
    fn nothing(&self, status: Status, message: &str) -> Finding {
        let seen = Seen { status: Some(status), message: message.to_owned(), ..Seen::default() };
        Finding { consequence: String::new(), later: None, fix: String::new(), ..self.finding(seen) }
    }

    /// Whether `audit` looks for it.
    pub fn in_audit(&self) -> bool {
        self.audit.is_some()
    }

    fn finding(&self, seen: Seen) -> Finding {
        Finding {
            id: self.id,
            group: self.group,
            status: seen.status.unwrap_or(self.severity),
            file: seen.file,
            line: seen.line,
            owner: seen.owner.map(|owner| shortened(escape(&owner))),
            other: seen.other.map(|owner| shortened(escape(&owner))),
            message: shortened(seen.message),
            consequence: self.consequence.to_owned(),
            later: rows::later(self.id),
            evidence: shortened(seen.evidence),
            fix: if seen.fix.is_empty() { self.repair.to_owned() } else { seen.fix },
            count: 1,
        }
    }
}

/// All entries, the more specific cause before the more general.
pub fn catalogue() -> impl Iterator<Item = &'static Entry> {
    [
        account::ENTRIES,
        files::ENTRIES,
        peers::ENTRIES,
        numbers::ENTRIES,
        held::ENTRIES,
        ranges::ENTRIES,
        peers::WIDE,
        helpers::ENTRIES,
        kernel::ENTRIES,
        limits::ENTRIES,
        nested::ENTRIES,
        confined::ENTRIES,
        kernel::CONFINED,
        session::ENTRIES,
        storage::ENTRIES,
        network::ENTRIES,
        cgroup::ENTRIES,
        allocators::HIGH,
        lines::ENTRIES,
        spelling::ENTRIES,
        owners::ENTRIES,
        shares::ENTRIES,
        disk::ENTRIES,
        state::ENTRIES,
        allocators::ENTRIES,
        computed::ENTRIES,
        pools::ENTRIES,
        sources::ENTRIES,
        numbers::HIGH,
        engines::ENTRIES,
        pages::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

/// The entry with this id.
pub fn entry(id: &str) -> Option<&'static Entry> {
    catalogue().find(|entry| entry.id == id)
}

/// What the kernel says of a missing right.
fn not_permitted(words: &str) -> bool {
    words.contains("Operation not permitted")
        || words.contains("Permission denied")
        || words.contains("Could not set caps")
}

fn is_map(step: Step) -> bool {
    matches!(step, Step::UidMap | Step::GidMap)
}

#[cfg(test)]
mod host_tests;
#[cfg(test)]
mod tests;

//! The one error type: what happened, why, and what to do, with a code from a closed list.

/// What went wrong, as scripts see it (`code` in `subidctl.error.v1`). The list is closed: an exit code
/// belongs to each, and both are documented in the manual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The command line does not make sense.
    Usage,
    /// A policy file that cannot be used.
    InvalidPolicy,
    /// A plan file that cannot be used.
    InvalidPlan,
    /// A name that can never own a range.
    InvalidName,
    /// A count of IDs out of bounds.
    InvalidCount,
    /// A range that is malformed or reaches beyond the last usable ID.
    InvalidRange,
    /// Users were selected explicitly and none is left.
    EmptySelection,
    /// A change needs a confirmation, and there is neither a terminal nor `--yes`.
    NeedsYes,
    /// No such account.
    UnknownUser,
    /// The directory did not answer, so nobody knows whether the account exists.
    LookupFailed,
    /// The history has no such change, or more than one.
    UnknownTransaction,
    /// The ledger or the history is not as it was written.
    StateDamaged,
    /// The policy has no rule for this user.
    NoRule,
    /// A group without members.
    EmptyGroup,
    /// The command needs root.
    NotRoot,
    /// A file that must not be trusted or written: symlink, FIFO, device, mount point, mode.
    UntrustedFile,
    /// A file could not be read.
    ReadFailed,
    /// A file changed while it was read.
    FileChanged,
    /// A file could not be written; nothing changed.
    WriteFailed,
    /// The person at the terminal said no.
    Declined,
    /// The renames happened, but the file system did not confirm that they will last.
    DurabilityUnknown,
    /// An unfinished change could not be completed or taken back.
    RecoveryConflict,
    /// Nobody reads what is printed any more.
    StdoutClosed,
    /// A system call failed for no reason of the files.
    System,
    /// A finding of severity error or critical.
    Finding,
    /// The test container did not come up as planned.
    ProofFailed,
    /// No world of unused IDs can be made on this host.
    WorldUnavailable,
    /// The IDs of the users to be proven do not fit one map.
    WorldMapTooLong,
    /// Another program holds the locks.
    Busy,
    /// The files, or what the plan was made from, changed since.
    Stale,
    /// The asked range is in use, reserved or released.
    RangeTaken,
    /// Processes or user namespaces use IDs of a range that is taken from its owner.
    RangeInUse,
    /// The plan was made on another host.
    OtherHost,
    /// First-fit found no free range.
    NoRoom,
    /// This host's subordinate IDs come from a directory.
    Directory,
    /// SIGINT or SIGTERM.
    Interrupted,
    /// `verify -- CMD`: the container failed, not CMD.
    VerifyFailed,
}

impl Code {
    /// All of them.
    pub const ALL: [Self; 37] = [
        Self::Usage,
        Self::InvalidPolicy,
        Self::InvalidPlan,
        Self::InvalidName,
        Self::InvalidCount,
        Self::InvalidRange,
        Self::EmptySelection,
        Self::NeedsYes,
        Self::UnknownUser,
        Self::LookupFailed,
        Self::UnknownTransaction,
        Self::StateDamaged,
        Self::NoRule,
        Self::EmptyGroup,
        Self::NotRoot,
        Self::UntrustedFile,
        Self::ReadFailed,
        Self::FileChanged,
        Self::WriteFailed,
        Self::Declined,
        Self::DurabilityUnknown,
        Self::RecoveryConflict,
        Self::StdoutClosed,
        Self::System,
        Self::Finding,
        Self::ProofFailed,
        Self::WorldUnavailable,
        Self::WorldMapTooLong,
        Self::Busy,
        Self::Stale,
        Self::RangeTaken,
        Self::RangeInUse,
        Self::OtherHost,
        Self::NoRoom,
        Self::Directory,
        Self::Interrupted,
        Self::VerifyFailed,
    ];

    /// The process exit code (0 to 255) that the manual promises for this error.
    pub const fn exit(self) -> u8 {
        match self {
            Self::Usage
            | Self::InvalidPolicy
            | Self::InvalidPlan
            | Self::InvalidName
            | Self::InvalidCount
            | Self::InvalidRange
            | Self::EmptySelection
            | Self::NeedsYes => 2,
            Self::UnknownUser
            | Self::LookupFailed
            | Self::UnknownTransaction
            | Self::StateDamaged
            | Self::NoRule
            | Self::EmptyGroup
            | Self::NotRoot
            | Self::UntrustedFile
            | Self::ReadFailed
            | Self::FileChanged
            | Self::WriteFailed
            | Self::Declined
            | Self::DurabilityUnknown
            | Self::StdoutClosed
            | Self::System => 1,
            Self::Finding | Self::ProofFailed | Self::WorldUnavailable | Self::WorldMapTooLong => 4,
            Self::Busy => 5,
            Self::Stale | Self::RangeTaken | Self::RangeInUse | Self::OtherHost | Self::RecoveryConflict => 6,
            Self::NoRoom => 7,
            Self::Directory => 8,
            Self::VerifyFailed => 125,
            Self::Interrupted => 130,
        }
    }

    /// The stable name of the code in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::InvalidPolicy => "invalid-policy",
            Self::InvalidPlan => "invalid-plan",
            Self::InvalidName => "invalid-name",
            Self::InvalidCount => "invalid-count",
            Self::InvalidRange => "invalid-range",
            Self::EmptySelection => "empty-selection",
            Self::NeedsYes => "needs-yes",
            Self::UnknownUser => "unknown-user",
            Self::LookupFailed => "lookup-failed",
            Self::StateDamaged => "state-damaged",
            Self::UnknownTransaction => "unknown-transaction",
            Self::NoRule => "no-rule",
            Self::EmptyGroup => "empty-group",
            Self::NotRoot => "not-root",
            Self::UntrustedFile => "untrusted-file",
            Self::ReadFailed => "read-failed",
            Self::FileChanged => "file-changed",
            Self::WriteFailed => "write-failed",
            Self::Declined => "declined",
            Self::DurabilityUnknown => "durability-unknown",
            Self::RecoveryConflict => "recovery-conflict",
            Self::StdoutClosed => "stdout-closed",
            Self::System => "system",
            Self::Finding => "finding",
            Self::ProofFailed => "proof-failed",
            Self::WorldUnavailable => "world-unavailable",
            Self::WorldMapTooLong => "world-map-too-long",
            Self::Busy => "busy",
            Self::Stale => "stale",
            Self::RangeTaken => "range-taken",
            Self::RangeInUse => "range-in-use",
            Self::OtherHost => "other-host",
            Self::NoRoom => "no-room",
            Self::Directory => "directory",
            Self::Interrupted => "interrupted",
            Self::VerifyFailed => "verify-failed",
        }
    }
}

/// An error in the three lines that every one of them prints.
///
/// Foreign bytes in the texts (file contents, names, other programs' words) must have gone through
/// [`crate::text::escape`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Error {
    /// The closed code, which decides the exit code.
    pub code: Code,
    /// One line: what happened. Names file and line where there is one. Lower case, no full stop.
    pub what: String,
    /// One line: why.
    pub why: String,
    /// One line: what to do, a command where one mends it.
    pub fix: String,
}

impl Error {
    /// An error with its first line; add the others with [`Error::why`] and [`Error::fix`].
    pub fn new(code: Code, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), why: String::new(), fix: String::new() }
    }

    /// Adds the reason.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// A file that could not be read, with the system's reason.
    pub fn reading(path: &std::path::Path, errno: nix::errno::Errno) -> Self {
        Self::new(Code::ReadFailed, format!("cannot read {}", crate::text::path(path))).why(errno.desc())
    }

    /// A step of a write that failed, with the system's reason. Nothing has changed when this is returned.
    pub fn writing(step: &str, path: &std::path::Path, errno: nix::errno::Errno) -> Self {
        Self::new(Code::WriteFailed, format!("cannot {step} {}", crate::text::path(path))).why(errno.desc())
    }
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn the_list_of_codes_is_closed() {
        let names = include_str!("error.rs").lines().filter(|line| line.starts_with("            Self::"));
        let named = names.filter(|line| line.contains(" => \"")).count();
        let mut all = Code::ALL.map(Code::as_str);
        all.sort_unstable();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]) && all.len() == named, "{named}: {all:?}");
    }
}

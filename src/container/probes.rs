//! What is tried inside, one function each.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::{Gid, Uid, fchown};
use serde::{Deserialize, Serialize};

use super::protocol::{Channel, Event};
use crate::idmap::Extent;
use crate::proof::ProbeStatus;
use crate::range::{Kind, PerKind};

/// The list of checks, in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Check {
    /// A file of ID 0 belongs to the user on the host.
    FileOwn,
    /// A file of the first subordinate ID.
    FileFirst,
    /// A file of the last mapped ID.
    FileLast,
    /// A uid beyond the map is refused.
    UidBeyond,
    /// A gid beyond the map is refused.
    GidBeyond,
}

impl Check {
    /// All, in order.
    pub(super) const ALL: [Self; 5] =
        [Self::FileOwn, Self::FileFirst, Self::FileLast, Self::UidBeyond, Self::GidBeyond];

    /// Those about a file whose owner the host sees, in the order of [`files`].
    const FILES: [Self; 3] = [Self::FileOwn, Self::FileFirst, Self::FileLast];

    /// Whether it is about such a file.
    pub(super) fn is_file(self) -> bool {
        Self::FILES.contains(&self)
    }

    /// The file of this check.
    pub(super) fn file(self, files: &[OwnedFd]) -> Option<&OwnedFd> {
        files.get(Self::FILES.iter().position(|check| *check == self)?)
    }

    /// Its name in reports.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::FileOwn => "file-own",
            Self::FileFirst => "file-first",
            Self::FileLast => "file-last",
            Self::UidBeyond => "uid-beyond",
            Self::GidBeyond => "gid-beyond",
        }
    }

    /// The IDs inside that this check is about; `None` where the maps have no such ID.
    pub(super) fn ids(self, maps: &PerKind<Vec<Extent>>) -> PerKind<Option<u32>> {
        PerKind::from_fn(|kind| {
            let map = &maps[kind];
            let beyond =
                map.last().and_then(|e| u32::try_from(u64::from(e.inside).checked_add(e.count)?).ok());
            match self {
                Self::FileOwn => Some(0),
                Self::FileFirst => map.get(1).map(|e| e.inside),
                Self::FileLast => beyond.and_then(|id| id.checked_sub(1)),
                // The highest number is -1, "leave as it is", and no ID.
                Self::UidBeyond | Self::GidBeyond => beyond.filter(|id| *id != u32::MAX),
            }
        })
    }
}

/// The files that the container is to give away: in memory, and the user's. The root side makes them and keeps
/// them, so that it looks at no file that the user made, nor takes a descriptor from the user's processes.
///
/// # Errors
/// What making one gives.
pub(super) fn files(owner: Option<PerKind<u32>>) -> nix::Result<Vec<OwnedFd>> {
    let make = |check: Check| {
        let name = CString::new(check.name()).map_err(|_| Errno::EINVAL)?;
        let file = memfd_create(name.as_c_str(), MFdFlags::MFD_CLOEXEC)?;
        if let Some(owner) = owner {
            fchown(&file, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?;
        }
        Ok(file)
    };
    Check::FILES.into_iter().map(make).collect()
}

/// Runs every check: on the root side's files, and on others in `folder`.
///
/// # Errors
/// What making a file or telling the root side gives; a check that fails is no error.
pub(super) fn run(
    channel: &Channel,
    maps: &PerKind<Vec<Extent>>,
    files: &[OwnedFd],
    folder: &Path,
) -> nix::Result<()> {
    for check in Check::ALL {
        let ids = check.ids(maps);
        match check {
            Check::FileOwn | Check::FileFirst | Check::FileLast => own(channel, check, ids, files)?,
            Check::UidBeyond => beyond(channel, check, Kind::Uid, ids.uid, folder)?,
            Check::GidBeyond => beyond(channel, check, Kind::Gid, ids.gid, folder)?,
        }
    }
    Ok(())
}

/// Gives the check's file to the IDs, for the host to see whose it is.
fn own(channel: &Channel, check: Check, ids: PerKind<Option<u32>>, files: &[OwnedFd]) -> nix::Result<()> {
    let file = check.file(files).ok_or(Errno::EBADF)?;
    match fchown(file, ids.uid.map(Uid::from_raw), ids.gid.map(Gid::from_raw)) {
        Ok(()) => channel.send(&Event::File(check), &[]),
        Err(errno) => say(channel, check, ProbeStatus::Failed, format!("chown: {}", errno.desc())),
    }
}

/// Tries to give a file to an ID that is not mapped.
fn beyond(channel: &Channel, check: Check, kind: Kind, id: Option<u32>, folder: &Path) -> nix::Result<()> {
    let Some(id) = id else {
        let words = format!("every {} is mapped", kind.name());
        return say(channel, check, ProbeStatus::NotApplicable, words);
    };
    let file = File::create_new(folder.join(check.name()))
        .map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO)))?;
    let result = match kind {
        Kind::Uid => fchown(file, Some(Uid::from_raw(id)), None),
        Kind::Gid => fchown(file, None, Some(Gid::from_raw(id))),
    };
    let name = kind.name();
    match result {
        Err(Errno::EINVAL) => {
            say(channel, check, ProbeStatus::Ok, format!("{name} {id} inside is not mapped, and refused"))
        }
        Ok(()) => say(
            channel,
            check,
            ProbeStatus::Failed,
            format!("{name} {id} inside is not mapped, and was taken"),
        ),
        Err(errno) => {
            say(channel, check, ProbeStatus::Failed, format!("chown to {name} {id}: {}", errno.desc()))
        }
    }
}

fn say(channel: &Channel, check: Check, status: ProbeStatus, words: String) -> nix::Result<()> {
    channel.send(&Event::Checked { check, status, words: words.into_bytes() }, &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idmap::{outside, podman};
    use crate::range::{Count, Range, SubId};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn checks_are_about_the_ends_of_the_map(
            ranges in prop::collection::vec((1000u32..3_000_000_000, 1u64..70_000), 1..6)
        ) {
            let range = |&(start, count): &(u32, u64)| Range::new(SubId::new(start), Count::new(count)?);
            let mut ranges: Vec<Range> = ranges.iter().map(|r| range(r).unwrap()).collect();
            let map = podman(999, &ranges).unwrap();
            ranges.sort_by_key(|range| range.first());
            let maps = PerKind { uid: map.clone(), gid: map.clone() };
            let id = |check: Check| check.ids(&maps).uid.unwrap();
            prop_assert_eq!(outside(&map, id(Check::FileOwn)), Some(999));
            prop_assert_eq!(outside(&map, id(Check::FileFirst)), Some(ranges[0].first()));
            prop_assert_eq!(outside(&map, id(Check::FileLast)), Some(ranges.last().unwrap().last()));
            prop_assert_eq!(outside(&map, id(Check::UidBeyond)), None);
        }
    }

    #[test]
    fn a_full_map_has_no_beyond() {
        let map = vec![Extent { inside: 0, outside: 0, count: u64::from(u32::MAX) }];
        let maps = PerKind { uid: map.clone(), gid: map };
        assert_eq!(Check::UidBeyond.ids(&maps).uid, None);
        assert_eq!(Check::FileFirst.ids(&maps).gid, None);
    }
}

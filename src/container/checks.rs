//! The list of checks: what each is called, and which IDs it is about.

use serde::{Deserialize, Serialize};

use crate::idmap::{self, Extent};
use crate::range::{Kind, PerKind, Range};

/// The ID of nobody, whom most images have files of.
pub(super) const NOBODY: u32 = 65534;

/// The checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Check {
    /// The first process is pid 1 inside and the user's outside.
    Identity,
    /// The login that the audit trail names is the same on both sides.
    Login,
    /// Every range of the user's is in the maps.
    Ranges,
    /// A file of ID 0.
    FileRoot,
    /// A file of ID 1.
    FileOne,
    /// A file of ID 1000.
    FileThousand,
    /// A file of ID 65534.
    FileNobody,
    /// A file of the last mapped ID.
    FileLast,
    /// A uid beyond the map is refused.
    UidBeyond,
    /// A gid beyond the map is refused.
    GidBeyond,
    /// Groups can be set, or cannot, as the map implies.
    Setgroups,
    /// What is root's outside can be neither changed nor signalled nor joined.
    Powerless,
    /// A user namespace inside works.
    Nested,
    /// Port 80 inside.
    Port,
    /// Port 80 of the host.
    Publish,
}

impl Check {
    /// All, in the order of reports.
    pub(super) const ALL: [Self; 15] = [
        Self::Identity,
        Self::Login,
        Self::Ranges,
        Self::FileRoot,
        Self::FileOne,
        Self::FileThousand,
        Self::FileNobody,
        Self::FileLast,
        Self::UidBeyond,
        Self::GidBeyond,
        Self::Setgroups,
        Self::Powerless,
        Self::Nested,
        Self::Port,
        Self::Publish,
    ];

    /// Those about a file whose owner the host sees.
    pub(super) const FILES: [Self; 5] =
        [Self::FileRoot, Self::FileOne, Self::FileThousand, Self::FileNobody, Self::FileLast];

    /// The file of this check.
    pub(super) fn file<T>(self, files: &[T]) -> Option<&T> {
        files.get(Self::FILES.iter().position(|check| *check == self)?)
    }

    /// Whether the container cannot say that it went well: the host sees it for itself.
    pub(super) fn is_hosts(self) -> bool {
        Self::FILES.contains(&self)
            || matches!(self, Self::Identity | Self::Login | Self::Ranges | Self::Publish)
    }

    /// Its name in reports.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Login => "login",
            Self::Ranges => "ranges",
            Self::FileRoot => "file-0",
            Self::FileOne => "file-1",
            Self::FileThousand => "file-1000",
            Self::FileNobody => "file-65534",
            Self::FileLast => "file-last",
            Self::UidBeyond => "uid-beyond",
            Self::GidBeyond => "gid-beyond",
            Self::Setgroups => "setgroups",
            Self::Powerless => "powerless",
            Self::Nested => "nested",
            Self::Port => "port-80",
            Self::Publish => "publish-80",
        }
    }

    /// The IDs inside that this check is about; `None` where the maps have no such ID, or for files where the
    /// user's own IDs are not in them: root inside has no right over a file of somebody who is not there.
    pub(super) fn ids(self, maps: &PerKind<Vec<Extent>>, own: PerKind<u32>) -> PerKind<Option<u32>> {
        let owned = Kind::BOTH.iter().all(|kind| is_mapped(&maps[*kind], own[*kind]));
        PerKind::from_fn(|kind| {
            let map = &maps[kind];
            let beyond =
                map.last().and_then(|e| u32::try_from(u64::from(e.inside).checked_add(e.count)?).ok());
            let file = |id: Option<u32>| id.filter(|id| owned && idmap::outside(map, *id).is_some());
            match self {
                Self::FileRoot => file(Some(0)),
                Self::FileOne => file(Some(1)),
                Self::FileThousand => file(Some(1000)),
                Self::FileNobody => file(Some(NOBODY)),
                Self::FileLast => file(beyond.and_then(|id| id.checked_sub(1))),
                // The highest number is -1, "leave as it is", and no ID.
                Self::UidBeyond | Self::GidBeyond => beyond.filter(|id| *id != u32::MAX),
                _ => None,
            }
        })
    }
}

/// Whether an ID of the outside has one inside.
pub(super) fn is_mapped(map: &[Extent], outside: u32) -> bool {
    idmap::inside(map, Range::single(outside)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idmap::{Userns, outside, podman, triples};
    use crate::range::{Count, SubId};
    use proptest::prelude::*;

    fn both<T: Clone>(value: T) -> PerKind<T> {
        PerKind { uid: value.clone(), gid: value }
    }

    proptest! {
        #[test]
        fn checks_are_about_the_ends_of_the_map(
            ranges in prop::collection::vec((1000u32..3_000_000_000, 1u64..70_000), 1..6)
        ) {
            let range = |&(start, count): &(u32, u64)| Range::new(SubId::new(start), Count::new(count)?);
            let mut ranges: Vec<Range> = ranges.iter().map(|r| range(r).unwrap()).collect();
            let map = podman(999, &ranges).unwrap();
            ranges.sort_by_key(|range| range.first());
            let maps = both(map.clone());
            let id = |check: Check| check.ids(&maps, both(999)).uid;
            prop_assert_eq!(outside(&map, id(Check::FileRoot).unwrap()), Some(999));
            prop_assert_eq!(outside(&map, id(Check::FileOne).unwrap()), Some(ranges[0].first()));
            prop_assert_eq!(outside(&map, id(Check::FileLast).unwrap()), Some(ranges.last().unwrap().last()));
            prop_assert_eq!(outside(&map, id(Check::UidBeyond).unwrap()), None);
            let ids = 1 + ranges.iter().map(|r| r.count().get()).sum::<u64>();
            prop_assert_eq!(id(Check::FileThousand).is_some(), ids > 1000);
            prop_assert_eq!(id(Check::FileNobody).is_some(), ids > 65534);
        }
    }

    #[test]
    fn a_full_map_has_no_beyond() {
        let maps = both(vec![Extent { inside: 0, outside: 0, count: u64::from(u32::MAX) }]);
        assert_eq!(Check::UidBeyond.ids(&maps, both(0)).uid, None);
    }

    #[test]
    fn without_the_users_own_id_no_file_can_be_given_away() {
        let maps = both(triples("0:100000:10").unwrap());
        assert_eq!(Check::FileRoot.ids(&maps, both(1001)), both(None));
        assert_eq!(Check::UidBeyond.ids(&maps, both(1001)), both(Some(10)));
        let ranges = both(vec![Range::parse("100000:10").unwrap()]);
        let maps = Userns::Identity.maps(both(1001), &ranges).unwrap();
        assert_eq!(Check::FileRoot.ids(&maps, both(1001)).uid, None);
        assert_eq!(Check::FileLast.ids(&maps, both(1001)).uid, Some(100_009));
    }

    #[test]
    fn names_are_stable_and_short() {
        let names: std::collections::HashSet<&str> = Check::ALL.iter().map(|check| check.name()).collect();
        assert_eq!(names.len(), Check::ALL.len());
        assert!(names.iter().all(|name| name.len() <= 10));
    }
}

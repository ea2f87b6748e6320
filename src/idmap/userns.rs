//! Which map a container gets: the forms of `--userns`.

use super::{Extent, podman};
use crate::range::{Count, PerKind, Range, RangeSet, SubId};

/// A form of map, as podman names them; the numbers outside are IDs of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Userns {
    /// podman's own: the user is ID 0, its ranges follow.
    #[default]
    Auto,
    /// As `podman run --userns=keep-id`: the user has its own number inside, its ranges fill the others.
    KeepId,
    /// The user and its ranges have the same numbers inside as outside; there is no ID 0.
    Identity,
    /// These extents, sorted by their first ID inside.
    Explicit(PerKind<Vec<Extent>>),
}

impl Userns {
    /// Its name in reports.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::KeepId => "keep-id",
            Self::Identity => "identity",
            Self::Explicit(_) => "explicit",
        }
    }

    /// The maps of a user with these IDs and ranges, sorted by their first IDs inside, as the kernel shows
    /// them. `None` where the IDs inside would pass 2^32.
    pub fn maps(&self, own: PerKind<u32>, ranges: &PerKind<Vec<Range>>) -> Option<PerKind<Vec<Extent>>> {
        let map = |own, ranges: &[Range]| match self {
            Self::KeepId => keep_id(own, ranges),
            Self::Identity => Some(identity(own, ranges)),
            Self::Auto | Self::Explicit(_) => podman(own, ranges),
        };
        if let Self::Explicit(maps) = self {
            return Some(maps.clone());
        }
        Some(PerKind { uid: map(own.uid, &ranges.uid)?, gid: map(own.gid, &ranges.gid)? })
    }
}

/// `INSIDE:HOST:COUNT`, several with commas between them, as newuidmap takes the three numbers. `None` where
/// they are no such numbers, or hold an ID twice, inside or outside.
pub fn triples(text: &str) -> Option<Vec<Extent>> {
    let mut map = text.split(',').map(triple).collect::<Option<Vec<_>>>()?;
    map.sort_unstable();
    let (mut inside, mut outside) = (RangeSet::default(), RangeSet::default());
    for extent in &map {
        for (ids, range) in [(&mut inside, extent.within()?), (&mut outside, extent.beyond()?)] {
            if ids.first_overlap(range).is_some() {
                return None;
            }
            ids.insert(range);
        }
    }
    Some(map)
}

fn triple(text: &str) -> Option<Extent> {
    let mut words = text.split(':');
    let mut number = || words.next().filter(|word| word.bytes().all(|b| b.is_ascii_digit()));
    let extent = Extent {
        inside: number()?.parse().ok()?,
        outside: number()?.parse().ok()?,
        count: number()?.parse().ok()?,
    };
    words.next().is_none().then_some(extent)
}

impl Extent {
    /// Its IDs inside.
    pub fn within(&self) -> Option<Range> {
        Range::new(SubId::new(self.inside), Count::new(self.count)?)
    }

    /// Its IDs outside.
    pub fn beyond(&self) -> Option<Range> {
        Range::new(SubId::new(self.outside), Count::new(self.count)?)
    }

    /// Whether it is an ID of the user's own alone, which the helpers map for everybody.
    pub fn is_own(&self, own: u32) -> bool {
        self.outside == own && self.count == 1
    }
}

/// The first extent that the helpers refuse a user with this ID and these ranges: each must lie in one line
/// (`newuidmap(1)`).
pub fn not_granted(map: &[Extent], own: u32, ranges: &[Range]) -> Option<Extent> {
    let granted = |extent: &Extent| {
        extent.is_own(own)
            || extent.beyond().is_some_and(|wanted| ranges.iter().any(|range| range.covers(wanted)))
    };
    map.iter().find(|extent| !granted(extent)).copied()
}

/// The ID that the first process of a container takes: the user's own, as podman does; where that has no place
/// inside 0, and else the first that there is.
pub fn first_process(map: &[Extent], own: u32) -> u32 {
    let zero = || super::outside(map, 0).map(|_| 0);
    let first = || map.first().map(|extent| extent.inside);
    super::inside(map, Range::single(own)).or_else(zero).or_else(first).unwrap_or_default()
}

/// As podman makes it (`GetKeepIDMapping`), in two steps: in its own map the user is 0 and the ranges follow;
/// of these, those up to the user's number come first.
fn keep_id(own: u32, ranges: &[Range]) -> Option<Vec<Extent>> {
    let within = podman(own, ranges)?;
    let all: u64 = ranges.iter().map(|range| range.count().get()).sum();
    let below = u64::from(own).min(all);
    let mut map = vec![Extent { inside: own, outside: 0, count: 1 }];
    if below > 0 {
        map.push(Extent { inside: 0, outside: 1, count: below });
    }
    if let Some(above) = all.checked_sub(u64::from(own)).filter(|count| *count > 0) {
        let next = own.checked_add(1)?;
        map.push(Extent { inside: next, outside: next, count: above });
    }
    let mut map: Vec<Extent> = map.iter().flat_map(|extent| through(&within, *extent)).collect();
    map.sort_unstable();
    Some(map)
}

/// An extent whose outside is the inside of another map, as that map's outside: a piece for each extent of it
/// that is met. Podman splits them so too, as the kernel takes no extent that meets two of the parent's.
fn through(within: &[Extent], extent: Extent) -> Vec<Extent> {
    let piece = |step: &Extent| {
        let met = step
            .within()?
            .intersection(Range::new(SubId::new(extent.outside), Count::new(extent.count)?)?)?;
        Some(Extent {
            inside: extent.inside.checked_add(met.first().checked_sub(extent.outside)?)?,
            outside: step.outside.checked_add(met.first().checked_sub(step.inside)?)?,
            count: met.count().get(),
        })
    };
    within.iter().filter_map(piece).collect()
}

fn identity(own: u32, ranges: &[Range]) -> Vec<Extent> {
    let same =
        |range: &Range| Extent { inside: range.first(), outside: range.first(), count: range.count().get() };
    let mut map: Vec<Extent> = ranges.iter().map(same).chain([same(&Range::single(own))]).collect();
    map.sort_unstable();
    map
}

#[cfg(test)]
mod tests {
    use super::super::{inside, outside};
    use super::*;
    use proptest::prelude::*;

    fn flat(map: &[Extent]) -> Vec<(u32, u32, u64)> {
        map.iter().map(|e| (*e).into()).collect()
    }

    fn map(userns: &Userns, own: u32, ranges: &[&str]) -> Vec<(u32, u32, u64)> {
        let ranges: Vec<Range> = ranges.iter().map(|range| Range::parse(range).unwrap()).collect();
        let both = PerKind { uid: ranges.clone(), gid: ranges };
        flat(&userns.maps(PerKind { uid: own, gid: own }, &both).unwrap().uid)
    }

    #[test]
    fn the_forms_of_one_user() {
        let one = ["100000:65536"];
        assert_eq!(map(&Userns::Auto, 1001, &one), [(0, 1001, 1), (1, 100_000, 65536)]);
        let keep = [(0, 100_000, 1001), (1001, 1001, 1), (1002, 101_001, 64535)];
        assert_eq!(map(&Userns::KeepId, 1001, &one), keep);
        assert_eq!(map(&Userns::Identity, 1001, &one), [(1001, 1001, 1), (100_000, 100_000, 65536)]);
        // A number above all ranges, as directories give it.
        assert_eq!(
            map(&Userns::KeepId, 1_200_001_007, &["5000:10"]),
            [(0, 5000, 10), (1_200_001_007, 1_200_001_007, 1)]
        );
        // Two ranges: an extent may not meet both.
        let two = ["100000:600", "200000:1000"];
        assert_eq!(
            map(&Userns::KeepId, 1001, &two),
            [(0, 100_000, 600), (600, 200_000, 401), (1001, 1001, 1), (1002, 200_401, 599)]
        );
    }

    proptest! {
        #[test]
        fn keep_id_has_every_id_once(
            own in 1u32..70_000, starts in prop::collection::vec(1u64..50_000, 1..5)
        ) {
            let mut at = 100_000u64;
            let ranges: Vec<Range> = starts.iter().map(|count| {
                let range = Range::clipped(at, *count).unwrap();
                at += count + 7;
                range
            }).collect();
            let map = keep_id(own, &ranges).unwrap();
            prop_assert_eq!(outside(&map, own), Some(own));
            for range in &ranges {
                for id in [range.first(), range.last()] {
                    prop_assert!(map.iter().filter(|e| e.beyond().unwrap().covers(Range::single(id))).count() == 1);
                }
            }
            let ids: u64 = map.iter().map(|e| e.count).sum();
            prop_assert_eq!(ids, 1 + ranges.iter().map(|r| r.count().get()).sum::<u64>());
            prop_assert!(map.is_sorted());
            prop_assert_eq!(not_granted(&map, own, &ranges), None);
        }
    }

    #[test]
    fn triples_are_numbers_that_hold_no_id_twice() {
        assert_eq!(flat(&triples("1:100000:10,0:1001:1").unwrap()), [(0, 1001, 1), (1, 100_000, 10)]);
        for bad in [
            "",
            "auto",
            "0:1",
            "0:1:2:3",
            "0:1:0",
            "+0:1:1",
            "0:1:1,",
            "0:5:2,1:9:1",
            "0:5:2,2:6:1",
            "4294967295:5:2",
        ] {
            assert_eq!(triples(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_the_helpers_refuse_is_named() {
        let ranges = [Range::parse("100000:10").unwrap(), Range::parse("100010:10").unwrap()];
        let refused = |text: &str| not_granted(&triples(text).unwrap(), 1001, &ranges).map(|e| e.outside);
        assert_eq!(refused("0:1001:1,1:100000:10"), None);
        assert_eq!(refused("0:100005:5"), None);
        assert_eq!(refused("0:1001:2"), Some(1001));
        assert_eq!(refused("0:100005:6"), Some(100_005), "two lines");
        assert_eq!(refused("0:5000:1"), Some(5000));
    }

    #[test]
    fn the_first_process_is_the_user_or_root() {
        let first = |text: &str| first_process(&triples(text).unwrap(), 1001);
        assert_eq!((first("0:1001:1,1:5:5"), first("0:5:5,1001:1001:1")), (0, 1001));
        assert_eq!((first("0:5:5"), first("7:5:5")), (0, 7));
        assert_eq!(inside(&triples("7:5:5").unwrap(), Range::single(5)), Some(7));
    }
}

//! Extents of `uid_map` and `gid_map`: what podman asks for, and how long the kernel lets a map be.

mod userns;

pub use userns::{Userns, first_process, not_granted, triples};

use crate::range::{LAST_USABLE, Range, RangeSet};

/// The kernel takes at most this many extents (`user_namespaces(7)`, since Linux 4.15).
pub const MAX_EXTENTS: usize = 340;

/// A map must be written in one write of less than a page (`user_namespaces(7)`).
pub const PAGE: usize = 4096;

/// `count` IDs from `inside` in the namespace are those from `outside` in its parent. In JSON an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(from = "(u32, u32, u64)", into = "(u32, u32, u64)")]
pub struct Extent {
    /// First ID inside.
    pub inside: u32,
    /// First ID outside, as the reader of the map sees it.
    pub outside: u32,
    /// 1 to 2^32 − 1.
    pub count: u64,
}

impl From<(u32, u32, u64)> for Extent {
    fn from((inside, outside, count): (u32, u32, u64)) -> Self {
        Self { inside, outside, count }
    }
}

impl From<Extent> for (u32, u32, u64) {
    fn from(e: Extent) -> Self {
        (e.inside, e.outside, e.count)
    }
}

/// The map that podman asks for: `0:own:1`, then every range from 1 on, the lowest first: whatever the order of
/// the lines, podman sorts (containers/storage `createIDMap`, seen with 4.3).
/// `None` where the IDs inside would pass 2^32.
pub fn podman(own: u32, ranges: &[Range]) -> Option<Vec<Extent>> {
    let mut ranges = ranges.to_vec();
    ranges.sort_unstable_by_key(|range| range.first());
    rootlesskit(own, &ranges)
}

/// The map that rootlesskit asks for, on which Docker and nerdctl stand: as podman's, with the ranges in the
/// order of the lines (seen with 2.0). `None` where the IDs inside would pass 2^32.
pub fn rootlesskit(own: u32, ranges: &[Range]) -> Option<Vec<Extent>> {
    let mut map = vec![Extent { inside: 0, outside: own, count: 1 }];
    let mut inside = 1u32;
    for range in ranges {
        let count = range.count().get();
        map.push(Extent { inside, outside: range.first(), count });
        inside = u32::try_from(u64::from(inside).checked_add(count)?).ok()?;
    }
    Some(map)
}

/// The fewest IDs that Apptainer takes for a range of its own.
pub const APPTAINER_COUNT: u64 = 65536;

/// The map that Apptainer asks for: `0:own:1`, then the first range that is long enough, alone
/// (seen with 1.4). `None` where none is.
pub fn apptainer(own: u32, ranges: &[Range]) -> Option<Vec<Extent>> {
    let range = ranges.iter().find(|range| range.count().get() >= APPTAINER_COUNT)?;
    Some(vec![
        Extent { inside: 0, outside: own, count: 1 },
        Extent { inside: 1, outside: range.first(), count: range.count().get() },
    ])
}

/// The ID in the parent namespace of an ID inside.
pub fn outside(map: &[Extent], id: u32) -> Option<u32> {
    let extent =
        map.iter().find(|e| u64::from(id).checked_sub(u64::from(e.inside)).is_some_and(|n| n < e.count))?;
    extent.outside.checked_add(id.checked_sub(extent.inside)?)
}

/// The ID inside of the first ID of a range of the parent namespace; `None` unless one extent holds all of it.
pub fn inside(map: &[Extent], outside: Range) -> Option<u32> {
    let extent = map.iter().find(|e| e.beyond().is_some_and(|all| all.covers(outside)))?;
    extent.inside.checked_add(outside.first().checked_sub(extent.outside)?)
}

/// A map that gives each of these IDs a place: the same numbers inside, packed outside into the IDs from
/// `block` on, piece by piece. `None` where the block would end beyond the last ID.
pub fn packed(ids: &RangeSet, block: u32) -> Option<Vec<Extent>> {
    let mut place = u64::from(block);
    let mut map = Vec::new();
    for range in ids.iter() {
        let Some(range) = range.intersection(Range::between(0, LAST_USABLE)?) else { continue };
        let count = range.count().get();
        map.push(Extent { inside: range.first(), outside: u32::try_from(place).ok()?, count });
        place = place.checked_add(count)?;
    }
    // One past the last place, which must not be -1 either.
    u32::try_from(place).is_ok().then_some(map)
}

/// Whether the kernel takes a map of this length.
pub fn fits(map: &[Extent]) -> bool {
    !map.is_empty() && map.len() <= MAX_EXTENTS && text_len(map) < PAGE
}

/// The map as it is written: `inside outside count` a line.
pub fn text(map: &[Extent]) -> String {
    map.iter().map(|e| format!("{} {} {}\n", e.inside, e.outside, e.count)).collect()
}

/// Reads `/proc/PID/uid_map`; `None` where it is not three numbers a line.
pub fn parse(text: &str) -> Option<Vec<Extent>> {
    text.lines()
        .map(|line| {
            let mut words = line.split_ascii_whitespace();
            let extent = Extent {
                inside: words.next()?.parse().ok()?,
                outside: words.next()?.parse().ok()?,
                count: words.next()?.parse().ok()?,
            };
            words.next().is_none().then_some(extent)
        })
        .collect()
}

/// How many bytes the map takes as newuidmap writes it: `inside outside count\n`.
pub fn text_len(map: &[Extent]) -> usize {
    text(map).len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn podman_asks_for_own_id_then_all_ranges_from_the_lowest_on() {
        let ranges = [Range::parse("165536:65536").unwrap(), Range::parse("100000:10").unwrap()];
        let map = podman(1001, &ranges).unwrap();
        let flat: Vec<(u32, u32, u64)> = map.iter().map(|e| (*e).into()).collect();
        assert_eq!(flat, [(0, 1001, 1), (1, 100_000, 10), (11, 165_536, 65536)]);
        assert_eq!(
            (outside(&map, 0), outside(&map, 11), outside(&map, 65547)),
            (Some(1001), Some(165_536), None)
        );
        assert_eq!(podman(0, &[Range::parse("0:4294967296").unwrap()]), None);
    }

    #[test]
    fn other_engines_keep_the_order_of_the_lines() {
        let ranges = ["300000:6", "200000:65536", "100000:70000"].map(|r| Range::parse(r).unwrap());
        let flat = |map: Option<Vec<Extent>>| {
            map.unwrap().into_iter().map(Into::into).collect::<Vec<(u32, u32, u64)>>()
        };
        assert_eq!(
            flat(rootlesskit(7, &ranges)),
            [(0, 7, 1), (1, 300_000, 6), (7, 200_000, 65536), (65543, 100_000, 70_000)]
        );
        assert_eq!(flat(apptainer(7, &ranges)), [(0, 7, 1), (1, 200_000, 65536)]);
        assert_eq!(flat(apptainer(7, &ranges[2..])), [(0, 7, 1), (1, 100_000, 70_000)]);
        assert_eq!(apptainer(7, &ranges[..1]), None);
    }

    #[test]
    fn the_kernels_text_is_read() {
        let text = "         0       1001          1\n         1     165536      65536\n";
        assert_eq!(parse(text).unwrap().len(), 2);
        assert_eq!(parse("0 1001\n"), None);
        assert_eq!(text_len(&parse(text).unwrap()), "0 1001 1\n1 165536 65536\n".len());
    }

    proptest! {
        #[test]
        fn a_packed_map_has_a_place_for_every_id_and_none_twice(
            ranges in prop::collection::vec((0u32..5000, 0u32..70), 1..12)
        ) {
            let ids: RangeSet =
                ranges.iter().map(|(first, n)| Range::between(*first, first + n).unwrap()).collect();
            let map = packed(&ids, 1 << 31).unwrap();
            let mut places = Vec::new();
            for id in 0..5200 {
                let place = outside(&map, id);
                prop_assert_eq!(place.is_some(), ids.contains(id));
                if let Some(place) = place {
                    prop_assert_eq!(inside(&map, Range::single(place)), Some(id));
                    places.push(place);
                }
            }
            // One after the other from the start of the block.
            let all: Vec<u32> = (1 << 31..).take(places.len()).collect();
            prop_assert_eq!(places, all);
            // A range that was asked for is never cut: newuidmap maps it as one extent.
            for (first, n) in ranges {
                let place = outside(&map, first).unwrap();
                prop_assert_eq!(inside(&map, Range::between(place, place + n).unwrap()), Some(first));
            }
        }
    }

    #[test]
    fn a_map_has_bounds() {
        let all: RangeSet = [Range::between(0, u32::MAX).unwrap()].into_iter().collect();
        assert_eq!(packed(&all, 1), None);
        assert_eq!(packed(&all, 0).unwrap()[0].count, u64::from(u32::MAX), "-1 is no ID");
        let odd = |n: u32| (0..n).map(|i| Range::single(i * 2)).collect::<RangeSet>();
        assert!(
            fits(&packed(&odd(200), 1 << 31).unwrap()),
            "{}",
            text_len(&packed(&odd(200), 1 << 31).unwrap())
        );
        assert!(!fits(&packed(&odd(340), 1 << 31).unwrap()), "longer than a page");
        assert!(!fits(&packed(&odd(341), 0).unwrap()) && !fits(&[]));
    }
}

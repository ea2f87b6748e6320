//! Which host IDs a world takes.

use crate::error::{Code, Error, Result};
use crate::policy::Policy;
use crate::range::{Count, PerKind, Range, RangeSet, SubId};

/// Blocks begin from 2^31 on, where no user's range ever lies, …
const FIRST: u32 = 1 << 31;

/// … and take at most 2^28 IDs, so that they end below 2^32.
const MOST: u32 = 1 << 28;

/// … at a multiple of this.
const STEP: u32 = 65536;

/// How many starts there are.
const STARTS: u32 = (u32::MAX - MOST + 1 - FIRST) / STEP;

/// A block for these IDs that is free of `taken`: the policy's, or the first free one from a random start on.
///
/// # Errors
/// `world-map-too-long` for more than 2^28 IDs, `world-unavailable` where none is free.
pub(super) fn choose(
    taken: &RangeSet,
    ids: &PerKind<RangeSet>,
    policy: &Policy,
    random: u32,
) -> Result<Range> {
    let wanted = ids.uid.ids().max(ids.gid.ids());
    let count = Count::new(wanted).filter(|count| count.get() <= u64::from(MOST)).ok_or_else(|| {
        too_long(format!("the users to be proven have {wanted} IDs, and a world has room for {MOST}"))
    })?;
    let at = |start: u32| Range::new(SubId::new(start), count);
    let free = |range: &Range| taken.first_overlap(*range).is_none();
    let refuse = |why: String, fix: &str| {
        Error::new(Code::WorldUnavailable, "no world can be made to try the planned files in")
            .why(why)
            .fix(fix)
    };
    if let Some(set) = policy.world_block {
        return at(set.value).filter(free).ok_or_else(|| {
            let met = at(set.value).and_then(|range| taken.first_overlap(range));
            let why = met.map_or_else(
                || format!("world_block ({}) leaves no room for {count} IDs", policy.place(set.line)),
                |met| format!("world_block ({}) meets {met}, which is in use", policy.place(set.line)),
            );
            refuse(why, "choose another start in the policy, or leave world_block out")
        });
    }
    let starts = (0..STARTS).filter_map(|n| {
        let n = (u64::from(random) + u64::from(n)) % u64::from(STARTS);
        Some(FIRST + u32::try_from(n).ok()? * STEP)
    });
    starts.filter_map(at).find(free).ok_or_else(|| {
        let why = format!("no {count} IDs in a row are free between {FIRST} and {}", u32::MAX - MOST);
        refuse(why, "name a free block in the policy: world_block = START")
    })
}

/// The IDs do not fit one world.
pub(super) fn too_long(why: String) -> Error {
    Error::new(Code::WorldMapTooLong, "these users do not fit one world")
        .why(why)
        .fix("prove fewer of them: --sample N, or a user at a time; without --verify a change needs no world")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Setting;
    use proptest::prelude::*;

    fn ids(count: u32) -> PerKind<RangeSet> {
        let set: RangeSet = Range::between(0, count - 1).into_iter().collect();
        PerKind { uid: set, gid: RangeSet::default() }
    }

    proptest! {
        #[test]
        fn a_block_is_free_and_in_bounds(
            random in any::<u32>(), count in 1u32..=MOST,
            taken in prop::collection::vec((FIRST..u32::MAX, 1u32..200_000_000), 0..8)
        ) {
            let end = |(first, n): (u32, u32)| Range::between(first, first.saturating_add(n));
            let taken: RangeSet = taken.into_iter().filter_map(end).collect();
            if let Ok(block) = choose(&taken, &ids(count), &Policy::default(), random) {
                prop_assert!(taken.first_overlap(block).is_none());
                prop_assert_eq!(block.count().get(), u64::from(count));
                prop_assert!(block.first() >= FIRST && block.first() % STEP == 0);
            } else {
                prop_assert!(!taken.is_empty());
            }
        }
    }

    #[test]
    fn the_policys_block_is_the_block_or_none() {
        let policy = Policy { world_block: Some(Setting { value: 3_000_000, line: 7 }), ..Policy::default() };
        let none = RangeSet::default();
        assert_eq!(choose(&none, &ids(10), &policy, 5).unwrap().first(), 3_000_000);
        let taken: RangeSet = [Range::single(3_000_009)].into_iter().collect();
        let error = choose(&taken, &ids(10), &policy, 5).unwrap_err();
        assert!(error.why.contains("line 7") && error.code == Code::WorldUnavailable, "{error:?}");
    }

    #[test]
    fn blocks_differ_and_have_an_end() {
        let none = RangeSet::default();
        let first = |random| choose(&none, &ids(10), &Policy::default(), random).unwrap().first();
        assert_eq!((first(0), first(1), first(STARTS)), (FIRST, FIRST + STEP, FIRST));
        assert_eq!(
            choose(&none, &ids(MOST + 1), &Policy::default(), 0).unwrap_err().code,
            Code::WorldMapTooLong
        );
        let all: RangeSet = Range::between(0, u32::MAX).into_iter().collect();
        assert_eq!(choose(&all, &ids(1), &Policy::default(), 0).unwrap_err().code, Code::WorldUnavailable);
    }
}

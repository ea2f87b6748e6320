//! Places in a list, found by what stands there: an index that holds no key.

use std::hash::{BuildHasher as _, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// The places of some entries of a list, 5 bytes each. The list itself is the caller's, who says of a place whether
/// its entry is the one, and what key it has. Only root writes what is listed: a quick hash will do.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    table: HashTable<u32>,
    hasher: RandomState,
}

impl Places {
    /// An index with room for so many.
    pub(super) fn with_capacity(entries: usize) -> Self {
        Self { table: HashTable::with_capacity(entries), hasher: RandomState::default() }
    }

    /// The place whose entry has this key, as `is` says.
    pub(super) fn find<K: Hash + ?Sized>(&self, key: &K, is: impl Fn(usize) -> bool) -> Option<usize> {
        let place = self.table.find(self.hasher.hash_one(key), |place| is(*place as usize))?;
        Some(*place as usize)
    }

    /// The place whose entry has the same key as the one at `place`, which is noted where there is none. Of 2^32
    /// places and more the last are not found.
    pub(super) fn note<K: Hash + Eq>(&mut self, place: usize, key_of: impl Fn(usize) -> K) -> Option<usize> {
        let key = key_of(place);
        let same = |known: &u32| key_of(*known as usize) == key;
        let hash_of = |known: &u32| self.hasher.hash_one(key_of(*known as usize));
        match self.table.entry(self.hasher.hash_one(&key), same, hash_of) {
            Entry::Occupied(known) => Some(*known.get() as usize),
            Entry::Vacant(free) => {
                if let Ok(place) = u32::try_from(place) {
                    free.insert(place);
                }
                None
            }
        }
    }
}

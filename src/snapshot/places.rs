//! Places in a list, found by what stands there: an index that holds no key.

use std::hash::{BuildHasher as _, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

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

    /// Notes the place of a key that is nowhere yet. Of 2^32 places and more the last are not found.
    pub(super) fn note<K: Hash>(&mut self, place: usize, key_of: impl Fn(usize) -> K) {
        let hash = self.hasher.hash_one(key_of(place));
        if let Ok(place) = u32::try_from(place) {
            self.table.insert_unique(hash, place, |place| self.hasher.hash_one(key_of(*place as usize)));
        }
    }
}

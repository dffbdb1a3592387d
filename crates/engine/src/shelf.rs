//! A slab that grows and shrinks by a few entries at a time and moves none: what many of them take together is near what they hold.

use std::ops::{Index, IndexMut};

use hashbrown::HashTable;
use smallvec::SmallVec;

/// Entries under stable keys, in chunks of one size, so that what one shelf frees fits every other. A new entry takes the lowest
/// vacant key, and the last chunk goes when nothing is in it: a shelf that was full once does not stay large.
pub(crate) struct Shelf<T> {
    chunks: Vec<Box<[Option<T>; CHUNK]>>,
    /// A bit for each key that is taken: whoever chooses the order in which entries go chooses how many are looked at.
    taken: SmallVec<[u64; 2]>,
}

/// Takes a key out of an index by hash, which becomes smaller when little is left in it; a small one does not.
pub(crate) fn unlist(index: &mut HashTable<u32>, key: u32, hash: u64, rehash: impl Fn(&u32) -> u64) {
    if let Ok(entry) = index.find_entry(hash, |&at| at == key) {
        entry.remove();
    }
    if index.capacity() >= 4 * (index.len() + SMALL) {
        index.shrink_to(2 * index.len(), rehash);
    }
}

/// So many keys more than there are cost an index nothing worth saving.
const SMALL: usize = 4;

/// Entries of a chunk: few enough that a shelf of few entries is small, and the allocator's 16 bytes count for little.
const CHUNK: usize = 4;

/// Keys of a word.
const BITS: usize = u64::BITS as usize;

impl<T> Shelf<T> {
    pub fn new() -> Self {
        Self { chunks: Vec::new(), taken: SmallVec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Adds an entry and tells its key.
    pub fn insert(&mut self, value: T) -> u32 {
        let key = self.vacant();
        if key as usize == self.chunks.len() * CHUNK {
            self.chunks.push(Box::new([const { None }; CHUNK]));
            self.taken.resize(self.words(), 0);
        }
        *self.entry(key) = Some(value);
        self.taken[key as usize / BITS] |= 1 << (key as usize % BITS);
        key
    }

    /// The lowest vacant key.
    fn vacant(&self) -> u32 {
        let has_room = |(_, word): &(usize, &u64)| **word != u64::MAX;
        let (at, word) = self.taken.iter().enumerate().find(has_room).unwrap_or((self.taken.len(), &0));
        (at * BITS) as u32 + word.trailing_ones()
    }

    /// Takes an entry out, and gives back memory at the end of which nothing is left.
    ///
    /// # Panics
    /// If there is none.
    pub fn remove(&mut self, key: u32) -> T {
        let Some(value) = self.entry(key).take() else { panic!("no entry {key}") };
        self.taken[key as usize / BITS] &= !(1 << (key as usize % BITS));
        while self.chunks.last().is_some_and(|last| last.iter().all(Option::is_none)) {
            self.chunks.pop();
        }
        self.taken.truncate(self.words());
        if self.chunks.capacity() >= 4 * self.chunks.len() {
            self.chunks.shrink_to(2 * self.chunks.len());
            self.taken.shrink_to_fit();
        }
        value
    }

    /// Words that have a bit for each entry.
    fn words(&self) -> usize {
        (self.chunks.len() * CHUNK).div_ceil(BITS)
    }

    /// The entry of this key, if there is one.
    pub fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        self.chunks.get_mut(key as usize / CHUNK)?[key as usize % CHUNK].as_mut()
    }

    /// The entry of a key, if there is one.
    pub fn get(&self, key: u32) -> Option<&T> {
        self.chunks.get(key as usize / CHUNK)?[key as usize % CHUNK].as_ref()
    }

    fn entry(&mut self, key: u32) -> &mut Option<T> {
        &mut self.chunks[key as usize / CHUNK][key as usize % CHUNK]
    }
}

impl<T> Index<u32> for Shelf<T> {
    type Output = T;

    fn index(&self, key: u32) -> &T {
        match &self.chunks[key as usize / CHUNK][key as usize % CHUNK] {
            Some(value) => value,
            None => panic!("no entry {key}"),
        }
    }
}

impl<T> IndexMut<u32> for Shelf<T> {
    fn index_mut(&mut self, key: u32) -> &mut T {
        match self.entry(key) {
            Some(value) => value,
            None => panic!("no entry {key}"),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::seeded;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #![proptest_config(seeded::config())]

        #[test]
        fn keeps_what_it_is_given(steps in proptest::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..300)) {
            let (mut shelf, mut model) = (Shelf::new(), BTreeMap::new());
            for (number, (insert, which)) in steps.into_iter().enumerate() {
                if insert || model.is_empty() {
                    let key = shelf.insert(number);
                    prop_assert_eq!(model.insert(key, number), None);
                } else {
                    let key = *which.get(&model.keys().copied().collect::<Vec<_>>());
                    prop_assert_eq!(Some(shelf.remove(key)), model.remove(&key));
                    prop_assert_eq!(shelf.get_mut(key), None);
                }
                prop_assert_eq!(shelf.is_empty(), model.is_empty());
                prop_assert!(shelf.chunks.capacity() <= 4 * shelf.chunks.len());
                for (&key, value) in &model {
                    prop_assert_eq!(&shelf[key], value);
                }
            }
        }
    }

    #[test]
    fn an_index_is_never_much_larger_than_what_is_in_it() {
        let (mut index, rehash) =
            (HashTable::new(), |&key: &u32| u64::from(key).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        (0..1000).for_each(|key| _ = index.insert_unique(rehash(&key), key, rehash));
        for key in 0..1000 {
            unlist(&mut index, key, rehash(&key), rehash);
            assert!(
                index.capacity() <= 4 * (index.len() + SMALL),
                "{} for {}",
                index.capacity(),
                index.len()
            );
        }
        assert!(index.capacity() > 0, "a small one stays");
    }

    /// What comes and goes at random leaves a shelf no larger than it has to be for what is in it now.
    #[test]
    fn a_shelf_that_was_full_once_becomes_small_again() {
        let mut shelf = Shelf::new();
        let keys: Vec<u32> = (0..1000).map(|number| shelf.insert(number)).collect();
        keys.iter().filter(|&key| key % 50 != 0).for_each(|&key| _ = shelf.remove(key));
        // The others go, and come again.
        for key in keys.iter().filter(|&key| key % 50 == 0) {
            let value = shelf.remove(*key);
            shelf.insert(value);
        }
        assert_eq!(shelf.chunks.len(), 20_usize.div_ceil(CHUNK));
        assert!(shelf.chunks.capacity() < 4 * shelf.chunks.len());
    }
}

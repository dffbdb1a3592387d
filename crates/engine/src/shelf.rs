//! A slab that grows by a few entries at a time and moves none: what many of them take together is near what they hold.

use std::ops::{Index, IndexMut};

/// Entries under stable keys, in chunks of one size, so that what one shelf frees fits every other.
pub(crate) struct Shelf<T> {
    chunks: Vec<Box<[Entry<T>; CHUNK]>>,
    /// The first vacant entry, which names the next one.
    vacant: u32,
    len: u32,
}

enum Entry<T> {
    Taken(T),
    Vacant(u32),
}

/// Entries of a chunk: few enough that a shelf of few entries is small, and the allocator's 16 bytes count for little.
const CHUNK: usize = 4;

impl<T> Shelf<T> {
    pub const fn new() -> Self {
        Self { chunks: Vec::new(), vacant: 0, len: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an entry and tells its key.
    pub fn insert(&mut self, value: T) -> u32 {
        let key = self.vacant;
        if key as usize == self.chunks.len() * CHUNK {
            self.chunks.push(Box::new(std::array::from_fn(|at| Entry::Vacant(key + at as u32 + 1))));
        }
        if let Entry::Vacant(next) = std::mem::replace(self.entry(key), Entry::Taken(value)) {
            self.vacant = next;
        }
        self.len += 1;
        key
    }

    /// Takes an entry out. With the last one all memory is given back.
    ///
    /// # Panics
    /// If there is none.
    pub fn remove(&mut self, key: u32) -> T {
        let next = self.vacant;
        let Entry::Taken(value) = std::mem::replace(self.entry(key), Entry::Vacant(next)) else {
            panic!("no entry {key}");
        };
        self.vacant = key;
        self.len -= 1;
        if self.is_empty() {
            *self = Self::new();
        }
        value
    }

    /// The entry of this key, if there is one.
    pub fn get_mut(&mut self, key: u32) -> Option<&mut T> {
        match self.chunks.get_mut(key as usize / CHUNK)?.get_mut(key as usize % CHUNK)? {
            Entry::Taken(value) => Some(value),
            Entry::Vacant(_) => None,
        }
    }

    fn entry(&mut self, key: u32) -> &mut Entry<T> {
        &mut self.chunks[key as usize / CHUNK][key as usize % CHUNK]
    }
}

impl<T> Index<u32> for Shelf<T> {
    type Output = T;

    fn index(&self, key: u32) -> &T {
        match &self.chunks[key as usize / CHUNK][key as usize % CHUNK] {
            Entry::Taken(value) => value,
            Entry::Vacant(_) => panic!("no entry {key}"),
        }
    }
}

impl<T> IndexMut<u32> for Shelf<T> {
    fn index_mut(&mut self, key: u32) -> &mut T {
        match self.entry(key) {
            Entry::Taken(value) => value,
            Entry::Vacant(_) => panic!("no entry {key}"),
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
                for (&key, value) in &model {
                    prop_assert_eq!(&shelf[key], value);
                }
            }
        }
    }
}

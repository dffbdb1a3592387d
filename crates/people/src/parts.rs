//! A map in parts that grow and shrink one by one: to hash all keys again at once would stop everybody for as long.

use std::borrow::Borrow;
use std::hash::Hash;
use std::ops::Index;

use ahash::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::limits::{PART_LEAST, PARTS};

/// Values by their keys.
pub(crate) struct Parts<K, V> {
    parts: Box<[HashTable<(K, V)>]>,
    hasher: RandomState,
    len: usize,
}

impl<K: Eq + Hash, V> Parts<K, V> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        self.parts[part_of(hash)].find(hash, |(own, _)| own.borrow() == key).map(|(_, value)| value)
    }

    pub fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let hash = self.hasher.hash_one(key);
        self.parts[part_of(hash)].find_mut(hash, |(own, _)| own.borrow() == key).map(|(_, value)| value)
    }

    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// What was there before is gone.
    pub fn insert(&mut self, key: K, value: V) {
        match entry(&mut self.parts, &self.hasher, &key) {
            Entry::Occupied(mut there) => there.get_mut().1 = value,
            Entry::Vacant(place) => {
                place.insert((key, value));
                self.len += 1;
            }
        }
    }

    pub fn get_or_insert_with(&mut self, key: K, value: impl FnOnce() -> V) -> &mut V {
        let there = match entry(&mut self.parts, &self.hasher, &key) {
            Entry::Occupied(there) => there,
            Entry::Vacant(place) => {
                self.len += 1;
                place.insert((key, value()))
            }
        };
        &mut there.into_mut().1
    }

    pub fn remove<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let Self { parts, hasher, len } = self;
        let hash = hasher.hash_one(key);
        let part = &mut parts[part_of(hash)];
        let ((_, value), _) = part.find_entry(hash, |(own, _)| own.borrow() == key).ok()?.remove();
        *len -= 1;
        if part.capacity() > PART_LEAST.max(4 * part.len()) {
            part.shrink_to(2 * part.len(), |(own, _)| hasher.hash_one(own));
        }
        Some(value)
    }

    /// The keys of a part, of which there are [`PARTS`].
    pub fn keys_of(&self, part: usize) -> impl Iterator<Item = &K> {
        self.parts[part].iter().map(|(key, _)| key)
    }

    #[cfg(test)]
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        (0..PARTS).flat_map(|part| self.keys_of(part))
    }

    #[cfg(test)]
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.parts.iter().flatten().map(|(_, value)| value)
    }
}

impl<K, V> Default for Parts<K, V> {
    fn default() -> Self {
        let parts = (0..PARTS).map(|_| HashTable::new()).collect();
        Self { parts, hasher: RandomState::default(), len: 0 }
    }
}

impl<K: Eq + Hash, V> Index<&K> for Parts<K, V> {
    type Output = V;

    fn index(&self, key: &K) -> &V {
        self.get(key).expect("a key that is there")
    }
}

fn entry<'a, K: Eq + Hash, V>(
    parts: &'a mut [HashTable<(K, V)>],
    hasher: &'a RandomState,
    key: &K,
) -> Entry<'a, (K, V)> {
    let hash = hasher.hash_one(key);
    parts[part_of(hash)].entry(hash, |(own, _)| own == key, |(own, _)| hasher.hash_one(own))
}

/// The high bits: a part uses the low ones, and its control bytes the top seven.
fn part_of(hash: u64) -> usize {
    (hash >> 32) as usize % PARTS
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::hash::Hasher;
    use std::rc::Rc;

    use super::*;

    /// A key that counts how often it is looked at to find its place.
    #[derive(PartialEq, Eq)]
    struct Counted(u32, Rc<Cell<u32>>);

    impl Hash for Counted {
        fn hash<H: Hasher>(&self, state: &mut H) {
            self.1.set(self.1.get() + 1);
            self.0.hash(state);
        }
    }

    #[test]
    fn no_change_takes_long_however_many_there_are() {
        const MANY: u32 = 100_000;
        const FEW: u32 = 4 * MANY / PARTS as u32;
        let (mut parts, looks) = (Parts::default(), Rc::new(Cell::new(0)));
        let key = |number| Counted(number, Rc::clone(&looks));
        let mut most = 0;
        for number in 0..MANY {
            looks.set(0);
            parts.insert(key(number), number);
            most = most.max(looks.get());
        }
        assert_eq!(parts.len(), MANY as usize);
        for number in 0..MANY {
            looks.set(0);
            assert_eq!(parts.remove(&key(number)), Some(number));
            most = most.max(looks.get());
        }
        assert!(most > 1 && most < FEW, "{most} keys were looked at in one change");
        assert!(parts.len() == 0 && parts.parts.iter().all(|part| part.capacity() <= PART_LEAST));
    }

    #[test]
    fn a_key_has_one_value() {
        let mut parts = Parts::<String, u32>::default();
        let key = "a".to_owned();
        parts.insert(key.clone(), 1);
        parts.insert(key.clone(), 2);
        assert_eq!((parts.len(), parts.get("a"), parts[&key]), (1, Some(&2), 2));
        *parts.get_or_insert_with(key.clone(), || 5) += 1;
        assert_eq!((parts.len(), parts.contains_key(&key), parts.remove("a")), (1, true, Some(3)));
        assert_eq!((parts.len(), parts.remove("a"), *parts.get_or_insert_with(key, || 5)), (0, None, 5));
        assert_eq!(parts.len(), 1);
    }
}

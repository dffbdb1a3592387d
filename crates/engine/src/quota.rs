//! How many live groups each creator has.

use ahash::RandomState;
use hashbrown::HashTable;

use crate::address::Creator;
use crate::limits::QUOTA_STRIPES;
use crate::shelf::{Shelf, unlist};
use crate::sync::{Mutex, MutexGuard, lock};

/// Creators with at least one live group, in lock stripes.
pub(crate) struct Quotas {
    stripes: Box<[Mutex<Creators>]>,
    hasher: RandomState,
}

/// One lock's share of the creators. An index over a shelf, not a map: that would keep room for twice as many.
struct Creators {
    index: HashTable<u32>,
    shelf: Shelf<Quota>,
}

struct Quota {
    creator: Creator,
    groups: u32,
}

impl Quotas {
    pub fn new(hasher: &RandomState) -> Self {
        let stripes = (0..QUOTA_STRIPES).map(|_| Mutex::new(Creators::new())).collect();
        Self { stripes, hasher: hasher.clone() }
    }

    /// Counts one more group of this creator.
    ///
    /// # Errors
    /// The number of groups that it has, if that is `max` or more.
    pub fn take(&self, creator: Creator, max: u32) -> Result<(), u32> {
        let hash = self.hash(&creator);
        let mut stripe = self.stripe(hash);
        let known = stripe.find(&creator, hash);
        let used = known.map_or(0, |key| stripe.shelf[key].groups);
        if used >= max {
            return Err(used);
        }
        match known {
            Some(key) => stripe.shelf[key].groups += 1,
            None => stripe.insert(creator, hash, |creator| self.hash(creator)),
        }
        Ok(())
    }

    /// One group of this creator is gone.
    pub fn give_back(&self, creator: Creator) {
        let hash = self.hash(&creator);
        let mut stripe = self.stripe(hash);
        let Some(key) = stripe.find(&creator, hash) else { return };
        let groups = &mut stripe.shelf[key].groups;
        *groups -= 1;
        if *groups == 0 {
            stripe.remove(key, hash, |creator| self.hash(creator));
        }
    }

    fn hash(&self, creator: &Creator) -> u64 {
        self.hasher.hash_one(creator)
    }

    fn stripe(&self, hash: u64) -> MutexGuard<'_, Creators> {
        // The high bits: the index inside uses the low ones.
        lock(&self.stripes[(hash >> 32) as usize % QUOTA_STRIPES])
    }
}

impl Creators {
    fn new() -> Self {
        Self { index: HashTable::new(), shelf: Shelf::new() }
    }

    fn find(&self, creator: &Creator, hash: u64) -> Option<u32> {
        self.index.find(hash, |&key| self.shelf[key].creator == *creator).copied()
    }

    fn insert(&mut self, creator: Creator, hash: u64, rehash: impl Fn(&Creator) -> u64) {
        let key = self.shelf.insert(Quota { creator, groups: 1 });
        self.index.insert_unique(hash, key, |&key| rehash(&self.shelf[key].creator));
    }

    fn remove(&mut self, key: u32, hash: u64, rehash: impl Fn(&Creator) -> u64) {
        let Self { index, shelf } = self;
        unlist(index, key, hash, |&key| rehash(&shelf[key].creator));
        shelf.remove(key);
        if self.shelf.is_empty() {
            self.index = HashTable::new();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::ClientAddr;

    fn creator(number: u16) -> Creator {
        Creator::new(&ClientAddr::new(([10, 0, 0, 1], number).into()).unwrap(), true)
    }

    fn entries(quotas: &Quotas) -> Vec<usize> {
        quotas.stripes.iter().map(|stripe| lock(stripe).index.len()).collect()
    }

    #[test]
    fn creators_spread_over_the_locks_and_go_with_their_last_group() {
        const CREATORS: u16 = 4 * QUOTA_STRIPES as u16;
        let quotas = Quotas::new(&RandomState::with_seeds(1, 2, 3, 4));
        for number in 1..=CREATORS {
            assert_eq!((quotas.take(creator(number), 2), quotas.take(creator(number), 2)), (Ok(()), Ok(())));
            assert_eq!(quotas.take(creator(number), 2), Err(2));
        }
        let entries_of_all = entries(&quotas);
        assert_eq!(entries_of_all.iter().sum::<usize>(), usize::from(CREATORS));
        assert!(entries_of_all.iter().filter(|&&entries| entries > 0).count() > QUOTA_STRIPES / 2);
        for _ in 0..2 {
            assert_eq!(entries(&quotas), entries_of_all);
            (1..=CREATORS).for_each(|number| quotas.give_back(creator(number)));
        }
        assert_eq!(entries(&quotas), [0; QUOTA_STRIPES]);
    }
}

//! How many live groups each creator has.

use ahash::RandomState;
use hashbrown::HashMap;

use crate::ClientAddr;
use crate::limits::QUOTA_STRIPES;
use crate::sync::{Mutex, lock};

/// Creators with at least one live group, in lock stripes.
pub(crate) struct Quotas {
    stripes: Box<[Mutex<HashMap<ClientAddr, u32, RandomState>>]>,
    hasher: RandomState,
}

impl Quotas {
    pub fn new(hasher: &RandomState) -> Self {
        let stripe = |_| Mutex::new(HashMap::with_hasher(hasher.clone()));
        Self { stripes: (0..QUOTA_STRIPES).map(stripe).collect(), hasher: hasher.clone() }
    }

    /// Counts one more group of this creator.
    ///
    /// # Errors
    /// The number of groups that it has, if that is `max` or more.
    pub fn take(&self, creator: ClientAddr, max: u32) -> Result<(), u32> {
        let mut stripe = lock(self.stripe(&creator));
        let used = stripe.get(&creator).copied().unwrap_or(0);
        if used >= max {
            return Err(used);
        }
        stripe.insert(creator, used + 1);
        Ok(())
    }

    /// One group of this creator is gone.
    pub fn give_back(&self, creator: ClientAddr) {
        let mut stripe = lock(self.stripe(&creator));
        match stripe.get_mut(&creator) {
            Some(used) if *used > 1 => *used -= 1,
            Some(_) => {
                stripe.remove(&creator);
                // A flood's memory is given back when its groups have expired.
                if stripe.capacity() > 64 && stripe.len() < stripe.capacity() / 8 {
                    stripe.shrink_to(64);
                }
            }
            None => {}
        }
    }

    fn stripe(&self, creator: &ClientAddr) -> &Mutex<HashMap<ClientAddr, u32, RandomState>> {
        // The high bits: the map inside uses the low ones.
        &self.stripes[(self.hasher.hash_one(creator) >> 32) as usize % QUOTA_STRIPES]
    }
}

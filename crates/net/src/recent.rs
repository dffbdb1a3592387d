//! The destinations of the present batch.

use std::net::SocketAddr;

use crate::batch::Batch;
use crate::hash;

/// Four times the destinations of a batch, so that probes stay short; 4 KB of them.
const SLOTS: usize = 4 * Batch::CAPACITY;
/// Bits of an entry that are the hash of a destination; the others are its epoch.
const HASH: u32 = 24;
const EPOCHS: u32 = 1 << (u32::BITS - HASH);

/// A set that is cleared by counting up. It may claim too much (one in a million), never too little.
pub(crate) struct Recent {
    slots: Box<[u32; SLOTS]>,
    epoch: u32,
    len: usize,
}

impl Recent {
    pub(crate) fn new() -> Recent {
        Recent { slots: Box::new([0; SLOTS]), epoch: 1, len: 0 }
    }

    pub(crate) fn contains(&self, to: SocketAddr) -> bool {
        let (slot, entry) = self.find(to);
        self.slots[slot] == entry
    }

    /// Adds a destination; false if it was there.
    pub(crate) fn insert(&mut self, to: SocketAddr) -> bool {
        let (slot, entry) = self.find(to);
        if self.slots[slot] == entry {
            return false;
        }
        assert!(self.len < SLOTS / 2, "more destinations than a batch has room for");
        self.slots[slot] = entry;
        self.len += 1;
        true
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.epoch += 1;
        if self.epoch == EPOCHS {
            self.slots.fill(0);
            self.epoch = 1;
        }
    }

    /// The destination's slot, or the free one where it would be, and its entry.
    fn find(&self, to: SocketAddr) -> (usize, u32) {
        let hash = hash::of_address(to);
        let entry = (self.epoch << HASH) | (hash >> (u64::BITS - HASH)) as u32;
        let mut slot = hash as usize % SLOTS;
        while self.slots[slot] != entry && self.slots[slot] >> HASH == self.epoch {
            slot = (slot + 1) % SLOTS;
        }
        (slot, entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(n: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, (n >> 8) as u8, n as u8], 40_000 + n))
    }

    #[test]
    fn a_batch_is_remembered_and_forgotten() {
        let mut recent = Recent::new();
        for n in 0..256 {
            assert!(!recent.contains(destination(n)));
            assert!(recent.insert(destination(n)));
        }
        assert!(!(0..256).any(|n| recent.insert(destination(n))));
        assert!((0..256).all(|n| recent.contains(destination(n))));
        recent.clear();
        assert!(!(0..256).any(|n| recent.contains(destination(n))));
    }

    #[test]
    fn old_epochs_do_not_come_back() {
        let mut recent = Recent::new();
        recent.insert(destination(1));
        (1..EPOCHS).for_each(|_| recent.clear());
        assert_eq!(recent.epoch, 1);
        assert!(!recent.contains(destination(1)));
        recent.insert(destination(1));
        recent.clear();
        assert!(!recent.contains(destination(1)));
    }
}

//! Destinations that have a segmented send in the present batch.

use std::net::SocketAddr;

use crate::hash;

/// Four times the destinations of a batch, so that probes stay short.
const SLOTS: usize = 1024;

/// A set that is cleared by counting up. It may claim too much (one in 2^32), never too little.
pub(crate) struct Recent {
    /// The epoch in the upper half, the hash of a destination in the lower.
    slots: Box<[u64]>,
    epoch: u32,
    len: usize,
}

impl Recent {
    pub(crate) fn new() -> Recent {
        Recent { slots: vec![0; SLOTS].into(), epoch: 1, len: 0 }
    }

    pub(crate) fn contains(&self, to: SocketAddr) -> bool {
        // Turns without segmented sends pay for one comparison.
        self.len > 0 && self.slots[self.find(to)] == self.entry(to)
    }

    pub(crate) fn insert(&mut self, to: SocketAddr) {
        assert!(self.len < SLOTS / 2, "more destinations than a batch has room for");
        let slot = self.find(to);
        self.slots[slot] = self.entry(to);
        self.len += 1;
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            self.slots.fill(0);
            self.epoch = 1;
        }
    }

    /// The destination's slot, or the free one where it would be.
    fn find(&self, to: SocketAddr) -> usize {
        let entry = self.entry(to);
        let mut slot = entry as usize % SLOTS;
        while self.slots[slot] != entry && (self.slots[slot] >> 32) as u32 == self.epoch {
            slot = (slot + 1) % SLOTS;
        }
        slot
    }

    fn entry(&self, to: SocketAddr) -> u64 {
        (u64::from(self.epoch) << 32) | (hash::of_address(to) >> 32)
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
            recent.insert(destination(n));
        }
        assert!((0..256).all(|n| recent.contains(destination(n))));
        recent.clear();
        assert!(!(0..256).any(|n| recent.contains(destination(n))));
    }

    #[test]
    fn old_epochs_do_not_come_back() {
        let mut recent = Recent::new();
        recent.insert(destination(1));
        recent.epoch = u32::MAX;
        recent.clear();
        assert!(!recent.contains(destination(1)));
    }
}

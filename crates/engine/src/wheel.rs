//! A coarse timer wheel over the keys of a slab: due times are rounded up to the sweep.

use crate::Tick;
use crate::limits::{WHEEL_LEVELS, WHEEL_SLOTS};

/// Circular lists in one array: a sentinel for each slot of each level and for what has fired, then a node for each
/// key.
pub(crate) struct Wheel {
    links: Vec<Link>,
    /// Milliseconds of one slot of the finest level; of the next one [`WHEEL_SLOTS`] times as many, and so on.
    width: u64,
    /// The first slot of the finest level that has not fired, counted from the beginning of time.
    next: u64,
}

#[derive(Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
}

/// The sentinel of the keys that have fired and wait to be looked at.
const FIRED: u32 = WHEEL_LEVELS * WHEEL_SLOTS as u32;
const SENTINELS: u32 = FIRED + 1;

impl Wheel {
    /// `width`: of a slot, in milliseconds. `capacity`: keys to make room for at once.
    pub fn new(width: u64, now: Tick, capacity: usize) -> Self {
        let mut links = Vec::with_capacity(SENTINELS as usize + capacity);
        links.extend((0..SENTINELS).map(Link::alone));
        Self { links, width, next: now.0 / width }
    }

    /// Files a key that is in no list, to fire at the first sweep after `due`, or earlier to be filed again.
    pub fn add(&mut self, key: usize, due: Tick) {
        let node = SENTINELS + key as u32;
        while self.links.len() <= node as usize {
            self.links.push(Link::alone(self.links.len() as u32));
        }
        let slot = (due.0 / self.width).max(self.next);
        // The finest level that reaches so far; what lies beyond the coarsest goes to its last slot.
        let reach = |level: u32| round(self.next, level) + WHEEL_SLOTS - 1;
        let level = (0..WHEEL_LEVELS).find(|&level| round(slot, level) <= reach(level));
        let level = level.unwrap_or(WHEEL_LEVELS - 1);
        self.link(sentinel(level, round(slot, level).min(reach(level))), node);
    }

    /// Takes a key out of whatever list it is in.
    pub fn remove(&mut self, key: usize) {
        self.unlink(SENTINELS + key as u32);
    }

    /// Fires all slots that ended by now, and on the coarser levels those that have begun.
    pub fn fire(&mut self, now: Tick) {
        let end = now.0 / self.width;
        for level in 0..WHEEL_LEVELS {
            let begun = u64::from(level > 0);
            let first = round(self.next, level);
            let last = round(end, level).min(first + WHEEL_SLOTS);
            (first + begun..last + begun).for_each(|slot| self.fire_slot(sentinel(level, slot)));
        }
        self.next = self.next.max(end);
    }

    /// Changes the width of the slots; every key fires, to be filed again.
    pub fn refile(&mut self, width: u64, now: Tick) {
        (0..FIRED).for_each(|slot| self.fire_slot(slot));
        self.width = width;
        self.next = now.0 / width;
    }

    /// Takes one key that has fired.
    pub fn pop(&mut self) -> Option<usize> {
        let node = self.links[FIRED as usize].after;
        (node != FIRED).then(|| {
            self.unlink(node);
            (node - SENTINELS) as usize
        })
    }

    /// True while keys that have fired wait to be popped.
    pub fn has_fired(&self) -> bool {
        self.links[FIRED as usize].after != FIRED
    }

    /// Appends a slot's whole list to the fired ones.
    fn fire_slot(&mut self, slot: u32) {
        let Link { before: last, after: first } = self.links[slot as usize];
        if first == slot {
            return;
        }
        self.links[slot as usize] = Link::alone(slot);
        let tail = self.links[FIRED as usize].before;
        self.join(tail, first);
        self.join(last, FIRED);
    }

    fn link(&mut self, sentinel: u32, node: u32) {
        let last = self.links[sentinel as usize].before;
        self.join(last, node);
        self.join(node, sentinel);
    }

    fn unlink(&mut self, node: u32) {
        let Link { before, after } = self.links[node as usize];
        self.join(before, after);
        self.links[node as usize] = Link::alone(node);
    }

    fn join(&mut self, before: u32, after: u32) {
        self.links[before as usize].after = after;
        self.links[after as usize].before = before;
    }
}

impl Link {
    fn alone(node: u32) -> Self {
        Self { before: node, after: node }
    }
}

/// A slot of the finest level, counted in slots of another.
fn round(slot: u64, level: u32) -> u64 {
    slot >> (WHEEL_SLOTS.ilog2() * level)
}

fn sentinel(level: u32, slot: u64) -> u32 {
    level * WHEEL_SLOTS as u32 + (slot % WHEEL_SLOTS) as u32
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::seeded;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn fired(wheel: &mut Wheel) -> Vec<usize> {
        let mut keys: Vec<usize> = std::iter::from_fn(|| wheel.pop()).collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn fires_at_the_first_sweep_after_the_due_time() {
        let mut wheel = Wheel::new(100, Tick(0), 0);
        wheel.add(0, Tick(199));
        wheel.add(1, Tick(200));
        wheel.fire(Tick(199));
        assert!(!wheel.has_fired());
        wheel.fire(Tick(200));
        assert_eq!(fired(&mut wheel), [0]);
        wheel.fire(Tick(300));
        assert_eq!(fired(&mut wheel), [1]);
    }

    #[test]
    fn what_is_due_beyond_the_horizon_is_looked_at_when_that_comes() {
        let horizon = WHEEL_SLOTS.pow(WHEEL_LEVELS) - WHEEL_SLOTS.pow(WHEEL_LEVELS - 1);
        let mut wheel = Wheel::new(1, Tick(0), 0);
        wheel.add(7, Tick(u64::MAX));
        wheel.fire(Tick(horizon - 1));
        assert!(!wheel.has_fired());
        wheel.fire(Tick(horizon));
        assert_eq!(fired(&mut wheel), [7]);
    }

    #[test]
    fn a_key_is_looked_at_once_a_level_however_fine_the_sweep() {
        let (due, mut looks) = (Tick(180_000), 0);
        let mut wheel = Wheel::new(1, Tick(0), 0);
        wheel.add(0, due);
        for now in 1..=due.0 + 1 {
            wheel.fire(Tick(now));
            while let Some(key) = wheel.pop() {
                looks += 1;
                if now <= due.0 {
                    wheel.add(key, due);
                }
            }
        }
        assert!(!wheel.has_fired() && looks <= WHEEL_LEVELS, "{looks} looks");
    }

    #[test]
    fn what_was_due_long_ago_fires_next() {
        let mut wheel = Wheel::new(100, Tick(1_000_000), 0);
        wheel.add(3, Tick(5));
        wheel.fire(Tick(1_000_100));
        assert_eq!(fired(&mut wheel), [3]);
    }

    proptest! {
        #![proptest_config(seeded::config())]

        #[test]
        fn no_key_is_lost_early_or_late(
            width in 1u64..50,
            steps in proptest::collection::vec((0usize..20, 0u64..3_000_000, prop_oneof![3 => 0u64..200, 1 => 0u64..100_000], 0u8..8), 1..200),
        ) {
            let mut wheel = Wheel::new(width, Tick(0), 0);
            let mut due: BTreeMap<usize, u64> = BTreeMap::new();
            let (mut now, mut width) = (0, width);
            for (key, delay, pass, kind) in steps {
                if due.remove(&key).is_some() {
                    wheel.remove(key);
                } else {
                    wheel.add(key, Tick(now + delay));
                    due.insert(key, now + delay);
                }
                if kind == 0 {
                    width = width % 49 + 1;
                    wheel.refile(width, Tick(now));
                }
                now += pass;
                wheel.fire(Tick(now));
                let sweep = now / width * width;
                while let Some(key) = wheel.pop() {
                    // As the engine does: what is not due yet is filed again.
                    match due[&key] >= sweep {
                        true => wheel.add(key, Tick(due[&key])),
                        false => { due.remove(&key); }
                    }
                }
                prop_assert!(due.values().all(|&at| at >= sweep), "late at {}: {:?}", now, due);
            }
        }
    }
}

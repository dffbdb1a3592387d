//! One lock's share of the group map: an index over a shelf, and queues of empty groups, oldest first.

use hashbrown::HashTable;
use wire::GroupId;

use crate::Tick;
use crate::group::{Group, Handle, Live, NONE, Origin, QUEUES, Queue};
use crate::shelf::{Shelf, unlist};

pub(crate) struct Stripe {
    index: HashTable<u32>,
    groups: Shelf<Group>,
    /// By [`Queue`].
    queues: [Ends; QUEUES],
}

/// A queue's ends; groups become empty in the order of time, so its head is due first.
#[derive(Clone, Copy)]
struct Ends {
    oldest: u32,
    youngest: u32,
}

impl Stripe {
    pub fn new() -> Self {
        Self {
            index: HashTable::new(),
            groups: Shelf::new(),
            queues: [Ends { oldest: NONE, youngest: NONE }; QUEUES],
        }
    }

    pub fn find(&self, id: &GroupId, hash: u64) -> Option<u32> {
        self.index.find(hash, |&slot| self.groups[slot].id == *id).copied()
    }

    pub fn group(&self, slot: u32) -> &Group {
        &self.groups[slot]
    }

    pub fn group_mut(&mut self, slot: u32) -> &mut Group {
        &mut self.groups[slot]
    }

    /// Adds an empty group; its id must be new.
    pub fn insert(&mut self, id: GroupId, origin: Origin, now: Tick, hash: impl Fn(&GroupId) -> u64) -> u32 {
        let group = Group::new(id, origin, now);
        let is_declared = group.is_declared();
        let slot = self.groups.insert(group);
        let groups = &self.groups;
        self.index.insert_unique(hash(&id), slot, |&slot| hash(&groups[slot].id));
        if !is_declared {
            self.start_clock(slot, now);
        }
        slot
    }

    /// Takes an empty group out of the map.
    pub fn remove(&mut self, slot: u32, hash: impl Fn(&GroupId) -> u64) -> Group {
        self.stop_clock(slot);
        let Self { index, groups, .. } = self;
        unlist(index, slot, hash(&groups[slot].id), |&slot| hash(&groups[slot].id));
        let group = groups.remove(slot);
        if self.groups.is_empty() {
            self.index = HashTable::new();
        }
        group
    }

    /// The members' part of a group, made at the first join.
    pub fn live(&mut self, slot: u32, stripe: u32) -> &mut Live {
        let group = &mut self.groups[slot];
        group.live.get_or_insert_with(|| Box::new(Live::new(Handle::new(group.id, stripe, slot))))
    }

    /// The members' part of a group that shards know by this handle; `None` if it was deleted, whatever has its place.
    pub fn live_of(&self, handle: &Handle) -> Option<&Live> {
        let live = self.groups.get(handle.slot)?.live.as_deref()?;
        std::ptr::eq(&*live.handle, handle).then_some(live)
    }

    /// The same, to change it.
    pub fn live_of_mut(&mut self, handle: &Handle) -> Option<&mut Live> {
        self.live_of(handle)?;
        self.groups[handle.slot].live.as_deref_mut()
    }

    /// The group that has been empty for longest, and since when.
    pub fn oldest_empty(&self) -> Option<(u32, Tick)> {
        self.oldest_of(&[Queue::Spare, Queue::LeftSpare, Queue::Unjoined, Queue::Left])
    }

    /// The same of some queues only.
    pub fn oldest_of(&self, queues: &[Queue]) -> Option<(u32, Tick)> {
        let heads = queues.iter().map(|&queue| self.queues[queue as usize].oldest);
        let waiting = heads.filter(|&slot| slot != NONE).map(|slot| (slot, self.groups[slot].empty_since));
        waiting.min_by_key(|(_, since)| *since)
    }

    /// An ordinary group has become empty.
    pub fn start_clock(&mut self, slot: u32, now: Tick) {
        let group = &mut self.groups[slot];
        group.queue = group.own_queue();
        let ends = &mut self.queues[group.queue as usize];
        let last = std::mem::replace(&mut ends.youngest, slot);
        (group.empty_since, group.older, group.younger) = (now, last, NONE);
        match self.groups.get_mut(last) {
            Some(last) => last.younger = slot,
            None => ends.oldest = slot,
        }
    }

    /// A group is empty no more, or will not be deleted for it. Does nothing where no clock runs.
    pub fn stop_clock(&mut self, slot: u32) {
        let group = &mut self.groups[slot];
        let (older, younger) = (group.older, group.younger);
        let ends = &mut self.queues[group.queue as usize];
        if older == NONE && ends.oldest != slot {
            return;
        }
        (group.older, group.younger) = (NONE, NONE);
        match self.groups.get_mut(older) {
            Some(older) => older.younger = younger,
            None => ends.oldest = younger,
        }
        match self.groups.get_mut(younger) {
            Some(younger) => younger.older = older,
            None => ends.youngest = older,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::seeded;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(seeded::config())]

        #[test]
        fn empty_groups_queue_by_age(steps in proptest::collection::vec((0u8..8, any::<bool>()), 1..200)) {
            let hash = |id: &GroupId| u64::from(id.as_str().as_bytes()[0]);
            let mut stripe = Stripe::new();
            let slots: Vec<u32> = (0..8u8)
                .map(|n| stripe.insert(GroupId::parse(&[b'A' + n]).unwrap(), Origin::Orphaned, Tick(0), hash))
                .collect();
            let mut model: Vec<u8> = (0..8).collect();
            for (time, (n, start)) in steps.into_iter().enumerate() {
                let running = model.contains(&n);
                if start && !running {
                    stripe.start_clock(slots[usize::from(n)], Tick(time as u64));
                    model.push(n);
                } else if !start {
                    stripe.stop_clock(slots[usize::from(n)]);
                    model.retain(|&other| other != n);
                }
                prop_assert_eq!(stripe.oldest_empty().map(|(slot, _)| slot), model.first().map(|&n| slots[usize::from(n)]));
            }
            while let Some((slot, _)) = stripe.oldest_empty() {
                prop_assert_eq!(slot, slots[usize::from(model.remove(0))]);
                let id = stripe.group(slot).id;
                stripe.remove(slot, hash);
                prop_assert_eq!(stripe.find(&id, hash(&id)), None);
            }
            prop_assert!(model.is_empty());
        }
    }
}

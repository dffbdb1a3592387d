//! One group: what the map stores of it, and the handle by which shards hear of its changes.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;
use wire::GroupId;

use crate::address::Creator;
use crate::limits::INDEXED_MEMBERS;
use crate::settings::{Cap, Terms};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::{ClientAddr, Member, Roster, Tick};

/// The end of a queue.
pub(crate) const NONE: u32 = u32::MAX;

/// A group as its stripe stores it. One that was never joined has no [`Live`] part, and so costs little.
pub(crate) struct Group {
    pub id: GroupId,
    origin: Origin,
    pub live: Option<Box<Live>>,
    /// Since when it has been empty, and its neighbours in the stripe's queue of empty groups.
    pub empty_since: Tick,
    pub older: u32,
    pub younger: u32,
    /// Which of the queues that is.
    pub queue: Queue,
}

/// The queues of empty groups of a stripe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    /// Never joined, and spare: the first to go when there is no room. See [`Standing`].
    Spare,
    /// Somebody was in it, and it is spare.
    LeftSpare,
    /// Never joined otherwise.
    Unjoined,
    /// Somebody was in it.
    Left,
}

/// How many of them there are.
pub(crate) const QUEUES: usize = 4;

/// What an empty group's creator is to the relay when others want its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not proved: the group is spare until somebody joins it.
    Unproved,
    /// Proved: the group is not spare.
    Proved,
    /// Proved, of a prefix that makes too many: the group is spare whenever it is empty.
    Excess,
}

/// Why a group exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A client made it.
    Created { creator: Creator, standing: Standing },
    /// It was declared once, and is an ordinary group since it is not any more.
    Orphaned,
    /// The configuration declares it: permanent, on terms of its own. Boxed, because most groups have none.
    Declared(Box<Terms>),
}

/// The members of a group that somebody has joined.
pub(crate) struct Live {
    pub handle: Arc<Handle>,
    pub roster: Roster,
    /// Positions by client, once there are many.
    index: Option<HashTable<u32>>,
    /// Members that have a number, for those who want to know who speaks.
    numbered: u32,
}

/// What shards keep of a group: where it is stored, and which version of its roster and terms is current.
pub(crate) struct Handle {
    pub id: GroupId,
    pub stripe: u32,
    /// Its place in the stripe, which stays while it has members.
    pub slot: u32,
    /// Counts the changes of its roster, and of how long its payloads may wait. Changes under the stripe's lock, is read without.
    version: AtomicU64,
    /// 1 once the group is deleted.
    over: AtomicU32,
}

impl Handle {
    pub fn new(id: GroupId, stripe: u32, slot: u32) -> Arc<Self> {
        Arc::new(Self { id, stripe, slot, version: AtomicU64::new(0), over: AtomicU32::new(0) })
    }

    /// True if the group is deleted.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed) != 0
    }

    /// The version to compare with what one has seen: the hot path's one shared read.
    #[inline]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Tells the readers of a change that has been made.
    fn publish(&self) {
        self.version.fetch_add(1, Ordering::Release);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.handle.over.store(1, Ordering::Relaxed);
    }
}

impl Group {
    /// An empty group.
    pub fn new(id: GroupId, origin: Origin, now: Tick) -> Self {
        Self { id, origin, live: None, empty_since: now, older: NONE, younger: NONE, queue: Queue::Left }
    }

    /// How many members.
    pub fn len(&self) -> usize {
        self.live.as_ref().map_or(0, |live| live.roster.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if it is in a queue: empty, and not permanent.
    pub fn is_queued(&self) -> bool {
        self.is_empty() && !self.is_declared()
    }

    pub fn is_declared(&self) -> bool {
        matches!(self.origin, Origin::Declared(_))
    }

    /// Gives it another reason to exist, and returns the old one. Shards hear of it if its payloads are to wait for
    /// another time than before.
    pub fn set_origin(&mut self, origin: Origin) -> Origin {
        let before = self.coalesce();
        let old = std::mem::replace(&mut self.origin, origin);
        if let Some(live) = self.live.as_ref().filter(|_| self.coalesce() != before) {
            live.handle.publish();
        }
        old
    }

    /// The queue that it belongs in while it is empty.
    pub fn own_queue(&self) -> Queue {
        let standing =
            if let Origin::Created { standing, .. } = self.origin { standing } else { Standing::Proved };
        match (&self.live, standing) {
            (None, Standing::Unproved | Standing::Excess) => Queue::Spare,
            (Some(_), Standing::Excess) => Queue::LeftSpare,
            (None, Standing::Proved) => Queue::Unjoined,
            (Some(_), _) => Queue::Left,
        }
    }

    /// Whose quota it counts for.
    pub fn creator(&self) -> Option<Creator> {
        if let Origin::Created { creator, .. } = self.origin { Some(creator) } else { None }
    }

    /// How long its payloads may wait, if it says so itself.
    pub fn coalesce(&self) -> Option<Duration> {
        match &self.origin {
            Origin::Declared(terms) => terms.coalesce,
            Origin::Created { .. } | Origin::Orphaned => None,
        }
    }

    /// The common cap, unless it is declared: who declares a group without a cap wants none.
    pub fn cap(&self, common: Cap) -> Cap {
        match &self.origin {
            Origin::Declared(terms) => terms.cap.unwrap_or(Cap::Unlimited),
            Origin::Created { .. } | Origin::Orphaned => common,
        }
    }
}

impl Live {
    pub fn new(handle: Arc<Handle>) -> Self {
        Self { handle, roster: Roster::default(), index: None, numbered: 0 }
    }

    /// Adds a member and tells its position.
    pub fn add(&mut self, member: Member, hash: impl Fn(&ClientAddr) -> u64) -> u32 {
        let position = self.roster.len() as u32;
        self.roster.push(member);
        if self.index.is_some() || self.roster.len() > INDEXED_MEMBERS {
            let roster = &self.roster;
            let rehash = |&at: &u32| roster.get(at).map_or(0, |member| hash(&member.client));
            let first = if self.index.is_none() { 0 } else { position };
            let index = self.index.get_or_insert_default();
            for at in first..=position {
                index.insert_unique(rehash(&at), at, rehash);
            }
        }
        self.handle.publish();
        position
    }

    /// Takes a member away; the last one takes its place. False if it was none.
    pub fn remove(&mut self, client: &ClientAddr, hint: u32, hash: impl Fn(&ClientAddr) -> u64) -> bool {
        let Some(position) = self.position(client, hint, &hash) else { return false };
        let last = self.roster.len() as u32 - 1;
        if let Some(index) = &mut self.index {
            if let Ok(entry) = index.find_entry(hash(client), |&at| at == position) {
                entry.remove();
            }
            if let Some(moved) = self.roster.get(last)
                && let Some(at) = index.find_mut(hash(&moved.client), |&at| at == last)
            {
                *at = position;
            }
        }
        self.roster.swap_remove(position);
        if self.roster.is_empty() {
            // Give the memory back: the group may stay, empty, for long.
            self.roster = Roster::default();
            self.index = None;
        }
        self.handle.publish();
        true
    }

    /// Notes which of the relay's addresses a member has reached.
    pub fn update(&mut self, member: Member, hint: u32, hash: impl Fn(&ClientAddr) -> u64) {
        let Some(position) = self.position(&member.client, hint, &hash) else { return };
        if self.roster.get(position) != Some(&member) {
            self.roster.replace(position, member);
            self.handle.publish();
        }
    }

    /// The number of one more member.
    pub fn number(&mut self) -> u32 {
        self.numbered = self.numbered.wrapping_add(1);
        self.numbered
    }

    /// A member has moved to another address, where nobody is a member; tells its position.
    pub fn readdress(
        &mut self,
        old: &ClientAddr,
        member: Member,
        hash: impl Fn(&ClientAddr) -> u64,
    ) -> Option<u32> {
        let position = self.position(old, u32::MAX, &hash)?;
        if let Some(index) = &mut self.index {
            if let Ok(entry) = index.find_entry(hash(old), |&at| at == position) {
                entry.remove();
            }
            let roster = &self.roster;
            let rehash = |&at: &u32| roster.get(at).map_or(0, |other| hash(&other.client));
            index.insert_unique(hash(&member.client), position, rehash);
        }
        self.roster.replace(position, member);
        self.handle.publish();
        Some(position)
    }

    /// A client's position, by the hint or the index, or by looking at every member of a group that has none.
    pub fn position(&self, client: &ClientAddr, hint: u32, hash: impl Fn(&ClientAddr) -> u64) -> Option<u32> {
        match &self.index {
            Some(index) if !self.roster.is_at(client, hint) => {
                index.find(hash(client), |&at| self.roster.is_at(client, at)).copied()
            }
            _ => self.roster.position(client, hint),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::{LocalAddr, seeded};
    use proptest::prelude::*;
    use wire::Form;

    fn client(number: u16) -> ClientAddr {
        ClientAddr::new(([127, 0, 0, 1], number + 1).into()).unwrap()
    }

    fn member(number: u16) -> Member {
        Member { client: client(number), local: LocalAddr::new(0, None), proved: true, form: Form::Base }
    }

    proptest! {
        #![proptest_config(seeded::config())]

        #[test]
        fn positions_are_found_whatever_the_size_and_the_hints(steps in proptest::collection::vec((0u16..200, any::<bool>(), 0u32..200), 1..600)) {
            let hash = |client: &ClientAddr| u64::from(client.port()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mut live = Live::new(Handle::new("TEST".parse().unwrap(), 0, 0));
            let (mut model, mut most) = (std::collections::BTreeSet::new(), 0);
            for (number, add, hint) in steps {
                let version = live.handle.version();
                if add && model.insert(number) {
                    let position = live.add(member(number), hash);
                    prop_assert_eq!(live.roster.get(position), Some(&member(number)));
                    prop_assert_eq!(live.handle.version(), version + 1);
                } else if !add {
                    live.remove(&client(number), hint, hash);
                    prop_assert_eq!(live.handle.version(), version + u64::from(model.remove(&number)));
                }
                for present in &model {
                    let found = live.position(&client(*present), hint, hash);
                    prop_assert_eq!(found.and_then(|at| live.roster.get(at)), Some(&member(*present)));
                }
                prop_assert_eq!(live.roster.len(), model.len());
                most = if model.is_empty() { 0 } else { most.max(model.len()) };
                prop_assert_eq!(live.index.is_some(), most > INDEXED_MEMBERS);
            }
        }
    }
}

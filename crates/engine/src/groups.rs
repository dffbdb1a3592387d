//! The lock-striped map of all groups, shared by the shards.

use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use hashbrown::HashSet;
use wire::GroupId;

use crate::address::Creator;
use crate::entropy::Entropy;
use crate::group::{Group, Handle, Live, Origin, QUEUES, Queue, Standing};
use crate::limits::STRIPES;
use crate::quota::Quotas;
use crate::settings::{AdmissionMode, Cap, Ceilings, Settings, Terms};
use crate::stripe::Stripe;
use crate::sync::{AtomicU32, Mutex, MutexGuard, Ordering, lock};
use crate::{ClientAddr, Member, Roster, Tick};

#[cfg(all(test, not(loom)))]
mod tests;

/// All groups, who made them, and how many there are.
pub struct Groups {
    stripes: Box<[Mutex<Stripe>]>,
    quotas: Quotas,
    hasher: RandomState,
    declared: Mutex<Vec<GroupId>>,
    clients: AtomicU32,
    groups: AtomicU32,
    unjoined: AtomicU32,
    /// Empty groups that are not permanent, by [`Queue`].
    queued: [AtomicU32; QUEUES],
}

/// A new group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Created {
    pub id: GroupId,
    /// Another one had to go.
    pub evicted: bool,
}

/// A successful join.
pub(crate) struct Joined {
    pub handle: Arc<Handle>,
    pub position: u32,
    /// The member is proved, perhaps only now: it made this group, which nobody had joined, and who else could have known its id?
    pub proved: bool,
}

/// Why a client cannot join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CannotJoin {
    NoSuchGroup,
    GroupFull,
    /// `proved`: with room, it would be proved.
    ServerFull {
        proved: bool,
    },
    NeedsProof,
}

/// Who may become a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Door {
    /// The cap of groups that have none of their own.
    pub cap: Cap,
    /// There is room for one more client.
    pub admit: bool,
    /// It has to prove itself, and learns nothing before; unless it comes to its own group.
    pub needs_proof: bool,
}

/// Why a client cannot make a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CannotCreate {
    ClientLimit { used: u32 },
    ServerFull,
}

impl Groups {
    /// An empty map. Its hash keys are random, because clients choose what is hashed.
    pub fn new() -> Self {
        Self::with_hasher(RandomState::new())
    }

    /// The same with hash keys from a seed, for whoever has to see the same again: never where clients are unknown, who
    /// could choose addresses that collide.
    pub fn seeded(seed: u64) -> Self {
        Self::with_hasher(RandomState::with_seeds(seed, !seed, seed.rotate_left(32), !seed.rotate_left(32)))
    }

    pub(crate) fn with_hasher(hasher: RandomState) -> Self {
        Self {
            stripes: (0..STRIPES).map(|_| Mutex::new(Stripe::new())).collect(),
            quotas: Quotas::new(&hasher),
            hasher,
            declared: Mutex::new(Vec::new()),
            clients: AtomicU32::new(0),
            groups: AtomicU32::new(0),
            unjoined: AtomicU32::new(0),
            queued: [(); QUEUES].map(|()| AtomicU32::new(0)),
        }
    }

    /// What the engines that share these groups hash with.
    pub(crate) fn hasher(&self) -> &RandomState {
        &self.hasher
    }

    /// Groups that exist now.
    pub fn count(&self) -> u32 {
        self.groups.load(Ordering::Relaxed)
    }

    /// Groups that nobody ever joined, those of the configuration not counted.
    pub fn unjoined(&self) -> u32 {
        self.unjoined.load(Ordering::Relaxed)
    }

    /// Clients of all shards now.
    pub fn clients(&self) -> u32 {
        self.clients.load(Ordering::Relaxed)
    }

    /// Makes the configuration's groups permanent, on these [`Terms`] or with this cap; groups that it no longer names
    /// become ordinary.
    pub fn declare<T: Copy + Into<Terms>>(&self, groups: &[(GroupId, T)], now: Tick) {
        let mut declared = lock(&self.declared);
        let kept: HashSet<GroupId, RandomState> = groups.iter().map(|(id, _)| *id).collect();
        for id in declared.iter().filter(|id| !kept.contains(*id)) {
            self.orphan(id, now);
        }
        for (id, terms) in groups {
            self.declare_one(*id, (*terms).into(), now);
        }
        *declared = groups.iter().map(|(id, _)| *id).collect();
    }

    fn orphan(&self, id: &GroupId, now: Tick) {
        let hash = self.hash(id);
        let mut stripe = self.stripe(hash);
        let Some(slot) = stripe.find(id, hash) else { return };
        let group = stripe.group_mut(slot);
        group.set_origin(Origin::Orphaned);
        if group.live.is_none() {
            self.unjoined.fetch_add(1, Ordering::Relaxed);
        }
        if group.is_empty() {
            stripe.start_clock(slot, now);
            self.count_in(stripe.group(slot));
        }
    }

    fn declare_one(&self, id: GroupId, terms: Terms, now: Tick) {
        let hash = self.hash(&id);
        let mut stripe = self.stripe(hash);
        let origin = Origin::Declared(Box::new(terms));
        let Some(slot) = stripe.find(&id, hash) else {
            stripe.insert(id, origin, now, |id| self.hash(id));
            self.groups.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let group = stripe.group_mut(slot);
        if group.live.is_none() && !group.is_declared() {
            self.unjoined.fetch_sub(1, Ordering::Relaxed);
        }
        self.count_out(group);
        if let Origin::Created { creator, .. } = group.set_origin(origin) {
            self.quotas.give_back(creator);
        }
        stripe.stop_clock(slot);
    }

    /// Makes an empty group with a new random id. Where there is no room, another empty one goes: see [`Groups::evict`].
    pub(crate) fn create(
        &self,
        creator: Creator,
        has_shelter: impl FnOnce() -> bool,
        settings: &Settings,
        entropy: &mut Entropy,
        now: Tick,
    ) -> Result<Created, CannotCreate> {
        let max = settings.max_groups_per_client;
        self.quotas.take(creator, max).map_err(|used| CannotCreate::ClientLimit { used })?;
        let mut id = entropy.group_id(settings.gid_length);
        let has_room = || self.reserve_group(&settings.ceilings);
        let is_full = !has_room();
        // One goes where one comes, or chance would fill some stripes and empty others without end.
        let evicted = is_full && self.evict(self.stripe_of(self.hash(&id)), settings);
        if is_full && !(evicted && has_room()) {
            self.quotas.give_back(creator);
            return Err(CannotCreate::ServerFull);
        }
        loop {
            let hash = self.hash(&id);
            let mut stripe = self.stripe(hash);
            if stripe.find(&id, hash).is_none() {
                let standing = match creator.proved {
                    true if has_shelter() => Standing::Proved,
                    true => Standing::Excess,
                    false => Standing::Unproved,
                };
                let origin = Origin::Created { creator, standing };
                let slot = stripe.insert(id, origin, now, |id| self.hash(id));
                self.count_in(stripe.group(slot));
                return Ok(Created { id, evicted });
            }
            id = entropy.group_id(settings.gid_length);
        }
    }

    fn reserve_group(&self, ceilings: &Ceilings) -> bool {
        if !reserve(&self.groups, ceilings.groups) {
            return false;
        }
        let has_room = reserve(&self.unjoined, ceilings.unjoined_groups);
        if !has_room {
            self.groups.fetch_sub(1, Ordering::Relaxed);
        }
        has_room
    }

    /// Deletes one group that makes room: a spare one, or else one that is empty, never one with members. The oldest of its
    /// stripe goes, and the stripes take turns; false if there is none. Where nobody has to prove anything, all others stay.
    fn evict(&self, first: usize, settings: &Settings) -> bool {
        let only_unjoined = self.unjoined() >= settings.ceilings.unjoined_groups;
        let (spare, others): (&[Queue], &[Queue]) = match settings.admission {
            AdmissionMode::Open => (&[Queue::Spare], &[]),
            _ if only_unjoined => (&[Queue::Spare], &[Queue::Unjoined]),
            _ => (&[Queue::Spare, Queue::LeftSpare], &[Queue::Unjoined, Queue::Left]),
        };
        self.evict_from(spare, first) || self.evict_from(others, first)
    }

    fn evict_from(&self, queues: &[Queue], first: usize) -> bool {
        queues.iter().any(|&queue| self.queued[queue as usize].load(Ordering::Relaxed) != 0)
            && (first..first + STRIPES).any(|at| {
                let mut stripe = lock(&self.stripes[at % STRIPES]);
                let Some((slot, _)) = stripe.oldest_of(queues) else { return false };
                let group = stripe.remove(slot, |id| self.hash(id));
                self.forget(&group);
                true
            })
    }

    /// Adds a member.
    pub(crate) fn join(&self, id: &GroupId, member: Member, door: Door) -> Result<Joined, CannotJoin> {
        let unknown = if door.needs_proof { CannotJoin::NeedsProof } else { CannotJoin::NoSuchGroup };
        let hash = self.hash(id);
        let mut stripe = self.stripe(hash);
        let slot = stripe.find(id, hash).ok_or(unknown)?;
        let group = stripe.group(slot);
        let by_creator =
            group.live.is_none() && group.creator().is_some_and(|creator| creator.is(&member.client));
        if door.needs_proof && !by_creator {
            return Err(CannotJoin::NeedsProof);
        }
        if !group.cap(door.cap).admits_one_more(group.len()) {
            return Err(CannotJoin::GroupFull);
        }
        let proved = member.proved || by_creator;
        if !door.admit {
            return Err(CannotJoin::ServerFull { proved });
        }
        if group.live.is_none() && !group.is_declared() {
            self.unjoined.fetch_sub(1, Ordering::Relaxed);
        }
        self.count_out(group);
        stripe.stop_clock(slot);
        let live = stripe.live(slot, self.stripe_of(hash) as u32);
        let position = live.add(Member { proved, ..member }, |client| self.hasher.hash_one(client));
        Ok(Joined { handle: Arc::clone(&live.handle), position, proved })
    }

    /// Takes a member away. `position` is where it was when last seen.
    pub(crate) fn leave(&self, handle: &Handle, client: &ClientAddr, position: u32, now: Tick) {
        let mut stripe = lock(&self.stripes[handle.stripe as usize]);
        let group = stripe.group_mut(handle.slot);
        let Some(live) = &mut group.live else { return };
        let gone = live.remove(client, position, |client| self.hasher.hash_one(client));
        if gone && group.is_empty() && !group.is_declared() {
            stripe.start_clock(handle.slot, now);
            self.count_in(stripe.group(handle.slot));
        }
    }

    /// Notes which of the relay's addresses a member has reached, and whether it is proved.
    pub(crate) fn update(&self, handle: &Handle, member: Member, position: u32) {
        let mut stripe = lock(&self.stripes[handle.stripe as usize]);
        if let Some(live) = &mut stripe.group_mut(handle.slot).live {
            live.update(member, position, |client| self.hasher.hash_one(client));
        }
    }

    /// A member has moved to another address, where nobody is a member; `None` if it is none any more. The group may be
    /// another one by now that has its place.
    pub(crate) fn readdress(&self, handle: &Handle, old: &ClientAddr, member: Member) -> Option<u32> {
        let mut stripe = lock(&self.stripes[handle.stripe as usize]);
        stripe.live_of_mut(handle)?.readdress(old, member, |client| self.hasher.hash_one(client))
    }

    /// The number of one more member, for those who want to know who speaks.
    pub(crate) fn number(&self, handle: &Handle) -> u32 {
        let mut stripe = lock(&self.stripes[handle.stripe as usize]);
        stripe.live_of_mut(handle).map_or(0, Live::number)
    }

    /// A member counts as proved no longer.
    pub(crate) fn doubt(&self, handle: &Handle, client: &ClientAddr, position: u32) {
        let mut stripe = lock(&self.stripes[handle.stripe as usize]);
        let hash = |client: &ClientAddr| self.hasher.hash_one(client);
        let Some(live) = &mut stripe.group_mut(handle.slot).live else { return };
        let member = live.position(client, position, hash).and_then(|at| live.roster.get(at).copied());
        if let Some(member) = member {
            live.update(Member { proved: false, ..member }, position, hash);
        }
    }

    /// How many members a group has. Takes no snapshot, which the next join would have to copy.
    pub(crate) fn members(&self, handle: &Handle) -> u32 {
        lock(&self.stripes[handle.stripe as usize]).group(handle.slot).len() as u32
    }

    /// A group's members now, `None` if there is no such group; for whoever checks the engine from outside.
    pub fn roster(&self, id: &GroupId) -> Option<Roster> {
        let hash = self.hash(id);
        let stripe = self.stripe(hash);
        let group = stripe.group(stripe.find(id, hash)?);
        Some(group.live.as_ref().map(|live| live.roster.clone()).unwrap_or_default())
    }

    /// A client's position in the current roster, if there is the group, and it is a member.
    pub(crate) fn position(&self, handle: &Handle, client: &ClientAddr, hint: u32) -> Option<u32> {
        let stripe = lock(&self.stripes[handle.stripe as usize]);
        let live = stripe.live_of(handle)?;
        live.position(client, hint, |client| self.hasher.hash_one(client))
    }

    /// The current roster, how long the group's payloads may wait if it says so itself, and the version of both.
    pub(crate) fn current(&self, handle: &Handle) -> (u64, Roster, Option<Duration>) {
        let stripe = lock(&self.stripes[handle.stripe as usize]);
        match stripe.live_of(handle) {
            Some(live) => (handle.version(), live.roster.clone(), stripe.group(handle.slot).coalesce()),
            // Whoever was its last member here has gone on from another address.
            None => (handle.version(), Roster::default(), None),
        }
    }

    /// Deletes groups that had been empty for `ttl` as of `now`, `budget` at most, and tells how many. Begins at
    /// stripe `next`, takes every `step`th, and moves `next` on to where it stopped.
    pub(crate) fn sweep(
        &self,
        next: &mut usize,
        step: usize,
        now: Tick,
        ttl: Duration,
        budget: usize,
    ) -> usize {
        let mut deleted = 0;
        while *next < STRIPES {
            let mut stripe = lock(&self.stripes[*next]);
            while let Some((slot, _)) = stripe.oldest_empty().filter(|(_, since)| *since + ttl <= now) {
                if deleted == budget {
                    return deleted;
                }
                let group = stripe.remove(slot, |id| self.hash(id));
                self.forget(&group);
                deleted += 1;
            }
            *next += step;
        }
        deleted
    }

    /// A group has come into its queue.
    fn count_in(&self, group: &Group) {
        self.queued[group.own_queue() as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A group leaves its queue, if it is in one.
    fn count_out(&self, group: &Group) {
        self.queued[group.own_queue() as usize].fetch_sub(u32::from(group.is_queued()), Ordering::Relaxed);
    }

    fn forget(&self, group: &Group) {
        self.count_out(group);
        self.groups.fetch_sub(1, Ordering::Relaxed);
        if group.live.is_none() {
            self.unjoined.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some(creator) = group.creator() {
            self.quotas.give_back(creator);
        }
    }

    /// Makes room for one client, if there is any.
    pub(crate) fn reserve_client(&self, ceiling: u32) -> bool {
        reserve(&self.clients, ceiling)
    }

    /// A client is gone, or did not come.
    pub(crate) fn release_client(&self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }

    fn hash(&self, id: &GroupId) -> u64 {
        self.hasher.hash_one(id)
    }

    /// The high bits: the index inside a stripe uses the low ones, and its control bytes the top seven.
    fn stripe_of(&self, hash: u64) -> usize {
        (hash >> 32) as usize % STRIPES
    }

    fn stripe(&self, hash: u64) -> MutexGuard<'_, Stripe> {
        lock(&self.stripes[self.stripe_of(hash)])
    }
}

impl Default for Groups {
    fn default() -> Self {
        Self::new()
    }
}

fn reserve(count: &AtomicU32, ceiling: u32) -> bool {
    let one_more = |count| (count < ceiling).then_some(count + 1);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
}

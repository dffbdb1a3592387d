//! Whose turn it is: the batches of each group, served in turns, so that no group can starve another.
//!
//! Deficit round robin with a list of fresh groups, as in fq_codel (RFC 8290): who has sent nothing lately is served
//! before those who always have something waiting.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use engine::{ClientAddr, GroupKey, Listed};
use net::Run;

use crate::work::{Ahead, Queued, Work};

/// A flow, by its place in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlowIndex(u32);

/// A batch, by its place in the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkIndex(u32);

/// All that waits to be sent.
#[derive(Default)]
pub struct Flows {
    /// The flow of each group that has one.
    by_group: Vec<Option<FlowIndex>>,
    /// When each group began to have more than its share of what may wait, time and again, and when it last had: kept
    /// while it has nothing to send.
    greed: Vec<Option<(Duration, Duration)>>,
    flows: Vec<Flow>,
    spare_flows: Vec<FlowIndex>,
    works: Vec<Work>,
    spare_works: Vec<WorkIndex>,
    /// Batches that there have been.
    opened: u64,
    /// Those that have sent nothing since they came.
    fresh: VecDeque<FlowIndex>,
    /// The others, of which some may have become empty: who comes back is not fresh again before its turn.
    old: VecDeque<FlowIndex>,
    /// Those that wait for company, by the time at which they have waited long enough. An entry may be out of date.
    held: BinaryHeap<Reverse<(Duration, FlowIndex)>>,
    /// How many do, and what.
    holding: usize,
    held_load: Load,
    /// All that is here.
    load: Load,
    /// Members who are connected by TCP are sent to from here.
    with_far: bool,
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Payloads; each holds a receive buffer.
    pub payloads: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Copies that have not been handed to the driver.
    pub copies: u64,
}

/// What may wait at most.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// So many payloads.
    Payloads(u64),
    /// So many copies.
    Copies(u64),
    /// So many copies, because they would be stale; but only who has had more than a share `since` then loses something,
    /// and never the newest payload.
    Stale {
        /// Copies.
        most: u64,
        /// At the latest.
        since: Duration,
    },
}

/// What a group has to send.
struct Flow {
    group: GroupKey,
    works: VecDeque<WorkIndex>,
    load: Load,
    place: Place,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Nowhere,
    Held(Duration),
    Fresh,
    Old,
}

impl Flows {
    /// Nobody is connected elsewhere.
    pub fn serve_far(&mut self) {
        self.with_far = true;
    }

    /// Adds a payload of this group, taken at the beginning of this turn, to its flow or to another one.
    #[inline(always)] // Once for each payload.
    pub fn push(
        &mut self,
        at: Option<FlowIndex>,
        listed: &Listed,
        payload: Queued,
        now: Duration,
    ) -> WorkIndex {
        let at = at.unwrap_or_else(|| self.flow_of(listed.group));
        let work = self.open_work(at, listed);
        let copies = self.works[work.0 as usize].push(payload, now);
        let load = Load { payloads: 1, bytes: payload.part.len(), copies };
        let flow = &mut self.flows[at.0 as usize];
        flow.load.add(load);
        self.load.add(load);
        match flow.place {
            Place::Nowhere if listed.hold > Duration::ZERO => self.hold(at, now + listed.hold),
            Place::Nowhere => self.enter(at, Place::Fresh),
            Place::Held(due) => {
                self.held_load.add(load);
                // More company would not make its sends any fewer.
                let full = flow.load.payloads >= Run::MAX_DATAGRAMS || flow.load.bytes >= Run::MAX_BYTES;
                if full || listed.hold.is_zero() {
                    self.release(at);
                } else if now + listed.hold < due {
                    // A reload has made it shorter, or the key was another group's.
                    self.place(at, now + listed.hold);
                }
            }
            Place::Fresh | Place::Old => {}
        }
        work
    }

    /// Puts something before the payload that was pushed last.
    pub fn put_before_last(&mut self, work: WorkIndex, ahead: Ahead<'_>) {
        self.works[work.0 as usize].put_before_last(ahead);
    }

    /// Lets those go that have waited for company long enough; and, as long as more than `most` is held, the next.
    pub fn release_due(&mut self, now: Duration, most: Load) {
        while let Some(&Reverse((due, at))) = self.held.peek() {
            let is_current = self.flows[at.0 as usize].place == Place::Held(due);
            let too_much = self.held_load.payloads > most.payloads || self.held_load.bytes > most.bytes;
            if is_current && due > now && !too_much {
                return;
            }
            self.held.pop();
            if is_current {
                self.release(at);
            }
        }
    }

    /// The flow of this group, if it has one.
    pub fn of(&self, group: GroupKey) -> Option<FlowIndex> {
        self.by_group.get(group.0 as usize).copied().flatten()
    }

    /// Ends a flow's wait for company, if it does wait. Its entry in the heap is out of date from now on.
    pub fn release(&mut self, at: FlowIndex) {
        let flow = &self.flows[at.0 as usize];
        if let Place::Held(_) = flow.place {
            self.held_load.subtract(flow.load);
            self.holding -= 1;
            self.enter(at, Place::Fresh);
        }
    }

    /// When the next one has waited for company long enough.
    pub fn due(&self) -> Option<Duration> {
        self.held.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes the next flow out of its list, to be served and then put back.
    pub fn next(&mut self) -> Option<FlowIndex> {
        loop {
            let at = self.fresh.pop_front().or_else(|| self.old.pop_front())?;
            if !self.flows[at.0 as usize].works.is_empty() {
                return Some(at);
            }
            self.retire(at);
        }
    }

    /// Puts a flow back that has been served: behind all others.
    pub fn put_back(&mut self, at: FlowIndex) {
        if self.flows[at.0 as usize].works.is_empty() && self.old.is_empty() {
            self.retire(at);
        } else {
            self.enter(at, Place::Old);
        }
    }

    /// A flow out of its turn has sent everything: what comes next begins anew.
    pub fn leave_list(&mut self, at: FlowIndex) {
        let list = match self.flows[at.0 as usize].place {
            Place::Fresh => &mut self.fresh,
            Place::Old => &mut self.old,
            Place::Nowhere | Place::Held(_) => return,
        };
        if let Some(position) = list.iter().position(|other| *other == at) {
            list.remove(position);
            self.retire(at);
        }
    }

    /// The first batch of a flow.
    pub fn first_work(&mut self, at: FlowIndex) -> Option<&mut Work> {
        let work = self.flows[at.0 as usize].works.front()?;
        Some(&mut self.works[work.0 as usize])
    }

    /// The number of the first batch of a flow.
    pub fn first_number(&self, at: FlowIndex) -> Option<u64> {
        self.flows[at.0 as usize].works.front().map(|work| self.works[work.0 as usize].number())
    }

    /// The number of the last batch of a flow that has a payload by this client.
    pub fn last_of(&self, at: FlowIndex, client: &ClientAddr) -> Option<u64> {
        let works = self.flows[at.0 as usize].works.iter().rev().map(|work| &self.works[work.0 as usize]);
        works.filter(|work| work.is_by(client)).map(Work::number).next()
    }

    /// The highest number of the batch to which the next payload goes.
    pub fn newest(&self) -> u64 {
        self.opened + 1
    }

    /// So many copies of a flow have been handed to the driver.
    pub fn sent(&mut self, at: FlowIndex, copies: u64) {
        self.flows[at.0 as usize].load.copies -= copies;
        self.load.copies -= copies;
    }

    /// Ends the first batch of a flow: `leave` gets each of its payloads. Returns the copies that were not sent.
    pub fn end_first(&mut self, at: FlowIndex, mut leave: impl FnMut(&Queued)) -> u64 {
        let flow = &mut self.flows[at.0 as usize];
        let Some(index) = flow.works.pop_front() else { return 0 };
        let work = &mut self.works[index.0 as usize];
        let mut gone = Load { copies: work.copies(), ..Load::default() };
        for payload in work.payloads() {
            gone.payloads += 1;
            gone.bytes += payload.part.len();
            leave(payload);
        }
        work.reset();
        self.spare_works.push(index);
        flow.load.subtract(gone);
        self.load.subtract(gone);
        gone.copies
    }

    /// True if more waits than may.
    pub fn exceeds(&self, bound: Bound) -> bool {
        bound.of(self.load) > bound.most()
    }

    /// Notes who has more than an equal share of what may wait; a `pause` as long without that is the end of it. Whoever is
    /// served may have nothing for a moment and ask for too much all the same.
    pub fn weigh(&mut self, now: Duration, pause: Duration, bound: Bound) {
        let share = self.share(bound);
        for flow in self.flows.iter().filter(|flow| bound.of(flow.load) > share) {
            let greed = &mut self.greed[flow.group.0 as usize];
            let lasting = greed.filter(|(_, last)| now <= *last + pause);
            *greed = Some((lasting.map_or(now, |(first, _)| first), now));
        }
    }

    /// Drops the oldest payloads of the flow with the most of what is bounded, but none of a batch that has been started:
    /// the last members of a large group must hear something, too. As many as all flows have too much, but this one keeps
    /// an equal share of what may wait. Returns the copies that were dropped; `None` if there is nothing to drop.
    pub fn drop_oldest(
        &mut self,
        bound: Bound,
        mut leave: impl FnMut(Queued, Option<ClientAddr>),
    ) -> Option<u64> {
        let at = self.fattest(bound)?;
        let flow = &self.flows[at.0 as usize];
        let (waiting, most) = self.droppable(flow, bound)?;
        let index = flow.works[waiting];
        let count = self.surplus(flow, bound, &self.works[index.0 as usize]).min(most);
        let work = &mut self.works[index.0 as usize];
        let mut gone = Load { copies: work.copies(), ..Load::default() };
        work.drop_oldest(count, |payload, sender| {
            gone.payloads += 1;
            gone.bytes += payload.part.len();
            leave(payload, sender);
        });
        gone.copies -= work.copies();
        if work.payloads().is_empty() {
            work.reset();
            self.spare_works.push(index);
            self.flows[at.0 as usize].works.remove(waiting);
        }
        let flow = &mut self.flows[at.0 as usize];
        if let Place::Held(_) = flow.place {
            self.held_load.subtract(gone);
        }
        flow.load.subtract(gone);
        self.load.subtract(gone);
        Some(gone.copies)
    }

    /// All that waits.
    pub fn load(&self) -> Load {
        self.load
    }

    /// True if nothing waits but for company.
    pub fn is_idle(&self) -> bool {
        self.load.payloads == self.held_load.payloads
    }

    /// Payloads of the flow that has most of them.
    pub fn largest(&self) -> usize {
        self.everyone().map(|at| self.flows[at.0 as usize].load.payloads).max().unwrap_or(0)
    }

    /// Every flow that has something to send, some of them twice, and some that have not.
    fn everyone(&self) -> impl Iterator<Item = &FlowIndex> {
        let held = self.held.iter().map(|Reverse((_, at))| at);
        self.fresh.iter().chain(&self.old).chain(held)
    }

    /// How many of a flow's payloads exceed both the bound of all and its equal share of it, at least one.
    fn surplus(&self, flow: &Flow, bound: Bound, work: &Work) -> usize {
        let excess = bound.of(self.load).saturating_sub(bound.most());
        let too_much = excess.min(bound.of(flow.load).saturating_sub(self.share(bound)));
        let each = if let Bound::Payloads(_) = bound { 1 } else { work.others().max(1) };
        too_much.div_ceil(each).max(1) as usize
    }

    /// What each flow may have of what may wait.
    fn share(&self, bound: Bound) -> u64 {
        bound.most() / (self.fresh.len() + self.old.len() + self.holding).max(1) as u64
    }

    /// The first batch of a flow that can lose something, by its position, and how many payloads it can.
    fn droppable(&self, flow: &Flow, bound: Bound) -> Option<(usize, usize)> {
        let waiting = flow.works.iter().position(|work| !self.works[work.0 as usize].is_started())?;
        let kept = usize::from(matches!(bound, Bound::Stale { .. }) && waiting + 1 == flow.works.len());
        let count = self.works[flow.works[waiting].0 as usize].payloads().len() - kept;
        (count > 0).then_some((waiting, count))
    }

    fn fattest(&self, bound: Bound) -> Option<FlowIndex> {
        let flow = |at: &FlowIndex| &self.flows[at.0 as usize];
        let is_greedy = |at: &FlowIndex| match bound {
            // Who has more for a moment only has a burst, or the thread was kept from its core.
            Bound::Stale { since, .. } => {
                let greed = self.greed[flow(at).group.0 as usize];
                greed.is_some_and(|(first, last)| first <= since && last > since)
            }
            _ => true,
        };
        let can_lose = |at: &&FlowIndex| is_greedy(at) && self.droppable(flow(at), bound).is_some();
        self.everyone().filter(can_lose).max_by_key(|at| bound.of(flow(at).load)).copied()
    }

    #[inline(always)] // As `push`.
    fn flow_of(&mut self, group: GroupKey) -> FlowIndex {
        let slot = group.0 as usize;
        if self.by_group.len() <= slot {
            self.by_group.resize(slot + 1, None);
            self.greed.resize(slot + 1, None);
        }
        *self.by_group[slot].get_or_insert_with(|| match self.spare_flows.pop() {
            Some(at) => {
                self.flows[at.0 as usize].group = group;
                at
            }
            None => {
                let (works, load) = (VecDeque::new(), Load::default());
                self.flows.push(Flow { group, works, load, place: Place::Nowhere });
                FlowIndex(self.flows.len() as u32 - 1)
            }
        })
    }

    /// The last batch of the flow if it admits a payload for this roster, else a new one.
    #[inline(always)] // As `push`.
    fn open_work(&mut self, at: FlowIndex, listed: &Listed) -> WorkIndex {
        let flow = &mut self.flows[at.0 as usize];
        if let Some(&last) = flow.works.back()
            && self.works[last.0 as usize].admits(listed)
        {
            return last;
        }
        let new = self.spare_works.pop().unwrap_or_else(|| {
            self.works.push(Work::default());
            WorkIndex(self.works.len() as u32 - 1)
        });
        self.opened += 1;
        self.works[new.0 as usize].open(listed, self.opened, self.with_far);
        flow.works.push_back(new);
        new
    }

    fn hold(&mut self, at: FlowIndex, due: Duration) {
        self.held_load.add(self.flows[at.0 as usize].load);
        self.holding += 1;
        self.place(at, due);
    }

    /// Puts a flow that is held into the heap, and now and then takes out what is out of date.
    fn place(&mut self, at: FlowIndex, due: Duration) {
        self.flows[at.0 as usize].place = Place::Held(due);
        if self.held.len() >= 4 * self.holding.max(16) {
            let flows = &self.flows;
            self.held.retain(|Reverse((due, at))| flows[at.0 as usize].place == Place::Held(*due));
        }
        self.held.push(Reverse((due, at)));
    }

    fn enter(&mut self, at: FlowIndex, place: Place) {
        self.flows[at.0 as usize].place = place;
        let list = if place == Place::Fresh { &mut self.fresh } else { &mut self.old };
        list.push_back(at);
    }

    fn retire(&mut self, at: FlowIndex) {
        let flow = &mut self.flows[at.0 as usize];
        flow.place = Place::Nowhere;
        self.by_group[flow.group.0 as usize] = None;
        self.spare_flows.push(at);
    }
}

impl Bound {
    fn most(self) -> u64 {
        let (Self::Payloads(most) | Self::Copies(most) | Self::Stale { most, .. }) = self;
        most
    }

    fn of(self, load: Load) -> u64 {
        if let Self::Payloads(_) = self { load.payloads as u64 } else { load.copies }
    }
}

impl Load {
    fn add(&mut self, other: Load) {
        self.payloads += other.payloads;
        self.bytes += other.bytes;
        self.copies += other.copies;
    }

    fn subtract(&mut self, other: Load) {
        self.payloads -= other.payloads;
        self.bytes -= other.bytes;
        self.copies -= other.copies;
    }
}

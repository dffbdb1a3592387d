//! Turning a turn's deliveries into sends: replies at once, payloads gathered by receiver.

use std::collections::VecDeque;
use std::time::Duration;

use engine::{Audience, Delivery, Member, Outbox, Payload, Roster};
use net::{Arrival, Driver, Full, Part, Run, SocketIndex};

use crate::limits::{BACKLOG_COPIES, BACKLOG_PAYLOADS, TURN_COPIES};
use crate::plan::Plan;
use crate::work::{Queued, Work};

/// The fan-out of one shard: batches of payloads, first in first out, bounded by the turn's budget and the backlog.
#[derive(Default)]
pub struct Fanout {
    queue: VecDeque<Work>,
    /// Payloads in the queue, each of which holds a receive buffer.
    queued: usize,
    /// Batches to use again.
    spare: Vec<Work>,
    plan: Plan,
    /// The plan is this turn's and the first batch's.
    planned: bool,
    budget: usize,
    /// Which arrivals of this turn are in the queue.
    kept: Vec<bool>,
    dropped: u64,
    /// Batches whose last copy was sent this turn.
    completed: Vec<Completed>,
    /// The batch that each roster of this epoch adds to.
    open: Vec<usize>,
}

/// A batch that has been sent.
#[derive(Clone, Copy, Debug)]
pub struct Completed {
    /// When the turn began that took its payloads.
    pub taken: Duration,
    /// How many they were.
    pub payloads: u64,
}

impl Fanout {
    /// Sends a turn's deliveries, and what earlier turns left, as far as the turn's budget goes. Releases the
    /// buffers of all arrivals that no batch waits for.
    pub fn turn<D: Driver>(&mut self, now: Duration, outbox: &Outbox, arrivals: &[Arrival], driver: &mut D) {
        self.completed.clear();
        self.planned = false;
        self.budget = TURN_COPIES;
        self.kept.clear();
        self.kept.resize(arrivals.len(), false);
        for (number, epoch) in outbox.epochs().enumerate() {
            if number > 0 {
                // What waits for the next turn is overtaken: no reply waits behind the budget.
                let _ = self.pump(driver);
            }
            self.take(now, epoch, outbox, arrivals, driver);
        }
        for (arrival, _) in arrivals.iter().zip(&self.kept).filter(|(_, kept)| !**kept) {
            driver.release(arrival.buffer);
        }
        let _ = self.pump(driver);
        self.drop_excess(driver);
    }

    /// Copies that wait for the next turn.
    pub fn waiting(&self) -> u64 {
        self.queue.iter().map(Work::copies).sum()
    }

    /// True if nothing waits for the next turn.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Copies dropped so far because too much was waiting.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The batches whose last copy was sent this turn.
    pub fn completed(&self) -> &[Completed] {
        &self.completed
    }

    /// Gives every buffer back and counts what is dropped for it.
    pub fn abandon(&mut self, driver: &mut impl Driver) {
        while let Some(work) = self.queue.pop_front() {
            self.finish(work, driver);
        }
    }

    /// Sends an epoch's replies and queues its payloads.
    fn take<D: Driver>(
        &mut self,
        now: Duration,
        epoch: &[Delivery],
        outbox: &Outbox,
        arrivals: &[Arrival],
        driver: &mut D,
    ) {
        self.open.clear();
        let mut first_roster = None;
        for Delivery { payload, audience } in epoch {
            let part = match payload {
                Payload::Composed(text) => driver.compose(outbox.text(text)),
                Payload::Received(number) => received(&arrivals[*number as usize]),
            };
            match audience {
                Audience::One(member) => self.reply(member, part, driver),
                Audience::Others { roster, sender } => {
                    if let Payload::Received(number) = payload {
                        self.kept[*number as usize] = true;
                    }
                    // An epoch lists its rosters in the order in which they are first used.
                    let first = first_roster.get_or_insert(*roster).0;
                    let work = self.batch((roster.0 - first) as usize, now, &outbox.listed(*roster).roster);
                    work.push(Queued { part, sender: *sender });
                    self.queued += 1;
                }
            }
        }
    }

    /// The batch that this epoch's roster of this number adds to: the last one, while it has room.
    fn batch(&mut self, roster_number: usize, now: Duration, roster: &Roster) -> &mut Work {
        let open = self.open.get(roster_number).copied().filter(|&at| self.queue[at].has_room());
        let at = open.unwrap_or_else(|| {
            let mut work = self.spare.pop().unwrap_or_default();
            work.reset(now, roster.clone());
            self.queue.push_back(work);
            self.queue.len() - 1
        });
        match self.open.get_mut(roster_number) {
            Some(open) => *open = at,
            None => self.open.push(at),
        }
        &mut self.queue[at]
    }

    fn reply(&mut self, to: &Member, part: Part, driver: &mut impl Driver) {
        let run = Run {
            socket: SocketIndex(to.local.socket().into()),
            to: to.client.socket_addr(),
            from: to.local.reached(),
            gather: driver.gather(&[part]),
            size: part.len() as u16,
            bytes: part.len() as u32,
        };
        // The driver's budget has room for a reply to every arrival beyond the payloads' own.
        if driver.send(&run) == Err(Full) {
            self.dropped += 1;
        }
    }

    /// Sends what is queued; `Full` if something is left for the next turn.
    fn pump(&mut self, driver: &mut impl Driver) -> Result<(), Full> {
        while let Some(work) = self.queue.front_mut() {
            if !self.planned {
                self.plan.make(work, driver);
                self.planned = true;
            }
            work.send(&self.plan, driver, &mut self.budget)?;
            self.planned = false;
            let completed = Completed { taken: work.taken(), payloads: work.payloads().len() as u64 };
            self.completed.push(completed);
            if let Some(work) = self.queue.pop_front() {
                self.finish(work, driver);
            }
        }
        Ok(())
    }

    /// Drops the oldest batches while more waits than may. The one under way is finished, whatever comes, or the last
    /// members of a large group would never hear anything.
    fn drop_excess(&mut self, driver: &mut impl Driver) {
        let first = usize::from(self.queue.front().is_some_and(Work::is_started));
        while self.queued > BACKLOG_PAYLOADS || self.waiting() > BACKLOG_COPIES {
            let Some(work) = self.queue.remove(first) else { return };
            self.finish(work, driver);
        }
    }

    /// Ends a batch; what it has not sent is dropped and counted.
    fn finish(&mut self, mut work: Work, driver: &mut impl Driver) {
        self.dropped += work.copies();
        self.queued -= work.payloads().len();
        for payload in work.payloads() {
            if let Part::Received { buffer, .. } = payload.part {
                driver.release(buffer);
            }
        }
        work.reset(Duration::ZERO, Roster::default());
        self.spare.push(work);
    }
}

fn received(arrival: &Arrival) -> Part {
    Part::Received { buffer: arrival.buffer, offset: arrival.offset, len: arrival.len }
}

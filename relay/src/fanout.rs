//! Turning a turn's deliveries into sends: replies at once, payloads gathered by receiver.

use std::time::Duration;

use engine::{Audience, Delivery, Member, Outbox, Payload};
use net::{Arrival, Driver, Full, Part, Run, SocketIndex};

use crate::flows::{FlowIndex, Flows, Load};
use crate::limits::{BACKLOG_COPIES, HELD_BYTES, QUANTUM};
use crate::work::{Allowance, Queued, Taken};

/// The fan-out of one shard: the payloads of each group, served in turns, bounded by the turn's allowance and the
/// backlog.
pub struct Fanout {
    flows: Flows,
    /// Number of this turn.
    turn: u64,
    /// What this turn may still send.
    allowance: Allowance,
    /// What may wait in all, and what of it for company.
    most: Load,
    most_held: Load,
    /// Which arrivals of this turn wait in a flow.
    kept: Vec<bool>,
    dropped: u64,
    /// The payloads whose last copy was sent this turn.
    completed: Vec<Taken>,
}

impl Fanout {
    /// A fan-out that lets payloads wait in half of a driver's receive buffers.
    pub fn new(buffers: usize) -> Self {
        let most = Load { payloads: buffers / 2, bytes: usize::MAX, copies: BACKLOG_COPIES };
        Self {
            flows: Flows::default(),
            turn: 0,
            allowance: Allowance(0),
            most,
            most_held: Load { payloads: buffers / 4, bytes: HELD_BYTES, copies: u64::MAX },
            kept: Vec::new(),
            dropped: 0,
            completed: Vec::new(),
        }
    }

    /// Sends a turn's deliveries, and what earlier turns left, as far as the allowance goes. Releases the buffers of
    /// all arrivals that need not wait. Returns what is left of the allowance.
    pub fn turn<D: Driver>(
        &mut self,
        now: Duration,
        allowance: Allowance,
        outbox: &Outbox,
        arrivals: &[Arrival],
        driver: &mut D,
    ) -> Allowance {
        self.turn += 1;
        self.allowance = allowance;
        self.completed.clear();
        self.kept.clear();
        self.kept.resize(arrivals.len(), false);
        for (number, epoch) in outbox.epochs().enumerate() {
            self.take(now, epoch, outbox, arrivals, driver);
            if let Some(group) = outbox.ended_by(number) {
                self.flows.release_group(group);
                // Who always has something waiting is overtaken: no reply waits for it.
                self.pump(driver, true);
            }
        }
        for (arrival, _) in arrivals.iter().zip(&self.kept).filter(|(_, kept)| !**kept) {
            driver.release(arrival.buffer);
        }
        self.flows.release_due(now, self.most_held);
        self.pump(driver, false);
        self.drop_excess(driver);
        std::mem::replace(&mut self.allowance, Allowance(0))
    }

    /// Copies that wait for a later turn.
    pub fn waiting(&self) -> u64 {
        self.flows.load().copies
    }

    /// True if nothing is to be sent before something arrives or [`Fanout::due`] has come.
    pub fn is_idle(&self) -> bool {
        self.flows.is_idle()
    }

    /// When payloads that wait for company have waited long enough.
    pub fn due(&self) -> Option<Duration> {
        self.flows.due()
    }

    /// Copies dropped so far because too much was waiting.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The payloads whose last copy was sent this turn.
    pub fn completed(&self) -> &[Taken] {
        &self.completed
    }

    /// Nothing waits for company any more.
    pub fn hurry(&mut self) {
        self.flows.release_due(Duration::MAX, self.most_held);
    }

    /// Gives every buffer back and counts what is dropped for it.
    pub fn abandon(&mut self, driver: &mut impl Driver) {
        self.hurry();
        while let Some(at) = self.flows.next(false) {
            while self.flows.first_work(at).is_some() {
                self.dropped += self.flows.end_first(at, |payload| release(payload, driver));
            }
            self.flows.put_back(at);
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
                    self.flows.push(outbox.listed(*roster), Queued { part, sender: *sender }, now);
                }
            }
        }
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

    /// Sends what is queued, group by group, as far as the allowance goes.
    fn pump(&mut self, driver: &mut impl Driver, only_fresh: bool) {
        while !self.allowance.is_spent()
            && let Some(at) = self.flows.next(only_fresh)
        {
            let served = self.serve(at, driver);
            self.flows.put_back(at);
            if served == Err(Full) {
                return;
            }
        }
    }

    /// Lets a group send: as much as this turn may, if it is the only one. `Full` if the driver takes no more.
    fn serve(&mut self, at: FlowIndex, driver: &mut impl Driver) -> Result<(), Full> {
        let share = if self.flows.is_last() { isize::MAX } else { QUANTUM as isize };
        let mut share = self.allowance.take(share);
        let mut sent = Ok(());
        while sent.is_ok()
            && let Some(work) = self.flows.first_work(at)
        {
            let before = work.copies();
            sent = work.send(self.turn, driver, &mut share);
            let copies = before - work.copies();
            if sent.is_ok() {
                self.completed.extend_from_slice(work.taken());
            }
            self.flows.sent(at, copies);
            if sent.is_ok() {
                self.flows.end_first(at, |payload| release(payload, driver));
            }
        }
        let sent = if share.is_spent() { Ok(()) } else { sent };
        self.allowance.give_back(share);
        sent
    }

    /// Drops the oldest payloads of whoever has most, while more waits than may.
    fn drop_excess(&mut self, driver: &mut impl Driver) {
        loop {
            let load = self.flows.load();
            let by_copies = load.payloads <= self.most.payloads;
            if by_copies && load.copies <= self.most.copies {
                return;
            }
            let dropped = self.flows.drop_oldest(self.most, by_copies, |payload| release(payload, driver));
            let Some(copies) = dropped else { return };
            self.dropped += copies;
        }
    }
}

fn received(arrival: &Arrival) -> Part {
    Part::Received { buffer: arrival.buffer, offset: arrival.offset, len: arrival.len }
}

fn release(payload: Queued, driver: &mut impl Driver) {
    if let Part::Received { buffer, .. } = payload.part {
        driver.release(buffer);
    }
}

//! Turning a turn's deliveries into sends: replies at once, payloads gathered by receiver.

use std::time::Duration;

use engine::{Audience, Delivery, Departure, Gate, Listed, Member, Outbox, Payload};
use net::{Arrival, Driver, Full, Part, Run, SocketIndex};
use wire::Notice;

use crate::clock::{Clock, tick};
use crate::ferry::{Ferry, Parcel};
use crate::flows::{Bound, FlowIndex, Flows, Load};
use crate::limits::{BACKLOG_COPIES, HELD_BYTES, LEAVER_UNITS, OVERLOAD_STANDING, TURN_ARRIVALS, TURN_UNITS};
use crate::movers::Movers;
use crate::muffler::Blame;
use crate::work::{Ahead, Allowance, Queued, Taken};

/// The fan-out of one shard: the payloads of each group, served in turns, bounded by the turn's allowance and the
/// backlog.
pub struct Fanout {
    flows: Flows,
    movers: Movers,
    /// Number of this turn.
    turn: u64,
    /// What this turn may still send, and what of it because somebody leaves a group.
    allowance: Allowance,
    for_leavers: Allowance,
    pace: Pace,
    /// Units that were spent since the clock was last looked at.
    unmeasured: isize,
    /// What may wait in all, and what of it for company.
    most: Load,
    most_held: Load,
    /// Which arrivals of this turn wait in a flow.
    kept: Vec<bool>,
    dropped: u64,
    /// Who said what was dropped while the shard was overloaded.
    blame: Blame,
    /// When the turn began.
    now: Duration,
    /// The payloads whose last copy was sent this turn.
    completed: Vec<Taken>,
    gate: Gate,
    /// To the thread that sends to clients by TCP, if another one does.
    ferry: Option<Ferry>,
}

/// How long a turn may send, and how often it looks at the clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// When it ends. A group's share of units may still be sent then.
    pub until: Duration,
    /// Units that a group spends before the next one's turn comes, and before the clock is looked at.
    pub quantum: usize,
    /// Copies that may wait when it is over, beside the newest payload of each group; None for as many as ever may.
    pub backlog: Option<u64>,
}

impl Fanout {
    /// A fan-out that lets payloads wait in half of a driver's receive buffers; `gate` is that of its engine.
    pub fn new(buffers: usize, gate: Gate) -> Self {
        let most = Load { payloads: buffers / 2, bytes: usize::MAX, copies: BACKLOG_COPIES };
        Self {
            flows: Flows::default(),
            movers: Movers::default(),
            turn: 0,
            allowance: Allowance(0),
            for_leavers: Allowance(0),
            pace: Pace::default(),
            unmeasured: 0,
            most,
            most_held: Load { payloads: buffers / 4, bytes: HELD_BYTES, copies: u64::MAX },
            kept: Vec::with_capacity(TURN_ARRIVALS),
            dropped: 0,
            blame: Blame::default(),
            now: Duration::ZERO,
            completed: Vec::with_capacity(TURN_ARRIVALS),
            gate,
            ferry: None,
        }
    }

    /// Hands over to this ferry what is for clients by TCP.
    pub fn hand_over_to(&mut self, ferry: Ferry) {
        self.ferry = Some(ferry);
    }

    /// Sends to clients by TCP itself.
    pub fn serve_far(&mut self) {
        self.flows.serve_far();
    }

    /// Sends a turn's deliveries, and what earlier turns left, as far as the time goes. Releases the buffers of all
    /// arrivals that need not wait.
    pub fn turn<D: Driver>(
        &mut self,
        (now, pace, clock): (Duration, Pace, &impl Clock),
        outbox: &Outbox,
        arrivals: &[Arrival],
        driver: &mut D,
    ) {
        self.turn += 1;
        self.now = now;
        self.gate.begin_turn(tick(now));
        (self.pace, self.unmeasured) = (pace, 0);
        (self.allowance, self.for_leavers) =
            (Allowance(TURN_UNITS as isize), Allowance(LEAVER_UNITS as isize));
        self.completed.clear();
        self.kept.clear();
        self.kept.resize(arrivals.len(), false);
        self.movers.forget(&self.flows);
        for (number, epoch) in outbox.epochs().enumerate() {
            self.take(now, epoch, outbox, arrivals, driver);
            if let Some(Departure { client, group }) = outbox.ended_by(number)
                && let Some(at) = self.flows.of(group)
            {
                self.serve_leaver(at, clock, driver);
                self.movers.note(client, at, &self.flows);
            }
        }
        for (arrival, _) in arrivals.iter().zip(&self.kept).filter(|(_, kept)| !**kept) {
            driver.release(arrival.buffer);
        }
        self.flows.release_due(now, self.most_held);
        self.drop_stale(now, driver);
        self.pump(clock, driver);
        self.drop_excess(driver);
    }

    /// True if there is hardly room for another turn's arrivals, and no group is to blame for it more than others: then
    /// they had better wait where they are.
    pub fn is_crowded(&self) -> bool {
        let waiting = self.flows.load().payloads;
        waiting + TURN_ARRIVALS > self.most.payloads && waiting > TURN_ARRIVALS && !self.is_dominated()
    }

    /// True if more than half of what waits is one group's.
    pub fn is_dominated(&self) -> bool {
        let waiting = self.flows.load().payloads;
        waiting >= TURN_ARRIVALS / 2 && 2 * self.flows.largest() > waiting
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

    /// Who said what was dropped while the shard was overloaded.
    pub fn blame(&mut self) -> &mut Blame {
        &mut self.blame
    }

    /// The payloads whose last copy was sent this turn.
    pub fn completed(&self) -> &[Taken] {
        &self.completed
    }

    /// What became of the copies for unproved members.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// How many payloads these are, and the sum of their ages by now.
    pub fn completed_by(&self, now: Duration) -> (u64, Duration) {
        self.completed.iter().fold((0, Duration::ZERO), |(payloads, age), taken| {
            let each = now.saturating_sub(taken.at);
            (payloads + taken.payloads, age + each * taken.payloads as u32)
        })
    }

    /// Nothing waits for company any more.
    pub fn hurry(&mut self) {
        self.flows.release_due(Duration::MAX, self.most_held);
    }

    /// Gives every buffer back and counts what is dropped for it.
    pub fn abandon(&mut self, driver: &mut impl Driver) {
        self.hurry();
        while let Some(at) = self.flows.next() {
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
                Payload::Formed(number) => {
                    let forms = outbox.forms(*number);
                    received_from(&arrivals[forms.datagram as usize], forms.start)
                }
            };
            match audience {
                Audience::One(member) if !driver.has_streams() && member.client.is_stream() => {
                    self.send_letter(member, payload, outbox);
                }
                Audience::One(member) => self.reply(member, part, is_lossy(member, payload, outbox), driver),
                Audience::Others { roster, sender } => {
                    let listed = outbox.listed(*roster);
                    if listed.roster.far() > 0 && self.ship(listed, payload, (outbox, arrivals), driver) {
                        continue;
                    }
                    let forms = match payload {
                        Payload::Formed(number) => Some(outbox.forms(*number)),
                        Payload::Received(number) => {
                            self.kept[*number as usize] = true;
                            None
                        }
                        Payload::Composed(_) => None,
                    };
                    let at = self.movers.follow(listed, *sender, &self.flows);
                    let work = self.flows.push(at, listed, Queued::new(part, *sender), now);
                    if let Some(forms) = forms {
                        self.kept[forms.datagram as usize] = true;
                        self.flows.put_before_last(work, Ahead::of(forms, outbox));
                    }
                }
            }
        }
    }

    /// What a client by TCP is told that is not this thread's.
    #[cold]
    fn send_letter(&self, to: &Member, payload: &Payload, outbox: &Outbox) {
        if let (Some(ferry), Payload::Composed(text)) = (&self.ferry, payload) {
            ferry.tell(*to, outbox.text(text));
        }
    }

    /// Sees to the members of a group that are connected by TCP; true if there is nobody else.
    #[cold]
    fn ship(
        &self,
        listed: &Listed,
        payload: &Payload,
        (outbox, arrivals): (&Outbox, &[Arrival]),
        driver: &impl Driver,
    ) -> bool {
        let Some(ferry) = &self.ferry else { return false };
        let bytes = |number: u32| driver.bytes(&arrivals[number as usize]);
        let parcel = match payload {
            Payload::Received(number) => Parcel::new(listed, bytes(*number)),
            Payload::Composed(text) => Parcel::new(listed, outbox.text(text)),
            Payload::Formed(number) => {
                let forms = outbox.forms(*number);
                Parcel::in_forms(listed, bytes(forms.datagram), forms, outbox.text(&forms.header))
            }
        };
        ferry.ship(parcel);
        listed.roster.far() as usize == listed.roster.len() - 1
    }

    fn reply(&mut self, to: &Member, part: Part, is_lossy: bool, driver: &mut impl Driver) {
        let run = Run {
            socket: SocketIndex(to.local.socket().into()),
            to: to.client.socket_addr(),
            from: to.local.reached(),
            gather: driver.gather(&[part]),
            size: part.len() as u16,
            bytes: part.len() as u32,
        };
        // The driver's budget has room for a reply to every arrival beyond the payloads' own.
        let taken = if is_lossy { driver.send(&run) } else { driver.tell(&run) };
        if taken == Err(Full) {
            self.dropped += 1;
        }
    }

    /// Sends what is queued, group by group, as far as time and allowance go.
    fn pump(&mut self, clock: &impl Clock, driver: &mut impl Driver) {
        while !self.allowance.is_spent()
            && let Some(at) = self.flows.next()
        {
            self.serve(at, self.pace.quantum as isize, driver);
            self.flows.put_back(at);
            self.look_at_the_clock(clock, driver);
        }
    }

    /// Sends what a group was told before somebody left it: it comes before what the leaver is told from now on. Not
    /// more than a part of a turn, or whoever leaves and joins all the time would have every turn.
    fn serve_leaver(&mut self, at: FlowIndex, clock: &impl Clock, driver: &mut impl Driver) {
        self.flows.release(at);
        while self.flows.first_work(at).is_some()
            && !self.for_leavers.is_spent()
            && !self.allowance.is_spent()
        {
            let spent = self.serve(at, self.pace.quantum as isize, driver);
            self.for_leavers.0 -= spent;
            self.look_at_the_clock(clock, driver);
        }
        if self.flows.first_work(at).is_none() {
            self.flows.leave_list(at);
        }
    }

    /// Lets a group send so many units at most; returns how many it did.
    fn serve(&mut self, at: FlowIndex, most: isize, driver: &mut impl Driver) -> isize {
        let mut share = self.allowance.take(most);
        let granted = share.0;
        let mut sent = Ok(());
        while sent.is_ok()
            && let Some(work) = self.flows.first_work(at)
        {
            let before = work.copies();
            sent = work.send(self.turn, driver, &mut share, &mut self.gate);
            let copies = before - work.copies();
            if sent.is_ok() {
                self.completed.extend_from_slice(work.taken());
            }
            self.flows.sent(at, copies);
            if sent.is_ok() {
                self.flows.end_first(at, |payload| release(payload, driver));
            }
        }
        let spent = granted - share.0;
        let driver_is_full = sent == Err(Full) && !share.is_spent();
        self.allowance.give_back(share);
        self.unmeasured += spent;
        if driver_is_full {
            self.allowance = Allowance(0);
        }
        spent
    }

    /// Ends the turn's allowance when its time is over. What is queued is sent before: until then it has taken none.
    fn look_at_the_clock(&mut self, clock: &impl Clock, driver: &mut impl Driver) {
        if self.unmeasured < self.pace.quantum as isize {
            return;
        }
        self.unmeasured = 0;
        driver.flush();
        if clock.now() >= self.pace.until {
            self.allowance = Allowance(0);
        }
    }

    /// Drops the oldest payloads of whoever has most, while more waits than ever may.
    fn drop_excess(&mut self, driver: &mut impl Driver) {
        self.drop_beyond(Bound::Payloads(self.most.payloads as u64), driver);
        self.drop_beyond(Bound::Copies(self.most.copies), driver);
    }

    /// The same while more waits than this turn and the next few send, before it is too late for a batch.
    fn drop_stale(&mut self, now: Duration, driver: &mut impl Driver) {
        if let Some(most) = self.pace.backlog {
            let bound = Bound::Stale { most, since: now.saturating_sub(OVERLOAD_STANDING) };
            self.flows.weigh(now, OVERLOAD_STANDING, bound);
            self.drop_beyond(bound, driver);
        }
    }

    fn drop_beyond(&mut self, bound: Bound, driver: &mut impl Driver) {
        let is_overloaded = self.pace.backlog.is_some();
        let (blame, now) = (&mut self.blame, self.now);
        let mut leave = |payload: Queued, sender| {
            if is_overloaded {
                blame.note(sender, now);
            }
            release(&payload, driver);
        };
        while self.flows.exceeds(bound)
            && let Some(copies) = self.flows.drop_oldest(bound, &mut leave)
        {
            self.dropped += copies;
        }
    }
}

/// True for what may be dropped if too much waits for its connection: news come unasked, however fast somebody reads.
fn is_lossy(to: &Member, payload: &Payload, outbox: &Outbox) -> bool {
    to.client.is_stream() && matches!(payload, Payload::Composed(text) if Notice::is_news(outbox.text(text)))
}

fn received(arrival: &Arrival) -> Part {
    received_from(arrival, 0)
}

fn received_from(arrival: &Arrival, start: u16) -> Part {
    Part::Received { buffer: arrival.buffer, offset: arrival.offset + start, len: arrival.len - start }
}

fn release(payload: &Queued, driver: &mut impl Driver) {
    if let Part::Received { buffer, .. } = payload.part {
        driver.release(buffer);
    }
}

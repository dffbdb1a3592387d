//! Whether a shard has more to do than it can, and what it then does: short turns, fresh queues, a filter of last resort.
//!
//! As long as nothing has to be lost, nothing is lost, however long it waits: a burst ends. What has to be lost
//! continually is lost early, so that what is delivered is young.

use std::time::Duration;

use net::Sieve;

use crate::limits::{
    GROWTH_LEAST, GROWTH_WINDOW, GROWTH_WINDOWS, HEARTBEATS, HURRIED_QUANTUM, HURRIED_TURN, HURRY,
    HURRY_IF_DOMINATED, OVERLOAD_AGE, OVERLOAD_CALM, OVERLOAD_LEISURE, OVERLOAD_STANDING, OVERLOADED_TURN,
    QUANTUM, ROOM, ROOM_EVERY, TURN,
};
use crate::muffler::{Blame, Muffler};
use crate::valve::Valve;

/// The state of a shard, as far as it concerns how much it is asked to do.
#[derive(Debug, Default)]
pub struct Overload {
    active: bool,
    /// Since when it has had to drop or to hurry without a longer pause, and when it had to last.
    trouble: Option<(Duration, Duration)>,
    dropped: u64,
    room: Room,
    growth: Growth,
    leisure: Leisure,
    muffler: Muffler,
    valve: Valve,
}

/// What a shard sees of itself when it is about to send.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// When the turn began.
    pub now: Duration,
    /// The turn took as much as one may, and this part of a receive buffer is full nevertheless; None if it took less,
    /// which was all there was.
    pub pressure: Option<f32>,
    /// One group has more than half of what waits.
    pub is_dominated: bool,
    /// How long it has had something to do, since the start.
    pub busy: Duration,
    /// Payloads whose last copy was sent in the last turn, and the sum of the times since they were taken.
    pub completed: (u64, Duration),
    /// Copies dropped since the start.
    pub dropped: u64,
    /// Commands but for heartbeats among what the turn has taken, and everything else.
    pub taken: (u64, u64),
}

/// How a turn is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Orders {
    /// How long it sends.
    pub time: Duration,
    /// Units that a group spends before the next one's turn comes.
    pub quantum: usize,
    /// Copies that may wait when it ends, beside the newest payload of each group; None for any number.
    pub backlog: Option<u64>,
    /// What the sockets are to let pass from now on, if that changes.
    pub sieve: Option<Option<Sieve>>,
}

impl Overload {
    /// True while more comes than can be done.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// When the shard has to turn at the latest, even if nothing arrives: a filter may be all that keeps it quiet.
    pub fn due(&self) -> Option<Duration> {
        let (_, last) = self.trouble.filter(|_| self.active)?;
        let opening = self.valve.due().into_iter().chain(self.muffler.due()).min();
        Some(opening.unwrap_or(last + OVERLOAD_CALM))
    }

    /// True if what comes may wait in the kernel's receive queue, which is so full: not if it has grown for so long that
    /// it is no burst, nor something that waits for its answers.
    pub fn may_wait(&mut self, now: Duration, pressure: f32) -> bool {
        if !self.active && self.growth.is_lasting(now, pressure) {
            self.active = true;
            self.trouble = Some((now, now));
        }
        !self.active && pressure < HURRY
    }

    /// Takes a turn's look, and says how the turn is to be.
    pub fn turn(&mut self, sight: &Sight, blame: &mut Blame) -> Orders {
        self.room.measure(sight);
        self.leisure.measure(sight);
        let limit = if self.active || sight.is_dominated { HURRY_IF_DOMINATED } else { HURRY };
        let hurries = sight.pressure.is_some_and(|pressure| pressure > limit);
        let drops = sight.dropped != self.dropped;
        self.dropped = sight.dropped;
        self.judge(sight.now, hurries || drops);
        let is_changed = if self.active {
            let sent = sight.completed.0;
            self.valve.turn(sight.now, sight.pressure, sight.taken)
                | self.muffler.turn(sight.now, sent, blame)
        } else {
            self.valve.open() | self.muffler.open(sight.now)
        };
        let sieve = is_changed.then(|| self.sieve());
        let (time, quantum) = match sight.pressure {
            _ if hurries => (HURRIED_TURN, HURRIED_QUANTUM),
            Some(_) if self.active => (OVERLOADED_TURN, HURRIED_QUANTUM),
            _ => (TURN, QUANTUM),
        };
        let backlog = self.active.then_some(self.room.copies);
        Orders { time, quantum, backlog, sieve }
    }

    fn is_open(&self) -> bool {
        self.valve.is_open() && self.muffler.is_open()
    }

    fn sieve(&self) -> Option<Sieve> {
        let (of_second, of_rest) = self.valve.shares();
        let loud = self.muffler.loud().cloned();
        (!self.is_open()).then_some(Sieve { spared: HEARTBEATS, first: b'!', of_second, of_rest, loud })
    }

    /// Begins when there has been trouble for a while, and ends when there has been none for a longer one, or when there is
    /// time to spare: then it was a moment's, or that of a thread that was kept from its core.
    fn judge(&mut self, now: Duration, trouble: bool) {
        let is_over = self.active && self.leisure.enough && self.is_open();
        if is_over || self.trouble.is_some_and(|(_, last)| now >= last + OVERLOAD_CALM) {
            self.trouble = None;
            self.active = false;
        }
        if trouble || self.active && !self.is_open() {
            let (first, _) = *self.trouble.get_or_insert((now, now));
            self.trouble = Some((first, now));
            self.active |= now >= first + OVERLOAD_STANDING;
        }
    }
}

/// How much may wait: so much that what is delivered is neither older nor younger than it should be.
///
/// A rate would not do: with less that waits messages get smaller and the rate falls, and with it what may wait.
#[derive(Debug)]
struct Room {
    copies: u64,
    since: Duration,
    /// Payloads whose last copy was sent since then, and the sum of their ages.
    payloads: u64,
    age: Duration,
}

impl Default for Room {
    fn default() -> Self {
        Self { copies: *ROOM.end(), since: Duration::ZERO, payloads: 0, age: Duration::ZERO }
    }
}

impl Room {
    fn measure(&mut self, sight: &Sight) {
        let (payloads, age) = sight.completed;
        self.payloads += payloads;
        self.age += age;
        if self.payloads == 0 || sight.now < self.since + ROOM_EVERY {
            return;
        }
        let mean = self.age.div_f64(self.payloads as f64);
        let copies = match self.copies {
            copies if mean > 2 * OVERLOAD_AGE => copies / 2,
            copies if mean > OVERLOAD_AGE => copies - copies / 8,
            copies => copies + copies / 8,
        };
        let copies = copies.clamp(*ROOM.start(), *ROOM.end());
        *self = Self { copies, since: sight.now, payloads: 0, age: Duration::ZERO };
    }
}

/// Whether a queue that stands goes on to grow.
#[derive(Debug, Default)]
struct Growth {
    /// When it was last looked at, and when and how full it was at the beginning of this window.
    seen: Duration,
    window: (Duration, f32),
    /// Windows in a row in which it grew.
    grown: u32,
}

impl Growth {
    fn is_lasting(&mut self, now: Duration, pressure: f32) -> bool {
        let (since, before) = self.window;
        if now > self.seen + GROWTH_WINDOW {
            (self.window, self.grown) = ((now, pressure), 0);
        } else if now >= since + GROWTH_WINDOW {
            self.grown = if pressure > before + GROWTH_LEAST { self.grown + 1 } else { 0 };
            self.window = (now, pressure);
        }
        self.seen = now;
        self.grown >= GROWTH_WINDOWS
    }
}

/// How much of its time a shard has nothing to do.
#[derive(Debug, Default)]
struct Leisure {
    since: Duration,
    busy: Duration,
    /// In the last whole window, it waited for long enough.
    enough: bool,
}

impl Leisure {
    fn measure(&mut self, sight: &Sight) {
        let time = sight.now.saturating_sub(self.since);
        if time >= OVERLOAD_CALM {
            let waited = time.saturating_sub(sight.busy.saturating_sub(self.busy));
            self.enough = waited > time.mul_f32(OVERLOAD_LEISURE);
            (self.since, self.busy) = (sight.now, sight.busy);
        }
    }
}

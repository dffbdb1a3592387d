//! Whether a shard has more to do than it can, and what it then does: short turns, fresh queues, a filter of last resort.
//!
//! As long as nothing has to be lost, nothing is lost, however long it waits: a burst ends. What has to be lost
//! continually is lost early, so that what is delivered is young.

use std::time::Duration;

use net::Sieve;

use crate::limits::{
    HURRIED_QUANTUM, HURRIED_TURN, HURRY, HURRY_IF_DOMINATED, OVERLOAD_CALM, OVERLOAD_LEISURE,
    OVERLOAD_STANDING, OVERLOAD_WAIT, OVERLOADED_TURN, QUANTUM, RATE_EVERY, TURN,
};
use crate::valve::Valve;

/// The state of a shard, as far as it concerns how much it is asked to do.
#[derive(Debug, Default)]
pub struct Overload {
    active: bool,
    /// Since when it has had to drop or to hurry without a longer pause, and when it had to last.
    trouble: Option<(Duration, Duration)>,
    dropped: u64,
    rate: Rate,
    leisure: Leisure,
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
    /// Datagrams sent, and copies dropped, since the start.
    pub sent: u64,
    /// See `sent`.
    pub dropped: u64,
}

/// How a turn is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
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
        Some(self.valve.due().unwrap_or(last + OVERLOAD_CALM))
    }

    /// Takes a turn's look, and says how the turn is to be.
    pub fn turn(&mut self, sight: &Sight) -> Orders {
        self.rate.measure(sight);
        self.leisure.measure(sight);
        let limit = if self.active || sight.is_dominated { HURRY_IF_DOMINATED } else { HURRY };
        let hurries = sight.pressure.is_some_and(|pressure| pressure > limit);
        let drops = sight.dropped != self.dropped;
        self.dropped = sight.dropped;
        self.judge(sight.now, hurries || drops);
        let sieve = if self.active { self.valve.turn(sight.now, sight.pressure) } else { self.valve.open() };
        let (time, quantum) = match sight.pressure {
            _ if hurries => (HURRIED_TURN, HURRIED_QUANTUM),
            Some(_) if self.active => (OVERLOADED_TURN, HURRIED_QUANTUM),
            _ => (TURN, QUANTUM),
        };
        let backlog = self.rate.in_time(OVERLOAD_WAIT).filter(|_| self.active);
        Orders { time, quantum, backlog, sieve }
    }

    /// Begins when there has been trouble for a while, and ends when there has been none for a longer one, or when there is
    /// time to spare: then it was a moment's, or that of a thread that was kept from its core.
    fn judge(&mut self, now: Duration, trouble: bool) {
        let pause = if self.active { OVERLOAD_CALM } else { OVERLOAD_STANDING };
        let is_over = self.active && self.leisure.enough && self.valve.is_open();
        if is_over || self.trouble.is_some_and(|(_, last)| now >= last + pause) {
            self.trouble = None;
            self.active = false;
        }
        if trouble || self.active && !self.valve.is_open() {
            let (first, _) = *self.trouble.get_or_insert((now, now));
            self.trouble = Some((first, now));
            self.active |= now >= first + OVERLOAD_STANDING;
        }
    }
}

/// How much a shard sends in the time in which it has something to do.
#[derive(Debug, Default)]
struct Rate {
    busy: Duration,
    sent: u64,
    per_second: Option<f64>,
}

impl Rate {
    fn measure(&mut self, sight: &Sight) {
        let time = sight.busy.saturating_sub(self.busy);
        if time >= RATE_EVERY {
            self.per_second = Some(sight.sent.saturating_sub(self.sent) as f64 / time.as_secs_f64());
            (self.busy, self.sent) = (sight.busy, sight.sent);
        }
    }

    /// Copies that are sent in so long; None if that is not known.
    fn in_time(&self, time: Duration) -> Option<u64> {
        self.per_second.map(|rate| (rate * time.as_secs_f64()) as u64)
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

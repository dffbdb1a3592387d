//! When the next sweep is due, what is left of the last one, and when not to trust a silence.

use std::time::Duration;

use crate::limits::{MIN_STALL, STRIPES};
use crate::wheel::Wheel;
use crate::{Settings, Tick};

pub(crate) struct Expiry {
    pub wheel: Wheel,
    /// The next stripe of the group map to sweep; [`STRIPES`] or more when the sweep is done.
    pub stripe: usize,
    next_sweep: Tick,
    last_turn: Tick,
    /// Nobody is swept before: the loop itself had been stopped, and everyone's datagrams may have been lost.
    grace: Tick,
}

impl Expiry {
    pub fn new(settings: &Settings, now: Tick, capacity: usize) -> Self {
        let wheel = Wheel::new(settings.sweep, now, capacity);
        Self {
            wheel,
            stripe: STRIPES,
            next_sweep: sweep_after(now, settings.sweep),
            last_turn: now,
            grace: now,
        }
    }

    /// Notes the time of a turn. After a stall everyone gets one heartbeat to speak.
    pub fn begin_turn(&mut self, settings: &Settings, now: Tick) {
        if now.since(self.last_turn) > settings.heartbeat.max(MIN_STALL) {
            self.grace = now + settings.heartbeat;
        }
        self.last_turn = self.last_turn.max(now);
    }

    /// Starts a sweep if one is due; false while silences are not to be trusted.
    pub fn begin_sweep(&mut self, settings: &Settings, shard: usize, now: Tick) -> bool {
        if now < self.grace {
            return false;
        }
        if now >= self.next_sweep {
            self.wheel.fire(now);
            self.stripe = shard;
            self.next_sweep = sweep_after(now, settings.sweep);
        }
        true
    }

    /// New settings: every client is looked at again.
    pub fn refile(&mut self, settings: &Settings, now: Tick) {
        self.wheel.refile(settings.sweep, now);
        self.next_sweep = sweep_after(now, settings.sweep);
    }

    /// When the loop has to turn again at the latest. In half a heartbeat, or a quiet hour would look like a stall.
    pub fn deadline(&self, settings: &Settings, now: Tick) -> Tick {
        if now < self.grace {
            return self.grace.min(now + longest_wait(settings));
        }
        let unfinished = self.wheel.has_fired() || self.stripe < STRIPES;
        if unfinished { now } else { self.next_sweep.min(now + longest_wait(settings)) }
    }
}

fn longest_wait(settings: &Settings) -> Duration {
    settings.heartbeat.max(MIN_STALL) / 2
}

fn sweep_after(now: Tick, sweep: Duration) -> Tick {
    let width = sweep.as_millis() as u64;
    Tick((now.0 / width + 1) * width)
}

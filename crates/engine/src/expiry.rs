//! When the next sweep is due, what is left of the last one, and when not to trust a silence.

use std::time::Duration;

use crate::limits::{MIN_STALL, RELOAD_PATIENCE, STRIPES};
use crate::wheel::Wheel;
use crate::{Settings, Tick};

/// A sweep belongs to a multiple of the sweep interval and judges as of then, in however many turns it passes; the
/// next one begins when it is done.
pub(crate) struct Expiry {
    pub wheel: Wheel,
    /// The next stripe of the group map to sweep; [`STRIPES`] or more when the sweep is done.
    pub stripe: usize,
    /// The time of the sweep that is under way.
    pub as_of: Tick,
    next_sweep: Tick,
    last_turn: Tick,
    /// Nobody is swept before: the loop itself had been stopped, and everyone's datagrams may have been lost.
    grace: Tick,
    /// The idle limit that holds until then: clients have to hear of a shorter heartbeat before it counts.
    patience: Option<(Duration, Tick)>,
}

impl Expiry {
    pub fn new(settings: &Settings, now: Tick, capacity: usize) -> Self {
        let width = settings.sweep_millis();
        let as_of = sweep_before(now, width);
        Self {
            wheel: Wheel::new(width, now, capacity),
            stripe: STRIPES,
            as_of,
            next_sweep: Tick(as_of.0.saturating_add(width)),
            last_turn: now,
            grace: now,
            patience: None,
        }
    }

    /// How long who is there may be silent: one heartbeat, and the tenth by which the original client's may be late.
    pub fn time_to_speak(&self, settings: &Settings) -> Duration {
        time_to_speak(settings)
    }

    /// Silence after which a client is swept.
    pub fn idle_limit(&self, settings: &Settings) -> Duration {
        let limit = settings.idle_limit();
        self.patience.map_or(limit, |(old, _)| limit.max(old))
    }

    /// Notes the time of a turn. After a stall everyone gets one heartbeat to speak.
    pub fn begin_turn(&mut self, settings: &Settings, now: Tick) {
        if now.since(self.last_turn) > settings.heartbeat.max(MIN_STALL) {
            self.grace = now + time_to_speak(settings);
        }
        self.last_turn = self.last_turn.max(now);
    }

    /// Starts a sweep if one is due; false while silences are not to be trusted.
    pub fn begin_sweep(&mut self, settings: &Settings, shard: usize, now: Tick) -> bool {
        if now < self.grace {
            return false;
        }
        if self.patience.is_some_and(|(_, until)| now >= until) {
            self.patience = None;
            self.refile(settings, shard, now);
        }
        if now >= self.next_sweep && !self.is_under_way() {
            self.wheel.fire(now);
            self.start(settings, shard, now);
        }
        true
    }

    /// New settings in place of old ones. A shorter heartbeat counts when every client had time to hear of it.
    pub fn reload(&mut self, old: &Settings, new: &Settings, shard: usize, now: Tick) {
        if new.heartbeat < old.heartbeat {
            let until = now + time_to_speak(old).min(RELOAD_PATIENCE);
            self.patience = Some((self.idle_limit(old), until));
        }
        self.refile(new, shard, now);
    }

    /// A sweep begins at once, and looks at every client.
    fn refile(&mut self, settings: &Settings, shard: usize, now: Tick) {
        self.wheel.refile(settings.sweep_millis(), now);
        self.start(settings, shard, now);
    }

    /// When the loop has to turn again at the latest. In half a heartbeat, or a quiet hour would look like a stall.
    pub fn deadline(&self, settings: &Settings, now: Tick) -> Tick {
        let latest = now + longest_wait(settings);
        match () {
            () if now < self.grace => self.grace.min(latest),
            () if self.is_under_way() => now,
            () => self.next_sweep.min(latest),
        }
    }

    fn start(&mut self, settings: &Settings, shard: usize, now: Tick) {
        let width = settings.sweep_millis();
        self.stripe = shard;
        self.as_of = sweep_before(now, width);
        self.next_sweep = Tick(self.as_of.0.saturating_add(width));
    }

    fn is_under_way(&self) -> bool {
        self.wheel.has_fired() || self.stripe < STRIPES
    }
}

/// One heartbeat, and the tenth by which the original client's may be late.
fn time_to_speak(settings: &Settings) -> Duration {
    settings.heartbeat.saturating_mul(11) / 10
}

fn longest_wait(settings: &Settings) -> Duration {
    settings.heartbeat.max(MIN_STALL) / 2
}

/// The last multiple of the sweep interval.
fn sweep_before(now: Tick, width: u64) -> Tick {
    Tick(now.0 / width * width)
}

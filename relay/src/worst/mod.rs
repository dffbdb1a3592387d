//! Whom a shard's sends fail to reach: a bounded account of each shard, touched only when a send fails.

mod ranking;
mod sketch;
#[cfg(test)]
mod tests;

use std::time::Duration;

use net::Failure;

use crate::limits::WORST_WINDOW;

pub use ranking::{Ranking, Row, rank};
pub use sketch::{Account, Sketch};

/// The receivers of one shard that lost most: since the start, in this window of time and in the one before.
/// Windows are numbered by the relay's clock, so that those of all shards begin together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Worst {
    since_start: Sketch,
    now: Sketch,
    before: Sketch,
    /// The number of the window `now`.
    window: u64,
}

impl Worst {
    /// Notes a failed send, of a turn that began at this time of the relay's clock.
    pub fn note(&mut self, failure: &Failure, at: Duration) {
        self.turn_to(window_of(at));
        self.since_start.note(failure, at);
        self.now.note(failure, at);
    }

    fn turn_to(&mut self, window: u64) {
        if window == self.window {
            return;
        }
        self.before = if window == self.window + 1 { self.now } else { Sketch::default() };
        self.now = Sketch::default();
        self.window = window;
    }

    /// Everything since the relay started.
    pub fn since_start(&self) -> &Sketch {
        &self.since_start
    }

    /// What belongs to the present window and the one before it: nobody has noted anything since a while, maybe.
    pub fn recent(&self, at: Duration) -> impl Iterator<Item = &Sketch> {
        let window = window_of(at);
        let belongs = move |number: u64| number == window || number + 1 == window;
        let now = Some(&self.now).filter(|_| belongs(self.window));
        let before = Some(&self.before).filter(|_| self.window > 0 && belongs(self.window - 1));
        now.into_iter().chain(before)
    }
}

/// How long [`Worst::recent`] reaches back from here: one to two windows.
pub fn recent_span(at: Duration) -> Duration {
    at.saturating_sub(WORST_WINDOW * window_of(at).saturating_sub(1) as u32)
}

fn window_of(at: Duration) -> u64 {
    at.as_secs() / WORST_WINDOW.as_secs()
}

//! A network that loses, repeats, delays and disorders, as a seed decides.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::random::Random;

/// What happens to datagrams, in percent, and for how long they travel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weather {
    pub(super) lost: u64,
    pub(super) repeated: u64,
    /// At most, in milliseconds.
    pub(super) delay: u64,
}

pub(super) const FAIR: Weather = Weather { lost: 0, repeated: 0, delay: 1 };
pub(super) const STORM: Weather = Weather { lost: 30, repeated: 20, delay: 300 };

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) datagram: Vec<u8>,
}

/// Datagrams on their way.
pub(super) struct Network {
    pub(super) weather: Weather,
    random: Random,
    travelling: BTreeMap<(Instant, u64), Letter>,
    count: u64,
}

impl Network {
    pub(super) fn new(seed: u64) -> Self {
        Self { weather: FAIR, random: Random::seeded(seed), travelling: BTreeMap::new(), count: 0 }
    }

    pub(super) fn carry(&mut self, letter: &Letter, now: Instant) {
        if self.random.number() % 100 < self.weather.lost {
            return;
        }
        let copies = 1 + u64::from(self.random.number() % 100 < self.weather.repeated);
        for _ in 0..copies {
            let delay = Duration::from_millis(self.random.number() % self.weather.delay.max(1));
            self.count += 1;
            self.travelling.insert((now + delay, self.count), letter.clone());
        }
    }

    pub(super) fn next_arrival(&self) -> Option<Instant> {
        self.travelling.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn arrive(&mut self, now: Instant) -> Option<Letter> {
        let first = self.travelling.first_entry().filter(|entry| entry.key().0 <= now)?;
        Some(first.remove())
    }

    /// A number below this one.
    pub(super) fn pick(&mut self, below: u64) -> u64 {
        self.random.number() % below
    }
}

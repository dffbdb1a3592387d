//! When things are due: fixed before, whatever the relay does.

use std::time::Duration;

use rand::Rng;
use rand_distr::{Distribution, Exp1};

use crate::plan::Arrivals;

/// The intended times of a stream of so many events per second.
///
/// Many equal senders need no queue: the union of their streams is one stream of their summed rate, in which constant
/// senders take turns and Poisson senders are drawn at random (superposition of Poisson processes).
#[derive(Clone, Debug)]
pub struct Stream {
    start: Duration,
    per_second: f64,
    arrivals: Arrivals,
    /// Events before the next one.
    index: u64,
    /// Sum of the exponential distances, in seconds.
    offset: f64,
}

impl Stream {
    /// A stream whose first event is due at `start` (constant) or an exponential distance later (Poisson).
    pub fn new(start: Duration, per_second: f64, arrivals: Arrivals, rng: &mut impl Rng) -> Self {
        let mut stream = Stream { start, per_second, arrivals, index: 0, offset: 0.0 };
        if arrivals == Arrivals::Poisson {
            stream.offset = stream.distance(rng);
        }
        stream
    }

    /// When the next event is due; None if there is never one.
    pub fn next(&self) -> Option<Duration> {
        if self.per_second <= 0.0 {
            return None;
        }
        let seconds = match self.arrivals {
            Arrivals::Constant => self.index as f64 / self.per_second,
            Arrivals::Poisson => self.offset,
        };
        Some(self.start + Duration::try_from_secs_f64(seconds).ok()?)
    }

    /// Goes on to the next event, and returns the number of the one that was due.
    pub fn advance(&mut self, rng: &mut impl Rng) -> u64 {
        if self.arrivals == Arrivals::Poisson {
            self.offset += self.distance(rng);
        }
        self.index += 1;
        self.index - 1
    }

    fn distance(&self, rng: &mut impl Rng) -> f64 {
        let unit: f64 = Exp1.sample(rng);
        unit / self.per_second
    }
}

/// Turns of so many clients, each in the same period: the n-th has its turn n/clients of a period after the first.
#[derive(Clone, Debug)]
pub struct Rotation {
    clients: u32,
    period: Duration,
    anchor: Duration,
    /// Turns since the anchor.
    index: u64,
    /// Whose turn was at the anchor.
    first: u32,
}

impl Rotation {
    /// A rotation that begins now.
    pub fn new(clients: u32, period: Duration, now: Duration) -> Self {
        Rotation { clients, period, anchor: now, index: 0, first: 0 }
    }

    /// When the next turn is due.
    pub fn next(&self) -> Duration {
        let nanos = self.period.as_nanos() * u128::from(self.index) / u128::from(self.clients.max(1));
        self.anchor + Duration::from_nanos(nanos as u64)
    }

    /// How long it takes until everybody has had a turn.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// Goes on, and returns whose turn it was.
    pub fn advance(&mut self) -> u32 {
        let client = self.client_at(self.index);
        self.index += 1;
        client
    }

    fn client_at(&self, index: u64) -> u32 {
        ((u64::from(self.first) + index) % u64::from(self.clients.max(1))) as u32
    }

    /// Changes the period from the next turn on.
    pub fn set_period(&mut self, period: Duration, now: Duration) {
        if period != self.period {
            self.first = self.client_at(self.index);
            (self.period, self.anchor, self.index) = (period, now, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    fn times(arrivals: Arrivals, count: usize) -> Vec<Duration> {
        let mut rng = SmallRng::seed_from_u64(1);
        let mut stream = Stream::new(Duration::from_secs(5), 1000.0, arrivals, &mut rng);
        let mut times = Vec::new();
        for _ in 0..count {
            times.push(stream.next().unwrap());
            stream.advance(&mut rng);
        }
        times
    }

    #[test]
    fn constant_streams_do_not_drift() {
        let times = times(Arrivals::Constant, 1_000_001);
        assert_eq!(times[0], Duration::from_secs(5));
        assert_eq!(times[1_000_000], Duration::from_secs(1005));
    }

    #[test]
    fn poisson_streams_have_the_mean_and_the_spread() {
        let times = times(Arrivals::Poisson, 100_001);
        let gaps: Vec<f64> =
            times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1000.0).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // The seed is fixed; an exponential distribution has the same mean and deviation.
        assert!((mean - 1.0).abs() < 0.01 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn nothing_is_ever_due_at_rate_0() {
        let mut rng = SmallRng::seed_from_u64(1);
        assert_eq!(Stream::new(Duration::ZERO, 0.0, Arrivals::Constant, &mut rng).next(), None);
    }

    #[test]
    fn everybody_has_one_turn_in_a_period() {
        let mut rotation = Rotation::new(4, Duration::from_secs(2), Duration::from_secs(1));
        let mut turns = Vec::new();
        while rotation.next() < Duration::from_secs(5) {
            turns.push((rotation.next().as_millis(), rotation.advance()));
        }
        assert_eq!(turns[..5], [(1000, 0), (1500, 1), (2000, 2), (2500, 3), (3000, 0)]);
        rotation.set_period(Duration::from_secs(4), Duration::from_secs(5));
        assert_eq!((rotation.next().as_secs(), rotation.advance(), rotation.next().as_secs()), (5, 0, 6));
    }
}

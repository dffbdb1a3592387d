//! When the next heartbeat is due.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// The interval until the relay has suggested one: a quarter of the original server's default.
pub const UNTOLD_HEARTBEAT: Duration = Duration::from_secs(15);
/// Suggestions outside are moved to the nearer end. The upper one bounds what a forged suggestion can do.
pub const HEARTBEAT_RANGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// The times of sending that count as a sign of life.
#[derive(Debug)]
pub(super) struct Pulse {
    hint: Option<Duration>,
    last: Instant,
    due: Instant,
    random: u64,
}

impl Pulse {
    pub(super) fn new(seed: u64, now: Instant) -> Self {
        Self { hint: None, last: now, due: now, random: seed }
    }

    /// The suggested interval, as the relay said it.
    pub(super) fn hint(&self) -> Option<Duration> {
        self.hint
    }

    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Something was sent that the relay counts.
    pub(super) fn beat(&mut self, now: Instant) {
        self.last = now;
        self.schedule();
    }

    /// Pings at once, to learn the suggestion of the relay.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.due = now;
    }

    pub(super) fn learn(&mut self, hint: Duration) {
        self.hint = Some(hint);
        self.schedule();
    }

    /// Of two contradicting suggestions one is forged: pinging too often is the harmless mistake.
    pub(super) fn learn_the_shorter(&mut self, hint: Duration) {
        self.learn(self.hint.map_or(hint, |old| old.min(hint)));
    }

    fn schedule(&mut self) {
        let (shortest, longest) = HEARTBEAT_RANGE.into_inner();
        let interval = self.hint.unwrap_or(UNTOLD_HEARTBEAT).clamp(shortest, longest);
        // Up to 10 % earlier, never later: clients that joined together drift apart, and none is idle for too long.
        self.due = self.last + interval - interval.mul_f64(self.fraction() * 0.1);
    }

    /// The next number in 0..1 (splitmix64): jitter needs no better one.
    fn fraction(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn earlier_by_at_most_a_tenth_and_never_later(seed: u64, millis in 0u64..10_000_000) {
            let start = Instant::now();
            let mut pulse = Pulse::new(seed, start);
            pulse.learn(Duration::from_millis(millis));
            let base = Duration::from_millis(millis.clamp(1000, 3_600_000));
            for beat in 0..20 {
                let now = start + base * beat;
                pulse.beat(now);
                let wait = pulse.due() - now;
                prop_assert!(wait <= base && wait >= base.mul_f64(0.9), "{wait:?} of {base:?}");
            }
        }
    }

    #[test]
    fn two_clients_drift_apart() {
        let start = Instant::now();
        let dues: Vec<_> = (0..50)
            .map(|seed| {
                let mut pulse = Pulse::new(seed, start);
                pulse.beat(start);
                pulse.due()
            })
            .collect();
        let (first, last) = (dues.iter().min().unwrap(), dues.iter().max().unwrap());
        assert!(*last - *first > UNTOLD_HEARTBEAT / 20, "{:?}", *last - *first);
    }
}

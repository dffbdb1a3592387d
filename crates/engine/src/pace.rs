//! The highest rate of one client's payloads, kept in four bytes: when all that it sent so far would be due.

use std::num::NonZeroU32;

use crate::Tick;
use crate::limits::{MAX_RATE, RATE_BURST};

/// Units a second: sixteen of a microsecond, so that the fastest interval is still exact to 1 %. They wrap after 268 s.
const SECOND: u32 = 16_000_000;
const MILLISECOND: u64 = SECOND as u64 / 1000;
const BURST: u32 = SECOND / 1000 * RATE_BURST.as_millis() as u32;

const _: () = assert!(SECOND / MAX_RATE >= 100 && SECOND as u64 + (BURST as u64) < 1 << 31);

/// A token bucket, counted backwards (GCRA): each payload puts the due time off by one interval, and may be early by
/// the burst.
pub(crate) struct Pace {
    interval: u32,
}

impl Pace {
    pub fn new(rate: NonZeroU32) -> Self {
        Self { interval: SECOND / rate.get().min(MAX_RATE) }
    }

    /// The due time of somebody who has sent nothing yet.
    pub fn from_now(now: Tick) -> u32 {
        now.0.wrapping_mul(MILLISECOND) as u32
    }

    /// The due time of somebody who has to wait for its first payload, or whoever leaves and joins again would have a new burst.
    pub fn spent(&self, now: Tick) -> u32 {
        Self::from_now(now).wrapping_add(BURST + self.interval)
    }

    /// True if one more payload is within the rate, which it then counts for.
    #[inline]
    pub fn admits(&self, due: &mut u32, now: Tick) -> bool {
        let now = Self::from_now(now);
        // Further ahead than any payload puts it: it has passed, or the units have wrapped since.
        let ahead = Some(due.wrapping_sub(now)).filter(|&ahead| ahead <= BURST + self.interval).unwrap_or(0);
        let is_early = ahead > BURST;
        if !is_early {
            *due = now.wrapping_add(ahead + self.interval);
        }
        !is_early
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::seeded;
    use proptest::prelude::*;

    fn pace(rate: u32) -> Pace {
        Pace::new(NonZeroU32::new(rate).unwrap())
    }

    #[test]
    fn a_burst_then_the_rate() {
        let (pace, mut due) = (pace(100), Pace::from_now(Tick(7)));
        let burst = (0..1000).filter(|_| pace.admits(&mut due, Tick(7))).count();
        assert_eq!(burst, 26, "a quarter of a second's, and the one that is due");
        let second = (8..=1007).filter(|&at| pace.admits(&mut due, Tick(at))).count();
        assert_eq!(second, 100);
        let rested = (0..1000).filter(|_| pace.admits(&mut due, Tick(1_000_000))).count();
        assert_eq!(rested, 26);
    }

    #[test]
    fn who_has_just_come_waits_for_its_turn() {
        let (pace, now) = (pace(100), Tick(7));
        let mut due = pace.spent(now);
        assert!(!pace.admits(&mut due, now) && !pace.admits(&mut due, Tick(16)));
        assert!(pace.admits(&mut due, Tick(17)) && !pace.admits(&mut due, Tick(17)));
        let burst = (0..1000).filter(|_| pace.admits(&mut due, Tick(1000))).count();
        assert_eq!(burst, 26);
    }

    proptest! {
        #![proptest_config(seeded::config())]

        /// Exact over any stretch, wherever the units wrap, and a rest of any length makes nobody wait.
        #[test]
        fn never_more_than_the_rate_and_never_stuck(rate in 1u32..=MAX_RATE, start in 0u64..1 << 40, gaps in proptest::collection::vec(0u64..700_000, 1..60)) {
            let pace = pace(rate);
            let (mut due, mut now) = (Pace::from_now(Tick(start)), start);
            let mut admitted = 0u64;
            for gap in gaps {
                now += gap;
                let is_rested = gap * u64::from(rate) >= 1000 + 250 * u64::from(rate);
                for number in 0..50 {
                    let admits = pace.admits(&mut due, Tick(now));
                    prop_assert!(admits || !is_rested || number > 0, "who has rested may send");
                    admitted += u64::from(admits);
                }
                // Intervals are whole units: 1 % lenient at the highest rates.
                let allowed = ((now - start) as f64 / 1000.0 + 0.25) * f64::from(rate) * 1.01 + 1.0;
                prop_assert!(admitted as f64 <= allowed, "{} of {}", admitted, allowed);
            }
        }
    }
}

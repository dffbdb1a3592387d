//! How much a turn may send, so that no turn takes longer than it should, whatever a send costs today.

use std::time::Duration;

use crate::limits::{
    FIRST_NANOS_PER_UNIT, HURRIED_TURN, LEAST_TURN_UNITS, MEASURABLE_UNITS, TURN, TURN_UNITS,
};
use crate::work::Allowance;

/// The price of a unit of [`Allowance`], learnt from the turns so far.
#[derive(Debug)]
pub struct Pace {
    nanos_per_unit: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { nanos_per_unit: FIRST_NANOS_PER_UNIT }
    }
}

impl Pace {
    /// What the next turn may send. In a hurry it is less: then more has to be received than sent.
    pub fn allowance(&self, hurry: bool) -> Allowance {
        let time = if hurry { HURRIED_TURN } else { TURN };
        let units = time.as_nanos() as u64 / self.nanos_per_unit.max(1);
        Allowance((units as usize).clamp(LEAST_TURN_UNITS, TURN_UNITS) as isize)
    }

    /// A turn that spent so many units took so long. One turn counts an eighth, and no more than four times as
    /// much as was expected of it: it may have been interrupted.
    pub fn took(&mut self, units: usize, time: Duration) {
        if units < MEASURABLE_UNITS {
            return;
        }
        let nanos = (time.as_nanos() as u64 / units as u64).clamp(1, 4 * self.nanos_per_unit);
        self.nanos_per_unit = (7 * self.nanos_per_unit + nanos).div_ceil(8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(turns: u32, nanos_per_unit: u64) -> Pace {
        let mut pace = Pace::default();
        for _ in 0..turns {
            let units = pace.allowance(false).0 as usize;
            pace.took(units, Duration::from_nanos(units as u64 * nanos_per_unit));
        }
        pace
    }

    #[test]
    fn dear_sends_make_turns_small_and_cheap_ones_large() {
        let dear = after(50, 3000);
        let units = dear.allowance(false).0 as u64;
        assert!(units.abs_diff(TURN.as_nanos() as u64 / 3000) <= units / 50, "{units}");
        assert_eq!(after(50, 10).allowance(false).0 as usize, TURN_UNITS);
        assert_eq!(after(500, 1_000_000).allowance(false).0 as usize, LEAST_TURN_UNITS);
        assert!(dear.allowance(true).0 < dear.allowance(false).0);
    }

    #[test]
    fn an_interruption_and_a_small_turn_count_for_little() {
        let mut pace = after(50, 1000);
        let before = pace.allowance(false).0;
        pace.took(1, Duration::from_secs(1));
        assert_eq!(pace.allowance(false).0, before);
        pace.took(before as usize, Duration::from_secs(10));
        assert!(pace.allowance(false).0 >= before * 2 / 3);
    }
}

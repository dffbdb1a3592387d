//! What a search for capacity aims at, and what it may cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A search goal (RFC 9971, 4.6.7). In place of its Goal Loss Ratio (4.6.3) a trial is *good* when it met every
/// objective of the run, which may concern loss, latency or both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    /// Length of the first, coarse trials (Goal Initial Trial Duration, 4.6.6).
    pub initial_trial: Duration,
    /// Length that trials need to prove a load good (Goal Final Trial Duration, 4.6.1).
    pub final_trial: Duration,
    /// How long a load is tried in all before it is judged (Goal Duration Sum, 4.6.2).
    pub duration_sum: Duration,
    /// Part of that time that may be bad, 0 to below 1 (Goal Exceed Ratio, 4.6.4).
    pub exceed_ratio: f64,
    /// How close the bounds must be: their difference as a part of the upper one, 0 to 1, neither included (Goal
    /// Width, 4.6.5).
    pub width: f64,
    /// Whether loads are whole numbers, as clients are.
    pub whole: bool,
    /// Trials of the search at most, invalid ones included.
    pub max_trials: u32,
    /// Length of all these trials at most, without their ramps and warm-ups.
    pub max_time: Duration,
    /// How often a load is tried again when the generator was the bottleneck.
    pub invalid_repeats: u32,
}

/// What is wrong with a goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGoal {
    /// A trial of no length.
    #[error("trials must take some time")]
    NoTime,
    /// The durations are out of order.
    #[error("the first trials must not be longer than the last ones, nor those than the time for each load")]
    Order,
    /// Out of its range.
    #[error("the exceed ratio must be 0 or more and below 1")]
    ExceedRatio,
    /// Out of its range.
    #[error("the width must be above 0 and below 1")]
    Width,
    /// No trials, or less time than one load needs.
    #[error("the whole search must have a trial and the time for a load at least")]
    Budget,
}

impl Default for Goal {
    /// RFC 9971 recommends the exceed ratio of 0.5 (4.6.4); three trials of each load leave no tie. The width is half of
    /// what a machine drifts within an hour, see `docs/performance.md`: a narrower one would be a false precision.
    fn default() -> Self {
        Goal {
            initial_trial: Duration::from_secs(2),
            final_trial: Duration::from_secs(10),
            duration_sum: Duration::from_secs(30),
            exceed_ratio: 0.5,
            width: 0.05,
            whole: false,
            max_trials: 100,
            max_time: Duration::from_secs(1200),
            invalid_repeats: 2,
        }
    }
}

impl Goal {
    /// Whether a search can aim at it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), InvalidGoal> {
        if self.initial_trial.is_zero() {
            Err(InvalidGoal::NoTime)
        } else if self.initial_trial > self.final_trial || self.final_trial > self.duration_sum {
            Err(InvalidGoal::Order)
        } else if !(0.0..1.0).contains(&self.exceed_ratio) {
            Err(InvalidGoal::ExceedRatio)
        } else if !(self.width > 0.0 && self.width < 1.0) {
            Err(InvalidGoal::Width)
        } else if self.max_trials == 0 || self.max_time < self.duration_sum {
            Err(InvalidGoal::Budget)
        } else {
            Ok(())
        }
    }

    /// The steps towards the goal, the coarsest first and the goal itself last (RFC 9971, 1.1, enhancement 3): in the
    /// steps before, one trial decides, it is shorter, and the bounds may lie further apart.
    pub(crate) fn targets(&self) -> [Target; 3] {
        let middle = (self.initial_trial.as_secs_f64() * self.final_trial.as_secs_f64()).sqrt();
        let width = -(-self.width).ln_1p();
        let coarse = |trial: Duration, widths: f64| Target {
            trial,
            sum: trial,
            exceed_ratio: self.exceed_ratio,
            width: width * widths,
        };
        let last = Target { sum: self.duration_sum, ..coarse(self.final_trial, 1.0) };
        [coarse(self.initial_trial, 4.0), coarse(Duration::from_secs_f64(middle), 2.0), last]
    }
}

/// A step towards a goal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Target {
    /// Length of a trial.
    pub trial: Duration,
    /// Length of all trials of a load.
    pub sum: Duration,
    /// Part of it that may be bad.
    pub exceed_ratio: f64,
    /// The natural logarithm of upper over lower bound.
    pub width: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_a_goal_and_nonsense_is_not() {
        let goal = Goal::default();
        assert_eq!(goal.check(), Ok(()));
        let zero = Duration::ZERO;
        assert_eq!(Goal { initial_trial: zero, ..goal }.check(), Err(InvalidGoal::NoTime));
        assert_eq!(Goal { final_trial: goal.duration_sum * 2, ..goal }.check(), Err(InvalidGoal::Order));
        assert_eq!(Goal { max_trials: 0, ..goal }.check(), Err(InvalidGoal::Budget));
        for bad in [1.0, -0.1, f64::NAN] {
            assert_eq!(Goal { exceed_ratio: bad, ..goal }.check(), Err(InvalidGoal::ExceedRatio));
            assert_eq!(Goal { width: bad, ..goal }.check(), Err(InvalidGoal::Width));
        }
    }
}

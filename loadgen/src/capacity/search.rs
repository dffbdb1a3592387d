//! The search for the highest load at which the objectives hold: pure logic, without a clock or a socket.
//!
//! It is an MLRsearch controller (RFC 9971, 4.9.2) with one goal. Which load is tried next is left to implementations
//! (4.9.2); here it is the bounds of the step before, then growing steps where a bound is missing or far away, then the
//! geometric middle. [`Search::next`] says what to try, [`Search::record`] takes what came of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use super::classify::TrialResult;
use super::classify::{Class, classify, conditional_throughput};
use super::goal::{Goal, Target};

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Try a load for so long.
    Trial {
        /// Payloads per second of each sender, or clients.
        load: f64,
        /// Length of the measurement.
        duration: Duration,
    },
    /// The search is over.
    Done(Found),
}

/// What a search found (RFC 9971, 4.8.4: a Goal Result).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// Why it ended; only [`Ending::Regular`] makes this a Regular Goal Result.
    pub ending: Ending,
    /// Relevant Lower Bound (4.8.2): the highest load that is proved good, of those below the upper bound.
    pub lower: Option<f64>,
    /// Relevant Upper Bound (4.8.1): the lowest load that is proved bad.
    pub upper: Option<f64>,
    /// Conditional Throughput (4.8.3) at the lower bound, in the unit of the load.
    pub conditional_throughput: Option<f64>,
    /// The lowest load that the generator itself could not sustain.
    pub generator_limit: Option<f64>,
    /// Trials, invalid ones included.
    pub trials: u32,
    /// Their length.
    pub measured: Duration,
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The bounds are as close as they were to be.
    Regular,
    /// Even the highest load that was allowed is good.
    Maximum,
    /// Even the lowest load that was allowed is bad.
    Minimum,
    /// The generator could not sustain more.
    Generator,
    /// The trials or the time were used up before.
    Budget,
    /// It was stopped.
    Stopped,
}

/// A search under way.
#[derive(Clone, Debug)]
pub struct Search {
    goal: Goal,
    min: f64,
    max: f64,
    targets: [Target; 3],
    /// The target that is aimed at.
    stage: usize,
    /// The bounds of the target before.
    hints: Bounds,
    /// The load that is tried until it is decided.
    current: Option<f64>,
    /// Steps up or down since the target began, each twice as long as the one before.
    strides: i32,
    trials: Vec<TrialResult>,
    step: Step,
}

/// What is known now, for one target.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Bounds {
    lower: Option<f64>,
    /// The lowest load that is bad or that the generator cannot sustain.
    upper: Option<f64>,
}

/// A step up or down is at most a factor of four, lest a far too high load is a burden for all that follows.
const LONGEST_STRIDE: f64 = 1.386_294_361_119_890_6;

impl Search {
    /// A search for a goal that [`Goal::check`] approves of, from a load above 0 up. With a maximum it begins there,
    /// for the rate that then arrives is a good guess (RFC 2285, 3.6.2); without, it begins at the minimum.
    pub fn new(goal: Goal, min_load: f64, max_load: Option<f64>) -> Self {
        let min = if goal.whole { min_load.round().max(1.0) } else { min_load.max(f64::MIN_POSITIVE) };
        let max = max_load.map_or(f64::INFINITY, |max| if goal.whole { max.round() } else { max }.max(min));
        let mut search = Search {
            goal,
            min,
            max,
            targets: goal.targets(),
            stage: 0,
            hints: Bounds::default(),
            current: None,
            strides: 0,
            trials: Vec::new(),
            step: Step::Trial { load: min, duration: goal.initial_trial },
        };
        search.step = search.decide();
        search
    }

    /// What to do next; always the same until something is recorded.
    pub fn next(&self) -> Step {
        self.step
    }

    /// Takes the result of the trial that was asked for.
    pub fn record(&mut self, result: TrialResult) {
        self.trials.push(result);
        self.step = self.decide();
    }

    /// Ends it with what is known.
    pub fn stop(&mut self) {
        self.step = Step::Done(self.found(Ending::Stopped));
    }

    fn decide(&mut self) -> Step {
        loop {
            if let Some(load) = self.candidate() {
                self.current = Some(load);
                return self.affordable(load);
            }
            if self.stage + 1 == self.targets.len() {
                return Step::Done(self.found(self.ending()));
            }
            self.hints = self.bounds();
            self.stage += 1;
            self.current = None;
            self.strides = 0;
        }
    }

    fn affordable(&self, load: f64) -> Step {
        let duration = self.target().trial;
        let exhausted = self.trials.len() >= self.goal.max_trials as usize
            || self.measured() + duration > self.goal.max_time;
        if exhausted { Step::Done(self.found(Ending::Budget)) } else { Step::Trial { load, duration } }
    }

    /// The load to try, or None when the target is reached.
    fn candidate(&mut self) -> Option<f64> {
        if let Some(load) = self.current.filter(|&load| self.is_open(load)) {
            return Some(load);
        }
        let Bounds { lower, upper } = self.bounds();
        let inside =
            |load: f64| lower.is_none_or(|lower| load > lower) && upper.is_none_or(|upper| load < upper);
        let known = [self.hints.lower, self.hints.upper].into_iter().flatten().find(|&load| inside(load));
        match (lower, upper) {
            (Some(lower), Some(upper)) if self.is_narrow(lower, upper) => None,
            (Some(lower), None) if lower >= self.max => None,
            (None, Some(upper)) if upper <= self.min => None,
            _ if known.is_some() => known,
            (Some(lower), Some(upper)) => Some(self.middle(lower, upper)?.min(self.above(lower))),
            (Some(lower), None) => Some(self.above(lower)),
            (None, Some(upper)) => Some(self.below(upper)),
            (None, None) if self.max.is_finite() => Some(self.max),
            (None, None) => Some(self.min),
        }
    }

    /// Whether a load must be tried again: not decided, and the generator may still sustain it.
    fn is_open(&self, load: f64) -> bool {
        self.class(load) == Class::Undecided && !self.is_beyond_generator(load)
    }

    fn class(&self, load: f64) -> Class {
        classify(self.valid_at(load), self.target())
    }

    fn is_beyond_generator(&self, load: f64) -> bool {
        let invalid = self.trials.iter().filter(|trial| trial.load == load && !trial.valid).count();
        invalid > self.goal.invalid_repeats as usize && self.class(load) == Class::Undecided
    }

    fn valid_at(&self, load: f64) -> impl Iterator<Item = &TrialResult> {
        self.trials.iter().filter(move |trial| trial.load == load && trial.valid)
    }

    fn is_narrow(&self, lower: f64, upper: f64) -> bool {
        // Bounds that were made this far apart may be so only up to rounding.
        (upper / lower).ln() <= self.target().width * (1.0 + 1e-9)
    }

    /// The geometric middle; None where no other load lies between.
    fn middle(&self, lower: f64, upper: f64) -> Option<f64> {
        let middle = self.rounded((lower * upper).sqrt());
        let middle = if self.goal.whole { middle.clamp(lower + 1.0, upper) } else { middle };
        (lower < middle && middle < upper).then_some(middle)
    }

    fn above(&mut self, lower: f64) -> f64 {
        let stride = self.stride();
        let next = self.rounded(lower * stride.exp());
        if self.goal.whole { next.max(lower + 1.0) } else { next }.min(self.max)
    }

    /// What arrived of an overload, if that is clearly less, or else a step down.
    fn below(&mut self, upper: f64) -> f64 {
        let arrived = self.valid_at(upper).map(|trial| upper * (1.0 - trial.loss)).fold(upper, f64::min);
        let stride = self.stride();
        let next = self.rounded((upper * (-stride).exp()).min(arrived));
        if self.goal.whole { next.min(upper - 1.0) } else { next }.max(self.min)
    }

    fn stride(&mut self) -> f64 {
        let stride = self.target().width * 2_f64.powi(self.strides);
        self.strides += 1;
        stride.min(LONGEST_STRIDE)
    }

    fn rounded(&self, load: f64) -> f64 {
        if self.goal.whole { load.round() } else { load }
    }

    fn target(&self) -> &Target {
        &self.targets[self.stage]
    }

    fn bounds(&self) -> Bounds {
        let is_upper = |load: f64| self.class(load) == Class::Upper || self.is_beyond_generator(load);
        let upper = self.loads().filter(|&load| is_upper(load)).reduce(f64::min);
        Bounds { lower: self.lower(upper), upper }
    }

    /// The highest good load below another.
    fn lower(&self, upper: Option<f64>) -> Option<f64> {
        self.loads()
            .filter(|&load| upper.is_none_or(|upper| load < upper))
            .filter(|&load| self.class(load) == Class::Lower)
            .reduce(f64::max)
    }

    fn loads(&self) -> impl Iterator<Item = f64> {
        self.trials.iter().map(|trial| trial.load)
    }

    fn measured(&self) -> Duration {
        self.trials.iter().map(|trial| trial.duration).sum()
    }

    fn ending(&self) -> Ending {
        match self.bounds() {
            Bounds { upper: None, .. } => Ending::Maximum,
            Bounds { upper: Some(upper), .. } if self.class(upper) != Class::Upper => Ending::Generator,
            Bounds { lower: None, .. } => Ending::Minimum,
            Bounds { .. } => Ending::Regular,
        }
    }

    /// Judged by the goal itself, whatever target was aimed at.
    fn found(&self, ending: Ending) -> Found {
        let last = Search { stage: self.targets.len() - 1, ..self.clone() };
        let lower = last.bounds().lower;
        let conditional = |load: f64| {
            let trials: Vec<TrialResult> = last.valid_at(load).copied().collect();
            conditional_throughput(load, &trials, last.target())
        };
        Found {
            ending,
            lower,
            upper: last.loads().filter(|&load| last.class(load) == Class::Upper).reduce(f64::min),
            conditional_throughput: lower.map(conditional),
            generator_limit: last.loads().filter(|&load| last.is_beyond_generator(load)).reduce(f64::min),
            trials: self.trials.len() as u32,
            measured: self.measured(),
        }
    }
}

#[cfg(test)]
mod tests;

//! A search with real trials, and the trials that repeat what it found.

use std::time::Duration;

use super::card::CapacityCard;
use super::goal::{Goal, InvalidGoal};
use super::search::{Found, Search, Step};
use super::standing::Cores;
use super::trial::{Purpose, Trial};
use crate::report::Report;

/// What is searched for.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// What a load is.
    pub varied: super::card::Varied,
    /// What the search aims at.
    pub goal: Goal,
    /// The lowest load, above 0.
    pub min: f64,
    /// The highest load, if there is one.
    pub max: Option<f64>,
    /// Trials that repeat the lower bound after the search.
    pub confirmations: u32,
    /// Where generator and relay run.
    pub cores: Cores,
}

/// Searches, repeats, and says what was found. The closure makes one trial of a load: with a measurement of this length
/// and with objectives, on clients that may have stayed from the trial before.
///
/// # Errors
/// A goal that [`Goal::check`] does not approve of, and what the closure answers.
pub fn run<E: From<InvalidGoal>>(
    asked: &Asked,
    trial: impl FnMut(f64, Duration) -> Result<Report, E>,
) -> Result<CapacityCard, E> {
    asked.goal.check()?;
    let mut laboratory = Laboratory { trial, trials: Vec::new(), last: None };
    let found = laboratory.search(asked)?;
    if let (Some(lower), false) = (found.lower, laboratory.is_interrupted()) {
        laboratory.confirm(asked, lower)?;
    }
    let last = laboratory.last.ok_or(InvalidGoal::Budget)?;
    Ok(CapacityCard::new(asked, found, laboratory.trials, &last))
}

/// Makes trials and keeps what is to be shown of them.
struct Laboratory<F> {
    trial: F,
    trials: Vec<Trial>,
    last: Option<Report>,
}

impl<E, F: FnMut(f64, Duration) -> Result<Report, E>> Laboratory<F> {
    fn search(&mut self, asked: &Asked) -> Result<Found, E> {
        let mut search = Search::new(asked.goal, asked.min, asked.max);
        loop {
            match search.next() {
                Step::Done(found) => return Ok(found),
                Step::Trial { load, duration } => {
                    let trial = self.measure(Purpose::Search, load, duration)?;
                    if trial.interrupted { search.stop() } else { search.record(trial.result(duration)) }
                }
            }
        }
    }

    /// Repeats a load until so many trials were valid, or too many were not.
    fn confirm(&mut self, asked: &Asked, load: f64) -> Result<(), E> {
        let mut missing = asked.confirmations;
        let mut invalid = 0;
        while missing > 0 && invalid <= asked.goal.invalid_repeats && !self.is_interrupted() {
            let trial = self.measure(Purpose::Confirmation, load, asked.goal.final_trial)?;
            if trial.is_valid() { missing -= 1 } else { invalid += 1 }
        }
        Ok(())
    }

    fn measure(&mut self, purpose: Purpose, load: f64, duration: Duration) -> Result<Trial, E> {
        let report = (self.trial)(load, duration)?;
        let trial = Trial::new(purpose, load, duration, &report);
        self.trials.push(trial.clone());
        self.last = Some(report);
        Ok(trial)
    }

    fn is_interrupted(&self) -> bool {
        self.trials.last().is_some_and(|trial| trial.interrupted)
    }
}

#[cfg(test)]
mod tests;

//! How fast it goes and how much is lost, from the sums that a run tells a few times a second.

use std::collections::VecDeque;
use std::time::Duration;

use super::Status;
use crate::hdr::Durations;
use crate::outcome::{Phase, Totals};

/// What rates are taken over.
const WINDOW: Duration = Duration::from_secs(1);

/// Rates over less would be about chance, and a loss about what is on its way.
const LEAST: Duration = Duration::from_millis(500);

/// Seconds of the past that are kept.
const PAST: usize = 600;

/// What was told lately, and what follows from it.
pub struct Pace {
    /// In order; all but the first are younger than the window.
    moments: VecDeque<Moment>,
    phase: Phase,
    whole: Durations,
    past: VecDeque<Second>,
    next_second: Duration,
}

struct Moment {
    elapsed: Duration,
    totals: Totals,
    missing: u64,
    latency: Option<Durations>,
}

/// A second of the past.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Second {
    /// Copies that arrived, per second.
    pub deliveries: f64,
    /// PONGs per second.
    pub pongs: f64,
    /// The latency that 99 of 100 copies did not exceed; None if none arrived.
    pub p99: Option<Duration>,
}

impl Pace {
    pub fn new() -> Self {
        Pace {
            moments: VecDeque::new(),
            phase: Phase::default(),
            whole: Durations::with_digits(2),
            past: VecDeque::new(),
            next_second: WINDOW,
        }
    }

    /// Takes in what was told now.
    pub fn update(&mut self, status: &Status) {
        self.begin_again_if_sums_did(status);
        let progress = &status.progress;
        if let Some(latency) = &progress.latency {
            self.whole.merge(latency);
        }
        self.moments.push_back(Moment {
            elapsed: status.elapsed,
            totals: progress.totals,
            missing: progress.missing,
            latency: progress.latency.clone(),
        });
        let is_past = |moment: &Moment| moment.elapsed + WINDOW <= status.elapsed;
        while self.moments.get(1).is_some_and(is_past) {
            self.moments.pop_front();
        }
        if status.elapsed >= self.next_second && self.is_settled() {
            self.next_second = status.elapsed + WINDOW;
            self.remember();
        }
    }

    fn begin_again_if_sums_did(&mut self, status: &Status) {
        let phase = status.progress.phase;
        let begins = |wanted| phase == wanted && self.phase != wanted;
        let before = self.moments.back().map(|moment| moment.totals).unwrap_or_default();
        let now = status.progress.totals;
        let went_back = now.sent < before.sent || now.pings_sent < before.pings_sent;
        if went_back || begins(Phase::WarmUp) || begins(Phase::Measuring) {
            self.whole.clear();
            // When exactly the sums began at nothing is not told: rates count from the first that are.
            self.moments.clear();
        }
        self.phase = phase;
    }

    fn remember(&mut self) {
        let latency = self.latency();
        let p99 = (latency.count() > 0).then(|| latency.quantile(0.99));
        let second = Second {
            deliveries: self.per_second(|totals| totals.received),
            pongs: self.per_second(|totals| totals.pongs_received),
            p99,
        };
        self.past.push_back(second);
        if self.past.len() > PAST {
            self.past.pop_front();
        }
    }

    /// Whether the sums have been told for long enough since they began at nothing.
    pub fn is_settled(&self) -> bool {
        self.span() >= LEAST
    }

    fn span(&self) -> Duration {
        let (Some(first), Some(last)) = (self.moments.front(), self.moments.back()) else {
            return Duration::ZERO;
        };
        last.elapsed.saturating_sub(first.elapsed)
    }

    /// How fast a sum has grown within the last second, per second.
    pub fn per_second(&self, of: impl Fn(&Totals) -> u64) -> f64 {
        let (Some(first), Some(last)) = (self.moments.front(), self.moments.back()) else { return 0.0 };
        let time = self.span().as_secs_f64();
        let grown = of(&last.totals).saturating_sub(of(&first.totals));
        if time > 0.0 { grown as f64 / time } else { 0.0 }
    }

    /// The latency of what arrived within the last second.
    pub fn latency(&self) -> Durations {
        let mut sum = Durations::with_digits(2);
        let parts = self.moments.iter().skip(usize::from(self.moments.len() > 1));
        parts.filter_map(|moment| moment.latency.as_ref()).for_each(|part| sum.merge(part));
        sum
    }

    /// The latency of everything since the warm-up or the measurement began.
    pub fn whole_latency(&self) -> &Durations {
        &self.whole
    }

    /// Part of the copies that is lost, 0 to 1. What was sent a moment ago may still arrive: only what has taken longer
    /// than the slowest copy of the last second counts, or longer than that second if nothing arrived. None as long as
    /// nobody can know.
    pub fn loss(&self) -> Option<f64> {
        let last = self.moments.back().filter(|_| self.is_settled())?;
        let latency = self.latency();
        let slowest = if latency.count() == 0 { WINDOW } else { latency.max().min(WINDOW) };
        let flying = (self.per_second(|totals| totals.expected) * slowest.as_secs_f64()).ceil();
        let missing = self.least(|moment| moment.missing).min(last.missing) as f64;
        let due = last.totals.expected as f64 - flying;
        let lost = (last.missing as f64 - flying).clamp(0.0, missing);
        Some(if due <= 0.0 { 0.0 } else { (lost / due).min(1.0) })
    }

    /// PINGs that have no answer: the fewest within the last second, because some are always on their way.
    pub fn unanswered(&self) -> u64 {
        self.least(|moment| moment.totals.pongs_lost())
    }

    fn least(&self, of: impl Fn(&Moment) -> u64) -> u64 {
        self.moments.iter().map(of).min().unwrap_or(0)
    }

    /// The past, second by second, the latest last.
    pub fn past(&self) -> impl DoubleEndedIterator<Item = &Second> + ExactSizeIterator {
        self.past.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::outcome::Progress;

    /// Four times a second: 100 payloads to 9 others each, of which so many in a hundred are lost, and some in flight.
    fn told(tick: u64, lost: u64, flying: u64) -> Status {
        let mut status = example(Duration::from_millis(tick * 250), Phase::Measuring);
        let expected = 225 * tick;
        let missing = (expected * lost / 100 + flying).min(expected);
        status.progress.totals =
            Totals { sent: 25 * tick, expected, received: expected - missing, ..Totals::default() };
        status.progress.missing = missing;
        let mut latency = Durations::with_digits(2);
        latency.record_n(Duration::from_millis(10), (tick > 0 && lost < 100).into());
        status.progress.latency = Some(latency);
        status
    }

    fn after(ticks: u64, lost: u64, flying: u64) -> Pace {
        let mut pace = Pace::new();
        (0..=ticks).for_each(|tick| pace.update(&told(tick, lost, flying)));
        pace
    }

    #[test]
    fn rates_are_of_the_last_second() {
        let pace = after(40, 0, 0);
        assert_eq!(pace.per_second(|totals| totals.sent), 100.0);
        assert_eq!(pace.per_second(|totals| totals.received), 900.0);
        assert_eq!((pace.latency().count(), pace.whole_latency().count()), (4, 40));
        assert_eq!((pace.moments.len(), pace.past().len()), (5, 10));
    }

    #[test]
    fn what_flies_is_not_lost() {
        assert_eq!(after(4, 0, 9).loss(), Some(0.0));
        assert_eq!(after(40, 0, 9).loss(), Some(0.0));
        let loss = after(400, 10, 5).loss().unwrap();
        assert!((0.099..0.1).contains(&loss), "{loss}");
        assert_eq!(after(40, 100, 0).loss(), Some(1.0));
        assert_eq!([after(0, 0, 0).loss(), Pace::new().loss()], [None, None]);
    }

    /// After ten seconds of another measurement, at a time when so much of the next one has been told.
    fn next_after(ticks: u64) -> Pace {
        let mut pace = after(40, 0, 9);
        let mut ready = told(41, 0, 0);
        ready.progress = Progress { phase: Phase::Ready, ..Progress::default() };
        pace.update(&ready);
        for tick in 1..=ticks {
            let mut status = told(tick, 0, 9);
            status.elapsed = Duration::from_millis((41 + tick) * 250);
            pace.update(&status);
        }
        pace
    }

    #[test]
    fn a_measurement_has_rates_and_a_loss_after_half_a_second() {
        assert_eq!([1, 2].map(|ticks| next_after(ticks).loss()), [None, None]);
        let pace = next_after(3);
        assert!(pace.is_settled() && !next_after(2).is_settled());
        assert_eq!((pace.per_second(|totals| totals.sent), pace.loss()), (100.0, Some(0.0)));
        assert_eq!(pace.past().len(), 11);
        assert!(next_after(12).past().all(|second| second.deliveries > 890.0));
    }

    #[test]
    fn sums_of_threads_that_begin_one_after_the_other_are_no_loss() {
        let mut pace = after(40, 0, 9);
        let mut mixed = told(41, 0, 9);
        mixed.progress.phase = Phase::WarmUp;
        pace.update(&mixed);
        let mut next = told(1, 0, 9);
        next.elapsed = Duration::from_millis(42 * 250);
        pace.update(&next);
        assert_eq!((pace.is_settled(), pace.loss()), (false, None));
    }

    #[test]
    fn a_measurement_begins_at_nothing() {
        let mut pace = after(40, 0, 0);
        pace.update(&told(1, 0, 0));
        assert_eq!((pace.per_second(|totals| totals.sent), pace.whole_latency().count()), (0.0, 1));
        let mut drained = told(2, 0, 0);
        drained.progress.phase = Phase::Draining;
        pace.update(&drained);
        assert_eq!(pace.whole_latency().count(), 2);
    }

    #[test]
    fn pings_on_their_way_are_not_unanswered() {
        let mut pace = Pace::new();
        for (tick, pongs) in [(0, 0), (1, 9), (2, 20), (3, 29)] {
            let mut status = example(Duration::from_millis(tick * 250), Phase::Measuring);
            status.progress.totals =
                Totals { pings_sent: tick * 10, pongs_received: pongs, ..Totals::default() };
            pace.update(&status);
        }
        assert_eq!(pace.unanswered(), 0);
    }
}

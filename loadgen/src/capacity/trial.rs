//! One trial, as the card shows it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::search::TrialResult;
use crate::report::{RelayView, Report, Verdict};

/// A trial, and what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Why it was made.
    pub purpose: Purpose,
    /// Payloads per second of each sender, or clients.
    pub load: f64,
    /// Seconds that it was to take.
    pub seconds: f64,
    /// Simulated clients.
    pub clients: u32,
    /// Their groups.
    pub groups: u32,
    /// Payloads sent per second.
    pub payloads_per_second: f64,
    /// Copies that arrived per second.
    pub deliveries_per_second: f64,
    /// Part of the expected copies that were lost, 0 to 1.
    pub loss: f64,
    /// 99th percentile of the latency in seconds, of the copies that arrived; None if none did.
    pub p99_seconds: Option<f64>,
    /// Processor time of the relay in percent of one core, if its metrics could be read and it was 0.2 s or more.
    pub relay_cpu_percent: Option<f64>,
    /// Processor time of the relay for each datagram that it sent, in nanoseconds.
    pub relay_ns_per_delivery: Option<f64>,
    /// Whether it met the objectives.
    pub verdict: Verdict,
    /// The flags of the objectives that it missed.
    pub missed: Vec<String>,
    /// Whether it was ended before its time; then it counts for nothing.
    pub interrupted: bool,
}

/// Why a trial was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To find the bounds.
    Search,
    /// To repeat the lower bound that was found, independently of the search.
    Confirmation,
}

impl Trial {
    /// What a report says.
    pub fn new(purpose: Purpose, load: f64, duration: Duration, report: &Report) -> Self {
        let (outcome, totals) = (&report.outcome, &report.outcome.totals);
        let seconds = outcome.duration.as_secs_f64();
        let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let relay = report.relay.as_ref();
        Trial {
            purpose,
            load,
            seconds: duration.as_secs_f64(),
            clients: report.plan.clients,
            groups: report.plan.groups,
            payloads_per_second: per_second(totals.sent),
            deliveries_per_second: per_second(totals.received),
            loss: totals.loss(),
            p99_seconds: (outcome.latency.count() > 0).then(|| outcome.latency.quantile(0.99).as_secs_f64()),
            relay_cpu_percent: relay.and_then(RelayView::cores).map(|cores| cores * 100.0),
            relay_ns_per_delivery: relay.and_then(RelayView::ns_per_delivery),
            verdict: report.verdict,
            missed: report.objectives.iter().filter(|one| !one.met).map(|one| one.flag.clone()).collect(),
            interrupted: outcome.interrupted,
        }
    }

    /// Whether it says something about the relay.
    pub fn is_valid(&self) -> bool {
        self.verdict != Verdict::Invalid && !self.interrupted
    }

    /// Whether it met every objective.
    pub fn is_good(&self) -> bool {
        self.verdict == Verdict::Met && !self.interrupted
    }

    pub(crate) fn result(&self, duration: Duration) -> TrialResult {
        let (good, valid) = (self.is_good(), self.is_valid());
        TrialResult { load: self.load, duration, good, valid, loss: self.loss }
    }
}

/// What several trials measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of these values; None if there are none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = |index: usize| values[index];
        let median = (middle((values.len() - 1) / 2) + middle(values.len() / 2)) / 2.0;
        Some(Spread { median, min, max })
    }

    /// The median, and the ends where they differ from it.
    pub(crate) fn shown(&self, show: impl Fn(f64) -> String) -> String {
        let [median, min, max] = [self.median, self.min, self.max].map(show);
        if min == max { median } else { format!("{median} ({min} to {max})") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_middle_and_the_ends() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of([4.0, 1.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
    }
}

//! One report of several.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::sound::{MOST, numbers, too_large};
use super::{Losses, Report};
use crate::plan::{Backend, Plan, Sockets};

/// There is nothing to merge, or it does not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// No report.
    #[error("there is no report to merge")]
    Nothing,
    /// Reports of different relays.
    #[error("the reports are of different targets: {0} and {1}")]
    Targets(String, String),
    /// Reports of different loads.
    #[error("the reports are of different plans: {key} is {one} in one and {other} in another")]
    Plans {
        /// What differs.
        key: String,
        /// In the first.
        one: String,
        /// In the other.
        other: String,
    },
    /// Pieces of different lengths are nothing to add.
    #[error("the reports have pieces of different lengths: {0:?} and {1:?}")]
    Slots(Duration, Duration),
    /// Reports of different times.
    #[error(
        "the reports are not of the same time: one measurement began at {0}, another at {1}, and they took {2:?}"
    )]
    Times(String, String, Duration),
    /// A time that is none.
    #[error("{0:?} is no time at which a measurement began")]
    Started(String),
    /// The same report.
    #[error("a report is there twice: the measurement of {0}")]
    Twice(String),
    /// Numbers that are too large.
    #[error("the reports cannot be added: together, {0}")]
    Sum(String),
}

impl Report {
    /// Adds up reports of runs against one relay, at the same time. Histograms are merged, so the percentiles are those
    /// of all copies together. The objectives were those of each run, and are not judged again: the verdict is the
    /// worst of all.
    ///
    /// # Errors
    /// What does not belong together.
    pub fn merged(reports: impl IntoIterator<Item = Report>) -> Result<Report, MergeError> {
        let reports: Vec<Report> = reports.into_iter().collect();
        for (index, report) in reports.iter().enumerate() {
            reports[..index].iter().try_for_each(|earlier| belong(earlier, report))?;
        }
        let mut reports = reports.into_iter();
        let sum = reports.next().ok_or(MergeError::Nothing)?;
        reports.try_fold(sum, Report::plus)
    }

    fn plus(mut self, other: Report) -> Result<Report, MergeError> {
        self.check_sum(&other)?;
        self.plan.clients = sum("clients", self.plan.clients, other.plan.clients)?;
        self.plan.groups = sum("groups", self.plan.groups, other.plan.groups)?;
        self.setup.threads = sum("threads", self.setup.threads, other.setup.threads)?;
        self.setup.workers = sum("workers", self.setup.workers, other.setup.workers)?;
        self.outcome.merge(&other.outcome);
        if let Some(large) = too_large(&self.outcome) {
            return Err(MergeError::Sum(large));
        }
        self.losses.add(&other.losses);
        self.verdict = self.verdict.max(other.verdict);
        self.objectives.clear();
        for reason in other.reasons {
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
        Ok(self)
    }

    /// Nothing overflows where every part is at most [`MOST`].
    fn check_sum(&self, other: &Report) -> Result<(), MergeError> {
        for report in [self, other] {
            let losses = numbers(&report.losses).into_iter().find(|(_, number)| *number > MOST);
            let losses = losses.map(|(name, number)| format!("{name} is {number}"));
            if let Some(large) = too_large(&report.outcome).or(losses) {
                return Err(MergeError::Sum(large));
            }
        }
        Ok(())
    }
}

fn sum(name: &str, one: u32, other: u32) -> Result<u32, MergeError> {
    one.checked_add(other).ok_or_else(|| MergeError::Sum(format!("{name} are too many: {one} and {other}")))
}

fn belong(one: &Report, other: &Report) -> Result<(), MergeError> {
    if one.target != other.target {
        return Err(MergeError::Targets(one.target.clone(), other.target.clone()));
    }
    if one.outcome == other.outcome && one.setup.started == other.setup.started {
        return Err(MergeError::Twice(one.setup.started.clone()));
    }
    if let Some((key, one, other)) = difference(&one.plan, &other.plan) {
        return Err(MergeError::Plans { key, one, other });
    }
    if one.outcome.slot != other.outcome.slot {
        return Err(MergeError::Slots(one.outcome.slot, other.outcome.slot));
    }
    let distance = distance(&one.setup.started, &other.setup.started)?;
    // Both are rounded down to a second.
    if distance > one.plan.duration.saturating_add(Duration::from_secs(1)) {
        let [first, second] = [one, other].map(|report| report.setup.started.clone());
        return Err(MergeError::Times(first, second, one.plan.duration));
    }
    Ok(())
}

fn distance(one: &str, other: &str) -> Result<Duration, MergeError> {
    let parse = |text: &str| humantime::parse_rfc3339(text).map_err(|_| MergeError::Started(text.to_owned()));
    let (one, other): (SystemTime, SystemTime) = (parse(one)?, parse(other)?);
    Ok(one.duration_since(other).unwrap_or_else(|error| error.duration()))
}

/// The first key, beside those of the part that each does, in which two plans differ.
fn difference(one: &Plan, other: &Plan) -> Option<(String, String, String)> {
    let [one, other] = [one, other].map(|plan| serde_json::to_value(common(plan)).unwrap_or_default());
    let (Value::Object(one), Value::Object(other)) = (one, other) else { return None };
    let mut pairs = one.into_iter().zip(other).map(|((key, one), (_, other))| (key, one, other));
    let (key, one, other) = pairs.find(|(_, one, other)| one != other)?;
    Some((key, one.to_string(), other.to_string()))
}

/// A plan without what belongs to a part.
fn common(plan: &Plan) -> Plan {
    Plan {
        clients: 0,
        groups: 0,
        seed: 0,
        threads: None,
        cpus: Vec::new(),
        source_prefix: None,
        sockets: Sockets::Auto,
        backend: Backend::Auto,
        ..plan.clone()
    }
}

impl Losses {
    fn add(&mut self, other: &Losses) {
        self.generator_send += other.generator_send;
        self.relay_dropped += other.relay_dropped;
        self.relay_kernel += other.relay_kernel;
        self.receiver_kernel += other.receiver_kernel;
        self.unexplained += other.unexplained;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::PayloadSize;
    use crate::report::samples;

    /// Another part of the same load.
    fn other() -> Report {
        let mut other = samples::lossy();
        (other.plan.seed, other.plan.clients, other.plan.backend) = (2, 600, Backend::Mmsg);
        other.setup.started = "2026-11-21T09:30:59Z".into();
        other.outcome.members = 600;
        other
    }

    fn error(edit: impl Fn(&mut Report)) -> String {
        let mut other = other();
        edit(&mut other);
        Report::merged([samples::lossy(), other]).unwrap_err().to_string()
    }

    #[test]
    fn parts_of_one_load_are_added() {
        let sum = Report::merged([samples::lossy(), other()]).unwrap();
        assert_eq!((sum.plan.clients, sum.outcome.members), (1800, 1800));
        assert_eq!(sum.outcome.totals.sent, 2 * samples::lossy().outcome.totals.sent);
        assert_eq!(Report::merged([samples::short()]), Ok(samples::short()));
        assert_eq!(Report::merged([]), Err(MergeError::Nothing));
    }

    #[test]
    fn what_does_not_belong_together_is_told_apart() {
        let started = |time: &str| {
            let time = time.to_owned();
            error(move |other| other.setup.started.clone_from(&time))
        };
        assert!(error(|other| other.target = "relay.example:1".into()).contains("different targets"));
        let payload = error(|other| other.plan.payload = PayloadSize::Fixed(99));
        assert!(payload.contains("payload") && payload.contains("99"), "{payload}");
        assert!(error(|other| other.outcome.slot *= 2).contains("different lengths"));
        assert!(started("2026-11-21T09:31:02Z").contains("not of the same time"));
        assert!(started("2026-11-21T09:28:58Z").contains("not of the same time"));
        assert!(started("yesterday").contains("yesterday"));
        assert!(error(|other| *other = samples::lossy()).contains("there twice"));
    }

    #[test]
    fn hostile_numbers_cannot_be_added() {
        let edits: [fn(&mut Report); 6] = [
            |other| other.outcome.totals.in_transition = u64::MAX,
            |other| other.outcome.series[0].received = u64::MAX,
            |other| other.outcome.members = u64::MAX,
            |other| other.losses.unexplained = u64::MAX,
            |other| other.plan.clients = u32::MAX,
            |other| other.outcome.latency.record_n(Duration::from_secs(1), u64::MAX),
        ];
        for edit in edits {
            let error = error(edit);
            assert!(error.contains("cannot be added"), "{error}");
        }
        let nearly = |report: &mut Report| report.outcome.totals.joins = MOST;
        let mut one = samples::lossy();
        nearly(&mut one);
        let mut two = other();
        nearly(&mut two);
        assert!(matches!(Report::merged([one, two]), Err(MergeError::Sum(_))));
    }
}

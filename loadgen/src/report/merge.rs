//! One report of several.

use super::{Losses, Report};

/// There is nothing to merge, or it does not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// No report.
    #[error("there is no report to merge")]
    Nothing,
    /// Reports of different relays.
    #[error("the reports are of different targets: {0} and {1}")]
    Targets(String, String),
}

impl Report {
    /// Adds up reports of runs against one relay, at the same time. Histograms are merged, so the percentiles are those
    /// of all copies together. The objectives were those of each run, and are not judged again: the verdict is the
    /// worst of all.
    ///
    /// # Errors
    /// What does not belong together.
    pub fn merged(reports: impl IntoIterator<Item = Report>) -> Result<Report, MergeError> {
        let mut reports = reports.into_iter();
        let mut sum = reports.next().ok_or(MergeError::Nothing)?;
        for other in reports {
            if other.target != sum.target {
                return Err(MergeError::Targets(sum.target, other.target));
            }
            sum.add(other);
        }
        Ok(sum)
    }

    fn add(&mut self, other: Report) {
        self.plan.clients += other.plan.clients;
        self.plan.groups += other.plan.groups;
        self.setup.threads += other.setup.threads;
        self.setup.workers += other.setup.workers;
        self.outcome.merge(&other.outcome);
        self.losses.add(&other.losses);
        self.verdict = self.verdict.max(other.verdict);
        self.objectives.clear();
        for reason in other.reasons {
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
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

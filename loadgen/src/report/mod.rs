//! The end of a run: what was asked, what was seen, what it means.

pub mod html;
pub mod json;
mod merge;
#[cfg(test)]
pub(crate) mod samples;
mod sound;
pub mod text;
pub(crate) mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;
use crate::plan::Plan;

/// Everything that the texts, the JSON file and the HTML page show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The target as it was written, `HOST:PORT`.
    pub target: String,
    /// What was asked.
    pub plan: Plan,
    /// How it was done.
    pub setup: Setup,
    /// What was seen.
    pub outcome: Outcome,
    /// What the relay's own metrics say about the same time, if they could be read.
    pub relay: Option<RelayView>,
    /// Why there is no `relay`, in a sentence.
    pub relay_missing: Option<String>,
    /// Where copies were lost.
    pub losses: Losses,
    /// The objectives, and what was measured for each.
    pub objectives: Vec<Objective>,
    /// The judgement.
    pub verdict: Verdict,
    /// A sentence for each missed objective, for each reason to distrust the run, and what else is worth knowing.
    pub reasons: Vec<String>,
    /// The generator's machine.
    pub machine: Machine,
}

/// How a run was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// `uring`, `mmsg`, `epoll`, or several joined by a comma.
    pub backend: String,
    /// `shared` or `per_client`.
    pub sockets: String,
    /// Threads, of all workers.
    pub threads: u32,
    /// Workers, 0 if this process did it all.
    pub workers: u32,
    /// When the measurement began, RFC 3339 in UTC.
    pub started: String,
}

/// The judgement of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every objective was met, or there was none.
    Met,
    /// At least one objective was missed.
    Missed,
    /// The generator was the bottleneck: nothing can be said about the relay.
    Invalid,
}

impl Verdict {
    /// The exit code of the process.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Met => 0,
            Verdict::Invalid => 98,
            Verdict::Missed => 99,
        }
    }

    /// `met`, `missed` or `invalid`.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Missed => "missed",
            Verdict::Invalid => "invalid",
        }
    }
}

/// An objective, and what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// Its flag, such as `--max-p99`.
    pub flag: String,
    /// The limit, as text with its unit.
    pub limit: String,
    /// What was measured, as text with its unit.
    pub measured: String,
    /// Whether it was met.
    pub met: bool,
}

/// Where copies were lost. The sum is what was lost; each is an estimate where a loss concerns a payload before it was
/// copied, by the mean number of copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    /// Payloads that the generator's kernel did not take.
    pub generator_send: u64,
    /// Dropped and counted by the relay.
    pub relay_dropped: u64,
    /// Dropped in the receive queues of the relay's sockets.
    pub relay_kernel: u64,
    /// Dropped in the receive queues of the generator's sockets.
    pub receiver_kernel: u64,
    /// None of these.
    pub unexplained: u64,
}

/// What the relay's metrics say of the time of the measurement: differences of its counters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RelayView {
    /// Where they were read.
    pub url: String,
    /// The relay's version.
    pub version: String,
    /// Its backend.
    pub backend: String,
    /// Its shards.
    pub shards: u32,
    /// Processor time of its process.
    pub cpu: Duration,
    /// Time with traffic between the two readings: the warm-up and the measurement, without the waits around them.
    pub elapsed: Duration,
    /// Datagrams that it received.
    pub received_packets: u64,
    /// Datagrams that it sent.
    pub sent_packets: u64,
    /// Datagrams that it dropped on arrival, by reason; only reasons that occurred.
    pub dropped_packets: Vec<(String, u64)>,
    /// Copies that it dropped, by reason; only reasons that occurred.
    pub dropped_copies: Vec<(String, u64)>,
    /// Datagrams that were dropped in the receive queues of its sockets.
    pub kernel_drops: u64,
}

/// Less processor time than this is nothing to divide: it is counted in ticks of 10 ms.
const MEASURABLE: Duration = Duration::from_millis(200);

impl RelayView {
    /// Processors that the relay used while there was traffic; None where that is too little to tell.
    pub fn cores(&self) -> Option<f64> {
        (self.is_measurable() && !self.elapsed.is_zero()).then(|| self.cpu.div_duration_f64(self.elapsed))
    }

    /// Nanoseconds of a processor for each datagram that it sent; None where that is too little to tell.
    pub fn ns_per_delivery(&self) -> Option<f64> {
        let sent = self.sent_packets as f64;
        (self.is_measurable() && self.sent_packets > 0).then(|| self.cpu.as_nanos() as f64 / sent)
    }

    fn is_measurable(&self) -> bool {
        self.cpu >= MEASURABLE
    }
}

/// A machine, in the words of its kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's model.
    pub processor: String,
    /// Processors that this process may use.
    pub cpus: usize,
    /// Bytes of memory.
    pub memory: u64,
    /// The kernel's release.
    pub kernel: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_ticks_say_nothing() {
        let second = Duration::from_secs(1);
        let view = RelayView { cpu: second / 4, elapsed: second, sent_packets: 1000, ..RelayView::default() };
        assert_eq!((view.cores(), view.ns_per_delivery()), (Some(0.25), Some(250_000.0)));
        let few = RelayView { cpu: MEASURABLE - Duration::from_millis(10), ..view.clone() };
        assert_eq!((few.cores(), few.ns_per_delivery()), (None, None));
        let nothing = RelayView { sent_packets: 0, elapsed: Duration::ZERO, ..view };
        assert_eq!((nothing.cores(), nothing.ns_per_delivery()), (None, None));
    }
}

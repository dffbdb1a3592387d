//! The end of a run: what was asked, what was seen, what it means.

pub mod html;
pub mod json;
mod merge;
#[cfg(test)]
pub(crate) mod samples;
pub mod text;
mod words;

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
    /// Time between the two readings.
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

//! What of loadgen's JSON report is used here: docs/loadgen.md.

use std::time::Duration;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use serde::Deserialize;

/// A report.
#[derive(Deserialize)]
pub struct Report {
    /// Payloads.
    pub sent: u64,
    /// Copies.
    pub expected: u64,
    /// Copies that arrived.
    pub received: u64,
    /// Copies that did not.
    pub lost: u64,
    /// Heartbeats.
    pub pongs: Pongs,
    /// `met`, `missed` or `invalid`.
    pub verdict: String,
    /// Sentences.
    pub reasons: Vec<String>,
    /// The rest.
    pub details: Details,
}

/// Heartbeats.
#[derive(Deserialize)]
pub struct Pongs {
    /// PINGs.
    pub sent: u64,
    /// PINGs without an answer.
    pub lost: u64,
}

/// The rest.
#[derive(Deserialize)]
pub struct Details {
    /// The relay's own view.
    pub relay: Option<RelayView>,
    /// What was seen.
    pub outcome: Outcome,
}

/// The relay's own view.
#[derive(Deserialize)]
pub struct RelayView {
    /// Its processor time.
    pub cpu: Duration,
    /// Datagrams that it sent.
    pub sent_packets: u64,
}

/// What was seen.
#[derive(Deserialize)]
pub struct Outcome {
    /// How long it took.
    pub duration: Duration,
    /// From the intended time of each payload to the arrival of each copy.
    pub latency: String,
    /// Pacing error.
    pub lateness: String,
    /// The threads.
    pub own: Vec<Own>,
    /// Members at the end.
    pub members: u64,
}

/// A thread.
#[derive(Deserialize)]
pub struct Own {
    /// It ran.
    pub busy: Duration,
    /// It could have.
    pub starved: Duration,
    /// Time that passed.
    pub wall: Duration,
}

impl Report {
    /// The relay's own view, which a benchmark cannot do without.
    pub fn relay(&self) -> anyhow::Result<&RelayView> {
        self.details.relay.as_ref().context("loadgen could not read the relay's metrics")
    }

    /// Part of the copies that arrived.
    pub fn arrived(&self) -> f64 {
        if self.expected == 0 { 1.0 } else { 1.0 - self.lost as f64 / self.expected as f64 }
    }

    /// Seconds that its threads ran.
    pub fn busy(&self) -> f64 {
        self.details.outcome.own.iter().map(|own| own.busy.as_secs_f64()).sum()
    }

    /// The largest part of its time for which a thread waited for its core.
    pub fn starved(&self) -> f64 {
        let own = self.details.outcome.own.iter();
        own.map(|own| own.starved.as_secs_f64() / own.wall.as_secs_f64()).fold(0.0, f64::max)
    }

    /// Nanoseconds between the intended time of each payload and its leaving.
    pub fn lateness(&self) -> anyhow::Result<Histogram<u64>> {
        histogram(&self.details.outcome.lateness)
    }

    /// Nanoseconds between the intended time of each payload and the arrival of each of its copies.
    pub fn latency(&self) -> anyhow::Result<Histogram<u64>> {
        histogram(&self.details.outcome.latency)
    }
}

fn histogram(text: &str) -> anyhow::Result<Histogram<u64>> {
    Deserializer::new()
        .deserialize(&mut STANDARD.decode(text)?.as_slice())
        .map_err(|error| anyhow::anyhow!("a histogram is not understood: {error}"))
}

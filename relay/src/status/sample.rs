//! What the relay had counted at a moment, and the last minutes of it.

use std::collections::VecDeque;
use std::time::Duration;

use engine::{CopyDrop, Histogram};

use crate::limits::{RATE_SAMPLES, SAMPLES};
use crate::meter::{Counters, Traffic};
use crate::metrics::{FAILURES, STREAM_LATE, STREAM_LOSSES, ShardSockets};

/// Reasons why copies are dropped: those of the exporter, `backlog`, those of connections, and those of admission.
const COPY_REASONS: usize = LOSSES + 1 + CopyDrop::LABELS.len();

/// Those that nobody wants: the first ones. The others are dropped on purpose, or were for somebody who has gone.
pub const LOSSES: usize = FAILURES.len() + 1 + STREAM_LOSSES.len();

/// Totals of all shards at a moment.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// By the relay's clock.
    pub at: Duration,
    pub received: Traffic,
    pub sent: Traffic,
    /// In the order of [`copy_reasons`].
    pub dropped_copies: [u64; COPY_REASONS],
    pub dropped_packets: u64,
    pub kernel_dropped: u64,
    pub no_buffers: u64,
    pub unproved_bytes: u64,
    pub refused_full: u64,
    pub latency: Histogram<31>,
    /// Kept for as long as rates of single shards are wanted.
    pub shards: Vec<ShardSample>,
}

/// One shard's part.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShardSample {
    pub received: u64,
    pub sent: u64,
    pub dropped: u64,
    pub kernel_dropped: u64,
    /// Nanoseconds.
    pub busy: u64,
}

/// The labels of dropped copies.
pub fn copy_reasons() -> impl Iterator<Item = &'static str> {
    let lost = FAILURES.into_iter().chain(["backlog"]).chain(STREAM_LOSSES);
    lost.chain([STREAM_LATE]).chain(CopyDrop::LABELS)
}

/// The counts, in the same order.
fn dropped_copies(counters: &Counters) -> impl Iterator<Item = u64> {
    let lost = counters.failed.into_iter().chain([counters.overflowed]).chain(counters.lost_by_streams());
    lost.chain([counters.late_for_streams()]).chain(counters.unproved)
}

impl Sample {
    pub fn of(at: Duration, shards: &[Counters], sockets: &[ShardSockets]) -> Self {
        let mut sample = Self { at, ..Self::default() };
        let full = wire::Refusal::LABELS.iter().position(|label| *label == "server_full");
        for (counters, sockets) in shards.iter().zip(sockets) {
            add(&mut sample.received, counters.received);
            add(&mut sample.sent, counters.sent);
            let dropped = dropped_copies(counters);
            sample.dropped_copies.iter_mut().zip(dropped).for_each(|(sum, more)| *sum += more);
            sample.dropped_packets += counters.tally.dropped.iter().sum::<u64>();
            sample.kernel_dropped += sockets.dropped;
            sample.unproved_bytes += counters.unproved_bytes;
            sample.no_buffers += counters.driver.no_buffers;
            sample.refused_full += full.map_or(0, |at| counters.tally.refusals[at]);
            sample.latency.add(&counters.latency);
            sample.shards.push(ShardSample {
                received: counters.received.packets,
                sent: counters.sent.packets,
                dropped: dropped_copies(counters).sum(),
                kernel_dropped: sockets.dropped,
                busy: counters.busy,
            });
        }
        sample
    }

    /// Copies and replies dropped for any reason.
    pub fn copies(&self) -> u64 {
        self.dropped_copies.iter().sum()
    }

    /// How much of a total came each second since an earlier sample.
    pub fn rate(&self, earlier: &Self, of: impl Fn(&Self) -> u64) -> f64 {
        let seconds = self.at.saturating_sub(earlier.at).as_secs_f64();
        if seconds > 0.0 { of(self).saturating_sub(of(earlier)) as f64 / seconds } else { 0.0 }
    }

    /// The latencies since an earlier sample.
    pub fn latency_since(&self, earlier: &Self) -> Histogram<31> {
        let mut latency = self.latency;
        for (count, before) in latency.counts.iter_mut().zip(earlier.latency.counts) {
            *count = count.saturating_sub(before);
        }
        latency.count = latency.count.saturating_sub(earlier.latency.count);
        latency.sum = latency.sum.saturating_sub(earlier.latency.sum);
        latency
    }
}

fn add(sum: &mut Traffic, more: Traffic) {
    sum.packets += more.packets;
    sum.bytes += more.bytes;
}

/// The bound, in the histogram's unit, below or at which this part of all values lies; none if there are none, infinite
/// if it lies beyond the last bound.
pub fn quantile<const N: usize>(histogram: &Histogram<N>, part: f64) -> Option<f64> {
    let wanted = (histogram.count as f64 * part).ceil();
    let mut sum = 0;
    for (power, count) in histogram.counts.iter().enumerate() {
        sum += count;
        if sum > 0 && sum as f64 >= wanted {
            return Some((1_u64 << power) as f64);
        }
    }
    (histogram.count > 0).then_some(f64::INFINITY)
}

/// The samples of the last minutes, the oldest first.
#[derive(Debug, Default)]
pub struct History(VecDeque<Sample>);

impl History {
    pub fn push(&mut self, sample: Sample) {
        if self.0.len() == SAMPLES {
            self.0.pop_front();
        }
        self.0.push_back(sample);
        // Of 256 shards they are larger than everything else.
        if let Some(old) = self.0.len().checked_sub(RATE_SAMPLES + 2) {
            self.0[old].shards = Vec::new();
        }
    }

    /// The sample that was taken so many samples ago, or the oldest.
    pub fn back(&self, samples: usize) -> Option<&Sample> {
        self.0.get(self.0.len().saturating_sub(samples))
    }

    /// Rates between neighbours, the oldest first.
    pub fn rates(&self, of: impl Fn(&Sample) -> u64) -> Vec<f64> {
        let pairs = self.0.iter().zip(self.0.iter().skip(1));
        pairs.map(|(before, after)| round(after.rate(before, &of))).collect()
    }
}

/// To a tenth: nobody reads more, and it keeps the text short.
pub fn round(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: u64, received: u64) -> Sample {
        let traffic = Traffic { packets: received, bytes: 0 };
        Sample {
            at: Duration::from_secs(second),
            received: traffic,
            shards: vec![ShardSample::default()],
            ..Sample::default()
        }
    }

    #[test]
    fn rates_are_differences_by_time() {
        let mut history = History::default();
        assert!(history.back(RATE_SAMPLES).is_none());
        for second in 0..2 * SAMPLES as u64 {
            history.push(sample(second, second * 25));
        }
        let rates = history.rates(|sample| sample.received.packets);
        assert_eq!((rates.len(), rates.iter().all(|rate| *rate == 25.0)), (SAMPLES - 1, true));
        let now = sample(2 * SAMPLES as u64, 50 * SAMPLES as u64 + 100);
        let before = history.back(4).unwrap();
        assert_eq!((now.at - before.at).as_secs(), 4);
        assert_eq!(now.rate(before, |sample| sample.received.packets), 50.0);
        assert_eq!(now.rate(&now, |sample| sample.received.packets), 0.0);
        assert!(history.back(SAMPLES).unwrap().shards.is_empty());
        assert!(!history.back(RATE_SAMPLES).unwrap().shards.is_empty());
    }

    #[test]
    fn a_quantile_is_the_bound_of_its_bucket() {
        let mut histogram = Histogram::<5>::default();
        assert_eq!(quantile(&histogram, 0.5), None);
        histogram.record(3, 98);
        histogram.record(16, 1);
        histogram.record(1000, 1);
        let at = [0.5, 0.98, 0.99, 1.0].map(|part| quantile(&histogram, part).unwrap());
        assert_eq!(at, [4.0, 4.0, 16.0, f64::INFINITY]);
    }
}

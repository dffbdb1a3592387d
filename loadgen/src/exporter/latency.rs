//! Latencies in few buckets, from 10 µs to 10 s.

use std::time::Duration;

use super::catalogue::LATENCY;
use crate::hdr::Durations;

/// The upper bounds, in microseconds.
const BOUNDS: [u64; 19] = [
    10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000,
];

/// What was counted since the process began.
#[derive(Default)]
pub struct Latency {
    buckets: [u64; BOUNDS.len()],
    count: u64,
    seconds: f64,
}

impl Latency {
    /// Adds the counts of others.
    pub fn add(&mut self, durations: &Durations) {
        for (duration, times) in durations.values() {
            let above = |bound: &u64| Duration::from_micros(*bound) < duration;
            if let Some(bucket) = self.buckets.get_mut(BOUNDS.partition_point(above)) {
                *bucket += times;
            }
            self.count += times;
            self.seconds += duration.as_secs_f64() * times as f64;
        }
    }

    /// Appends the exposition text.
    pub fn append(&self, out: &mut String) {
        let bounds = BOUNDS.map(|bound| bound as f64 / 1e6);
        expose::text::append_histogram(
            out,
            LATENCY,
            bounds.into_iter().zip(self.buckets),
            self.count,
            self.seconds,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_in_the_bucket_that_ends_above_it() {
        let mut durations = Durations::with_digits(2);
        for us in [1, 9, 11, 2_400, 9_000_000, 20_000_000] {
            durations.record(Duration::from_micros(us));
        }
        let mut latency = Latency::default();
        latency.add(&durations);
        latency.add(&durations);
        assert_eq!((latency.count, latency.buckets.iter().sum::<u64>()), (12, 10));
        assert_eq!([0, 1, 7, 18].map(|index| latency.buckets[index]), [4, 2, 2, 2]);
        assert!((latency.seconds / 2.0 - 29.002_421).abs() < 0.3, "{}", latency.seconds);
        let mut out = String::new();
        latency.append(&mut out);
        assert!(
            out.contains("_bucket{le=\"0.00001\"} 4\n") && out.contains("_bucket{le=\"10\"} 10\n"),
            "{out}"
        );
    }
}

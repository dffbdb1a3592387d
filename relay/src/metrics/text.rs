//! The engine's histograms as exposition text.

use engine::Histogram;
use expose::Metric;

/// Appends a histogram. Bucket `i` ends at 2^i times `unit`; those below `first` are added up in the first one.
pub fn append_histogram<const N: usize>(
    out: &mut String,
    metric: Metric,
    histogram: &Histogram<N>,
    first: usize,
    unit: f64,
) {
    let (below, rest) = histogram.counts.split_at(first);
    let mut below: u64 = below.iter().sum();
    let buckets = rest.iter().enumerate().map(|(index, count)| {
        let bound = (1u64 << (first + index)) as f64 * unit;
        (bound, count + std::mem::take(&mut below))
    });
    expose::text::append_histogram(out, metric, buckets, histogram.count, histogram.sum as f64 * unit);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::catalogue::FANOUT;

    #[test]
    fn the_first_bucket_holds_all_smaller_ones() {
        let mut histogram = Histogram::<3>::default();
        histogram.record(1, 2);
        histogram.record(3, 1);
        histogram.record(9, 1);
        let mut out = String::new();
        append_histogram(&mut out, FANOUT, &histogram, 1, 0.5);
        let lines: Vec<&str> = out.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "relay_fanout_recipients_bucket{le=\"1\"} 2",
                "relay_fanout_recipients_bucket{le=\"2\"} 3",
                "relay_fanout_recipients_bucket{le=\"+Inf\"} 4",
                "relay_fanout_recipients_sum 7",
                "relay_fanout_recipients_count 4",
            ]
        );
    }
}

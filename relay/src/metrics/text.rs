//! The exposition text of what the `metrics` crate has no cheap form for: histograms and counters of seconds.

use std::fmt::Write;

use engine::Histogram;

use super::catalogue::{Kind, Metric};

/// Appends a metric with one value for each set of labels (`shard="0"`, or nothing).
pub fn append_values(out: &mut String, metric: Metric, values: impl IntoIterator<Item = (String, f64)>) {
    header(out, metric);
    for (labels, value) in values {
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        let _ = writeln!(out, "{}{labels} {value}", metric.name);
    }
}

/// Appends a histogram. Bucket `i` ends at 2^i times `unit`; those below `first` are added up in the first one.
pub fn append_histogram<const N: usize>(
    out: &mut String,
    metric: Metric,
    histogram: &Histogram<N>,
    first: usize,
    unit: f64,
) {
    header(out, metric);
    let mut cumulative = 0;
    for (power, count) in histogram.counts.iter().enumerate() {
        cumulative += count;
        if power >= first {
            let bound = (1u64 << power) as f64 * unit;
            let _ = writeln!(out, "{}_bucket{{le=\"{bound}\"}} {cumulative}", metric.name);
        }
    }
    let (name, count, sum) = (metric.name, histogram.count, histogram.sum as f64 * unit);
    let _ = writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}");
}

fn header(out: &mut String, metric: Metric) {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let _ = writeln!(out, "# HELP {} {}\n# TYPE {0} {kind}", metric.name, metric.help);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::catalogue::{BUSY, FANOUT};

    #[test]
    fn histograms_are_cumulative() {
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

    #[test]
    fn values_have_help_and_type() {
        let mut out = String::new();
        append_values(&mut out, BUSY, [("shard=\"0\"".to_owned(), 1.5)]);
        assert!(out.starts_with("# HELP relay_shard_busy_seconds_total "), "{out}");
        assert!(out.contains("# TYPE relay_shard_busy_seconds_total counter\n"), "{out}");
        assert!(out.ends_with("relay_shard_busy_seconds_total{shard=\"0\"} 1.5\n"), "{out}");
    }
}

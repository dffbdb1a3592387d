//! The exposition text of what the `metrics` crate has no cheap form for: histograms and counters of seconds.

use std::fmt::Write;

use crate::Metric;

/// Appends a metric with one value for each set of labels (`shard="0"`, or nothing).
pub fn append_values(out: &mut String, metric: Metric, values: impl IntoIterator<Item = (String, f64)>) {
    header(out, metric);
    for (labels, value) in values {
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        let _ = writeln!(out, "{}{labels} {value}", metric.name);
    }
}

/// Appends a histogram: of each bucket, in ascending order, its upper bound and how many values are in it alone; then
/// how many values there are in all, those beyond the last bound included, and their sum.
pub fn append_histogram(
    out: &mut String,
    metric: Metric,
    buckets: impl IntoIterator<Item = (f64, u64)>,
    count: u64,
    sum: f64,
) {
    header(out, metric);
    let (name, mut cumulative) = (metric.name, 0);
    for (bound, values) in buckets {
        cumulative += values;
        let _ = writeln!(out, "{name}_bucket{{le=\"{bound}\"}} {cumulative}");
    }
    let _ = writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}");
}

fn header(out: &mut String, metric: Metric) {
    let _ = writeln!(out, "# HELP {} {}\n# TYPE {0} {}", metric.name, metric.help, metric.kind.name());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    const BUSY: Metric =
        Metric { name: "busy_seconds_total", kind: Kind::Counter, labels: &["shard"], help: "Time." };
    const SIZES: Metric = Metric { name: "sizes", kind: Kind::Histogram, labels: &[], help: "Sizes." };

    #[test]
    fn histograms_are_cumulative() {
        let mut out = String::new();
        append_histogram(&mut out, SIZES, [(0.5, 2), (1.0, 0), (2.0, 1)], 4, 7.0);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(
            lines,
            [
                "# HELP sizes Sizes.",
                "# TYPE sizes histogram",
                "sizes_bucket{le=\"0.5\"} 2",
                "sizes_bucket{le=\"1\"} 2",
                "sizes_bucket{le=\"2\"} 3",
                "sizes_bucket{le=\"+Inf\"} 4",
                "sizes_sum 7",
                "sizes_count 4",
            ]
        );
    }

    #[test]
    fn values_have_help_and_type() {
        let mut out = String::new();
        append_values(&mut out, BUSY, [("shard=\"0\"".to_owned(), 1.5), (String::new(), 2.0)]);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(
            lines,
            [
                "# HELP busy_seconds_total Time.",
                "# TYPE busy_seconds_total counter",
                "busy_seconds_total{shard=\"0\"} 1.5",
                "busy_seconds_total 2",
            ]
        );
    }
}

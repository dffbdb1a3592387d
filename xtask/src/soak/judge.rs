//! Whether the relay is as it was: memory, descriptors, latency.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use serde::Serialize;

use super::load::Window;
use super::sample::Sample;

/// Bytes a minute by which resident memory may grow, or shrink.
const SLOPE: f64 = 1024.0;

/// Part by which the 99th percentile of the latency may grow.
const DRIFT: f64 = 0.1;

/// The figures, and what they mean.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Bytes a minute, by least squares.
    pub slope: f64,
    /// The fewest and the most.
    pub descriptors: [usize; 2],
    /// Microseconds in the first third, and in the last.
    pub p99_us: [f64; 2],
}

impl Verdict {
    /// Of what was seen after the warm-up.
    pub fn of(samples: &[Sample], windows: &[Window], warm_up: Duration) -> anyhow::Result<Verdict> {
        let warm: Vec<&Sample> =
            samples.iter().filter(|sample| sample.seconds >= warm_up.as_secs_f64()).collect();
        let points: Vec<[f64; 2]> =
            warm.iter().map(|sample| [sample.seconds / 60.0, sample.resident as f64]).collect();
        let descriptors = warm.iter().map(|sample| sample.descriptors);
        let windows: Vec<&Window> =
            windows.iter().filter(|window| window.begun >= warm_up && window.trusted).collect();
        let third = windows.len() / 3;
        ensure!(third > 0, "fewer than three windows of the load can be believed");
        Ok(Verdict {
            slope: slope(&points).context("too few samples")?,
            descriptors: [descriptors.clone().min().unwrap_or(0), descriptors.max().unwrap_or(0)],
            p99_us: [p99(&windows[..third])?, p99(&windows[windows.len() - third..])?],
        })
    }

    /// All three.
    pub fn is_good(&self) -> bool {
        self.slope.abs() <= SLOPE && self.descriptors[0] == self.descriptors[1] && self.drift() <= DRIFT
    }

    fn drift(&self) -> f64 {
        let [first, last] = self.p99_us;
        last / first - 1.0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |good| if good { "good" } else { "BAD" };
        let ([fewest, most], [first, last]) = (self.descriptors, self.p99_us);
        writeln!(out, "{}: resident memory {:+.0} bytes/min", word(self.slope.abs() <= SLOPE), self.slope)?;
        writeln!(out, "{}: {fewest} to {most} descriptors", word(fewest == most))?;
        write!(
            out,
            "{}: p99 {first:.0} us in the first third, {last:.0} us in the last, {:+.1} %",
            word(self.drift() <= DRIFT),
            self.drift() * 100.0
        )
    }
}

fn p99(windows: &[&Window]) -> anyhow::Result<f64> {
    let mut all = Histogram::<u64>::new(3)?;
    windows.iter().try_for_each(|window| all.add(&window.latency))?;
    Ok(all.value_at_quantile(0.99) as f64 / 1e3)
}

/// By least squares; of less than two points there is none.
fn slope(points: &[[f64; 2]]) -> Option<f64> {
    let mean = |at: usize| points.iter().map(|point| point[at]).sum::<f64>() / points.len() as f64;
    let [x, y] = [mean(0), mean(1)];
    let sum =
        |of: fn(f64, f64) -> f64| points.iter().map(|point| of(point[0] - x, point[1] - y)).sum::<f64>();
    let spread = sum(|dx, _| dx * dx);
    (spread > 0.0).then(|| sum(|dx, dy| dx * dy) / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_of_lines_and_of_nothing() {
        let line: Vec<[f64; 2]> = (0..10).map(|x| [f64::from(x), 7.0 - 3.0 * f64::from(x)]).collect();
        assert!((slope(&line).unwrap() + 3.0).abs() < 1e-9);
        assert_eq!(slope(&[[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]), Some(0.0));
        assert_eq!((slope(&[]), slope(&[[1.0, 1.0]])), (None, None));
    }

    #[test]
    fn each_of_the_three_can_be_bad() {
        let good = Verdict { slope: -1000.0, descriptors: [9, 9], p99_us: [100.0, 109.0] };
        assert!(good.is_good());
        assert!(!Verdict { slope: 1100.0, ..good.clone() }.is_good());
        assert!(!Verdict { slope: -1100.0, ..good.clone() }.is_good());
        assert!(!Verdict { descriptors: [9, 10], ..good.clone() }.is_good());
        assert!(!Verdict { p99_us: [100.0, 111.0], ..good }.is_good());
    }
}

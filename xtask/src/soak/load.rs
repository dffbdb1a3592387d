//! The honest clients: windows of a minute, each of new clients in new groups, of whom some leave and join all the time.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hdrhistogram::Histogram;

use super::{Shown, start};
use crate::bench::report::Report;

/// 4,000 copies a second, which a fraction of a core relays.
const LOAD: &str = "--clients 200 --group-size 10 --rate 2.2 --payload mix --churn 10 --duration 50s --ramp 2s \
     --sockets shared --threads 1 --relay-metrics off";

/// Exit codes with a report: done, not to be believed, an objective missed.
const REPORTED: [i32; 3] = [0, 98, 99];

/// A run of the load generator.
pub struct Window {
    /// When it began, since the soak did.
    pub begun: Duration,
    /// Copies that arrived.
    pub copies: u64,
    /// Nanoseconds from the intended time of each payload to the arrival of each copy.
    pub latency: Histogram<u64>,
    /// False where the generator was held up, by its own account.
    pub trusted: bool,
}

impl Window {
    /// For the file.
    pub fn shown(&self) -> Shown {
        let p99_us = (!self.latency.is_empty()).then(|| self.latency.value_at_quantile(0.99) as f64 / 1e3);
        Shown { seconds: self.begun.as_secs_f64(), copies: self.copies, p99_us, trusted: self.trusted }
    }
}

/// Windows one after the other, as long as a whole one fits.
pub fn go_on(
    loadgen: &Path,
    relay: &str,
    begun: Instant,
    time: Duration,
    done: &AtomicBool,
) -> anyhow::Result<Vec<Window>> {
    let file = std::env::temp_dir().join(format!("soak-{}.json", std::process::id()));
    let mut windows = Vec::new();
    while !done.load(Ordering::Relaxed) && begun.elapsed() + Duration::from_secs(58) < time {
        let window_begun = begun.elapsed();
        let seed = windows.len();
        let flags = format!("run --target {relay} {LOAD} --seed {seed} --json {}", file.display());
        let ended = start(loadgen, flags.split_whitespace().map(str::to_owned))?.wait(|_| {})?;
        if !ended.status.code().is_some_and(|code| REPORTED.contains(&code)) {
            bail!("loadgen: {}: {}", ended.status, ended.err.trim());
        }
        let report: Report = serde_json::from_str(&fs::read_to_string(&file)?).context("loadgen's report")?;
        let trusted = report.verdict != "invalid";
        println!(
            "load: {} of {} copies arrived, {}",
            report.received,
            report.expected,
            report.reasons.join(" ")
        );
        windows.push(Window {
            begun: window_begun,
            copies: report.received,
            latency: report.latency()?,
            trusted,
        });
    }
    fs::remove_file(&file)?;
    Ok(windows)
}

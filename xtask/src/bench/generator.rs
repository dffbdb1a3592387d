//! The load generator, as a tool and as what is measured.

use std::fs;

use anyhow::{Context, bail};

use super::Bench;
use super::process::{Ended, Process};
use super::report::Report;

/// Exit codes with a report: done, not to be believed, an objective missed.
const REPORTED: [i32; 3] = [0, 98, 99];

/// Whom a load is for.
pub struct Target {
    /// Where it serves.
    pub address: String,
    /// The URL of its metrics, or `off`.
    pub metrics: String,
}

/// Applies a load to a relay and returns what was seen; `look` sees the number of the generator's process.
pub fn run(
    bench: &Bench,
    target: &Target,
    flags: &str,
    look: impl FnMut(u32),
) -> anyhow::Result<(Report, Ended)> {
    let file = bench.binaries.folder.join("report.json");
    let ended = start(bench, target, flags)?.wait(look)?;
    if !ended.status.code().is_some_and(|code| REPORTED.contains(&code)) {
        bail!("loadgen {flags}: {}: {}", ended.status, ended.err.trim());
    }
    let report = serde_json::from_str(&fs::read_to_string(&file)?).context("loadgen's report")?;
    Ok((report, ended))
}

/// Begins to.
pub fn start(bench: &Bench, Target { address, metrics }: &Target, flags: &str) -> anyhow::Result<Process> {
    let file = bench.binaries.folder.join("report.json");
    let cpu = bench.host.generator_cpu;
    let load = format!("run --target {address} --relay-metrics {metrics} --cpus {cpu} {flags} --json");
    let args = load.split_whitespace().map(str::to_owned).chain([file.display().to_string()]);
    Process::start(cpu, &bench.binaries.loadgen, args)
}

//! The load generator, as a tool and as what is measured.

use std::fs;

use anyhow::{Context, bail};

use super::Bench;
use super::process::{Ended, Process};
use super::relay::Relay;
use super::report::Report;

/// Exit codes with a report: done, not to be believed, an objective missed.
const REPORTED: [i32; 3] = [0, 98, 99];

/// Applies a load to a relay and returns what was seen; `look` sees the number of the generator's process.
pub fn run(
    bench: &Bench,
    relay: &Relay,
    flags: &str,
    look: impl FnMut(u32),
) -> anyhow::Result<(Report, Ended)> {
    let file = bench.binaries.folder.join("report.json");
    let cpu = bench.host.generator_cpu;
    let load = format!(
        "run --target {} --relay-metrics {} --cpus {cpu} {flags} --json",
        relay.address, relay.metrics
    );
    let args = load.split_whitespace().map(str::to_owned).chain([file.display().to_string()]);
    let process = Process::start(cpu, &bench.binaries.loadgen, args)?;
    let ended = process.wait(look)?;
    if !ended.status.code().is_some_and(|code| REPORTED.contains(&code)) {
        bail!("loadgen {load}: {}: {}", ended.status, ended.err.trim());
    }
    let report = serde_json::from_str(&fs::read_to_string(&file)?).context("loadgen's report")?;
    Ok((report, ended))
}

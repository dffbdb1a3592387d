//! `cargo xtask bench`: the relay against the ceiling of its core, the generator against its kind.
//!
//! It prints figures and judges nothing. What it starts dies with it, however it ends.

mod binaries;
mod ceiling;
mod competitors;
mod document;
mod fanout;
mod generator;
mod host;
mod joins;
mod latency;
mod mailbox;
pub mod metrics;
mod million;
mod namespace;
mod original;
mod overload;
mod pacing;
pub mod process;
mod profile;
mod relay;
pub mod report;
mod rounds;
mod sending;
mod shards;
mod stats;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use xshell::Shell;

pub use crate::bench::binaries::release_folder;

use crate::bench::binaries::Binaries;
use crate::bench::host::Host;
use crate::bench::table::{Outcome, Table};

/// What to measure, and for how long.
#[derive(Args)]
pub struct Options {
    /// Rounds of each comparison; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Only what has this text in its name; `relay` and `generator` are the two halves.
    #[arg(long, default_value = "")]
    only: String,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Also writes the tables into docs/performance.md, each in the place of its predecessor; only whole ones.
    #[arg(long)]
    write: bool,
    /// More flags for `loadgen run` where it is only the relay that is measured. By default it receives as the
    /// ceiling's receivers do.
    #[arg(long, default_value = "--backend mmsg", allow_hyphen_values = true)]
    loadgen: String,
    /// The original Python server, to compare with: started as `python3 PATH --server --host ADDRESS --port PORT`.
    #[arg(long, value_name = "PATH")]
    original: Option<PathBuf>,
}

/// Everything that a measurement needs to know.
pub struct Bench {
    rounds: u32,
    only: String,
    duration: Duration,
    write: bool,
    loadgen: Vec<String>,
    original: Option<PathBuf>,
    binaries: Binaries,
    host: Host,
}

impl Bench {
    /// Whether something of this name is to be measured.
    fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }
}

/// A part of the benchmarks.
type Part = fn(&Bench) -> anyhow::Result<Outcome>;

/// In the order of the document.
const PARTS: [Part; 11] = [
    fanout::measure,
    original::measure,
    latency::measure,
    joins::measure,
    shards::measure,
    overload::measure,
    mailbox::measure,
    profile::measure,
    sending::measure,
    pacing::measure,
    million::measure,
];

/// Measures, prints, and writes if that is wanted.
pub fn run(shell: &Shell, options: &Options) -> anyhow::Result<()> {
    let Ok(duration) = Duration::try_from_secs_f64(options.seconds) else {
        bail!("--seconds wants a time");
    };
    let bench = Bench {
        rounds: options.rounds,
        only: options.only.clone(),
        duration: duration.max(Duration::from_secs(1)),
        write: options.write,
        loadgen: options.loadgen.split_whitespace().map(str::to_owned).collect(),
        original: options.original.clone(),
        binaries: Binaries::build(shell)?,
        host: Host::look(shell)?,
    };
    println!("{}\n", bench.host);
    let (mut wanted, mut failed) = (0, Vec::new());
    for part in PARTS {
        // What one part lacks must not cost the tables of the others.
        match part(&bench) {
            Ok(Outcome::Unwanted) => continue,
            Ok(Outcome::Skipped(why)) => println!("{why}\n"),
            Ok(Outcome::Measured(table)) => show(shell, &bench, &table)?,
            Err(error) => failed.push(format!("{error:#}")),
        }
        wanted += 1;
    }
    if wanted == 0 {
        bail!("nothing has {:?} in its name", bench.only);
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join("; "));
    }
    Ok(())
}

fn show(shell: &Shell, bench: &Bench, table: &Table) -> anyhow::Result<()> {
    println!("{table}");
    if bench.write {
        document::put(shell, table, &bench.host.to_string())?;
    }
    Ok(())
}

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
mod million;
mod pacing;
mod process;
mod relay;
mod report;
mod sending;
mod stats;
mod table;

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use xshell::Shell;

use crate::bench::binaries::Binaries;
use crate::bench::host::Host;
use crate::bench::table::Table;

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
}

/// Everything that a measurement needs to know.
pub struct Bench {
    rounds: u32,
    only: String,
    duration: Duration,
    write: bool,
    loadgen: Vec<String>,
    binaries: Binaries,
    host: Host,
}

impl Bench {
    /// Whether something of this name is to be measured.
    fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }
}

/// A part of the benchmarks: none if nothing of it is wanted.
type Part = fn(&Bench) -> anyhow::Result<Option<Table>>;

/// In the order of the document.
const PARTS: [Part; 4] = [fanout::measure, sending::measure, pacing::measure, million::measure];

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
        binaries: Binaries::build(shell)?,
        host: Host::look(shell)?,
    };
    println!("{}\n", bench.host);
    let mut measured = 0;
    for part in PARTS {
        let Some(table) = part(&bench)? else { continue };
        println!("{table}");
        measured += 1;
        if bench.write {
            document::put(shell, &table, &bench.host.to_string())?;
        }
    }
    if measured == 0 {
        bail!("nothing has {:?} in its name", bench.only);
    }
    Ok(())
}

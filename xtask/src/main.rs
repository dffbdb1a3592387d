//! How we check it: `cargo xtask test` runs every check there is, in the order of their cost.

mod alerts;
mod bench;
mod dashboards;
mod deploy;
mod faults;
mod fuzz;
mod gate;
mod machine;
mod mutants;
mod package;
mod reference;
mod sanitizers;
mod sim;
mod soak;
mod steps;
mod supply;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

/// The project's own tasks.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Xtask {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs all checks; installs what they need and this machine lacks, and says so.
    Test {
        /// Also what takes long: more cases of the property tests, sanitizers, fuzzing, mutants.
        #[arg(long)]
        long: bool,
        /// Only the steps whose name contains this text.
        #[arg(long)]
        only: Option<String>,
    },
    /// Measures the relay against the ceiling of its core, and the generator beside sockperf and iperf3.
    Bench(bench::Options),
    /// Tells the whole fault matrix, with more traffic than `test`, and prints the figures of every cell.
    Faults(faults::Options),
    /// Counts the instructions of the hot path's steps, and compares them with what was committed.
    Gate(gate::Options),
    /// Searches for bytes that break something, by coverage-guided fuzzing (needs a C++ compiler).
    Fuzz(fuzz::Options),
    /// Changes the code in small ways, and tells which changes no test notices (installs cargo-mutants).
    Mutants(mutants::Options),
    /// Writes the references of the metrics into the documents.
    Reference,
    /// Builds the Debian package.
    Package,
    /// Simulates the relay under seeded faults, by the seed or for so long; or finds the planted bugs.
    Sim(sim::Options),
    /// Lets a relay work under churn, attacks and reloads, and judges its memory, descriptors and latency.
    Soak(soak::Options),
    /// Checks the house rules that no compiler knows.
    Tidy,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without the backtrace: what failed has said why above.
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let shell = xshell::Shell::new()?;
    shell.change_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is in the workspace")?);
    match Xtask::parse().task {
        Task::Test { long, only } => steps::run(&shell, long, only.as_deref()),
        Task::Bench(options) => bench::run(&shell, &options),
        Task::Faults(options) => faults::run(&shell, &options),
        Task::Gate(options) => gate::run(&shell, options),
        Task::Fuzz(options) => fuzz::run(&shell, &options),
        Task::Mutants(options) => mutants::run(&shell, &options),
        Task::Reference => reference::write(&shell),
        Task::Package => package::build(&shell),
        Task::Sim(options) => sim::run(&shell, &options),
        Task::Soak(options) => soak::run(&shell, &options),
        Task::Tidy => tidy::check(&shell),
    }
}

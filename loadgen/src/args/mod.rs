//! What is typed, and the plan that it means.

mod checks;
mod load;
mod objectives;
mod parse;
mod people;
mod profile;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

pub use checks::{check, check_copies, check_memory};
pub use load::{LoadArgs, Resolved, UsageError};
pub use objectives::ObjectiveArgs;
pub use people::PeopleArgs;
pub use profile::Profile;

/// Simulates many clients of a UDP group relay, and tells the truth about what it saw.
#[derive(Debug, Parser)]
#[command(name = "loadgen", version, max_term_width = 110, after_help = EXIT_CODES)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub task: Task,
}

const EXIT_CODES: &str = "Exit codes: 0 objectives met, 1 error, 2 wrong usage, 98 invalid (the generator was the \
                          bottleneck), 99 objectives missed.";

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Applies one load, and reports what was seen.
    Run(Box<RunArgs>),
    /// Searches the highest load at which the objectives hold.
    Capacity(Box<CapacityArgs>),
    /// Does a part of what another loadgen plans.
    Worker(WorkerArgs),
    /// Makes one report of several JSON reports of runs that were made at the same time.
    Merge(MergeArgs),
}

/// The flags of `loadgen run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// The load.
    #[command(flatten)]
    pub load: LoadArgs,
    /// The objectives.
    #[command(flatten)]
    pub objectives: ObjectiveArgs,
    /// The people.
    #[command(flatten)]
    pub people: PeopleArgs,
    /// What is shown and written.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// What is shown and written.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Write the report as JSON; - means standard output, and then nothing else goes there
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the report as a web page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Serve loadgen's own metrics to a Prometheus; a port alone means on 127.0.0.1
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse::listen)]
    pub metrics_listen: Option<SocketAddr>,
    /// Plain progress lines, even on a terminal
    #[arg(long)]
    pub plain: bool,
    /// Where the relay's own metrics are read: a URL, auto (port 9500 of the target) or off
    #[arg(long, value_name = "URL|auto|off", default_value = "auto")]
    pub relay_metrics: String,
    /// Let these workers do it, each a part: ADDRESS:PORT,...
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',')]
    pub workers: Vec<String>,
    /// The word that the workers ask for; the environment does not show it to other users
    #[arg(long, value_name = "TOKEN", env = "LOADGEN_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
}

/// The flags of `loadgen capacity`.
#[derive(Debug, clap::Args)]
pub struct CapacityArgs {
    /// The load; its rate or its clients are varied.
    #[command(flatten)]
    pub load: LoadArgs,
    /// The objectives; without any, --max-loss 0.1%.
    #[command(flatten)]
    pub objectives: ObjectiveArgs,
    /// What is shown and written.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What is varied.
    #[arg(long, value_enum, default_value = "rate", help_heading = "Search")]
    pub vary: Vary,
    /// The lowest load to try: payloads per second per sender, or clients
    #[arg(long, value_name = "LOAD", value_parser = parse::positive, help_heading = "Search")]
    pub min: Option<f64>,
    /// The highest load to try; without it the search goes up until it finds the limit
    #[arg(long, value_name = "LOAD", value_parser = parse::positive, help_heading = "Search")]
    pub max: Option<f64>,
    /// How close the bounds must come, as part of the load
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent, default_value = "5%", help_heading = "Search")]
    pub width: f64,
    /// Length of the trials that prove a load good; first trials take a fifth, and each load is tried three times as long
    #[arg(long, value_name = "D", value_parser = parse::duration, default_value = "10s", help_heading = "Search")]
    pub trial: Duration,
    /// Length of all trials of the search at most
    #[arg(long, value_name = "D", value_parser = parse::duration, default_value = "20m", help_heading = "Search")]
    pub max_time: Duration,
}

/// What a search varies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Vary {
    /// Payloads per second of each sender.
    Rate,
    /// Clients, in groups of the same size.
    Clients,
}

/// The flags of `loadgen worker`.
#[derive(Debug, clap::Args)]
pub struct WorkerArgs {
    /// Where to wait for plans; a port alone means on 127.0.0.1
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse::listen, default_value = "127.0.0.1:9600")]
    pub listen: SocketAddr,
    /// The word that whoever sends a plan must know; needed where others than this machine can connect
    #[arg(long, value_name = "TOKEN", env = "LOADGEN_TOKEN", hide_env_values = true)]
    pub token: Option<String>,
    /// End after one plan
    #[arg(long)]
    pub once: bool,
}

/// The flags of `loadgen merge`.
#[derive(Debug, clap::Args)]
pub struct MergeArgs {
    /// JSON reports.
    #[arg(required = true, value_name = "FILE")]
    pub reports: Vec<PathBuf>,
    /// Write the merged report as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the merged report as a web page.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

//! The flags that say what must hold.

use std::time::Duration;

use super::parse;
use crate::verdict::Objectives;

/// The flags that say what must hold.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Objectives (exit code 99 if one is missed)")]
pub struct ObjectiveArgs {
    /// Part of the expected copies that may be lost
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent)]
    pub max_loss: Option<f64>,
    /// Part of the received copies that may arrive again
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent)]
    pub max_duplicates: Option<f64>,
    /// Longest median latency
    #[arg(long, value_name = "D", value_parser = parse::latency)]
    pub max_p50: Option<Duration>,
    /// Longest latency of 90 % of the copies
    #[arg(long, value_name = "D", value_parser = parse::latency)]
    pub max_p90: Option<Duration>,
    /// Longest latency of 99 % of the copies
    #[arg(long, value_name = "D", value_parser = parse::latency)]
    pub max_p99: Option<Duration>,
    /// Longest latency of 99.9 % of the copies
    #[arg(long, value_name = "D", value_parser = parse::latency)]
    pub max_p999: Option<Duration>,
    /// Longest latency of any copy
    #[arg(long, value_name = "D", value_parser = parse::latency)]
    pub max_latency: Option<Duration>,
    /// Part of the PINGs that may have no answer
    #[arg(long, value_name = "PERCENT", value_parser = parse::percent)]
    pub max_pong_loss: Option<f64>,
}

impl ObjectiveArgs {
    /// What must hold.
    pub fn resolve(&self) -> Objectives {
        Objectives {
            loss: self.max_loss,
            duplicates: self.max_duplicates,
            latency: [
                ("--max-p50", 0.5, self.max_p50),
                ("--max-p90", 0.9, self.max_p90),
                ("--max-p99", 0.99, self.max_p99),
                ("--max-p999", 0.999, self.max_p999),
                ("--max-latency", 1.0, self.max_latency),
            ]
            .into_iter()
            .filter_map(|(flag, part, limit)| Some((flag.to_owned(), part, limit?)))
            .collect(),
            pong_loss: self.max_pong_loss,
        }
    }
}

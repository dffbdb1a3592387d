//! The load generator's program.

use std::process::ExitCode;

use clap::Parser;
use loadgen::args::{Args, UsageError};

fn main() -> ExitCode {
    match loadgen::program::run(&Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("loadgen: {error:#}");
            if error.is::<UsageError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

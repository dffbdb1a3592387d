//! The relay's binary: configuration in, exit code out.

use std::process::ExitCode;

use relay::config::{self, Loaded};
use relay::{logging, server};

fn main() -> ExitCode {
    match config::load(std::env::args_os(), std::env::vars_os()) {
        Ok(loaded) => run(loaded),
        Err(exit) => exit.report(),
    }
}

fn run(loaded: Loaded) -> ExitCode {
    if loaded.setup.print_config {
        print!("{}", loaded.print_config());
        return ExitCode::SUCCESS;
    }
    if loaded.setup.check_config {
        println!("the configuration is valid");
        return ExitCode::SUCCESS;
    }
    logging::start(&loaded.setup);
    for warning in &loaded.setup.warnings {
        tracing::warn!("{warning}");
    }
    match server::run(loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("relay: {failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

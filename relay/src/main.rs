//! The relay's binary: configuration in, exit code out.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
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
    let setup = &loaded.setup;
    if setup.print_config || setup.check_config {
        setup.warnings.iter().for_each(|warning| complain(warning));
        return print(&match setup.print_config {
            true => loaded.print_config(),
            false => "the configuration is valid\n".to_owned(),
        });
    }
    logging::start(&loaded.setup);
    for warning in &loaded.setup.warnings {
        tracing::warn!("{warning}");
    }
    match server::run(loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

/// Writes to the standard output. A reader that has gone away has what it wanted; half a file on a full disk is an error.
fn print(text: &str) -> ExitCode {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            complain(&format_args!("cannot write to the standard output: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

/// One line for the operator; nobody can be told that the standard error is closed.
fn complain(what: &dyn Display) {
    let _ = writeln!(io::stderr(), "relay: {what}");
}

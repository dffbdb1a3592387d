//! The relay's binary: configuration in, exit code out.

use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::process::ExitCode;

use relay::config::{self, Examination, Loaded, Task};
use relay::{doctor, logging, server};

fn main() -> ExitCode {
    match config::load(std::env::args_os(), std::env::vars_os()) {
        Ok(loaded) => run(loaded),
        Err(exit) => exit.report(),
    }
}

fn run(loaded: Loaded) -> ExitCode {
    let setup = &loaded.setup;
    if let Task::Doctor(how) = loaded.task {
        return examine(&loaded, how);
    }
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

/// Exit code 1 also if the report cannot be written.
fn examine(loaded: &Loaded, how: Examination) -> ExitCode {
    loaded.setup.warnings.iter().for_each(|warning| complain(warning));
    if how.measure {
        let _ = writeln!(io::stderr(), "relay: measures both backends over loopback, for about ten seconds");
    }
    let report = match doctor::examine(loaded, how) {
        Ok(report) => report,
        Err(error) => {
            complain(&format_args!(
                "cannot look at this machine: {error}; run it where /proc and network sockets can be had"
            ));
            return ExitCode::from(2);
        }
    };
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = io::stdout().is_terminal() && !plain;
    match print(&if how.json { report.json() } else { report.text(colour) }) {
        ExitCode::SUCCESS => ExitCode::from(report.exit_code()),
        failure => failure,
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

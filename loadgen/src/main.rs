//! The load generator's program.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use loadgen::args::{Args, UsageError};

fn main() -> ExitCode {
    let matches = Args::command().display_name(called()).try_get_matches();
    let args = match matches.and_then(|matches| Args::from_arg_matches(&matches)) {
        Ok(args) => args,
        Err(error) => return refuse(&error),
    };
    match loadgen::program::run(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("loadgen: {error:#}");
            if error.is::<UsageError>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// Help and version as they are; a mistake in one line.
fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Nobody who reads it is no error.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    let what = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect::<Vec<_>>().join(" ");
    let what = what.strip_prefix("error: ").unwrap_or(&what);
    let no_task = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let what = if no_task { "what is to be done? run, capacity, worker or merge" } else { what };
    eprintln!("loadgen: {what}; see --help");
    ExitCode::from(2)
}

/// The name of the program's file: Debian installs it as `relay-loadgen`.
fn called() -> String {
    let path = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    path.file_name().map_or_else(|| "loadgen".into(), |name| name.to_string_lossy().into_owned())
}

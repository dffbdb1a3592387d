//! How people use it: a chat client for the relay and for the original UDPRelay server.

mod app;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

fn main() -> ExitCode {
    let command = app::Args::command().display_name(called());
    let args = app::Args::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    match app::run(&args) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("chat: {error:#}");
            app::Exit::Failed.into()
        }
    }
}

/// The name of the program's file: Debian, which has another `chat`, installs it as `relay-chat`.
fn called() -> String {
    let path = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    path.file_name().map_or_else(|| "chat".into(), |name| name.to_string_lossy().into_owned())
}

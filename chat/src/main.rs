//! How people use it: a chat client for the relay and for the original UDPRelay server.

mod app;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;

fn main() -> ExitCode {
    let command = app::Args::command().display_name(called());
    let args = app::Args::of(&command.get_matches()).unwrap_or_else(|error| error.exit());
    let exit =
        app::run(&args).unwrap_or_else(|error| app::fail(&args, &format!("{error:#}"), app::Exit::Failed));
    exit.into()
}

/// The name of the program's file: Debian, which has another `chat`, installs it as `relay-chat`.
fn called() -> String {
    let path = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    path.file_name().map_or_else(|| "chat".into(), |name| name.to_string_lossy().into_owned())
}

//! How people use it: a chat client for the relay and for the original UDPRelay server.

mod app;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match app::run(app::Args::parse()) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("chat: {error:#}");
            app::Exit::Failed.into()
        }
    }
}

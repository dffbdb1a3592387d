//! Writes the man pages and the completions of all programs, from what the programs themselves know of their flags.

mod completions;
mod page;

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use clap::{Command, CommandFactory};

/// A program as it is installed.
struct Program {
    command: Command,
    /// Of the manual: 1 for what users run, 8 for what the machine's operator does.
    section: &'static str,
    /// What no flag tells, in roff.
    more: &'static str,
}

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let [_, folder, date] = &args[..] else { bail!("usage: manual FOLDER YYYY-MM-DD") };
    let (pages, completions) = (Path::new(folder).join("man"), Path::new(folder).join("completions"));
    for folder in [&pages, &completions] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    for program in programs() {
        let name = program.command.get_name().to_owned();
        completions::write(&completions, &program.command)?;
        page::write(&pages, &program.command, &name, (program.section, date), program.more)?;
    }
    Ok(())
}

/// The notes of `chat` with its other name, except where a file is called after it.
fn renamed(notes: &str) -> String {
    let files = [("relay-relay-chat", "relay-chat"), ("docs/relay-chat.md", "docs/chat.md")];
    files
        .into_iter()
        .fold(notes.replace("chat", "relay-chat"), |notes, (wrong, right)| notes.replace(wrong, right))
}

/// Debian has another program called `chat`, and `loadgen` says too little among a machine's commands.
fn programs() -> [Program; 3] {
    let relay = relay::config::command();
    let loadgen = loadgen::args::Args::command().name("relay-loadgen").bin_name("relay-loadgen");
    let chat = chat::cli::Args::command().name("relay-chat").bin_name("relay-chat");
    // Its notes name it as it is called where it was built.
    let notes = chat.get_after_help().map(|notes| renamed(&notes.to_string()));
    let chat = chat.after_help(notes.unwrap_or_default());
    [
        Program { command: relay, section: "8", more: include_str!("relay.roff") },
        Program { command: loadgen, section: "1", more: include_str!("loadgen.roff") },
        Program { command: chat, section: "1", more: include_str!("chat.roff") },
    ]
}

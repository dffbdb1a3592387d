//! Writes the man pages and the completions of all programs, from what the programs themselves know of their flags.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;

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
    for mut program in programs() {
        let name = program.command.get_name().to_owned();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            generate_to(shell, &mut program.command, &name, &completions)?;
        }
        let command = program.command;
        write(&pages, &command, &name, (program.section, date), program.more)?;
    }
    Ok(())
}

/// Debian has another program called `chat`, and `loadgen` says too little among a machine's commands.
fn programs() -> [Program; 3] {
    let relay = relay::config::command();
    let loadgen = loadgen::args::Args::command().name("relay-loadgen").bin_name("relay-loadgen");
    let chat = chat::cli::Args::command().name("relay-chat").bin_name("relay-chat");
    [
        Program { command: relay, section: "8", more: include_str!("relay.roff") },
        Program { command: loadgen, section: "1", more: include_str!("loadgen.roff") },
        Program { command: chat, section: "1", more: include_str!("chat.roff") },
    ]
}

/// A page for the program and one for each of its tasks.
fn write(
    folder: &Path,
    command: &Command,
    name: &str,
    (section, date): (&str, &str),
    more: &str,
) -> anyhow::Result<()> {
    let tasks = || command.get_subcommands().filter(|task| !task.is_hide_set() && task.get_name() != "help");
    let page = Man::new(command.clone())
        .title(name.to_uppercase())
        .section(section)
        .date(date)
        .source("udp-relay")
        .manual("UDP group relay");
    let mut file = File::create(folder.join(format!("{name}.{section}")))?;
    page.render_title(&mut file)?;
    page.render_name_section(&mut file)?;
    page.render_synopsis_section(&mut file)?;
    page.render_description_section(&mut file)?;
    page.render_options_section(&mut file)?;
    if tasks().next().is_some() {
        page.render_subcommands_section(&mut file)?;
    }
    page.render_extra_section(&mut file)?;
    file.write_all(more.as_bytes())?;
    for task in tasks() {
        let see = format!(".SH \"SEE ALSO\"\n.BR {name} ({section})\n");
        write(folder, task, &format!("{name}-{}", task.get_name()), (section, date), &see)?;
    }
    Ok(())
}

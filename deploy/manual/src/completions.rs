//! The completions of a program for the shells of Debian.

use std::fs;
use std::path::Path;

use clap::builder::PossibleValuesParser;
use clap::{Arg, Command, ValueHint};
use clap_complete::{Shell, generate};

/// Levels of the log, which the flag's help names one by one.
const LEVELS: &str = "off|error|warn|info|debug|trace";

/// Writes a file for each shell, named as the shell wants it.
pub fn write(folder: &Path, command: &Command) -> anyhow::Result<()> {
    let name = command.get_name().to_owned();
    let files = [
        (Shell::Bash, format!("{name}.bash")),
        (Shell::Zsh, format!("_{name}")),
        (Shell::Fish, format!("{name}.fish")),
    ];
    for (shell, file) in files {
        let mut text = Vec::new();
        generate(shell, &mut with_values(command.clone()), &name, &mut text);
        let text = String::from_utf8(text)?;
        fs::write(folder.join(file), if shell == Shell::Bash { one_label(&name, &text) } else { text })?;
    }
    Ok(())
}

/// In its script for bash clap_complete writes a program's hyphen in one way where it sets the label of a task, in
/// another where it asks for it: no task of such a program would be completed.
fn one_label(name: &str, script: &str) -> String {
    script.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__"))
}

/// The programs parse words themselves, so that clap knows them by the value's name only: `auto|uring|mmsg`.
fn with_values(command: Command) -> Command {
    let command = command.mut_args(|arg| match words(&arg) {
        Some(words) => arg.value_parser(PossibleValuesParser::new(words)),
        None => hinted(arg),
    });
    command.mut_subcommands(with_values)
}

/// They live as long as this program, because clap takes no others.
fn words(arg: &Arg) -> Option<Vec<&'static str>> {
    let [name] = arg.get_value_names()? else { return None };
    let text: &'static str = if name == "LEVEL" { LEVELS } else { name.to_string().leak() };
    let words: Vec<_> = text.split('|').collect();
    let are_words = words.len() > 1 && words.iter().all(|word| word.chars().all(|c| c.is_ascii_lowercase()));
    are_words.then_some(words)
}

/// Files are offered where one is wanted, and nowhere else.
fn hinted(arg: Arg) -> Arg {
    if !arg.get_action().takes_values() || !arg.get_possible_values().is_empty() {
        return arg;
    }
    let is_file = arg.get_value_names().is_some_and(|names| names.iter().any(|name| name == "FILE"));
    arg.value_hint(if is_file { ValueHint::FilePath } else { ValueHint::Other })
}

//! What the documents name exists: files and headings behind links, and the flags of our own programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use xshell::{Shell, cmd};

use super::names;

/// Our own programs, with their subcommands whose help names further flags.
const PROGRAMS: [(&str, &[&str]); 4] = [
    ("relay", &["", "doctor"]),
    ("loadgen", &["", "run", "capacity", "worker", "merge"]),
    ("chat", &["", "send", "send-all", "reg", "dereg", "listen"]),
    (
        "xtask",
        &["", "test", "bench", "gate", "fuzz", "mutants", "sim", "soak", "faults", "reference", "tidy"],
    ),
];

/// Flags of podman and docker, which documents name without the program.
const CONTAINER_FLAGS: [&str; 6] = ["--env", "--network", "--publish", "--sysctl", "--ulimit", "--volume"];

/// Checks every tracked document in Markdown.
pub fn check(shell: &Shell, files: &[PathBuf], faults: &mut Vec<String>) -> anyhow::Result<()> {
    let flags = all_flags(shell)?;
    names::check(shell, files, &flags, faults)?;
    let documents = files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    for path in documents {
        let text = fs::read_to_string(path)?;
        let mut complain = |what: String| faults.push(format!("{}: {what}", path.display()));
        for link in links(&text) {
            if let Some(what) = broken(path, &link) {
                complain(what);
            }
        }
        for command in commands(&text) {
            for flag in command.split(" && ").flat_map(|part| unknown_flags(part, &flags)) {
                complain(format!("`{command}`: there is no flag {flag}"));
            }
        }
    }
    Ok(())
}

/// The flags of each of our programs.
pub type Flags = BTreeMap<&'static str, BTreeSet<String>>;

fn all_flags(shell: &Shell) -> anyhow::Result<Flags> {
    PROGRAMS.iter().map(|(program, tasks)| Ok((*program, flags(shell, program, tasks)?))).collect()
}

/// The flags that a program's own help names, for each of its tasks.
pub fn flags(shell: &Shell, program: &str, tasks: &[&str]) -> anyhow::Result<BTreeSet<String>> {
    let mut flags = BTreeSet::new();
    for task in tasks {
        let task = task.split_whitespace();
        let help = cmd!(shell, "cargo run --quiet --locked --bin {program} -- {task...} --help")
            .quiet()
            .read()
            .with_context(|| format!("the help of {program}"))?;
        let words = help.split(|c: char| c != '-' && !c.is_ascii_alphanumeric());
        flags.extend(words.filter(|word| word.len() > 2 && word.starts_with("--")).map(str::to_owned));
    }
    Ok(flags)
}

/// The lines outside of fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    lines(text).filter(|(_, language)| language.is_none()).map(|(line, _)| line)
}

/// All lines but the fences, with the language that the fence around them names, if there is one.
fn lines(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut language = None;
    text.lines().filter_map(move |line| {
        let Some(fence) = line.trim_start().strip_prefix("```") else { return Some((line, language)) };
        language = language.is_none().then_some(fence.trim());
        None
    })
}

/// The targets of links, but for those that lead out of the project.
fn links(text: &str) -> Vec<String> {
    let targets =
        prose(text).flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
}

/// Why a link leads nowhere.
fn broken(document: &Path, link: &str) -> Option<String> {
    let (file, anchor) = link.split_once('#').map_or((link, None), |(file, anchor)| (file, Some(anchor)));
    let target = match file {
        "" => document.to_owned(),
        file => document.parent()?.join(file),
    };
    if !target.exists() {
        return Some(format!("links to {file}, which does not exist"));
    }
    let anchor = anchor?;
    let text = fs::read_to_string(&target).ok()?;
    (!anchors(&text).contains(anchor)).then(|| format!("links to {link}, but there is no such heading"))
}

/// The anchors of a document's headings, as the usual renderers make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let slug = |heading: &str| {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}

/// What can be typed: the lines of shell commands without their comments, and what stands between backticks.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut continued = String::new();
    for (line, language) in lines(text) {
        match language {
            Some("sh") => {}
            Some(_) => continue,
            None => {
                commands.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
                continue;
            }
        }
        let line = line.split(" #").next().unwrap_or_default().trim();
        match line.strip_suffix('\\') {
            Some(part) => continued += part,
            None => commands.push(std::mem::take(&mut continued) + line),
        }
    }
    commands
}

/// Flags in a command of one of our programs, or alone, that no such program has.
fn unknown_flags<'a>(command: &'a str, flags: &Flags) -> Vec<&'a str> {
    let words: Vec<&str> = command.split_whitespace().collect();
    // `cargo run --bin relay -- --port 5` and `cargo xtask test` are ours from behind the program's name.
    let start = words.iter().position(|word| PROGRAMS.iter().any(|(program, _)| is_program(word, program)));
    let is_flag = |word: &&str| word.starts_with("--") && word.len() > 2;
    let known: Vec<&BTreeSet<String>> = match start {
        Some(start) => PROGRAMS
            .iter()
            .filter(|(program, _)| is_program(words[start], program))
            .filter_map(|(program, _)| flags.get(program))
            .collect(),
        None if words.first().is_some_and(is_flag) => flags.values().collect(),
        None => return Vec::new(),
    };
    let own = words.iter().skip(start.map_or(0, |start| start + 1));
    let own = own.take_while(|word| !matches!(**word, "|" | ">" | "&&" | ";"));
    let names = own.filter(|word| is_flag(word)).map(|word| word.split('=').next().unwrap_or(word));
    let clean = names.map(|name| name.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()));
    let foreign = |name: &&str| start.is_none() && CONTAINER_FLAGS.contains(name);
    clean.filter(|name| !foreign(name) && !known.iter().any(|known| known.contains(*name))).collect()
}

fn is_program(word: &str, program: &str) -> bool {
    word == program || word.ends_with(&format!("/{program}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_somewhere() {
        let text = "# A title: with `code`\nsee [here](#a-title-with-code), [there](https://x)\n```\n[no](link)\n```\n";
        assert_eq!(links(text), ["#a-title-with-code"]);
        assert!(anchors(text).contains("a-title-with-code"));
        assert!(broken(Path::new("/no/such.md"), "other.md").is_some());
    }

    #[test]
    fn flags_belong_to_the_program_of_their_line() {
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let flags = Flags::from([("relay", of(&["--port"])), ("loadgen", of(&["--rate"]))]);
        let unknown = |command| unknown_flags(command, &flags);
        assert_eq!(unknown("cargo run --release --bin relay -- --port 5 --rate=1"), ["--rate"]);
        assert_eq!(unknown("./target/release/loadgen run --rate 5 | tool --fast"), Vec::<&str>::new());
        assert_eq!(unknown("--port 5"), Vec::<&str>::new());
        assert_eq!(unknown("--ports=5"), ["--ports"]);
        assert_eq!(unknown("podman run --network host"), Vec::<&str>::new());
    }

    #[test]
    fn commands_are_lines_of_code_and_code_in_lines() {
        let text = "Use `a --b`, or\n```sh\nc \\\n  --d # comment\n```\n";
        assert_eq!(commands(text), ["a --b", "c --d"]);
    }
}

//! `cargo xtask gate`: fails when a step of the hot path takes more, or fewer, instructions than was committed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde::Deserialize;
use xshell::{Shell, cmd};

/// What was committed, from the root of the workspace.
const COMMITTED: &str = "relay/benches/instructions/counts.txt";

/// The steps' program.
const BENCH: &str = "instructions";

/// A count may differ by so many percent of what was committed, in either direction.
const TOLERANCE: u64 = 3;

/// What the counts hold for: other processors have other instructions.
const ARCHITECTURE: &str = "x86_64";

/// The C library picks its string functions by the processor: these settings leave it those of every x86-64.
const PLAIN_PROCESSOR: &str = "glibc.cpu.hwcaps=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,\
     -AVX_Fast_Unaligned_Load,-BMI1,-BMI2,-ERMS,-FSRM,-LZCNT,-MOVBE,-POPCNT,-RTM,-SSE3,-SSSE3,-SSE4_1,-SSE4_2";

/// Instructions of each step, by its name.
type Counts = BTreeMap<String, u64>;

/// What is counted, and with what.
#[derive(Clone, Copy, clap::Args)]
pub struct Options {
    /// Write the counts into the file to commit, instead of comparing them with it.
    #[arg(long)]
    write: bool,
}

/// Compares with what was committed.
pub fn check(shell: &Shell) -> anyhow::Result<()> {
    run(shell, Options { write: false })
}

/// Counts, and compares or writes.
pub fn run(shell: &Shell, options: Options) -> anyhow::Result<()> {
    if std::env::consts::ARCH != ARCHITECTURE {
        println!("not counted: the committed counts are those of {ARCHITECTURE}");
        return Ok(());
    }
    let counts = count(shell)?;
    if options.write {
        fs::write(COMMITTED, render(&counts)?).with_context(|| format!("cannot write {COMMITTED}"))?;
        println!("wrote {COMMITTED}: commit it, and say in the commit why the counts have changed");
        return Ok(());
    }
    let text = fs::read_to_string(COMMITTED).with_context(|| format!("cannot read {COMMITTED}"))?;
    let faults = compare(&parse(&text)?, &counts);
    if !faults.is_empty() {
        bail!(
            "{} of {} counts are not as in {COMMITTED}:\n{}\n\
             If that is meant, `cargo xtask gate --write` renews the file; commit it with the reason.",
            faults.len(),
            counts.len(),
            faults.join("\n")
        );
    }
    Ok(())
}

fn count(shell: &Shell) -> anyhow::Result<Counts> {
    let program = build(shell)?;
    let names = cmd!(shell, "{program}").quiet().read()?;
    let mut counts = Counts::new();
    for name in names.lines() {
        let count = count_step(shell, &program, name).with_context(|| format!("cannot count \"{name}\""))?;
        println!("{count:>12}  {name}");
        counts.insert(name.to_owned(), count);
    }
    Ok(counts)
}

#[derive(Deserialize)]
struct Built {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Builds the steps as the release is built, whatever this machine's settings say.
fn build(shell: &Shell) -> anyhow::Result<PathBuf> {
    let settings = [
        ("CARGO_PROFILE_RELEASE_LTO", "fat"),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
        ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
        ("CARGO_ENCODED_RUSTFLAGS", ""),
    ];
    let _settings = settings.map(|(name, value)| shell.push_env(name, value));
    let build = format!("build --locked --release -p relay --bench {BENCH}");
    let build = build.split(' ');
    let messages = cmd!(shell, "cargo {build...} --message-format json-render-diagnostics").read()?;
    let mut built = messages.lines().filter_map(|line| serde_json::from_str::<Built>(line).ok());
    // The package's program is built with it.
    let bench = built.find(|built| built.target.name == BENCH && built.executable.is_some());
    bench.and_then(|built| built.executable).context("cargo names no program")
}

fn count_step(shell: &Shell, program: &PathBuf, name: &str) -> anyhow::Result<u64> {
    let callgrind = "--tool=callgrind --callgrind-out-file=/dev/null --collect-atstart=no --toggle-collect=*instructions_counted*";
    let callgrind = callgrind.split(' ');
    // The environment lies on the stack, and its length decides where that begins.
    let run = cmd!(
        shell,
        "env -i PATH=/usr/bin:/bin GLIBC_TUNABLES={PLAIN_PROCESSOR} valgrind {callgrind...} {program} {name}"
    );
    let log =
        run.quiet().read_stderr().context("valgrind is installed by `cargo xtask test --only machine`")?;
    collected(&log)
        .filter(|count| *count > 0)
        .with_context(|| format!("callgrind has counted nothing:\n{log}"))
}

/// The number in `==1234== Collected : 5678`.
fn collected(log: &str) -> Option<u64> {
    let line = log.lines().find_map(|line| line.split_once("Collected :"))?.1;
    line.trim().parse().ok()
}

const HEADER: &str = "# Instructions of each step, counted by callgrind: `cargo xtask gate` compares, `cargo xtask gate --write` renews.\n";

fn render(counts: &Counts) -> anyhow::Result<String> {
    let mut text = HEADER.to_owned();
    for (name, count) in counts {
        writeln!(text, "{count:>12}  {name}")?;
    }
    Ok(text)
}

fn parse(text: &str) -> anyhow::Result<Counts> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let entry = |line: &str| {
        let (count, name) = line.trim_start().split_once("  ")?;
        Some((name.to_owned(), count.parse().ok()?))
    };
    lines.map(|line| entry(line).with_context(|| format!("{COMMITTED} has no count in: {line}"))).collect()
}

/// What differs too much, and what only one of them has.
fn compare(committed: &Counts, counted: &Counts) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, &now) in counted {
        let Some(&before) = committed.get(name) else {
            faults.push(format!("{name}: {now}, and nothing was committed"));
            continue;
        };
        if now.abs_diff(before) * 100 > before * TOLERANCE {
            let verdict = if now > before { "slower" } else { "faster" };
            let change = (now as f64 / before as f64 - 1.0) * 100.0;
            faults.push(format!("{name}: {before} -> {now}, {change:+.1} % ({verdict})"));
        }
    }
    let gone = committed.keys().filter(|name| !counted.contains_key(*name));
    faults.extend(gone.map(|name| format!("{name}: was committed and is no step any more")));
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(entries: &[(&str, u64)]) -> Counts {
        entries.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn three_percent_are_tolerated_in_both_directions() {
        let committed = counts(&[("a", 1000)]);
        let faults = |now| compare(&committed, &counts(&[("a", now)])).len();
        assert_eq!([970, 1000, 1030].map(faults), [0; 3]);
        assert_eq!([969, 1031, 0].map(faults), [1; 3]);
    }

    #[test]
    fn steps_that_only_one_side_has_are_faults() {
        let faults = compare(&counts(&[("a", 1), ("b", 1)]), &counts(&[("b", 1), ("c", 1)]));
        assert_eq!(faults, ["c: 1, and nothing was committed", "a: was committed and is no step any more"]);
    }

    #[test]
    fn what_is_written_is_read() {
        let counts =
            counts(&[("engine: 64 payloads, 1,000 sessions", 7), ("wire: decode", 1_234_567_890_123)]);
        assert_eq!(parse(&render(&counts).unwrap()).unwrap(), counts);
        assert!(parse("no number  of a step").is_err());
    }

    #[test]
    fn the_count_is_found_in_the_log() {
        assert_eq!(collected("==7== Events    : Ir\n==7== Collected : 5678\n==7== \n"), Some(5678));
        assert_eq!(collected("==7== valgrind: no such tool"), None);
    }
}

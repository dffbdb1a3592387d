//! `cargo xtask fuzz`: searches for bytes that break something, guided by what they reach.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

/// The targets' names; each is a program of the crate `fuzz`.
const TARGETS: [&str; 5] = ["decoder", "people", "sequences", "configuration", "stamps"];

/// Of what is built for it: counters at every edge, as cargo-fuzz asks for them, without a nightly toolchain.
const FLAGS: &str = "--cfg fuzzing -Cdebug-assertions -Coverflow-checks -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=3 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table";

/// Where it is built, and where findings are left.
const FOLDER: &str = "target/fuzzing";

/// Naming the platform keeps the counters out of build scripts.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Longest inputs in bytes: several times what the shortest interesting one takes.
const LONGEST: &str = "512";

/// Seconds that one input may take: more than a machine that is busy, or stopped for a while, makes of the usual millisecond.
const TIMEOUT: &str = "600";

/// Inputs that reach rare places are not preferred: to keep count of how rare each place is took half of the time.
const ENTROPIC: &str = "0";

/// What is searched, and for how long.
#[derive(clap::Args)]
pub struct Options {
    /// Only this target.
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
    /// Inputs to try of each.
    #[arg(long, default_value_t = 200_000)]
    executions: u64,
    /// Write what reaches new places into the corpus to commit, the least that reaches all of them.
    #[arg(long)]
    write: bool,
}

/// A while for each target.
pub fn check(shell: &Shell) -> anyhow::Result<()> {
    run(shell, &Options { target: None, executions: 1_000_000, write: false })
}

/// Searches, and fails at the first finding.
pub fn run(shell: &Shell, options: &Options) -> anyhow::Result<()> {
    for target in TARGETS.iter().filter(|name| options.target.as_ref().is_none_or(|only| only == *name)) {
        build(shell, target)?;
        search(shell, target, options).with_context(|| format!("{target}: see {FOLDER}/findings"))?;
    }
    Ok(())
}

fn build(shell: &Shell, target: &str) -> anyhow::Result<()> {
    // Fat link-time optimisation costs minutes and finds nothing.
    let settings = [
        ("RUSTFLAGS", FLAGS),
        ("CARGO_PROFILE_RELEASE_LTO", "off"),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ];
    let _settings = settings.map(|(name, value)| shell.push_env(name, value));
    cmd!(shell, "cargo build --locked --release -p fuzz --features libfuzzer --bin {target} --target {PLATFORM} --target-dir {FOLDER}")
        .run()
        .context("libFuzzer needs a C++ compiler (package g++)")
}

fn search(shell: &Shell, target: &str, options: &Options) -> anyhow::Result<()> {
    let program = format!("{FOLDER}/{PLATFORM}/release/{target}");
    let found = format!("{FOLDER}/corpus/{target}");
    let findings = format!("{FOLDER}/findings/");
    let committed = format!("fuzz/corpus/{target}.hex");
    fs::create_dir_all(&findings)?;
    unpack(Path::new(&committed), Path::new(&found))?;
    let dictionary = format!("fuzz/dictionaries/{target}.txt");
    let dictionary = Path::new(&dictionary).exists().then(|| format!("-dict={dictionary}"));
    let runs = options.executions.to_string();
    let bounds = ["-max_len=", LONGEST, "-timeout=", TIMEOUT, "-entropic=", ENTROPIC];
    let bounds: Vec<String> = bounds.chunks(2).map(<[&str]>::concat).collect();
    cmd!(shell, "{program} -runs={runs} -print_final_stats=1 -artifact_prefix={findings} {bounds...} {dictionary...} {found}")
        .run()?;
    if options.write {
        let least = format!("{FOLDER}/least/{target}");
        shell.remove_path(&least)?;
        fs::create_dir_all(&least)?;
        cmd!(shell, "{program} -set_cover_merge=1 -max_len={LONGEST} {least} {found}")
            .ignore_stderr()
            .run()?;
        pack(Path::new(&least), Path::new(&committed))?;
    }
    Ok(())
}

/// One file for each line of hexadecimal digits.
fn unpack(committed: &Path, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    if !committed.exists() {
        return Ok(());
    }
    for (number, line) in fs::read_to_string(committed)?.lines().enumerate() {
        let pairs = line
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair)?, 16).map_err(anyhow::Error::from));
        let bytes: Vec<u8> = pairs
            .collect::<Result<_, _>>()
            .with_context(|| format!("{}:{}", committed.display(), number + 1))?;
        fs::write(folder.join(format!("committed-{number}")), bytes)?;
    }
    Ok(())
}

/// Sorted, so that a change shows what is new.
fn pack(folder: &Path, committed: &Path) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(folder)? {
        let mut line = String::new();
        for byte in fs::read(entry?.path())? {
            write!(line, "{byte:02x}")?;
        }
        lines.push(line);
    }
    if lines.is_empty() {
        bail!("nothing was found worth keeping");
    }
    lines.sort_unstable();
    lines.push(String::new());
    println!("{}: {} inputs", committed.display(), lines.len() - 1);
    Ok(fs::write(committed, lines.join("\n"))?)
}

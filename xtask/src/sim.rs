//! `cargo xtask sim`: the simulator, and the planted bugs that it has to find.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

/// The seeds of every run of the tests.
const FIXED_SEEDS: u64 = 100;

/// Seconds of fresh seeds in every run of the tests.
const FRESH_SECONDS: u64 = 300;

/// Threads in the tests.
const THREADS: u64 = 2;

/// Seeds that a planted bug may take to be found.
const SEEDS_FOR_A_BUG: u64 = 300;

/// Where the planted bugs are, and what is copied for them.
const BUGS: &str = "crates/sim/bugs";

/// What to simulate; without anything a hundred seeds.
#[derive(clap::Args)]
pub struct Options {
    /// Plants each of the bugs in a copy of the tree, and tells whether it is found, and by how many seeds.
    #[arg(long)]
    bugs: bool,
    /// `--seed S`, `--seeds N`, `--hours H`, `--seconds N`, `--threads N`, `--hashes`: as `sim --help` says.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

/// The fixed seeds, then fresh ones for a while.
pub fn check(shell: &Shell) -> anyhow::Result<()> {
    let (threads, seeds, seconds) = (THREADS.to_string(), FIXED_SEEDS.to_string(), FRESH_SECONDS.to_string());
    cmd!(shell, "cargo run --locked -p sim -- --threads {threads} --seed 1 --seeds {seeds}").run()?;
    Ok(cmd!(shell, "cargo run --locked -p sim -- --threads {threads} --seconds {seconds}").run()?)
}

/// Runs what was asked for.
pub fn run(shell: &Shell, options: &Options) -> anyhow::Result<()> {
    if options.bugs {
        return find_bugs(shell);
    }
    let mut wanted = options.options.clone();
    if wanted.is_empty() {
        wanted = ["--seeds", "100"].map(str::to_owned).to_vec();
    }
    Ok(cmd!(shell, "cargo run --locked -p sim -- {wanted...}").run()?)
}

/// Every planted bug has to be found.
pub fn find_bugs(shell: &Shell) -> anyhow::Result<()> {
    let mut patches: Vec<PathBuf> =
        fs::read_dir(BUGS)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    patches.sort();
    let copy = shell.create_temp_dir()?;
    let mut missed = Vec::new();
    for patch in &patches {
        let name = patch.file_stem().context("a name")?.to_string_lossy().into_owned();
        let found = find_bug(shell, copy.path(), &fs::canonicalize(patch)?)?;
        let verdict = found.as_deref().unwrap_or("NOT FOUND");
        println!("{name:<20} {verdict}");
        missed.extend(found.is_none().then_some(name));
    }
    if !missed.is_empty() {
        bail!("{} of {} planted bugs were not found: {}", missed.len(), patches.len(), missed.join(", "));
    }
    Ok(())
}

/// What does not hold in a copy of the tree with this patch, and by which seed from 1 on that is found.
fn find_bug(shell: &Shell, copy: &Path, patch: &Path) -> anyhow::Result<Option<String>> {
    // What is committed or about to be, without what was built.
    let listed = cmd!(shell, "git ls-files --cached --others --exclude-standard").quiet().read()?;
    let files = listed.lines().filter(|file| Path::new(file).is_file());
    cmd!(shell, "cp --parents --target-directory {copy} {files...}").quiet().run()?;
    let _folder = shell.push_dir(copy);
    cmd!(shell, "patch --quiet --strip 1 --input {patch}").run()?;
    let seeds = SEEDS_FOR_A_BUG.to_string();
    let output = cmd!(shell, "cargo run --quiet --locked -p sim -- --first --seed 1 --seeds {seeds}")
        .ignore_status()
        .quiet()
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let failing = text.lines().find_map(|line| line.strip_prefix("seed ")?.split_once(" fails;"));
    let is_violation = |line: &&str| ["at ", "people: "].iter().any(|start| line.starts_with(start));
    let violation = text.lines().find(is_violation).unwrap_or_default();
    let start: String = violation.chars().take(120).collect();
    Ok(failing.map(|(seed, _)| format!("found by seed {seed}, {start}")))
}

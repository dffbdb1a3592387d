//! `cargo xtask mutants`: small changes of the code, each of which some test must notice.

use anyhow::bail;
use xshell::{Shell, cmd};

/// Of cargo-mutants, which is installed below `target/`.
const VERSION: &str = "27.1.0";
const TOOL: &str = "target/mutants-tool";

/// Where each change is built, one upon the other: a second for the unit tests, five for all.
const FOLDER: &str = "target/mutants";

/// Cases of a property test. An eighth of the usual finds nearly all that it can find, and takes seconds less for each survivor.
const CASES: &str = "32";

/// What cargo-mutants returns when every change was noticed: by a failure, or some by the end of their time.
const NOTICED: [i32; 2] = [0, 3];

/// What is changed.
#[derive(clap::Args)]
pub struct Options {
    /// Only mutants whose file matches one of these globs, such as `crates/engine/src/roster.rs`.
    #[arg(long)]
    file: Vec<String>,
}

/// Everything; `.cargo/mutants.toml` says what is left out, and why.
pub fn check(shell: &Shell) -> anyhow::Result<()> {
    run(shell, &Options { file: Vec::new() })
}

/// Fails if a mutant survives.
pub fn run(shell: &Shell, options: &Options) -> anyhow::Result<()> {
    cmd!(shell, "cargo install --quiet cargo-mutants --version {VERSION} --locked --root {TOOL}").run()?;
    // Of earlier runs: what was noticed then may not be any more.
    for output in ["mutants.out", "mutants.out.old"] {
        shell.remove_path(format!("{FOLDER}/{output}"))?;
    }
    shell.create_dir(format!("{FOLDER}/trees"))?;
    let absolute = |folder: &str| shell.current_dir().join(FOLDER).join(folder);
    let settings = [
        ("CARGO_INCREMENTAL", "1".into()),
        ("CARGO_PROFILE_DEV_DEBUG", "0".into()),
        ("CARGO_TARGET_DIR", absolute("build")),
        ("PROPTEST_CASES", CASES.into()),
        ("TMPDIR", absolute("trees")),
    ];
    let _settings = settings.map(|(name, value)| shell.push_env(name, value));
    // Most are noticed by the tests beside them, which are built and run in a fraction of the time.
    search(shell, options, &["-C=--lib"])?;
    let result = search(shell, options, &["--iterate"])?;
    if !NOTICED.contains(&result) {
        bail!("mutants survive, or nothing could be tried: see {FOLDER}/mutants.out");
    }
    Ok(())
}

/// Tries the changes; what cargo-mutants returns.
fn search(shell: &Shell, options: &Options, arguments: &[&str]) -> anyhow::Result<i32> {
    let file = options.file.iter().flat_map(|glob| ["--file", glob]);
    // The tests of the changed crate alone: what only the tests of others notice is not tested where it should be.
    let output = cmd!(
        shell,
        "{TOOL}/bin/cargo-mutants mutants -p wire -p engine -p people -p store {file...} --no-shuffle --output {FOLDER} {arguments...}"
    );
    Ok(std::process::Command::from(output).status()?.code().unwrap_or(-1))
}

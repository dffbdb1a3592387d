//! `cargo xtask mutants`: small changes of the code, each of which some test must notice.

use xshell::{Shell, cmd};

/// Of cargo-mutants, which is installed below `target/`.
const VERSION: &str = "27.1.0";
const TOOL: &str = "target/mutants-tool";

/// What is changed.
#[derive(clap::Args)]
pub struct Options {
    /// Only mutants whose file matches this glob, such as `crates/engine/src/roster.rs`.
    #[arg(long)]
    file: Option<String>,
}

/// Everything; `.cargo/mutants.toml` says what is left out, and why.
pub fn check(shell: &Shell) -> anyhow::Result<()> {
    run(shell, &Options { file: None })
}

/// Fails if a mutant survives.
pub fn run(shell: &Shell, options: &Options) -> anyhow::Result<()> {
    cmd!(shell, "cargo install --quiet cargo-mutants --version {VERSION} --locked --root {TOOL}").run()?;
    let file = options.file.iter().flat_map(|glob| ["--file", glob]);
    // The tests of the changed crate alone: what only the tests of others notice is not tested where it should be.
    Ok(cmd!(
        shell,
        "{TOOL}/bin/cargo-mutants mutants -p wire -p engine {file...} --no-shuffle --output target/mutants"
    )
    .run()?)
}

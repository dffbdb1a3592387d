//! The steps of `cargo xtask test`.

use std::time::Instant;

use anyhow::{Context, bail};
use xshell::{PushEnv, Shell, cmd};

use crate::bench::release_folder;
use crate::{
    dashboards, deploy, faults, fuzz, gate, machine, mutants, package, sanitizers, sim, soak, supply, tidy,
};

type Step = (&'static str, fn(&Shell) -> anyhow::Result<()>);

/// In the order of their cost, so that what fails often fails early.
const STEPS: [Step; 15] = [
    ("machine", machine::prepare),
    ("format", |shell| Ok(cmd!(shell, "cargo fmt --all --check").run()?)),
    ("tidy", tidy::check),
    ("licences and sources of all crates", supply::check),
    ("clippy", |shell| {
        Ok(cmd!(shell, "cargo clippy --locked --workspace --all-targets -- -D warnings").run()?)
    }),
    ("instruction counts of the hot path", gate::check),
    ("unit, property and contract tests", |shell| {
        Ok(cmd!(shell, "cargo test --locked --workspace --exclude relay --exclude loadgen --exclude chat")
            .run()?)
    }),
    ("unit tests of the programs", |shell| {
        cmd!(shell, "cargo test --locked -p relay --lib --bins --test turns --test allocations").run()?;
        cmd!(shell, "cargo test --locked -p chat --lib --bins --test program").run()?;
        Ok(cmd!(shell, "cargo test --locked -p loadgen --lib --bins").run()?)
    }),
    ("loom", loom),
    ("simulation: fixed and fresh seeds", sim::check),
    ("end to end, on the release binaries", end_to_end),
    ("watched: alerts and dashboards, with Prometheus", watched),
    ("installed: container, Kubernetes, compose", |shell| {
        deploy::check(shell)?;
        let _programs = release_programs(shell)?;
        Ok(cmd!(shell, "cargo test --locked -p relay --test e2e -- container::").run()?)
    }),
    ("the Debian package, on the release binaries", package::check),
    ("documentation", |shell| {
        let _flags = shell.push_env("RUSTDOCFLAGS", "-D warnings");
        cmd!(shell, "cargo test --locked --workspace --doc").run()?;
        Ok(cmd!(shell, "cargo doc --locked --workspace --no-deps --document-private-items").run()?)
    }),
];

/// What takes too long for every commit.
const LONG: [Step; 6] = [
    ("AddressSanitizer", sanitizers::address),
    ("ThreadSanitizer", sanitizers::thread),
    ("fuzzing", fuzz::check),
    ("mutants", mutants::check),
    ("planted bugs for the simulator", sim::find_bugs),
    ("soak: an hour of churn, attacks and reloads", soak::hour),
];

/// Runs the steps; the first that fails ends the run.
pub fn run(shell: &Shell, long: bool, only: Option<&str>) -> anyhow::Result<()> {
    // The same cases in every run, unless somebody asks for others.
    let seed = std::env::var("PROPTEST_RNG_SEED").unwrap_or_else(|_| "5000".to_owned());
    let _seed = shell.push_env("PROPTEST_RNG_SEED", seed);
    let _cases = long.then(|| shell.push_env("PROPTEST_CASES", "100000"));
    let steps = || STEPS.iter().chain(LONG.iter().filter(|_| long));
    let _stories = long.then(|| shell.push_env("RELAY_LONG", "1"));
    let chosen: Vec<&Step> =
        steps().filter(|(name, _)| only.is_none_or(|only| name.contains(only))).collect();
    if chosen.is_empty() {
        let names: Vec<&str> = steps().map(|(name, _)| *name).collect();
        bail!("no step has that text in its name; the steps are: {}", names.join("; "));
    }
    let mut summary = String::new();
    for (name, step) in chosen {
        println!("\n==== {name}");
        let start = Instant::now();
        step(shell).with_context(|| format!("the step \"{name}\" failed"))?;
        summary += &format!("{:>6} s  {name}\n", start.elapsed().as_secs());
    }
    println!("\nall checks passed\n{summary}");
    Ok(())
}

/// Loom needs the whole crate compiled for it, so it gets a target folder of its own.
fn loom(shell: &Shell) -> anyhow::Result<()> {
    let _flags = shell.push_env("RUSTFLAGS", "--cfg loom");
    Ok(cmd!(shell, "cargo test --locked -p engine --release --target-dir target/loom --lib loom").run()?)
}

/// Builds the release binaries, and has the stories told of them. The stories themselves are built as all tests are:
/// the optimisation of whole programs would take longer than telling them.
pub fn release_programs(shell: &Shell) -> anyhow::Result<PushEnv<'_>> {
    cmd!(shell, "cargo build --locked --release --bins").run()?;
    Ok(shell.push_env("RELAY_PROGRAMS", release_folder(shell)?))
}

fn end_to_end(shell: &Shell) -> anyhow::Result<()> {
    let _programs = release_programs(shell)?;
    faults::beside_the_long_one(shell, || {
        cmd!(shell, "cargo test --locked -p relay --test e2e -- --skip watched:: --skip container::")
            .run()?;
        cmd!(shell, "cargo test --locked -p chat --test e2e").run()?;
        Ok(cmd!(shell, "cargo test --locked -p loadgen --test *").run()?)
    })?;
    Ok(())
}

fn watched(shell: &Shell) -> anyhow::Result<()> {
    dashboards::check(shell)?;
    let _programs = release_programs(shell)?;
    Ok(cmd!(shell, "cargo test --locked -p relay --test e2e -- watched::").run()?)
}

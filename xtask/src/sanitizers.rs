//! The tests of what has `unsafe` code or several threads, under the sanitizers that come with the toolchain.

use xshell::{Shell, cmd};

/// The pinned toolchain has the sanitizers' libraries and hides the option.
const UNHIDE: (&str, &str) = ("RUSTC_BOOTSTRAP", "1");

/// Naming the platform keeps the flags out of build scripts and procedural macros.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// Cases of a property test, each of which takes ten times as long here. That all of a long run have their property is shown without
/// sanitizers.
const CASES: (&str, &str) = ("PROPTEST_CASES", "1000");

/// Memory: the one crate that has `unsafe` code, with every test of its contract, on all drivers.
pub fn address(shell: &Shell) -> anyhow::Result<()> {
    let _options = shell.push_env("LSAN_OPTIONS", suppressions(shell, "address"));
    let _flags = [UNHIDE, CASES, ("RUSTFLAGS", "-Zsanitizer=address -Cforce-frame-pointers")]
        .map(|(name, value)| shell.push_env(name, value));
    Ok(cmd!(
        shell,
        "cargo test --locked -p net --tests --target {PLATFORM} --target-dir target/sanitizers/address"
    )
    .run()?)
}

/// Races: engines of several shards at work on the same groups.
pub fn thread(shell: &Shell) -> anyhow::Result<()> {
    // The standard library is not built for it: what is inlined of its locks and counters is seen, the fence before an
    // `Arc` frees its content is not.
    let _options = shell.push_env("TSAN_OPTIONS", suppressions(shell, "thread"));
    let flags = "--cfg spinning -Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer";
    let _flags = [UNHIDE, ("RUSTFLAGS", flags)].map(|(name, value)| shell.push_env(name, value));
    let folder = "target/sanitizers/thread";
    Ok(cmd!(shell, "cargo test --locked -p engine --test threads --target {PLATFORM} --target-dir {folder}")
        .run()?)
}

/// Test programs run in their crate's folder, so the path is absolute.
fn suppressions(shell: &Shell, name: &str) -> String {
    format!("suppressions={}/xtask/src/sanitizers/{name}.txt", shell.current_dir().display())
}

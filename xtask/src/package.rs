//! The Debian package: built from the release binaries, judged by lintian, installed and removed for real.

mod notices;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

const CARGO_DEB: &str = "3.8.0";

/// Where everything of the package is made.
const FOLDER: &str = "target/package";

/// The highest exposure that `systemd-analyze security` may find, in tenths.
const EXPOSURE: &str = "15";

/// Builds the package and says where it is.
pub fn build(shell: &Shell) -> anyhow::Result<()> {
    cmd!(shell, "cargo build --locked --release --bins").run()?;
    println!("{}", package(shell)?.display());
    Ok(())
}

/// Builds it from the release binaries that are there, twice, and tries it. Root is needed for the installation.
pub fn check(shell: &Shell) -> anyhow::Result<()> {
    check_unit(shell)?;
    let path = package(shell)?;
    let first = fs::read(&path)?;
    if fs::read(package(shell)?)? != first {
        bail!("two packages of the same binaries differ");
    }
    cmd!(shell, "lintian --fail-on error,warning,info,pedantic --info --tag-display-limit 0 {path}").run()?;
    let man = fs::read_dir(format!("{FOLDER}/man"))?.map(|page| Ok(page?.path()));
    let pages = man.collect::<anyhow::Result<Vec<_>>>()?;
    // Its warnings are about empty lines that clap_mangen writes around lists.
    cmd!(shell, "mandoc -T lint -W error {pages...}").run()?;
    Ok(cmd!(shell, "deploy/debian/try.sh {path}").run()?)
}

/// The service is as confined as it can be.
fn check_unit(shell: &Shell) -> anyhow::Result<()> {
    let unit = "deploy/systemd/relay.service";
    Ok(cmd!(shell, "systemd-analyze security --no-pager --offline=true --threshold={EXPOSURE} {unit}")
        .run()?)
}

fn package(shell: &Shell) -> anyhow::Result<PathBuf> {
    let cargo_deb = cargo_deb(shell)?;
    let (date, seconds) = last_commit(shell)?;
    cmd!(shell, "rm -rf {FOLDER}").run()?;
    cmd!(shell, "cargo run --quiet --locked -p manual -- {FOLDER} {date}").run()?;
    notices::write(shell, &format!("{FOLDER}/NOTICES"))?;
    let _time = shell.push_env("SOURCE_DATE_EPOCH", seconds);
    let path =
        cmd!(shell, "{cargo_deb} --quiet --locked -p relay --no-build --strip --output {FOLDER}/").read()?;
    path.lines().next_back().map(PathBuf::from).context("cargo-deb says where the package is")
}

/// The date of the last commit, for people and in seconds: what is made of the same sources is the same.
fn last_commit(shell: &Shell) -> anyhow::Result<(String, String)> {
    let both = cmd!(shell, "git log -1 --format=%cs/%ct").quiet().read()?;
    let (date, seconds) = both.split_once('/').context("git tells two dates")?;
    Ok((date.to_owned(), seconds.to_owned()))
}

/// The pinned cargo-deb, unoptimised: it is built in half a minute and used for seconds.
fn cargo_deb(shell: &Shell) -> anyhow::Result<PathBuf> {
    let path = shell.current_dir().join("target/tools/bin/cargo-deb");
    if !is_pinned(shell, &path)? {
        let small = ["--debug", "--config", "profile.dev.debug=false"];
        cmd!(shell, "cargo install --quiet --locked {small...} --root target/tools cargo-deb@{CARGO_DEB}")
            .run()?;
        if !is_pinned(shell, &path)? {
            bail!("the cargo-deb that was just installed is not taken for {CARGO_DEB}");
        }
    }
    Ok(path)
}

fn is_pinned(shell: &Shell, path: &Path) -> anyhow::Result<bool> {
    Ok(path.is_file() && cmd!(shell, "{path} --version").quiet().read()? == format!("cargo-deb {CARGO_DEB}"))
}

//! The release builds that are measured.

use std::path::PathBuf;

use anyhow::Context;
use serde::Deserialize;
use xshell::{Shell, cmd};

/// Where they are.
pub struct Binaries {
    /// The relay.
    pub relay: PathBuf,
    /// The load generator.
    pub loadgen: PathBuf,
    /// What one core can send at all.
    pub ceiling: PathBuf,
    /// A relay without any art.
    pub bare: PathBuf,
    /// Many members behind one socket.
    pub inject: PathBuf,
    /// Mail that is stored, with the disk beside it.
    pub mailbox: PathBuf,
    /// A folder for what programs write.
    pub folder: PathBuf,
}

#[derive(Deserialize)]
struct Metadata {
    target_directory: PathBuf,
}

impl Binaries {
    /// Builds them.
    pub fn build(shell: &Shell) -> anyhow::Result<Binaries> {
        cmd!(shell, "cargo build --locked --release --bin relay --bin loadgen").run()?;
        cmd!(
            shell,
            "cargo build --locked --release -p net --example ceiling --example bare --example inject"
        )
        .run()?;
        cmd!(shell, "cargo build --locked --release -p store --example mailbox").run()?;
        let release = release_folder(shell)?;
        let folder = release.with_file_name("bench");
        std::fs::create_dir_all(&folder)?;
        Ok(Binaries {
            relay: release.join("relay"),
            loadgen: release.join("loadgen"),
            ceiling: release.join("examples/ceiling"),
            bare: release.join("examples/bare"),
            inject: release.join("examples/inject"),
            mailbox: release.join("examples/mailbox"),
            folder,
        })
    }
}

/// Where the release builds are.
pub fn release_folder(shell: &Shell) -> anyhow::Result<PathBuf> {
    let metadata = cmd!(shell, "cargo metadata --locked --no-deps --format-version 1").quiet().read()?;
    let Metadata { target_directory } =
        serde_json::from_str(&metadata).context("what cargo metadata says is not understood")?;
    Ok(target_directory.join("release"))
}

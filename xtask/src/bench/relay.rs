//! The relay under test.

use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;

use super::Bench;
use super::process::Process;

/// It serves within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// A relay with one shard on a core of its own.
pub struct Relay {
    /// The program.
    pub process: Process,
    /// Where it serves.
    pub address: String,
    /// Where its metrics are.
    pub metrics: String,
}

/// What it logs when it serves.
#[derive(Deserialize)]
struct Serves {
    address: String,
    metrics: String,
}

impl Relay {
    /// Starts one; the kernel chooses its ports.
    pub fn start(bench: &Bench, backend: &str, more: &[&str]) -> anyhow::Result<Relay> {
        let fixed = [
            "--host=127.0.0.1",
            "--port=0",
            "--metrics-listen=127.0.0.1:0",
            "--shards=1",
            "--cap=none",
            "--log-format=json",
        ];
        let backend = format!("--backend={backend}");
        let args = fixed.iter().chain(more).map(|flag| (*flag).to_owned()).chain([backend]);
        let process = Process::start(bench.host.relay_cpu, &bench.binaries.relay, args)?;
        let Serves { address, metrics } = loop {
            let line = process.err.recv_timeout(PATIENCE).context("the relay does not serve")?;
            if let Ok(serves) = serde_json::from_str(&line) {
                break serves;
            }
        };
        Ok(Relay { process, address, metrics })
    }

    /// Its port.
    pub fn port(&self) -> anyhow::Result<u16> {
        Ok(self.address.parse::<std::net::SocketAddr>()?.port())
    }
}

//! The relay under test.

use std::time::Duration;

use anyhow::bail;
use serde::Deserialize;

use super::Bench;
use super::generator::Target;
use super::process::Process;

/// It serves within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// What it can be told to use.
pub const BACKENDS: [&str; 2] = ["uring", "mmsg"];

/// A relay that serves.
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
    /// Starts one with a single shard on loopback; the kernel chooses its ports.
    pub fn start(bench: &Bench, backend: &str, more: &[&str]) -> anyhow::Result<Relay> {
        let fixed = ["--host=127.0.0.1", "--shards=1"].map(str::to_owned);
        let args = fixed.into_iter().chain(more.iter().map(|flag| (*flag).to_owned()));
        Relay::start_on(bench, &bench.host.relay_cpu.to_string(), backend, args)
    }

    /// Starts one on some cores, with flags that say at least where it serves and how many shards it has.
    pub fn start_on(
        bench: &Bench,
        cpus: &str,
        backend: &str,
        more: impl IntoIterator<Item = String>,
    ) -> anyhow::Result<Relay> {
        let fixed = ["--port=0", "--metrics-listen=127.0.0.1:0", "--cap=none", "--log-format=json"];
        let fixed = fixed.map(str::to_owned).into_iter().chain([format!("--backend={backend}")]);
        let process = Process::start_on(cpus, &bench.binaries.relay, fixed.chain(more))?;
        let mut said = String::new();
        let Serves { address, metrics } = loop {
            let Ok(line) = process.err.recv_timeout(PATIENCE) else {
                bail!("the relay does not serve: {}", said.trim());
            };
            if let Ok(serves) = serde_json::from_str(&line) {
                break serves;
            }
            said = said + &line + " ";
        };
        Ok(Relay { process, address, metrics })
    }

    /// For the generator.
    pub fn target(&self) -> Target {
        Target { address: self.address.clone(), metrics: self.metrics.clone() }
    }

    /// Its port.
    pub fn port(&self) -> anyhow::Result<u16> {
        Ok(self.address.parse::<std::net::SocketAddr>()?.port())
    }
}

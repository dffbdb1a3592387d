//! What the relay's core can send at all, in this very minute.

use anyhow::Context;
use serde::Deserialize;

use super::Bench;
use super::process::Process;

/// Below this, something else used a core.
const UNDISTURBED: f64 = 0.97;

/// Runs until one was not disturbed, at most.
const TRIES: usize = 3;

/// A run of plain sends.
#[derive(Clone, Copy, Deserialize)]
pub struct Ceiling {
    /// Datagrams that arrived for each second of the sender's processor time.
    pub deliveries_per_cpu_second: f64,
    tx_cpu_share: f64,
    rx_cpu_share: f64,
}

impl Ceiling {
    /// Measures with so many receivers; the last try counts whatever happened.
    pub fn measure(bench: &Bench, payload: u16, destinations: u32) -> anyhow::Result<Ceiling> {
        let mut ceiling = Ceiling::once(bench, payload, destinations)?;
        for _ in 1..TRIES {
            if !ceiling.is_disturbed() {
                break;
            }
            ceiling = Ceiling::once(bench, payload, destinations)?;
        }
        Ok(ceiling)
    }

    fn once(bench: &Bench, payload: u16, destinations: u32) -> anyhow::Result<Ceiling> {
        let (tx, rx) = (bench.host.relay_cpu, bench.host.generator_cpu);
        let seconds = (bench.duration / 3).as_secs_f64();
        let args = format!(
            "--payload {payload} --destinations {destinations} --segments 1 --seconds {seconds} \
             --tx-cpu {tx} --rx-cpu {rx}"
        );
        let args = args.split_whitespace().map(str::to_owned);
        let ended = Process::start_on(&format!("{tx},{rx}"), &bench.binaries.ceiling, args)?.finish()?;
        serde_json::from_str(ended.out.lines().last().unwrap_or_default()).context("the ceiling's line")
    }

    /// Whether something else used one of the two cores.
    pub fn is_disturbed(&self) -> bool {
        self.tx_cpu_share.min(self.rx_cpu_share) < UNDISTURBED
    }
}

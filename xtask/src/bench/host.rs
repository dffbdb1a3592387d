//! The machine, in a line.

use std::fmt;
use std::fs;

use anyhow::{Context, bail};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;
use xshell::{Shell, cmd};

use super::competitors::version;

/// What measures and is measured.
pub struct Host {
    /// Where the relay runs, and whatever sends at the ceiling.
    pub relay_cpu: usize,
    /// Where the generator runs, and whatever receives.
    pub generator_cpu: usize,
    /// All that there are, as a list.
    pub cpus: String,
    description: String,
}

impl Host {
    /// Looks.
    pub fn look(shell: &Shell) -> anyhow::Result<Host> {
        let set = sched_getaffinity(Pid::from_raw(0))?;
        let cpus: Vec<usize> = (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect();
        let [relay_cpu, .., generator_cpu] = cpus[..] else {
            bail!("the relay and the generator need a core each, and this machine has one");
        };
        let processor = processor().context("no model of a processor in /proc/cpuinfo")?;
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        let date = cmd!(shell, "date --utc +%Y-%m-%d").quiet().read()?;
        let commit = cmd!(shell, "git describe --always --dirty --exclude=*").quiet().read()?;
        let others = ["sockperf", "iperf3"]
            .map(|program| format!("{program} {}", version(program).unwrap_or("not installed".to_owned())));
        let description = format!(
            "{processor}, {} of its processors, Linux {}, {}, {date}, commit {commit}.",
            cpus.len(),
            kernel.trim(),
            others.join(", ")
        );
        let cpus = cpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        Ok(Host { relay_cpu, generator_cpu, cpus, description })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.description)
    }
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'))?;
    Some(model.1.trim().to_owned())
}

//! This machine: what it is, and who on it serves the target.

mod addresses;
mod neighbour;

use procfs::{CpuInfo, Current, Meminfo};

pub use neighbour::{Neighbour, cores_of};

use crate::report::Machine;

impl Machine {
    /// The machine that this process runs on; what its kernel does not tell stays empty.
    pub fn of_this() -> Self {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease");
        Machine {
            processor: processor().unwrap_or_default(),
            cpus: net::parallelism(),
            memory: Meminfo::current().map_or(0, |memory| memory.mem_total),
            kernel: release.map(|text| text.trim().to_owned()).unwrap_or_default(),
        }
    }
}

fn processor() -> Option<String> {
    CpuInfo::current().ok()?.model_name(0).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_memory_processors_and_a_kernel() {
        let machine = Machine::of_this();
        assert!(machine.cpus >= 1 && machine.memory > 1 << 26, "{machine:?}");
        assert!(machine.kernel.starts_with(|c: char| c.is_ascii_digit()), "{machine:?}");
    }
}

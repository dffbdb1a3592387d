//! The standard process metrics, read from procfs.

use procfs::process::{LimitValue, Process};

use crate::text;

crate::catalogue! {
    CPU "process_cpu_seconds_total" Counter [] "User and system CPU time spent in seconds."
    RSS "process_resident_memory_bytes" Gauge [] "Resident memory size in bytes."
    VSIZE "process_virtual_memory_bytes" Gauge [] "Virtual memory size in bytes."
    FDS "process_open_fds" Gauge [] "Number of open file descriptors."
    MAX_FDS "process_max_fds" Gauge [] "Maximum number of open file descriptors."
    THREADS "process_threads" Gauge [] "Number of threads."
    START "process_start_time_seconds" Gauge [] "Start time of the process since the Unix epoch in seconds."
}

/// Appends what the kernel says about this process; nothing where /proc cannot be read.
pub fn append(out: &mut String) {
    let Some(values) = read() else { return };
    for (metric, value) in CATALOGUE.iter().zip(values) {
        text::append_values(out, *metric, [(String::new(), value)]);
    }
}

/// The values, in the order of the catalogue.
fn read() -> Option<[f64; CATALOGUE.len()]> {
    let process = Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let ticks = procfs::ticks_per_second() as f64;
    let max_fds = match process.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Value(limit) => limit as f64,
        LimitValue::Unlimited => f64::INFINITY,
    };
    Some([
        (stat.utime + stat.stime) as f64 / ticks,
        (stat.rss * procfs::page_size()) as f64,
        stat.vsize as f64,
        process.fd_count().ok()? as f64,
        max_fds,
        stat.num_threads as f64,
        procfs::boot_time_secs().ok()? as f64 + stat.starttime as f64 / ticks,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_files_and_a_thread() {
        let values = read().unwrap();
        let of = |metric: super::super::Metric| {
            values[CATALOGUE.iter().position(|other| other.name == metric.name).unwrap()]
        };
        assert!(of(RSS) > 0.0 && of(VSIZE) >= of(RSS) && of(FDS) >= 1.0 && of(MAX_FDS) >= of(FDS));
        assert!(of(THREADS) >= 1.0 && of(START) > 1.6e9 && of(CPU) >= 0.0);
        let mut out = String::new();
        append(&mut out);
        assert_eq!(out.lines().count(), 3 * CATALOGUE.len());
    }
}

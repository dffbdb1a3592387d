//! What the relay is like at a moment.

use std::fmt;
use std::fs;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::bench::metrics::Metrics;

/// The heads of the columns of the table.
pub const HEAD: &str = "seconds,resident,anonymous,descriptors,groups,members,received,refused,guarded";

/// A moment.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// Since the beginning.
    pub seconds: f64,
    /// Resident memory, bytes.
    pub resident: u64,
    /// The part of it that is no file's.
    pub anonymous: u64,
    /// Open files.
    pub descriptors: usize,
    pub groups: f64,
    pub members: f64,
    /// Datagrams since the last sample.
    pub received: f64,
    /// Datagrams that were answered with an error or dropped, in all.
    pub refused: f64,
    /// Whether the relay believes itself under attack.
    pub guarded: f64,
    /// Datagrams in all.
    total: f64,
}

impl Sample {
    /// Looks.
    pub fn of(id: u32, metrics: &str, at: Duration, last: Option<&Sample>) -> anyhow::Result<Sample> {
        // Before the relay has a connection for its metrics.
        let descriptors = fs::read_dir(format!("/proc/{id}/fd"))?.count();
        let [resident, anonymous] = memory(id)?;
        let metrics = Metrics::read(metrics)?;
        let total = metrics.sum("relay_received_packets_total");
        let refused =
            metrics.sum("relay_requests_refused_total") + metrics.sum("relay_dropped_packets_total");
        Ok(Sample {
            seconds: at.as_secs_f64(),
            resident,
            anonymous,
            descriptors,
            groups: metrics.sum("relay_groups"),
            members: metrics.sum("relay_members"),
            received: total - last.map_or(0.0, |last| last.total),
            refused,
            guarded: metrics.sum("relay_admission_guarded"),
            total,
        })
    }

    /// A line of the table.
    pub fn csv(&self) -> String {
        let Sample {
            seconds,
            resident,
            anonymous,
            descriptors,
            groups,
            members,
            received,
            refused,
            guarded,
            ..
        } = self;
        format!(
            "{seconds:.1},{resident},{anonymous},{descriptors},{groups},{members},{received},{refused},{guarded}"
        )
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{:6.0} s  {} KiB resident ({} anonymous), {} descriptors, {} groups, {} members, {} received{}",
            self.seconds,
            self.resident >> 10,
            self.anonymous >> 10,
            self.descriptors,
            self.groups,
            self.members,
            self.received,
            if self.guarded > 0.0 { ", guarded" } else { "" }
        )
    }
}

/// Resident bytes, and those that are anonymous: exact, unlike what `status` says of a process with several threads.
fn memory(id: u32) -> anyhow::Result<[u64; 2]> {
    let text = fs::read_to_string(format!("/proc/{id}/smaps_rollup"))?;
    let of = |name: &str| -> anyhow::Result<u64> {
        let rest =
            text.lines().find_map(|line| line.strip_prefix(name)).context("an unknown smaps_rollup")?;
        Ok(rest.trim().trim_end_matches(" kB").parse::<u64>()? << 10)
    };
    Ok([of("Rss:")?, of("Anonymous:")?])
}

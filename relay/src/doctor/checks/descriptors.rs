//! May the relay open as many files as it needs?

use procfs::process::{LimitValue, Process};

use crate::doctor::finding::{Finding, How};
use crate::doctor::look::{Seen, Unseen};
use crate::doctor::patient::Patient;

const NAME: &str = "open-files";
/// Of a shard beside its sockets: the ring, its waker, and a scout for the routes of each family.
const OF_A_SHARD: u64 = 4;
/// Of the relay: standard streams, the metrics' listener, its 32 connections and its runtime, signals, and what it reads.
const OF_THE_RELAY: u64 = 56;

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    vec![judge(limit(), needed(patient.shards as u64, patient.setup.hosts.len() as u64))]
}

/// At most; it must not be too few.
fn needed(shards: u64, hosts: u64) -> u64 {
    shards * (hosts + OF_A_SHARD) + OF_THE_RELAY
}

/// The hard limit: the relay raises the soft one to it by itself.
fn limit() -> Seen<u64> {
    let limits = Process::myself().and_then(|own| own.limits());
    let limits = limits.map_err(|error| Unseen(format!("cannot read /proc/self/limits: {error}")))?;
    Ok(match limits.max_open_files.hard_limit {
        LimitValue::Unlimited => u64::MAX,
        LimitValue::Value(value) => value,
    })
}

fn judge(limit: Seen<u64>, needed: u64) -> Finding {
    let limit = match limit {
        Ok(limit) => limit,
        Err(why) => return Finding::unknown(NAME, why.to_string()),
    };
    let found = format!("{limit} may be open, {needed} are needed at most");
    let finding = if limit >= needed { Finding::ok(NAME, found) } else { Finding::problem(NAME, found) };
    finding
        .value("limit", limit)
        .value("needed", needed)
        .why("Each shard has a socket for each address, and a few files more; without them the relay does not start, or cannot be scraped.")
        .fix(How::Systemd, "LimitNOFILE=65536")
        .fix(How::Container, "--ulimit nofile=65536:65536")
        .fix(How::Now, format!("ulimit -n {}", needed.next_power_of_two().max(1024)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn many_shards_and_hosts_take_many() {
        assert_eq!(judge(Ok(1024), needed(2, 1)).verdict, Verdict::Ok);
        assert_eq!(judge(Ok(64), needed(2, 1)).verdict, Verdict::Problem);
        assert_eq!(judge(Ok(4096), needed(256, 16)).verdict, Verdict::Problem);
        assert_eq!(judge(Ok(65_536), needed(256, 16)).verdict, Verdict::Ok);
        assert_eq!(judge(Err(Unseen("why".into())), 5).verdict, Verdict::Unknown);
    }

    #[test]
    fn this_process_has_a_limit() {
        assert!(limit().unwrap() > 3);
    }
}

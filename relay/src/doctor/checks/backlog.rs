//! Has the kernel dropped packets before any socket saw them?

use crate::doctor::finding::{Finding, count};
use crate::doctor::look::{self, Seen, Unseen};
use crate::doctor::patient::Patient;

const NAME: &str = "backlog";
const SETTING: &str = "net.core.netdev_max_backlog";
/// Of a million packets: more than an accident.
const TOLERABLE: u64 = 1;

/// All processors together, since the boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    packets: u64,
    dropped: u64,
    /// Times that the kernel stopped with packets left.
    squeezed: u64,
}

pub fn check(_: &Patient<'_>) -> Vec<Finding> {
    let counts = look::text("/proc/net/softnet_stat").and_then(|text| counts(&text));
    vec![judge(counts, look::number("/proc/sys/net/core/netdev_max_backlog").ok())]
}

/// A line for each processor, of hexadecimal columns.
fn counts(text: &str) -> Seen<Counts> {
    let mut all = Counts::default();
    for line in text.lines() {
        let columns: Vec<u64> =
            line.split_whitespace().filter_map(|column| u64::from_str_radix(column, 16).ok()).collect();
        let [packets, dropped, squeezed, ..] = columns[..] else {
            return Err(Unseen("/proc/net/softnet_stat is not as this version knows it".into()));
        };
        all.packets += packets;
        all.dropped += dropped;
        all.squeezed += squeezed;
    }
    Ok(all)
}

fn judge(counts: Seen<Counts>, limit: Option<u64>) -> Finding {
    let Counts { packets, dropped, squeezed } = match counts {
        Ok(counts) => counts,
        Err(why) => return Finding::unknown(NAME, why.to_string()),
    };
    let queue = limit.map_or(String::new(), |limit| format!(", with room for {limit} on each processor"));
    let found = format!("{dropped} of {} dropped since the boot{queue}", count(packets, "packet"));
    let finding = if u128::from(dropped) * 1_000_000 > u128::from(packets) * u128::from(TOLERABLE) {
        Finding::warning(NAME, found)
    } else if dropped > 0 {
        Finding::info(NAME, found)
    } else {
        Finding::ok(NAME, found)
    };
    finding
        .value("packets", packets)
        .value("dropped", dropped)
        .value("squeezed", squeezed)
        .value("limit", limit)
        .why("The queue in front of the sockets (of loopback, of virtual interfaces, of packets steered to another processor) was full; no counter of the relay shows it.")
        .sysctl(SETTING, limit.unwrap_or(1000).saturating_mul(4).max(10_000))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn every_processor_counts() {
        let text = "000000ff 00000001 00000002 0 0\n00000001 00000010 00000000 0 0\n";
        assert_eq!(counts(text).unwrap(), Counts { packets: 256, dropped: 17, squeezed: 2 });
        assert!(counts("ff").is_err());
    }

    #[test]
    fn drops_are_a_warning_unless_they_are_an_accident() {
        let judge = |dropped| judge(Ok(Counts { packets: 10_000_000, dropped, squeezed: 0 }), Some(1000));
        assert_eq!(
            [0, 5, 50].map(|dropped| judge(dropped).verdict),
            [Verdict::Ok, Verdict::Info, Verdict::Warning]
        );
        assert_eq!(
            judge(50).found,
            "50 of 10000000 packets dropped since the boot, with room for 1000 on each processor"
        );
        assert_eq!(judge(50).fixes[0].command, "sysctl -w net.core.netdev_max_backlog=10000");
        assert_eq!(super::judge(Err(Unseen("why".into())), None).verdict, Verdict::Unknown);
    }
}

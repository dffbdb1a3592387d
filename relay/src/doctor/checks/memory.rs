//! Is there memory for as many clients and groups as may come?

use procfs::{Current, Meminfo};

use crate::doctor::finding::{Finding, How, size};
use crate::doctor::look::{self, Seen, Unseen};
use crate::doctor::patient::Patient;

const NAME: &str = "memory";
/// Bytes, from docs/operations.md, "Sizing": of one shard, of each further one, the same with `--coalesce`.
const SHARD: (u64, u64) = (10 << 20, 7 << 20);
const COALESCING_SHARD: (u64, u64) = (23 << 20, 20 << 20);
/// Of a member.
const CLIENT: u64 = 130;
/// Of an empty group that somebody had joined, which is the largest.
const GROUP: u64 = 500;

/// What was found, and what would be needed.
struct Facts {
    available: Seen<u64>,
    /// What the control group leaves, if it limits.
    limit: Option<u64>,
    shards: u64,
    coalesces: bool,
    clients: u64,
    groups: u64,
    /// All receive buffers, as the kernel counts them.
    buffers: u64,
}

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let ceilings = patient.setup.settings.ceilings;
    vec![judge(&Facts {
        available: available(),
        limit: limit(),
        shards: patient.shards as u64,
        coalesces: patient.setup.coalesces(),
        clients: ceilings.clients.into(),
        groups: ceilings.groups.into(),
        buffers: 2 * patient.setup.receive_buffer as u64 * patient.sockets() as u64,
    })]
}

fn available() -> Seen<u64> {
    let info = Meminfo::current().map_err(|error| Unseen(format!("cannot read /proc/meminfo: {error}")))?;
    info.mem_available
        .ok_or_else(|| Unseen("/proc/meminfo has no MemAvailable: this kernel is too old".into()))
}

/// Of version 2, which is what containers and units have.
fn limit() -> Option<u64> {
    let own = look::text("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let read = |name| look::number(&format!("/sys/fs/cgroup{path}/{name}")).ok();
    Some(read("memory.max")?.saturating_sub(read("memory.current").unwrap_or(0)))
}

fn judge(facts: &Facts) -> Finding {
    let available = match &facts.available {
        Ok(available) => (*available).min(facts.limit.unwrap_or(u64::MAX)),
        Err(why) => return Finding::unknown(NAME, why.to_string()),
    };
    let (first, further) = if facts.coalesces { COALESCING_SHARD } else { SHARD };
    let base = first + further * (facts.shards - 1) + facts.buffers;
    let needed = base + facts.clients * CLIENT + facts.groups * GROUP;
    let of = format!("--max-clients {} and --max-groups {}", facts.clients, facts.groups);
    let found =
        format!("{} available; {of} with full receive buffers take {}", size(available), size(needed));
    let finding = if needed <= available { Finding::ok(NAME, found) } else { Finding::warning(NAME, found) };
    let finding = finding
        .value("available_bytes", available)
        .value("needed_bytes", needed)
        .why("Who reaches the ceilings takes this much; with less, the kernel ends the relay and everybody loses their group.");
    let (clients, groups) = (facts.clients * CLIENT, facts.groups * GROUP);
    // What is left beside the shards is shared out as the ceilings share it now.
    let left = (available / 10 * 9).saturating_sub(base) as u128;
    let all = u128::from(clients + groups).max(1);
    let fitting = |part: u64, each: u64| (left * u128::from(part) / all / u128::from(each)) as u64;
    match (fitting(clients, CLIENT), fitting(groups, GROUP)) {
        (0, _) | (_, 0) => finding.fix(
            How::Advice,
            format!("give it {} of memory, or ask for smaller buffers (--receive-buffer)", size(needed)),
        ),
        (clients, groups) => finding
            .fix(How::Relay, format!("--max-clients {clients} --max-groups {groups}"))
            .fix(How::Advice, format!("or give it {} of memory", size(needed))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn facts(available: u64) -> Facts {
        Facts {
            available: Ok(available),
            limit: None,
            shards: 2,
            coalesces: false,
            clients: 1 << 20,
            groups: 1 << 18,
            buffers: 32 << 20,
        }
    }

    #[test]
    fn the_ceilings_must_fit() {
        let plenty = judge(&facts(1 << 30));
        assert_eq!(plenty.verdict, Verdict::Ok);
        assert_eq!(plenty.values["needed_bytes"], (49 << 20) + (130 << 20) + (500 << 18));
        let small = judge(&facts(200 << 20));
        assert_eq!(small.verdict, Verdict::Warning);
        assert!(small.fixes[0].command.starts_with("--max-clients "), "{small:?}");
        let tiny = judge(&facts(40 << 20));
        assert_eq!((tiny.verdict, tiny.fixes[0].how), (Verdict::Warning, How::Advice));
    }

    #[test]
    fn what_is_advised_fits() {
        let advised = judge(&facts(200 << 20)).fixes[0].command.clone();
        let numbers: Vec<u64> = advised.split(' ').filter_map(|word| word.parse().ok()).collect();
        let again = judge(&Facts { clients: numbers[0], groups: numbers[1], ..facts(200 << 20) });
        assert_eq!(again.verdict, Verdict::Ok, "{again:?}");
    }

    #[test]
    fn a_control_group_counts_and_coalescing_takes_more() {
        assert_eq!(judge(&Facts { limit: Some(100 << 20), ..facts(1 << 30) }).verdict, Verdict::Warning);
        let more = judge(&Facts { coalesces: true, ..facts(1 << 30) });
        assert!(
            more.values["needed_bytes"].as_u64() > judge(&facts(1 << 30)).values["needed_bytes"].as_u64()
        );
        let unseen = judge(&Facts { available: Err(Unseen("why".into())), ..facts(0) });
        assert_eq!((unseen.verdict, unseen.found.as_str()), (Verdict::Unknown, "why"));
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(available().unwrap() > 0);
    }
}

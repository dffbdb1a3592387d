//! Is there room for full buffers in the memory that all UDP sockets share?

use crate::doctor::finding::{Finding, size};
use crate::doctor::look::{self, Seen, Unseen};
use crate::doctor::patient::Patient;

const NAME: &str = "udp-memory";
const SETTING: &str = "net.ipv4.udp_mem";

/// What was found, in bytes.
struct Facts {
    /// Where the kernel begins to press, and where it drops.
    limits: Seen<[u64; 3]>,
    used: Seen<u64>,
    /// What the relay's receive buffers hold when they are full.
    wanted: u64,
}

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let page = procfs::page_size();
    vec![judge(
        &Facts {
            limits: look::text("/proc/sys/net/ipv4/udp_mem").and_then(|text| limits(&text, page)),
            used: look::text("/proc/net/sockstat").and_then(|text| used(&text, page)),
            // The kernel doubles what it grants.
            wanted: 2 * patient.setup.receive_buffer as u64 * patient.sockets() as u64,
        },
        page,
    )]
}

fn limits(text: &str, page: u64) -> Seen<[u64; 3]> {
    let numbers: Vec<u64> =
        text.split_whitespace().map(|word| look::parse(SETTING, word)).collect::<Seen<_>>()?;
    let pages: [u64; 3] =
        numbers.try_into().map_err(|_| Unseen(format!("{SETTING} has not three numbers")))?;
    Ok(pages.map(|pages| pages.saturating_mul(page)))
}

/// `UDP: inuse 3 mem 2`, in pages.
fn used(text: &str, page: u64) -> Seen<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("UDP: "));
    let pages = line.and_then(|line| line.split("mem ").nth(1)?.split(' ').next()?.parse::<u64>().ok());
    Ok(pages.ok_or_else(|| Unseen("/proc/net/sockstat says nothing about UDP".into()))? * page)
}

fn judge(facts: &Facts, page: u64) -> Finding {
    let [low, press, most] = match &facts.limits {
        Ok(limits) => *limits,
        Err(why) => return Finding::unknown(NAME, why.to_string()),
    };
    let used = facts.used.as_ref().ok().copied();
    let finding = if used.is_some_and(|used| used >= press) {
        Finding::warning(
            NAME,
            format!("{} in use, and the kernel presses from {} on", size(used.unwrap_or(0)), size(press)),
        )
    } else if facts.wanted > most {
        Finding::warning(
            NAME,
            format!(
                "{} for all sockets, and the relay's full receive buffers take {}",
                size(most),
                size(facts.wanted)
            ),
        )
    } else {
        return Finding::ok(
            NAME,
            format!("{} for all sockets, {} with full receive buffers", size(most), size(facts.wanted)),
        )
        .value("limit_bytes", most)
        .value("used_bytes", used)
        .value("wanted_bytes", facts.wanted);
    };
    let more = facts.wanted + used.unwrap_or(0);
    let pages = [low, press, most].map(|bytes| bytes.max(more * 2) / page);
    finding
        .value("limit_bytes", most)
        .value("used_bytes", used)
        .value("wanted_bytes", facts.wanted)
        .why("Beyond it the kernel drops datagrams of every socket, however empty its own buffer is.")
        .sysctl(SETTING, format!("{} {} {}", pages[0], pages[1], pages[2]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn what_the_kernel_says_is_read() {
        assert_eq!(limits("10\t20\t30", 4096).unwrap(), [40_960, 81_920, 122_880]);
        assert!(limits("10 20", 4096).is_err() && limits("a b c", 4096).is_err());
        let text = "sockets: used 5\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 7\nUDP: inuse 3 mem 2\nUDPLITE: inuse 0\n";
        assert_eq!(used(text, 4096).unwrap(), 8192);
        assert!(used("TCP: mem 4", 4096).is_err());
    }

    #[test]
    fn full_buffers_must_fit() {
        let judge = |used, wanted| {
            judge(&Facts { limits: Ok([1 << 20, 2 << 20, 4 << 20]), used: Ok(used), wanted }, 4096)
        };
        assert_eq!(judge(0, 4 << 20).verdict, Verdict::Ok);
        let large = judge(0, 32 << 20);
        assert_eq!(large.verdict, Verdict::Warning);
        assert_eq!(large.fixes[0].command, "sysctl -w net.ipv4.udp_mem='16384 16384 16384'");
        assert_eq!(judge(3 << 20, 1 << 20).verdict, Verdict::Warning);
        let hidden = Facts { limits: Err(Unseen("why".into())), used: Ok(0), wanted: 0 };
        assert_eq!(super::judge(&hidden, 4096).verdict, Verdict::Unknown);
    }
}

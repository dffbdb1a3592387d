//! Does the hypervisor take processor time away?

use procfs::{CurrentSI, KernelStats};

use crate::doctor::finding::{Finding, How};
use crate::doctor::patient::Patient;

const NAME: &str = "stolen-time";
/// Percent of all processor time since the boot: below it, a shard waits rarely and for long enough to be seen only in p99.9.
const TOLERABLE: f64 = 2.0;

pub fn check(_: &Patient<'_>) -> Vec<Finding> {
    vec![match KernelStats::current() {
        Ok(stats) => {
            let total = stats.total;
            let all = total.user
                + total.nice
                + total.system
                + total.idle
                + total.iowait.unwrap_or(0)
                + total.irq.unwrap_or(0)
                + total.softirq.unwrap_or(0)
                + total.steal.unwrap_or(0);
            judge(total.steal.unwrap_or(0), all)
        }
        Err(error) => Finding::unknown(NAME, format!("cannot read /proc/stat: {error}")),
    }]
}

/// Of so many ticks in all.
fn judge(stolen: u64, all: u64) -> Finding {
    let percent = stolen as f64 * 100.0 / all.max(1) as f64;
    let found = format!("{percent:.1} % since the boot");
    if percent < TOLERABLE {
        return Finding::ok(NAME, found).value("percent", percent);
    }
    Finding::warning(NAME, found)
        .value("percent", percent)
        .why("The hypervisor runs others on these processors: a shard stands still for milliseconds meanwhile, and its receive buffer fills.")
        .fix(How::Advice, "move to an instance with dedicated processors (not a burstable one)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn a_share_of_the_processor_time() {
        let verdicts =
            [(0, 0), (1, 100), (2, 100), (50, 100)].map(|(stolen, all)| judge(stolen, all).verdict);
        assert_eq!(verdicts, [Verdict::Ok, Verdict::Ok, Verdict::Warning, Verdict::Warning]);
        assert_eq!(judge(5, 100).found, "5.0 % since the boot");
    }
}

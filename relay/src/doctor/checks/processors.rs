//! Do shards and processors go together?

use crate::config::Shards;
use crate::doctor::finding::{Finding, How, count};
use crate::doctor::patient::Patient;

const NAME: &str = "processors";

/// What was found.
struct Facts {
    shards: usize,
    asked_for: bool,
    /// That the process may run on, and how many of them the control group's quota pays for.
    cpus: usize,
    quota: usize,
}

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    vec![judge(&Facts {
        shards: patient.shards,
        asked_for: patient.setup.shards != Shards::Auto,
        cpus: patient.cpus.len(),
        quota: net::parallelism(),
    })]
}

fn judge(facts: &Facts) -> Finding {
    let shards = count(facts.shards as u64, "shard");
    let cpus = count(facts.cpus as u64, "processor");
    let quota = facts.quota < facts.cpus;
    let limit = if quota { format!(", of which a quota pays for {}", facts.quota) } else { String::new() };
    let found = format!("{shards} on {cpus}{limit}");
    let finding = if facts.shards > facts.quota {
        let why = if quota {
            "The kernel stops all shards for the rest of every 100 ms in which they have used up the quota, and their receive buffers fill."
        } else {
            "Shards that share a processor wait for each other, for milliseconds at a time."
        };
        Finding::warning(NAME, found).why(why).fix(How::Relay, format!("--shards {}", facts.quota))
    } else if facts.shards < facts.quota && facts.asked_for {
        Finding::info(NAME, found)
            .why("Processors without a shard serve nobody; that is well if they have other work.")
            .fix(How::Relay, "--shards auto")
    } else {
        Finding::ok(NAME, found)
    };
    finding.value("shards", facts.shards).value("processors", facts.cpus).value("paid_for", facts.quota)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn as_many_shards_as_processors() {
        let judge = |shards, cpus, quota| judge(&Facts { shards, asked_for: true, cpus, quota });
        assert_eq!(judge(2, 2, 2).verdict, Verdict::Ok);
        assert_eq!(judge(1, 2, 2).verdict, Verdict::Info);
        let crowded = judge(4, 2, 2);
        assert_eq!((crowded.verdict, crowded.fixes[0].command.as_str()), (Verdict::Warning, "--shards 2"));
        let throttled = judge(4, 4, 1);
        assert_eq!(throttled.found, "4 shards on 4 processors, of which a quota pays for 1");
        assert!(throttled.why.unwrap().contains("quota"));
        assert_eq!(judge(1, 4, 1).verdict, Verdict::Ok);
    }
}

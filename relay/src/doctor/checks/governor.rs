//! Do the processors run at full speed when a datagram arrives?

use std::collections::BTreeMap;

use crate::doctor::finding::{Finding, How, count};
use crate::doctor::look;
use crate::doctor::patient::Patient;

const NAME: &str = "governor";

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let path = |cpu: &usize| format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor");
    let governors: Vec<String> = patient.cpus.iter().filter_map(|cpu| look::text(&path(cpu)).ok()).collect();
    vec![judge(&governors)]
}

/// Of each processor that has one.
fn judge(governors: &[String]) -> Finding {
    let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
    governors.iter().for_each(|governor| *by_name.entry(governor).or_default() += 1);
    if by_name.is_empty() {
        return Finding::ok(NAME, "no frequency scaling to be seen: a virtual machine, or a fixed frequency");
    }
    let found = by_name
        .iter()
        .map(|(name, number)| format!("{name} on {}", count(*number, "processor")))
        .collect::<Vec<_>>()
        .join(", ");
    let slow = |name: &&str| matches!(*name, "powersave" | "conservative" | "ondemand" | "userspace");
    let finding = if by_name.keys().any(slow) {
        Finding::warning(NAME, found)
    } else if by_name.keys().all(|name| *name == "performance") {
        Finding::ok(NAME, found)
    } else {
        Finding::info(NAME, found)
    };
    const FILES: &str = "/sys/devices/system/cpu/cpu*/cpufreq/scaling_governor";
    finding
        .value("governors", serde_json::json!(by_name))
        .why("After a pause the first datagrams meet a slow clock: the delay at light load rises, and so does its spread.")
        .fix(How::Now, format!("echo performance | tee {FILES}"))
        .fix(How::Persistent, format!("echo 'w {FILES} - - - - performance' > /etc/tmpfiles.d/relay-governor.conf"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn the_slowest_processor_counts() {
        let judge = |names: &[&str]| judge(&names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(judge(&[]).verdict, Verdict::Ok);
        assert_eq!(judge(&["performance", "performance"]).verdict, Verdict::Ok);
        assert_eq!(judge(&["schedutil", "performance"]).verdict, Verdict::Info);
        let mixed = judge(&["powersave", "performance", "powersave"]);
        assert_eq!(mixed.verdict, Verdict::Warning);
        assert_eq!(mixed.found, "performance on 1 processor, powersave on 2 processors");
        assert!(mixed.fixes[0].command.starts_with("echo performance | tee /sys"));
    }
}

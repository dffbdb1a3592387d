//! One sentence for the whole relay, by the thresholds of the alert rules, over the last minute.

use serde::Serialize;

use super::sample::{Sample, copy_reasons};

/// How bad it is; the order is that of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// All is well.
    Healthy,
    /// Worth knowing.
    Info,
    /// Worth a look today.
    Warning,
    /// Clients suffer now.
    Critical,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    pub level: Level,
    /// The section of the manual: `/runbook/NAME`.
    pub runbook: &'static str,
    pub text: String,
}

/// What the verdict is about.
pub struct Present<'a> {
    pub ready: bool,
    pub now: &'a Sample,
    /// A minute ago, or at the start.
    pub before: &'a Sample,
    /// The share of time that the busiest shard did not wait, lately.
    pub busiest: Option<(usize, f64)>,
    /// How many there are, and may be, of what.
    pub limits: [(u64, u64, &'static str); 3],
    /// The fullest receive queue of a shard, from 0 to 1.
    pub fullest_queue: f64,
    pub fallback: Option<&'a str>,
    pub small_buffers: bool,
}

/// Everything that is not as it should be, the worst first.
pub fn findings(present: &Present<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut add = |level, runbook, text: String| all.push(Finding { level, runbook, text });
    if !present.ready {
        add(Level::Critical, "relaynotready", "The relay is starting or stopping.".to_owned());
    }
    losses(present, &mut add);
    for (count, limit, what) in present.limits {
        if count as f64 > 0.8 * limit as f64 {
            add(Level::Warning, "relaynearlimit", format!("{count} of {limit} {what} are in use."));
        }
    }
    let since = |of: fn(&Sample) -> u64| of(present.now).saturating_sub(of(present.before));
    let refused = since(|sample| sample.refused_full);
    if refused > 0 {
        let text = format!("{refused} requests of the last minute were refused because the relay is full.");
        add(Level::Critical, "relayfull", text);
    }
    if present.now.rate(present.before, |sample| sample.no_buffers) > 10.0 {
        add(Level::Warning, "relaynobuffers", "Receive buffers run out.".to_owned());
    }
    if let Some((shard, busy)) = present.busiest.filter(|(_, busy)| *busy > 0.9) {
        let text = format!("Shard {shard} is busy {:.0} % of the time.", 100.0 * busy);
        add(Level::Warning, "relayshardsaturated", text);
    }
    if present.fullest_queue > 0.75 {
        let text = format!("A receive queue is {:.0} % full.", 100.0 * present.fullest_queue);
        add(Level::Warning, "relayreceivequeuefull", text);
    }
    if let Some(reason) = present.fallback {
        let text = format!("io_uring was wanted and cannot be had ({reason}); recvmmsg and sendmmsg serve.");
        add(Level::Info, "relayfallbackbackend", text);
    }
    if present.small_buffers {
        let text = "The kernel granted smaller socket buffers than were asked for.".to_owned();
        add(Level::Info, "socket-buffers", text);
    }
    all.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    all
}

/// A part of a thousandth of the copies is worth a warning, one of a hundredth is critical; of what arrives, a part of a
/// ten-thousandth. A single lost copy of few is no part to speak of.
fn losses(present: &Present<'_>, add: &mut impl FnMut(Level, &'static str, String)) {
    let Present { now, before, .. } = present;
    let since = |of: fn(&Sample) -> u64| of(now).saturating_sub(of(before));
    let (dropped, sent) = (since(Sample::copies), since(|sample| sample.sent.packets));
    let part = part_of(dropped, sent);
    if part > 0.001 || dropped > 100 {
        let reasons = copy_reasons().zip(now.dropped_copies.iter().zip(before.dropped_copies));
        let most = reasons.max_by_key(|(_, (now, before))| now.saturating_sub(*before));
        let why = most.map_or("", |(reason, _)| reason);
        let level = if part > 0.01 { Level::Critical } else { Level::Warning };
        let text = format!(
            "{dropped} copies of the last minute were dropped, {} of all; most of them: {why}.",
            percent(part)
        );
        add(level, "relaycopiesdropped", text);
    }
    let (dropped, received) =
        (since(|sample| sample.kernel_dropped), since(|sample| sample.received.packets));
    let part = part_of(dropped, received);
    if part > 0.0001 {
        let level = if part > 0.01 { Level::Critical } else { Level::Warning };
        let text = format!(
            "The kernel dropped {dropped} datagrams of the last minute, {} of what arrived: a receive buffer was full.",
            percent(part)
        );
        add(level, "relaykerneldrops", text);
    }
}

fn part_of(some: u64, others: u64) -> f64 {
    if some == 0 { 0.0 } else { some as f64 / (some + others) as f64 }
}

fn percent(part: f64) -> String {
    if part < 0.0001 { "less than 0.01 %".to_owned() } else { format!("{:.2} %", 100.0 * part) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::meter::Traffic;

    fn present<'a>(now: &'a Sample, before: &'a Sample) -> Present<'a> {
        Present {
            ready: true,
            now,
            before,
            busiest: Some((0, 0.5)),
            limits: [(0, 10, "clients"), (0, 10, "groups"), (0, 10, "groups that nobody joined")],
            fullest_queue: 0.1,
            fallback: None,
            small_buffers: false,
        }
    }

    fn sample(dropped: u64, kernel_dropped: u64) -> Sample {
        let traffic = Traffic { packets: 10_000, bytes: 0 };
        let mut sample = Sample { sent: traffic, received: traffic, kernel_dropped, ..Sample::default() };
        (sample.dropped_copies[1], sample.at) = (dropped, Duration::from_secs(60));
        sample
    }

    #[test]
    fn each_fault_has_its_level_and_its_section() {
        let (start, fine) = (Sample::default(), sample(0, 0));
        assert_eq!(findings(&present(&fine, &start)), []);
        let found = |present: &Present<'_>| -> Vec<(Level, &str)> {
            findings(present).iter().map(|finding| (finding.level, finding.runbook)).collect()
        };
        for (dropped, level) in [(50, Level::Warning), (500, Level::Critical)] {
            assert_eq!(found(&present(&sample(dropped, 0), &start)), [(level, "relaycopiesdropped")]);
            assert_eq!(found(&present(&sample(0, dropped), &start)), [(level, "relaykerneldrops")]);
        }
        assert!(findings(&present(&sample(500, 0), &start))[0].text.contains("500 copies"));
        assert!(findings(&present(&sample(500, 0), &start))[0].text.ends_with("most of them: unreachable."));
        assert_eq!(found(&present(&sample(500, 500), &sample(500, 500))), [], "what was before is over");

        let full = Sample { refused_full: 1, no_buffers: 1000, ..fine.clone() };
        let mut all = present(&full, &start);
        all.limits[2].0 = 9;
        (all.ready, all.small_buffers, all.fallback) = (false, true, Some("EPERM"));
        (all.busiest, all.fullest_queue) = (Some((3, 0.95)), 0.8);
        for (_, section) in found(&all)
            .into_iter()
            .chain([(Level::Info, "relaycopiesdropped"), (Level::Info, "relaykerneldrops")])
        {
            assert!(super::super::section(section).is_some(), "the manual has no {section}");
        }
        assert_eq!(
            found(&all),
            [
                (Level::Critical, "relaynotready"),
                (Level::Critical, "relayfull"),
                (Level::Warning, "relaynearlimit"),
                (Level::Warning, "relaynobuffers"),
                (Level::Warning, "relayshardsaturated"),
                (Level::Warning, "relayreceivequeuefull"),
                (Level::Info, "relayfallbackbackend"),
                (Level::Info, "socket-buffers"),
            ]
        );
    }
}

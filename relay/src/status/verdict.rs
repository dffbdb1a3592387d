//! One sentence for the whole relay, by the thresholds of the alert rules, over the last minute.

use serde::Serialize;

use super::sample::{LOSSES, Sample, copy_reasons};
use crate::limits::{RATE_SAMPLES, SAMPLE_EVERY};

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
    /// The first shard that does not turn.
    pub stalled: Option<usize>,
    pub now: &'a Sample,
    /// A minute ago, or at the start.
    pub before: &'a Sample,
    /// The share of time that the busiest shard did not wait, lately.
    pub busiest: Option<(usize, f64)>,
    /// How many there are, and may be, of what.
    pub limits: [(u64, u64, &'static str); 4],
    /// Bytes of mail that wait, and may wait.
    pub mail: (u64, u64),
    /// What is wrong with the store.
    pub trouble: Option<&'a str>,
    /// The first shard that gets more than it can do.
    pub overloaded: Option<usize>,
    /// The fullest receive queue of a shard, from 0 to 1.
    pub fullest_queue: f64,
    /// Unproved members, if the relay is guarded.
    pub guarded: Option<u32>,
    pub fallback: Option<&'a str>,
    /// What the relay could not give up.
    pub unconfined: &'a [String],
    pub small_buffers: bool,
}

/// The conditions of the alert rules, in dashboards/alerts.yml: a part of all, and how many each second.
mod rules {
    pub const COPIES_WARNING: [f64; 2] = [0.001, 1.0];
    pub const COPIES_CRITICAL: [f64; 2] = [0.01, 1.0];
    pub const KERNEL_WARNING: [f64; 2] = [0.0001, 0.1];
    pub const KERNEL_CRITICAL: [f64; 2] = [0.01, 1.0];
    pub const NEAR_LIMIT: [f64; 1] = [0.8];
    pub const FULL: [f64; 1] = [0.0];
    pub const MAIL_NEAR_FULL: [f64; 1] = [0.9];
    pub const NO_BUFFERS: [f64; 1] = [1.0];
    pub const SATURATED: [f64; 1] = [0.9];
    pub const QUEUE_FULL: [f64; 1] = [0.75];
}

/// Everything that is not as it should be, the worst first.
pub fn findings(present: &Present<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut add = |level, runbook, text: String| all.push(Finding { level, runbook, text });
    if !present.ready {
        add(Level::Critical, "relaynotready", "The relay is starting or stopping.".to_owned());
    }
    if let Some(shard) = present.stalled {
        let text = format!("Shard {shard} does not turn: its clients speak to nobody.");
        add(Level::Critical, "relayshardstalled", text);
    }
    if let Some(trouble) = present.trouble {
        add(Level::Critical, "relaystoreintrouble", format!("Names and mail cannot be kept: {trouble}."));
    }
    losses(present, &mut add);
    shortages(present, &mut add);
    if let Some(unproved) = present.guarded {
        let text = format!(
            "The relay takes itself to be under attack by forged addresses: who joins has to prove its own. Members who have not: {unproved}."
        );
        add(Level::Warning, "relayguarded", text);
    }
    if let Some(shard) = present.overloaded {
        let text = format!("Shard {shard} gets more than it can do, and drops what would wait for long.");
        add(Level::Info, "overload", text);
    }
    if let Some(reason) = present.fallback {
        let text = format!("io_uring was wanted and cannot be had ({reason}); recvmmsg and sendmmsg serve.");
        add(Level::Info, "relayfallbackbackend", text);
    }
    if !present.unconfined.is_empty() {
        let text = format!("The relay is not confined as it should be ({}).", present.unconfined.join("; "));
        add(Level::Info, "relayunconfined", text);
    }
    if present.small_buffers {
        let text = "The kernel granted smaller socket buffers than were asked for.".to_owned();
        add(Level::Info, "socket-buffers", text);
    }
    all.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    all
}

/// What a relay has too little of.
fn shortages(present: &Present<'_>, add: &mut impl FnMut(Level, &'static str, String)) {
    for (count, limit, what) in present.limits {
        if count as f64 > rules::NEAR_LIMIT[0] * limit as f64 {
            add(Level::Warning, "relaynearlimit", format!("{count} of {limit} {what} are in use."));
        }
    }
    let (bytes, most) = present.mail;
    if bytes as f64 > rules::MAIL_NEAR_FULL[0] * most as f64 {
        let text = format!("{bytes} of {most} bytes of mail wait for their recipients.");
        add(Level::Warning, "relaymailnearfull", text);
    }
    let refused = present.since(|sample| sample.refused_full);
    if refused as f64 > rules::FULL[0] {
        let text = format!("The relay is full; requests refused in the last minute: {refused}.");
        add(Level::Critical, "relayfull", text);
    }
    if present.rate(|sample| sample.no_buffers) > rules::NO_BUFFERS[0] {
        add(Level::Warning, "relaynobuffers", "Receive buffers run out.".to_owned());
    }
    if let Some((shard, busy)) = present.busiest.filter(|(_, busy)| *busy > rules::SATURATED[0]) {
        let text = format!("Shard {shard} is busy {:.0} % of the time.", 100.0 * busy);
        add(Level::Warning, "relayshardsaturated", text);
    }
    if present.fullest_queue > rules::QUEUE_FULL[0] {
        let text = format!("A receive queue is {:.0} % full.", 100.0 * present.fullest_queue);
        add(Level::Warning, "relayreceivequeuefull", text);
    }
}

/// The losses of the last minute: copies by each reason, of which the worst is told, and what the kernel dropped.
fn losses(present: &Present<'_>, add: &mut impl FnMut(Level, &'static str, String)) {
    let all = present.since(Sample::copies) + present.since(|sample| sample.sent.packets);
    let worst = copy_reasons()
        .take(LOSSES)
        .enumerate()
        .map(|(at, reason)| {
            let of = |sample: &Sample| sample.dropped_copies[at];
            let (dropped, rate) = (present.since(of), present.rate(of));
            (
                level([part_of(dropped, all), rate], rules::COPIES_WARNING, rules::COPIES_CRITICAL),
                dropped,
                reason,
            )
        })
        .max_by_key(|(level, dropped, _)| (*level, *dropped));
    if let Some((Some(level), dropped, reason)) = worst {
        let part = percent(part_of(dropped, all));
        let text = format!("Copies dropped in the last minute as {reason}: {dropped}, {part} of all.");
        add(level, "relaycopiesdropped", text);
    }
    let of = |sample: &Sample| sample.kernel_dropped;
    let dropped = present.since(of);
    let part = part_of(dropped, dropped + present.since(|sample| sample.received.packets));
    let by_rules = level([part, present.rate(of)], rules::KERNEL_WARNING, rules::KERNEL_CRITICAL);
    if let Some(level) = by_rules {
        let text = format!(
            "Datagrams that the kernel dropped in the last minute: {dropped}, {} of what arrived. A receive buffer was full.",
            percent(part)
        );
        add(level, "relaykerneldrops", text);
    }
}

impl Present<'_> {
    /// How much of a total came since then.
    fn since(&self, of: impl Fn(&Sample) -> u64) -> u64 {
        of(self.now).saturating_sub(of(self.before))
    }

    /// The same for each second. What came since a moment ago is no rate yet.
    fn rate(&self, of: impl Fn(&Sample) -> u64) -> f64 {
        let since = self.now.at.saturating_sub(self.before.at);
        self.since(of) as f64 / since.max(SAMPLE_EVERY * RATE_SAMPLES as u32).as_secs_f64()
    }
}

/// How bad it is that these values are above the thresholds of a rule, each above its own; none if they are not.
fn level(values: [f64; 2], warning: [f64; 2], critical: [f64; 2]) -> Option<Level> {
    let exceed = |limits: [f64; 2]| values.iter().zip(limits).all(|(value, limit)| *value > limit);
    match (exceed(critical), exceed(warning)) {
        (true, _) => Some(Level::Critical),
        (false, true) => Some(Level::Warning),
        (false, false) => None,
    }
}

fn part_of(some: u64, all: u64) -> f64 {
    if some == 0 { 0.0 } else { some as f64 / all as f64 }
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
            stalled: None,
            now,
            before,
            busiest: Some((0, 0.5)),
            limits: ["clients", "groups", "groups that nobody joined", "names"].map(|what| (0, 10, what)),
            mail: (90, 100),
            trouble: None,
            overloaded: None,
            fullest_queue: 0.1,
            guarded: None,
            fallback: None,
            unconfined: &[],
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
        for (dropped, level) in [(61, Level::Warning), (500, Level::Critical)] {
            assert_eq!(found(&present(&sample(dropped, 0), &start)), [(level, "relaycopiesdropped")]);
            assert_eq!(found(&present(&sample(0, dropped), &start)), [(level, "relaykerneldrops")]);
        }
        assert!(findings(&present(&sample(500, 0), &start))[0].text.contains("unreachable: 500, 4.76 %"));
        assert_eq!(found(&present(&sample(500, 500), &sample(500, 500))), [], "what was before is over");

        let lacks = ["landlock: not in this kernel".to_owned()];
        let full = Sample { refused_full: 1, no_buffers: 61, ..fine.clone() };
        let mut all = present(&full, &start);
        all.limits[2].0 = 9;
        (all.ready, all.stalled, all.small_buffers, all.fallback) = (false, Some(1), true, Some("EPERM"));
        (all.guarded, all.overloaded) = (Some(300), Some(1));
        all.unconfined = &lacks;
        (all.busiest, all.fullest_queue) = (Some((3, 0.95)), 0.8);
        (all.mail, all.trouble) = ((91, 100), Some("/state/store.redb: no space left; make room"));
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
                (Level::Critical, "relayshardstalled"),
                (Level::Critical, "relaystoreintrouble"),
                (Level::Critical, "relayfull"),
                (Level::Warning, "relaynearlimit"),
                (Level::Warning, "relaymailnearfull"),
                (Level::Warning, "relaynobuffers"),
                (Level::Warning, "relayshardsaturated"),
                (Level::Warning, "relayreceivequeuefull"),
                (Level::Warning, "relayguarded"),
                (Level::Info, "overload"),
                (Level::Info, "relayfallbackbackend"),
                (Level::Info, "relayunconfined"),
                (Level::Info, "socket-buffers"),
            ]
        );
    }

    #[test]
    fn a_few_losses_of_few_copies_are_no_rate() {
        let start = Sample::default();
        for (seconds, count) in [(1, 1), (1, 5), (60, 60)] {
            let mut quiet = Sample { at: Duration::from_secs(seconds), ..Sample::default() };
            (quiet.dropped_copies[1], quiet.sent.packets) = (count, 11);
            assert_eq!(findings(&present(&quiet, &start)), [], "{count} in {seconds} s");
            quiet.dropped_copies[1] += 1;
            let enough = findings(&present(&quiet, &start));
            assert_eq!(enough.first().map(|found| found.level), (count > 1).then_some(Level::Critical));
        }
        // Two reasons of which each stays below the rule are not one above it.
        let mut mixed = Sample { at: Duration::from_secs(60), ..Sample::default() };
        mixed.dropped_copies[..2].copy_from_slice(&[60, 60]);
        assert_eq!(findings(&present(&mixed, &start)), []);
    }

    /// Alerts whose causes are not on this page.
    const ELSEWHERE: [(&str, &str); 9] = [
        ("RelayDown", "such a relay has no page"),
        ("RelayRestartLoop", "each process knows of itself"),
        ("RelayClientsVanished", "it compares with members of before"),
        ("RelayGuessing", "members notice nothing of it"),
        ("RelayLatency", "it is beside the verdict, and a minute of it proves nothing"),
        ("RelayMailCommitsSlow", "likewise: whoever stores mail waits, and nobody else"),
        ("RelayShardImbalance", "the shards are beside the verdict"),
        ("RelayFallbackBackend", "it has no threshold: info, as there"),
        ("RelayUnconfined", "likewise"),
    ];

    #[test]
    fn the_thresholds_are_those_of_the_alert_rules() {
        let own: [(&str, &str, &[f64]); 14] = [
            ("RelayGuarded", "warning", &[0.0]),
            ("RelayNotReady", "critical", &[]),
            ("RelayShardStalled", "critical", &[]),
            ("RelayCopiesDropped", "warning", &rules::COPIES_WARNING),
            ("RelayCopiesDropped", "critical", &rules::COPIES_CRITICAL),
            ("RelayKernelDrops", "warning", &rules::KERNEL_WARNING),
            ("RelayKernelDrops", "critical", &rules::KERNEL_CRITICAL),
            ("RelayReceiveQueueFull", "warning", &rules::QUEUE_FULL),
            ("RelayNoBuffers", "warning", &rules::NO_BUFFERS),
            ("RelayShardSaturated", "warning", &rules::SATURATED),
            ("RelayNearLimit", "warning", &rules::NEAR_LIMIT),
            ("RelayFull", "critical", &rules::FULL),
            ("RelayMailNearFull", "warning", &rules::MAIL_NEAR_FULL),
            ("RelayStoreInTrouble", "critical", &[0.0]),
        ];
        let file = include_str!("../../../dashboards/alerts.yml");
        let mut theirs = Vec::new();
        for rule in file.split("- alert: ").skip(1) {
            let name = rule.lines().next().unwrap();
            if ELSEWHERE.iter().any(|(alert, _)| *alert == name) {
                continue;
            }
            let severity = rule.split("severity: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
            let expression =
                rule.split("expr:").nth(1).and_then(|rest| rest.split("labels:").next()).unwrap();
            let number = |rest: &str| rest.split_whitespace().next()?.parse::<f64>().ok();
            let limits: Vec<f64> = expression.split("> ").skip(1).filter_map(number).collect();
            theirs.push((name, severity, limits));
        }
        let own: Vec<_> =
            own.iter().map(|(name, severity, limits)| (*name, *severity, limits.to_vec())).collect();
        for rule in &theirs {
            assert!(own.contains(rule), "{rule:?} of the file, not here");
        }
        assert_eq!(own.len(), theirs.len());
    }
}

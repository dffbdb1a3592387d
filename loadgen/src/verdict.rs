//! What a measurement means: the objectives, the generator's distrust of itself, and where copies were lost.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::outcome::{LATE, Outcome, Own};
use crate::plan::{Load, Plan};
use crate::report::{Losses, Objective, RelayView, Verdict};
use crate::show::{duration, flag_value, percent, precise, ratio};

/// More late sends than this part of all, and the load was not the one that was asked for.
const MANY_LATE: f64 = 0.1;

/// Latency counts from the intended time: where lateness is a larger part of it, a missed objective is the generator's.
const OWN_LATENESS: f64 = 0.2;

/// A larger part of the copies lost on the generator's side would be felt in the result.
const OWN_LOSS: f64 = 1e-4;

/// A thread that ran for a larger part of the time had no rest: it may have been the limit.
const BUSY: f64 = 0.95;

/// A thread that waited for its processor for a larger part of the time shared it with somebody.
const STARVED: f64 = 0.1;

/// What must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Objectives {
    /// Part of the expected copies that may be lost, 0 to 1.
    pub loss: Option<f64>,
    /// Flag, part of the copies (0 to 1), and their longest latency.
    pub latency: Vec<(String, f64, Duration)>,
    /// Part of the PINGs that may have no answer, 0 to 1.
    pub pong_loss: Option<f64>,
}

/// What a measurement means.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Each objective.
    pub objectives: Vec<Objective>,
    /// Where copies were lost.
    pub losses: Losses,
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reasons: Vec<String>,
}

/// Judges a measurement.
pub fn judge(
    plan: &Plan,
    objectives: &Objectives,
    outcome: &Outcome,
    relay: Option<&RelayView>,
) -> Judgement {
    let mut distrust = lateness(objectives, outcome);
    let objectives = measured(objectives, outcome);
    let losses = attribute(outcome, relay);
    let missed: Vec<&Objective> = objectives.iter().filter(|objective| !objective.met).collect();
    distrust.extend(self::distrust(plan, outcome, !missed.is_empty()));
    let broken = broken(outcome);
    let verdict = match (distrust.is_empty(), missed.is_empty() && broken.is_empty()) {
        (false, _) => Verdict::Invalid,
        (true, false) => Verdict::Missed,
        (true, true) => Verdict::Met,
    };
    let sentences = missed
        .iter()
        .map(|objective| format!("{} {}: measured {}", objective.flag, objective.limit, objective.measured));
    let reasons = distrust.into_iter().chain(broken).chain(sentences).chain(remarks(outcome)).collect();
    Judgement { objectives, losses, verdict, reasons }
}

fn measured(objectives: &Objectives, outcome: &Outcome) -> Vec<Objective> {
    let totals = &outcome.totals;
    let mut measured = Vec::new();
    if let Some(limit) = objectives.loss {
        measured.push(part("--max-loss", limit, totals.lost(), totals.expected));
    }
    for (flag, part, limit) in &objectives.latency {
        // What never arrived has no latency, and is the loss's affair.
        let value = if *part < 1.0 { outcome.latency.quantile(*part) } else { outcome.latency.max() };
        let none = outcome.latency.count() == 0;
        measured.push(Objective {
            flag: flag.clone(),
            limit: time(*limit),
            measured: if none { "no copy arrived".into() } else { time(value) },
            met: !none && value <= *limit,
        });
    }
    if let Some(limit) = objectives.pong_loss {
        measured.push(part("--max-pong-loss", limit, totals.pongs_lost(), totals.pings_sent));
    }
    measured
}

fn part(flag: &str, limit: f64, lost: u64, all: u64) -> Objective {
    let measured = if all == 0 { 0.0 } else { lost as f64 / all as f64 };
    let text = if all == 0 {
        "nothing was sent".to_owned()
    } else {
        format!("{} ({lost} of {all})", flag_value(&percent(lost, all)))
    };
    let limit_text = format!("{}%", precise(limit * 100.0));
    Objective { flag: flag.into(), limit: limit_text, measured: text, met: all > 0 && measured <= limit }
}

/// Reasons to say nothing about the relay, because it was the generator that could not keep up.
fn distrust(plan: &Plan, outcome: &Outcome, missed: bool) -> Vec<String> {
    let totals = &outcome.totals;
    let mut reasons = Vec::new();
    if totals.sent > 0 && totals.late_sends as f64 > MANY_LATE * totals.sent as f64 && is_open(plan) {
        reasons.push(format!(
            "the generator could not keep its schedule: {} of {} payloads left more than {} late (p99 {})",
            totals.late_sends,
            totals.sent,
            time(LATE),
            time(outcome.lateness.quantile(0.99)),
        ));
    }
    let felt = |lost: u64, all: u64| lost > 0 && (missed || lost as f64 > OWN_LOSS * all as f64);
    if felt(totals.own_drops, totals.expected + totals.pings_sent) {
        reasons.push(format!(
            "the generator lost {} datagrams in its own receive queues: it was too slow to take them in",
            totals.own_drops
        ));
    }
    if felt(totals.send_failures, totals.sent + totals.pings_sent) {
        reasons.push(format!("the generator's kernel did not take {} datagrams", totals.send_failures));
    }
    reasons.extend(outcome.own.iter().filter_map(tired));
    reasons
}

/// Missed latency objectives that are the generator's own fault.
fn lateness(objectives: &Objectives, outcome: &Outcome) -> Vec<String> {
    let mut reasons = Vec::new();
    for (flag, part, limit) in &objectives.latency {
        let (latency, lateness) = (outcome.latency.quantile(*part), outcome.lateness.quantile(*part));
        if latency > *limit && lateness.as_secs_f64() > OWN_LATENESS * latency.as_secs_f64() {
            reasons.push(format!(
                "{flag} cannot be judged: of the {}, the generator itself was {} late",
                time(latency),
                time(lateness)
            ));
        }
    }
    reasons
}

fn is_open(plan: &Plan) -> bool {
    matches!(plan.load, Load::Open { .. })
}

/// Why a thread may have been the limit.
fn tired(own: &Own) -> Option<String> {
    let part = |time: Duration| time.as_secs_f64() / own.wall.as_secs_f64().max(1e-9);
    let cpu = own.cpu.map_or("a processor".to_owned(), |cpu| format!("processor {cpu}"));
    if part(own.starved) > STARVED {
        return Some(format!(
            "the generator waited for {cpu} {} of the time, because something else ran there",
            flag_value(&ratio(part(own.starved)))
        ));
    }
    (part(own.busy) > BUSY).then(|| {
        format!(
            "the generator's thread on {cpu} was busy {} of the time: it was the limit",
            flag_value(&ratio(part(own.busy)))
        )
    })
}

/// What no relay may do, whatever the objectives are.
fn broken(outcome: &Outcome) -> Vec<String> {
    let totals = &outcome.totals;
    let mut reasons = Vec::new();
    if totals.misdelivered > 0 {
        let count = totals.misdelivered;
        reasons.push(format!("{count} copies reached their own sender or a client outside of the group"));
    }
    if totals.corrupted > 0 {
        reasons.push(format!(
            "{} datagrams from the relay were neither a reply nor an intact payload",
            totals.corrupted
        ));
    }
    reasons
}

/// What else is worth knowing.
fn remarks(outcome: &Outcome) -> Vec<String> {
    let totals = &outcome.totals;
    let mut remarks = Vec::new();
    if totals.evictions > 0 {
        remarks.push(format!(
            "the relay forgot {} members that had kept their heartbeat; they joined again",
            totals.evictions
        ));
    }
    if outcome.interrupted {
        remarks.push(format!("ended early, after {}", time(outcome.duration)));
    }
    remarks
}

/// Where copies were lost. What is known of single copies comes first; what concerns payloads before they were copied
/// counts with the mean number of copies.
pub fn attribute(outcome: &Outcome, relay: Option<&RelayView>) -> Losses {
    let totals = &outcome.totals;
    let copies = if totals.sent == 0 { 0.0 } else { totals.expected as f64 / totals.sent as f64 };
    let copied = |payloads: u64| (payloads as f64 * copies).round() as u64;
    let mut left = totals.lost();
    let mut take = |claimed: u64| {
        let taken = claimed.min(left);
        left -= taken;
        taken
    };
    let sum = |reasons: &[(String, u64)]| reasons.iter().map(|(_, count)| count).sum::<u64>();
    let receiver_kernel = take(totals.own_drops);
    let relay_dropped =
        relay.map_or(0, |relay| sum(&relay.dropped_copies) + copied(sum(&relay.dropped_packets)));
    let relay_dropped = take(relay_dropped);
    let generator_send = take(copied(totals.send_failures));
    let relay_kernel = take(relay.map_or(0, |relay| copied(relay.kernel_drops)));
    Losses { generator_send, relay_dropped, relay_kernel, receiver_kernel, unexplained: left }
}

/// A duration as flags are spelled.
fn time(time: Duration) -> String {
    flag_value(&duration(time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Totals;
    use crate::plan::example;

    fn seen(totals: Totals) -> Outcome {
        let mut outcome = Outcome::planned(Duration::from_secs(10));
        outcome.totals = totals;
        outcome.latency.record_n(Duration::from_millis(2), totals.received);
        outcome
    }

    fn good() -> Totals {
        Totals { sent: 1000, expected: 9000, received: 9000, ..Totals::default() }
    }

    fn strict() -> Objectives {
        Objectives {
            loss: Some(0.001),
            latency: vec![("--max-p99".into(), 0.99, Duration::from_millis(5))],
            pong_loss: None,
        }
    }

    fn verdict(objectives: &Objectives, outcome: &Outcome) -> Verdict {
        judge(&example(), objectives, outcome, None).verdict
    }

    #[test]
    fn objectives_are_met_or_missed() {
        assert_eq!(verdict(&strict(), &seen(good())), Verdict::Met);
        let lossy = seen(Totals { received: 8990, ..good() });
        assert_eq!(verdict(&Objectives::default(), &lossy), Verdict::Met);
        let judgement = judge(&example(), &strict(), &lossy, None);
        assert_eq!(judgement.verdict, Verdict::Missed);
        assert_eq!(judgement.reasons, ["--max-loss 0.1%: measured 0.11% (10 of 9000)"]);
        let silent = seen(Totals { received: 0, ..good() });
        assert!(
            judge(&example(), &strict(), &silent, None).objectives.iter().all(|objective| !objective.met)
        );
    }

    #[test]
    fn nothing_sent_meets_no_objective() {
        assert_eq!(verdict(&strict(), &seen(Totals::default())), Verdict::Missed);
    }

    #[test]
    fn invalid_wins_over_missed() {
        let lossy = Totals { received: 8000, ..good() };
        for totals in [
            Totals { late_sends: 101, ..lossy },
            Totals { own_drops: 1, ..lossy },
            Totals { send_failures: 1, ..lossy },
        ] {
            assert_eq!(verdict(&strict(), &seen(totals)), Verdict::Invalid, "{totals:?}");
        }
        let mut tired = seen(good());
        let second = Duration::from_secs(1);
        tired.own = vec![Own { cpu: Some(1), busy: second, starved: Duration::ZERO, wall: second }];
        assert_eq!(verdict(&strict(), &tired), Verdict::Invalid);
        tired.own[0] = Own { cpu: None, busy: second / 2, starved: second / 5, wall: second };
        assert_eq!(verdict(&strict(), &tired), Verdict::Invalid);
    }

    #[test]
    fn a_little_lateness_is_not_the_relays_fault_nor_ours() {
        assert_eq!(verdict(&strict(), &seen(Totals { late_sends: 100, ..good() })), Verdict::Met);
    }

    #[test]
    fn own_lateness_is_no_bad_mark() {
        let mut outcome = seen(good());
        outcome.latency.record_n(Duration::from_millis(10), 1000);
        assert_eq!(verdict(&strict(), &outcome), Verdict::Missed);
        outcome.lateness.record_n(Duration::from_millis(3), 1000);
        assert_eq!(verdict(&strict(), &outcome), Verdict::Invalid);
    }

    #[test]
    fn what_no_relay_may_do_is_never_met() {
        assert_eq!(
            verdict(&Objectives::default(), &seen(Totals { misdelivered: 1, ..good() })),
            Verdict::Missed
        );
        assert_eq!(
            verdict(&Objectives::default(), &seen(Totals { corrupted: 1, ..good() })),
            Verdict::Missed
        );
    }

    #[test]
    fn losses_add_up() {
        let totals = Totals { received: 8000, own_drops: 100, send_failures: 10, ..good() };
        let relay = RelayView {
            dropped_copies: vec![("send_buffer_full".into(), 300)],
            dropped_packets: vec![("not_joined".into(), 5)],
            kernel_drops: 20,
            ..RelayView::default()
        };
        let losses = attribute(&seen(totals), Some(&relay));
        let expected = Losses {
            receiver_kernel: 100,
            relay_dropped: 300 + 45,
            generator_send: 90,
            relay_kernel: 180,
            unexplained: 1000 - 100 - 345 - 90 - 180,
        };
        assert_eq!(losses, expected);
        let few = seen(Totals { received: 8950, own_drops: 100, ..good() });
        assert_eq!(attribute(&few, Some(&relay)), Losses { receiver_kernel: 50, ..Losses::default() });
    }
}

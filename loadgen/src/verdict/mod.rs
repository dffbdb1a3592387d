//! What a measurement means: the objectives, the generator's distrust of itself, and where copies were lost.

mod distrust;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::outcome::{Outcome, Totals};
use crate::plan::{Heartbeat, Plan};
use crate::report::{Losses, Objective, RelayView, Verdict};
use crate::show::{count, duration, flag_value, percent, precise};

/// What must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Objectives {
    /// Part of the expected copies that may be lost, 0 to 1.
    pub loss: Option<f64>,
    /// Flag, part of the copies (0 to 1), and their longest latency.
    pub latency: Vec<(String, f64, Duration)>,
    /// Part of the PINGs that may have no answer, 0 to 1.
    pub pong_loss: Option<f64>,
    /// Part of the received copies that may have arrived again, 0 to 1.
    pub duplicates: Option<f64>,
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
    let (distrust, noticed) = distrust::reasons(plan, objectives, outcome, relay);
    let objectives = measured(objectives, &outcome.totals, outcome);
    let losses = attribute(outcome, relay);
    let missed: Vec<&Objective> = objectives.iter().filter(|objective| !objective.met).collect();
    let broken = broken(plan, outcome);
    let is_broken = outcome.totals.misdelivered > 0 || outcome.totals.corrupted > 0;
    let verdict = match (distrust.is_empty(), missed.is_empty() && broken.is_empty()) {
        // No generator can be the reason for that, however slow it was.
        _ if is_broken => Verdict::Missed,
        (false, _) => Verdict::Invalid,
        (true, false) => Verdict::Missed,
        (true, true) => Verdict::Met,
    };
    let sentences = missed
        .iter()
        .map(|objective| format!("{} {}: measured {}", objective.flag, objective.limit, objective.measured));
    let remarks = noticed.into_iter().chain(remarks(plan, outcome));
    let reasons = distrust.into_iter().chain(broken).chain(sentences).chain(remarks).collect();
    Judgement { objectives, losses, verdict, reasons }
}

/// What was measured for each objective, with these sums.
fn measured(objectives: &Objectives, totals: &Totals, outcome: &Outcome) -> Vec<Objective> {
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
    if let Some(limit) = objectives.duplicates {
        measured.push(part("--max-duplicates", limit, totals.duplicated, totals.received));
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

/// What no relay may do, whatever the objectives are.
fn broken(plan: &Plan, outcome: &Outcome) -> Vec<String> {
    let totals = &outcome.totals;
    let mut reasons = Vec::new();
    if totals.evictions > 0 && plan.heartbeat == Heartbeat::Auto {
        reasons.push(format!(
            "{} members were forgotten although they had kept their heartbeat",
            totals.evictions
        ));
    }
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
fn remarks(plan: &Plan, outcome: &Outcome) -> Vec<String> {
    let totals = &outcome.totals;
    let mut remarks = Vec::new();
    let mut remark = |number: u64, what: &str| {
        if number > 0 {
            remarks.push(format!("{} {what}", count(number)));
        }
    };
    if plan.heartbeat != Heartbeat::Auto {
        remark(totals.evictions, "members were forgotten, which --heartbeat may ask for; they joined again");
    }
    remark(totals.duplicated, "copies arrived again");
    remark(totals.too_late, "copies arrived too late to tell whether they had before: they count as lost");
    remark(totals.skipped, "payloads were due while their sender was no member, and were not sent");
    if outcome.interrupted {
        remarks.push(format!("ended early, after {}", time(outcome.duration)));
    }
    remarks
}

/// Where copies were lost. What is known of single copies comes first; what concerns payloads before they were copied
/// counts with the mean number of copies.
pub fn attribute(outcome: &Outcome, relay: Option<&RelayView>) -> Losses {
    let totals = &outcome.totals;
    let copied = |payloads: u64| distrust::copies(totals, payloads);
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
mod tests;

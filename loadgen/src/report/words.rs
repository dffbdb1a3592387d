//! A plan and what came of it in words, for the text and the page.

use std::time::Duration;

use super::{Losses, RelayView, Report, Setup, Verdict};
use crate::outcome::{Outcome, Own};
use crate::plan::{Arrivals, Heartbeat, Load, PayloadSize, Plan, Senders};
use crate::show::{per_second, plural, seconds, si};

/// What is sent, by whom, and when.
pub(super) fn work(plan: &Plan) -> String {
    if is_silent(plan) {
        return "nothing but heartbeats".into();
    }
    format!("{}; {}; {}", load(plan), senders(plan), payload(plan))
}

/// Whether nobody is to send a payload.
pub(super) fn is_silent(plan: &Plan) -> bool {
    plan.senders == Senders::PerGroup(0) || plan.silent >= 1.0
}

pub(super) fn load(plan: &Plan) -> String {
    match plan.load {
        Load::Open { rate, arrivals: Arrivals::Constant } => {
            format!("{} payloads/s from each sender, evenly spaced", si(rate))
        }
        Load::Open { rate, arrivals: Arrivals::Poisson } => {
            format!("{} payloads/s from each sender, a Poisson process", si(rate))
        }
        Load::InFlight(count) => {
            format!("closed loop, {} in flight in each group", plural(count.into(), "payload"))
        }
    }
}

pub(super) fn senders(plan: &Plan) -> String {
    match plan.senders {
        Senders::All => "every client sends".into(),
        Senders::PerGroup(0) => "nobody sends".into(),
        Senders::PerGroup(count) => format!("{} in each group", plural(count.into(), "sender")),
    }
}

pub(super) fn payload(plan: &Plan) -> String {
    match plan.payload {
        PayloadSize::Fixed(size) => plural(size.into(), "byte"),
        PayloadSize::Between(low, high) => format!("{low} to {high} bytes"),
        PayloadSize::Mix => "a mix of 64, 512 and 1200 bytes".into(),
    }
}

pub(super) fn heartbeat(plan: &Plan) -> String {
    match plan.heartbeat {
        Heartbeat::Auto => "as often as the relay asks".into(),
        Heartbeat::Every(time) => format!("every {}", seconds(time)),
    }
}

/// How the run was done.
pub(crate) fn setup(setup: &Setup) -> String {
    let sockets = match setup.sockets.as_str() {
        "per_client" => "a socket for each client",
        "shared" => "shared sockets",
        other => other,
    };
    let mut text = format!("{}, {sockets}, {}", setup.backend, plural(setup.threads.into(), "thread"));
    if setup.workers > 0 {
        text += &format!(" of {}", plural(setup.workers.into(), "worker"));
    }
    text
}

/// The judgement in a few words.
pub(super) fn verdict(report: &Report) -> &'static str {
    match report.verdict {
        Verdict::Met if report.objectives.is_empty() => "Done; no objective was set",
        Verdict::Met => "All objectives met",
        Verdict::Missed => "Objectives missed",
        Verdict::Invalid => "Invalid run: it says nothing about the relay",
    }
}

/// Why there is no latency.
pub(super) fn nothing_received(outcome: &Outcome) -> &'static str {
    let totals = &outcome.totals;
    if totals.sent == 0 && totals.joins == 0 && outcome.members == 0 {
        "No client joined, so no payload was sent."
    } else if totals.sent == 0 {
        "No payloads were sent, only heartbeats."
    } else if totals.expected == 0 {
        "No payload had another member to reach."
    } else {
        "Not one copy arrived."
    }
}

/// What is said of the relay's processor time where it is too short to be divided.
pub(super) const LITTLE_CPU: &str = "less than 0.2 s, too little to tell";

/// The causes of losses with their counts.
pub(super) fn losses(losses: &Losses) -> [(&'static str, u64); 5] {
    [
        ("Dropped by the relay", losses.relay_dropped),
        ("Relay's receive queues", losses.relay_kernel),
        ("Generator's receive queues", losses.receiver_kernel),
        ("Not taken by the generator's kernel", losses.generator_send),
        ("Unexplained", losses.unexplained),
    ]
}

/// The address of the relay's metrics without what every address begins with.
pub(super) fn metrics_address(relay: &RelayView) -> &str {
    relay.url.split_once("://").map_or(relay.url.as_str(), |(_, address)| address)
}

/// The part of its time that a thread ran, and that it had to wait for a processor.
pub(super) fn own(own: &Own) -> (f64, f64) {
    (part(own.busy, own.wall), part(own.starved, own.wall))
}

/// Payloads that the generator's own limits kept back or spoilt; only those that occurred.
pub(super) fn troubles(outcome: &Outcome) -> Vec<(&'static str, u64)> {
    let totals = &outcome.totals;
    let all = [
        ("Payloads due while their sender was no member", totals.skipped),
        ("Datagrams that the kernel did not take", totals.send_failures),
        ("Copies dropped in own receive queues", totals.own_drops),
        ("Members removed in spite of their heartbeat", totals.evictions),
        ("Other requests refused", totals.refusals),
        ("Requests repeated", totals.repeats),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).collect()
}

/// Payloads and deliveries per second.
pub(super) fn rates(outcome: &Outcome) -> (f64, f64) {
    let rate = |count| per_second(count, outcome.duration);
    (rate(outcome.totals.sent), rate(outcome.totals.received))
}

fn part(time: Duration, whole: Duration) -> f64 {
    if whole.is_zero() { 0.0 } else { time.div_duration_f64(whole) }
}

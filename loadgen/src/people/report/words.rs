//! A run of people in words, for the text and the page.

use super::Report;
use crate::hdr::Durations;
use crate::people::outcome::Outcome;
use crate::plan::{Arrivals, Load, PayloadSize};
use crate::report::Verdict;
use crate::show::{count, plural, ratio, seconds, si};

/// What is sent, by whom, and who is away.
pub(super) fn work(report: &Report) -> [String; 2] {
    let plan = &report.plan.plan;
    let spread = match plan.load {
        Load::Open { arrivals: Arrivals::Poisson, .. } => "at random times",
        _ => "evenly spaced",
    };
    let size = match plan.payload {
        PayloadSize::Fixed(size) => plural(size.into(), "byte"),
        PayloadSize::Between(least, most) => format!("{least} to {most} bytes"),
        PayloadSize::Mix => "a mix of 64, 512 and 1200 bytes".into(),
    };
    let rate = si(report.plan.rate());
    let away = match report.plan.offline() {
        0 => "nobody is offline".to_owned(),
        away => format!(
            "{} ({}) offline at any time, each for {} on average",
            count(away.into()),
            ratio(report.plan.offline_share),
            seconds(report.plan.returns)
        ),
    };
    let moving = match report.plan.movers() {
        0 => String::new(),
        movers => {
            let (part, time) = (ratio(report.plan.moving_share), seconds(report.plan.returns));
            format!("; {} ({part}) change their address, each after {time} on average", count(movers.into()))
        }
    };
    [format!("{rate} messages/s from each who is online, {spread}; {size}"), away + &moving]
}

/// What has become of the messages: what is indented is a part of what stands before it.
pub(super) fn accounts(outcome: &Outcome) -> Vec<(&'static str, u64)> {
    let sums = &outcome.sums;
    let rare = [
        ("Unsent", sums.unsent),
        ("Corrupted", sums.corrupted),
        ("Misdelivered", sums.misdelivered),
        ("Refused, yet shown", sums.refused_and_shown),
        ("Unanswered, yet shown", sums.unanswered_and_shown),
    ];
    let always = [
        ("Sent", sums.sent),
        ("Delivered", sums.delivered),
        ("  from mail", sums.delivered_from_mail),
        ("Refused", sums.refused()),
        ("  mailbox full", sums.mailbox_full),
        ("  no such name", sums.no_such_name),
        ("Unanswered", sums.unanswered),
        ("Lost", sums.lost),
        ("Doubled", sums.doubled),
        ("Out of order", sums.out_of_order),
    ];
    always.into_iter().chain(rare.into_iter().filter(|(_, number)| *number > 0)).collect()
}

/// What takes time.
pub(super) fn times(outcome: &Outcome) -> [(&'static str, &Durations); 4] {
    let times = &outcome.times;
    [
        ("Delivered", &times.delivered),
        ("Stored", &times.stored),
        ("First mail", &times.first_mail),
        ("Pacing error", &times.lateness),
    ]
}

/// What people did, and what happened on the way; only what occurred.
pub(super) fn deeds(outcome: &Outcome) -> Vec<(&'static str, u64)> {
    let (sums, deeds) = (&outcome.sums, &outcome.deeds);
    let all = [
        ("Left by DEREG", deeds.deregistered),
        ("Left in silence", deeds.fell_silent),
        ("Came back", deeds.returned),
        ("Moved by RESUME", deeds.moved),
        ("SENDs repeated", sums.sent_again),
        ("Repeats recognised", sums.repeats),
        ("Of them after DELIVERED", sums.repeats_after_delivered),
        ("Requests repeated", deeds.asked_again),
        ("BEATs", deeds.beats),
        ("Mail that had to be asked for", deeds.prompted),
        ("No room for a SEND", deeds.no_room),
        ("Unheard by who was away", deeds.unheard),
        ("Not understood", deeds.unexpected),
        ("Sessions lost", deeds.sessions_lost),
        ("Claims refused", deeds.claims_refused),
        ("Claims changed", deeds.claims_changed),
        ("Not taken by the kernel", deeds.send_failures),
        ("Dropped in own receive queues", deeds.own_drops),
        ("Written late", deeds.late_sends),
    ];
    all.into_iter().filter(|(_, number)| *number > 0).collect()
}

/// The judgement in a few words.
pub(super) fn verdict(report: &Report) -> &'static str {
    let is_kept = report.outcome.sums.unanswered + report.outcome.sums.lost == 0;
    match report.verdict {
        Verdict::Met => "Nothing lost, doubled or out of order",
        Verdict::Invalid => "Invalid run: it says nothing about the relay",
        Verdict::Missed if is_kept => "Missed",
        Verdict::Missed => "Missed: messages are gone",
    }
}

/// The generator's thread.
pub(super) fn own(outcome: &Outcome) -> String {
    let part = |time: std::time::Duration| {
        if outcome.own.wall.is_zero() { 0.0 } else { time.div_duration_f64(outcome.own.wall) }
    };
    format!("{} of a core, starved {}", ratio(part(outcome.own.busy)), ratio(part(outcome.own.starved)))
}

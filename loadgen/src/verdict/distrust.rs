//! When the generator was the bottleneck, so that nothing can be said about the relay.

use std::time::Duration;

use super::{Objectives, measured, time};
use crate::outcome::{LATE, Outcome, Own, Totals};
use crate::plan::{Load, Plan};
use crate::report::RelayView;
use crate::show::{count, flag_value, ratio};

/// More late sends than this part of all, and the load was not the one that was asked for.
const MANY_LATE: f64 = 0.1;

/// So few late sends say nothing.
const FEW_LATE: u64 = 10;

/// A thread that did nothing for so long was stopped, or had no processor.
const STALLED: Duration = Duration::from_secs(1);

/// A larger part of the copies lost on the generator's side, and nothing that was measured is worth much.
const OWN_LOSS: f64 = 0.01;

/// A thread that ran for a larger part of the time had no rest: it may have been the limit.
const BUSY: f64 = 0.95;

/// A thread that waited for its processor for a larger part of the time shared it with somebody.
const STARVED: f64 = 0.1;

/// Reasons to say nothing about the relay; and what was noticed of that kind, but changes nothing.
pub(super) fn reasons(
    plan: &Plan,
    objectives: &Objectives,
    outcome: &Outcome,
    relay: Option<&RelayView>,
) -> (Vec<String>, Vec<String>) {
    let is_open = matches!(plan.load, Load::Open { .. });
    let mut reasons = lateness(objectives, outcome);
    reasons.extend(late(&outcome.totals, outcome).filter(|_| is_open));
    reasons.extend(nothing_sent(objectives, &outcome.totals));
    let mut noticed = Vec::new();
    let lost = own_losses(&outcome.totals);
    let excuses = excuses(objectives, outcome) || is_ruined(&outcome.totals);
    if excuses { &mut reasons } else { &mut noticed }.extend(lost);
    let tired = outcome.own.iter().filter_map(tired).chain(stalled(outcome));
    // A closed loop goes as fast as both sides can: there a tired generator is the result itself.
    let changes = !is_open || outcome.totals.evictions > 0 || is_missed(objectives, outcome, relay);
    if changes { &mut reasons } else { &mut noticed }.extend(tired);
    (reasons, noticed)
}

/// True if an objective is missed, other than by the copies that the relay says it dropped.
fn is_missed(objectives: &Objectives, outcome: &Outcome, relay: Option<&RelayView>) -> bool {
    let dropped: u64 = relay.map_or(0, |relay| relay.dropped_copies.iter().map(|(_, count)| count).sum());
    let received = outcome.totals.expected.saturating_sub(dropped);
    let by_relay = Totals { received, ..outcome.totals };
    let explained = measured(objectives, &by_relay, outcome);
    let missed = measured(objectives, &outcome.totals, outcome);
    missed.iter().zip(&explained).any(|(missed, explained)| {
        let is_relays = missed.flag == "--max-loss" && !explained.met;
        !missed.met && !is_relays
    })
}

/// An objective that nothing can be said about, because there was nothing of its kind.
fn nothing_sent(objectives: &Objectives, totals: &Totals) -> Option<String> {
    let copies = totals.expected == 0 && (objectives.loss.is_some() || !objectives.latency.is_empty());
    let pings = totals.pings_sent == 0 && objectives.pong_loss.is_some();
    let what = if copies { "payload" } else { "PING" };
    (copies || pings)
        .then(|| format!("no {what} was sent in this time: give a longer --duration, or more of them"))
}

/// A stop of the whole generator.
fn stalled(outcome: &Outcome) -> Option<String> {
    let pause = outcome.longest_pause;
    (pause >= STALLED).then(|| format!("the generator stood still for {}", time(pause)))
}

fn late(totals: &Totals, outcome: &Outcome) -> Option<String> {
    let are_many = totals.late_sends >= FEW_LATE && totals.late_sends as f64 > MANY_LATE * totals.sent as f64;
    are_many.then(|| {
        format!(
            "the generator could not keep its schedule: {} of {} payloads left more than {} late (p99 {})",
            count(totals.late_sends),
            count(totals.sent),
            time(LATE),
            time(outcome.lateness.quantile(0.99)),
        )
    })
}

/// Missed latency objectives that would have been met without the generator's own lateness.
fn lateness(objectives: &Objectives, outcome: &Outcome) -> Vec<String> {
    let mut reasons = Vec::new();
    for (flag, part, limit) in &objectives.latency {
        let (latency, lateness) = (outcome.latency.quantile(*part), outcome.lateness.quantile(*part));
        if latency > *limit && latency.saturating_sub(lateness) <= *limit {
            reasons.push(format!(
                "{flag} cannot be judged: of the {}, the generator itself was {} late",
                time(latency),
                time(lateness)
            ));
        }
    }
    reasons
}

/// True if an objective is missed that would have been met without the generator's own losses.
fn excuses(objectives: &Objectives, outcome: &Outcome) -> bool {
    let totals = outcome.totals;
    let own = totals.own_drops + copies(&totals, totals.send_failures);
    let received = (totals.received + own).min(totals.expected);
    let pongs_received =
        (totals.pongs_received + totals.own_drops + totals.send_failures).min(totals.pings_sent);
    let without = Totals { received, pongs_received, ..totals };
    let as_it_is = measured(objectives, &totals, outcome);
    let as_it_were = measured(objectives, &without, outcome);
    as_it_is.iter().zip(&as_it_were).any(|(one, other)| !one.met && other.met)
}

/// Copies of so many payloads, by the mean.
pub(super) fn copies(totals: &Totals, payloads: u64) -> u64 {
    let mean = if totals.sent == 0 { 0.0 } else { totals.expected as f64 / totals.sent as f64 };
    (payloads as f64 * mean).round() as u64
}

fn is_ruined(totals: &Totals) -> bool {
    let ruins = |lost: u64, all: u64| lost as f64 > OWN_LOSS * all as f64;
    ruins(totals.own_drops, totals.expected + totals.pings_sent)
        || ruins(totals.send_failures, totals.sent + totals.pings_sent)
}

fn own_losses(totals: &Totals) -> Vec<String> {
    let mut losses = Vec::new();
    if totals.own_drops > 0 {
        losses.push(format!(
            "the generator lost {} datagrams in its own receive queues: it was too slow to take them in",
            count(totals.own_drops)
        ));
    }
    if totals.send_failures > 0 {
        losses.push(format!("the generator's kernel did not take {} datagrams", count(totals.send_failures)));
    }
    losses
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

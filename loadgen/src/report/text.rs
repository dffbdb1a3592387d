//! The report as plain text, printed at the end of a run.

use std::fmt::Write;

use super::{Objective, RelayView, Report, Verdict, words};
use crate::hdr::Durations;
use crate::outcome::{LATE, Outcome, Totals};
use crate::show::{
    count, duration, harmless, limit, memory, percent, plural, ratio, seconds, si, throughput,
};

pub(crate) mod bars;

/// No line is longer, in characters.
const WIDTH: usize = 100;
/// Where the values of labelled lines begin.
const LABEL: usize = 16;

/// The report for a terminal or a file: no colours, no line longer than 100 characters.
pub fn to_text(report: &Report) -> String {
    let mut text = String::new();
    head(&mut text, report);
    traffic(&mut text, &report.outcome);
    times(&mut text, &report.outcome);
    bars::distribution(&mut text, "Latency up to", &report.outcome.latency);
    losses(&mut text, report);
    text.push('\n');
    relay(&mut text, report.relay.as_ref(), report.relay_missing.as_deref());
    generator(&mut text, report);
    objectives(&mut text, &report.objectives);
    verdict(&mut text, report);
    text
}

fn head(text: &mut String, report: &Report) {
    let (plan, outcome) = (&report.plan, &report.outcome);
    let started = &report.setup.started;
    let early = if outcome.interrupted {
        format!(" of {}, ended early", seconds(plan.duration))
    } else {
        String::new()
    };
    let warm_up = if plan.warm_up.is_zero() {
        String::new()
    } else {
        format!(", after {} of warm-up", seconds(plan.warm_up))
    };
    line(text, 0, "Target", &report.target);
    line(
        text,
        0,
        "Clients",
        &format!("{} in {}", count(plan.clients.into()), plural(plan.groups.into(), "group")),
    );
    if outcome.members != u64::from(plan.clients) {
        line(text, 0, "", &format!("{} at the end", plural(outcome.members, "member")));
    }
    line(text, 0, "Load", &words::work(plan));
    line(text, 0, "Measured", &format!("{}{early}{warm_up}, from {started}", seconds(outcome.duration)));
}

/// What was sent and what became of it.
fn traffic(text: &mut String, outcome: &Outcome) {
    let totals = &outcome.totals;
    if totals.sent > 0 {
        traffic_rows(text, outcome, totals);
    } else {
        let _ = write!(text, "\n{}\n", words::nothing_received(outcome));
    }
    let lost = totals.pongs_lost();
    let lost = if lost > 0 {
        format!(", {} lost ({})", count(lost), percent(lost, totals.pings_sent))
    } else {
        String::new()
    };
    if totals.pings_sent + totals.pongs_received > 0 {
        let (pings, pongs) = (count(totals.pings_sent), count(totals.pongs_received));
        let _ = writeln!(text, "\n{:<LABEL$}{pings} PINGs, {pongs} PONGs{lost}", "Heartbeats");
    }
}

fn traffic_rows(text: &mut String, outcome: &Outcome, totals: &Totals) {
    let time = outcome.duration;
    let (payloads, copies) = words::rates(outcome);
    let (sent_bits, received_bits) =
        (throughput(totals.sent_bytes, time), throughput(totals.received_bytes, time));
    let of_expected =
        |number: u64| if number == 0 { String::new() } else { percent(number, totals.expected) };
    let row = |text: &mut String, label: &str, number: u64, columns: [&str; 3]| {
        let [share, rate, bits] = columns;
        let _ = writeln!(
            text,
            "{}",
            format!("  {label:<14}{:>15}{share:>15}{rate:>14}{bits:>16}", count(number)).trim_end()
        );
    };
    let _ = writeln!(
        text,
        "\n{:<16}{:>15}{:>15}{:>14}{:>16}",
        "Traffic", "count", "of expected", "rate", "payload bits"
    );
    row(text, "Sent", totals.sent, ["", &format!("{}/s", si(payloads)), &sent_bits]);
    row(text, "Expected", totals.expected, ["", "", ""]);
    row(
        text,
        "Received",
        totals.received,
        [&of_expected(totals.received), &format!("{}/s", si(copies)), &received_bits],
    );
    row(text, "Lost", totals.lost(), [&percent(totals.lost(), totals.expected), "", ""]);
    row(text, "Duplicated", totals.duplicated, [&of_expected(totals.duplicated), "", ""]);
    row(text, "Reordered", totals.reordered, [&of_expected(totals.reordered), "", ""]);
    row(text, "Corrupted", totals.corrupted, [&of_expected(totals.corrupted), "", ""]);
    if totals.misdelivered > 0 {
        row(text, "Misdelivered", totals.misdelivered, [&of_expected(totals.misdelivered), "", ""]);
    }
    if totals.in_transition > 0 {
        row(text, "In transition", totals.in_transition, ["", "", ""]);
    }
}

/// The percentiles of everything that takes time.
fn times(text: &mut String, outcome: &Outcome) {
    let rows = [
        ("Latency", &outcome.latency),
        ("PING to PONG", &outcome.round_trip),
        ("Pacing error", &outcome.lateness),
    ];
    if rows.iter().all(|(_, times)| times.count() == 0) {
        return;
    }
    let _ = writeln!(
        text,
        "\n{:<16}{:>11}{:>11}{:>11}{:>11}{:>11}{:>11}",
        "Times", "mean", "p50", "p90", "p99", "p99.9", "max"
    );
    for (label, times) in rows.iter().filter(|(_, times)| times.count() > 0) {
        let _ = writeln!(text, "  {label:<14}{}", percentiles(times));
    }
}

/// The mean, four percentiles and the longest, in columns.
pub(crate) fn percentiles(times: &Durations) -> String {
    let at = [0.5, 0.9, 0.99, 0.999].map(|part| times.quantile(part));
    let all = [times.mean()].into_iter().chain(at).chain([times.max()]);
    all.map(|time| format!("{:>11}", duration(time))).collect()
}

fn losses(text: &mut String, report: &Report) {
    let lost = report.outcome.totals.lost();
    if lost == 0 {
        return;
    }
    let _ = writeln!(text, "\nLosses by cause");
    for (cause, number) in words::losses(&report.losses).into_iter().filter(|(_, number)| *number > 0) {
        let _ = writeln!(text, "  {cause:<36}{:>15}{:>15}", count(number), percent(number, lost));
    }
}

/// What the relay's own metrics say, or why they say nothing.
pub(crate) fn relay(text: &mut String, relay: Option<&RelayView>, missing: Option<&str>) {
    let Some(relay) = relay else {
        return line(text, 0, "Relay", missing.unwrap_or("its metrics were not read"));
    };
    let (version, backend) = (&relay.version, &relay.backend);
    line(
        text,
        0,
        "Relay",
        &format!("version {version}, {backend}, {}", plural(relay.shards.into(), "shard")),
    );
    line(text, 2, "CPU", &relay_cpu(relay));
    let (received, sent) = (count(relay.received_packets), count(relay.sent_packets));
    line(text, 2, "Datagrams", &format!("{received} received, {sent} sent"));
    relay_drops(text, relay);
}

fn relay_cpu(relay: &RelayView) -> String {
    let Some(cores) = relay.cores() else { return words::LITTLE_CPU.into() };
    let each = relay.ns_per_delivery();
    let each =
        each.map_or(String::new(), |ns| format!(", {} ns per datagram sent", count(ns.round() as u64)));
    format!("{} of a core{each}", ratio(cores))
}

fn relay_drops(text: &mut String, relay: &RelayView) {
    let listed = |drops: &[(String, u64)]| {
        let each = drops.iter().map(|(reason, number)| format!("{reason} {}", count(*number)));
        each.collect::<Vec<_>>().join(", ")
    };
    let kernel = if relay.kernel_drops > 0 { count(relay.kernel_drops) } else { String::new() };
    let rows = [
        ("On arrival", listed(&relay.dropped_packets)),
        ("Copies", listed(&relay.dropped_copies)),
        ("In queues", kernel),
    ];
    let mut found = rows.iter().filter(|(_, drops)| !drops.is_empty()).peekable();
    if found.peek().is_none() {
        return line(text, 2, "Dropped", "nothing");
    }
    line(text, 2, "Dropped", "");
    for (label, drops) in found {
        line(text, 4, label, drops);
    }
}

fn generator(text: &mut String, report: &Report) {
    let (outcome, machine) = (&report.outcome, &report.machine);
    text.push('\n');
    line(text, 0, "Generator", &words::setup(&report.setup));
    let threads: Vec<(f64, f64)> = outcome.own.iter().map(words::own).collect();
    if !threads.is_empty() {
        let busy: f64 = threads.iter().map(|(busy, _)| busy).sum();
        let busiest = threads.iter().map(|(busy, _)| *busy).fold(0.0, f64::max);
        let starved = threads.iter().map(|(_, starved)| *starved).fold(0.0, f64::max);
        let (busy, busiest, starved) = (ratio(busy), ratio(busiest), ratio(starved));
        line(
            text,
            2,
            "CPU",
            &format!("{busy} of a core, busiest thread {busiest}, starved {starved} at most"),
        );
    }
    if !machine.processor.is_empty() {
        let (processor, kernel) = (&machine.processor, &machine.kernel);
        let cpus = plural(machine.cpus as u64, "processor");
        line(text, 2, "Machine", &format!("{processor}, {cpus}, {}, Linux {kernel}", memory(machine.memory)));
    }
    if outcome.totals.sent > 0 {
        let (late, sent) = (outcome.totals.late_sends, outcome.totals.sent);
        let share = if late > 0 { format!(" ({})", percent(late, sent)) } else { String::new() };
        line(
            text,
            2,
            "Late sends",
            &format!("{}{share}, more than {} after their time", count(late), limit(LATE)),
        );
    }
    for (trouble, number) in words::troubles(outcome) {
        let _ = writeln!(text, "  {trouble:<46}{:>15}", count(number));
    }
}

/// Each objective, and what was measured.
pub(crate) fn objectives(text: &mut String, objectives: &[Objective]) {
    if objectives.is_empty() {
        return;
    }
    let _ = writeln!(text, "\nObjectives");
    for objective in objectives {
        let state = if objective.met { "ok" } else { "MISSED" };
        let (flag, limit, measured) = (&objective.flag, &objective.limit, &objective.measured);
        let _ = writeln!(text, "  {state:<8}{flag:<20}{limit:>14}   measured {measured}");
    }
}

fn verdict(text: &mut String, report: &Report) {
    let name = if report.verdict == Verdict::Met { "" } else { "! " };
    let _ = writeln!(text, "\n{name}{}", words::verdict(report));
    for reason in &report.reasons {
        wrapped(text, "  - ", reason);
    }
}

/// A label at this indentation, and a text beside it.
pub(crate) fn line(text: &mut String, indentation: usize, label: &str, value: &str) {
    let width = LABEL.max(indentation + label.chars().count() + 1) - indentation;
    wrapped(text, &format!("{:indentation$}{label:<width$}", ""), value);
}

/// A text after its beginning, in as many lines as it needs.
pub(crate) fn wrapped(text: &mut String, beginning: &str, value: &str) {
    let indentation = beginning.chars().count();
    let mut current = beginning.to_owned();
    let mut used = indentation;
    for word in harmless(value).split(' ').flat_map(pieces) {
        let length = word.chars().count();
        if used + length > WIDTH && used > indentation {
            let _ = writeln!(text, "{}", current.trim_end());
            current = " ".repeat(indentation);
            used = indentation;
        }
        current = current + &word + " ";
        used += length + 1;
    }
    let _ = writeln!(text, "{}", current.trim_end());
}

/// A word, cut where it is longer than any line.
fn pieces(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    if letters.is_empty() {
        return vec![String::new()];
    }
    letters.chunks(WIDTH - 20).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests;

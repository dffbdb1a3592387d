//! The report of people as plain text, printed at the end of a run.

use std::fmt::Write;

use super::{Report, words};
use crate::report::Verdict;
use crate::report::text::{bars, line, percentiles, relay, wrapped};
use crate::show::{count, memory, per_second, percent, plural, seconds, si};

/// The report for a terminal or a file: no colours, no line longer than 100 characters.
pub fn to_text(report: &Report) -> String {
    let mut text = String::new();
    head(&mut text, report);
    messages(&mut text, report);
    times(&mut text, report);
    bars::distribution(&mut text, "Delivered within", &report.outcome.times.delivered);
    bars::distribution(&mut text, "First mail within", &report.outcome.times.first_mail);
    deeds(&mut text, report);
    text.push('\n');
    relay(&mut text, report.relay.as_ref(), report.relay_missing.as_deref());
    generator(&mut text, report);
    verdict(&mut text, report);
    text
}

fn head(text: &mut String, report: &Report) {
    let (outcome, [load, away]) = (&report.outcome, words::work(report));
    let early = if outcome.interrupted {
        format!(" of {}, ended early", seconds(report.plan.plan.duration))
    } else {
        String::new()
    };
    let people = plural(report.plan.plan.clients.into(), "person").replace("persons", "people");
    let (duration, drain, started) =
        (seconds(outcome.duration), seconds(outcome.drain), &report.setup.started);
    line(text, 0, "Target", &report.target);
    line(text, 0, "People", &format!("{people}, called {}0 and so on", report.run));
    line(text, 0, "Load", &load);
    line(text, 0, "Away", &away);
    line(
        text,
        0,
        "Measured",
        &format!("{duration}{early}, {drain} until all had their mail, from {started}"),
    );
}

fn messages(text: &mut String, report: &Report) {
    let outcome = &report.outcome;
    let _ = writeln!(text, "\n{:<22}{:>12}{:>14}{:>14}", "Messages", "count", "of sent", "rate");
    for (label, number) in words::accounts(outcome) {
        let share = if number > 0 { percent(number, outcome.sums.sent) } else { String::new() };
        let has_rate = number > 0 && ["Sent", "Delivered", "  from mail"].contains(&label);
        let rate = si(per_second(number, outcome.duration)) + "/s";
        let rate = if has_rate { rate } else { String::new() };
        let row = format!("  {label:<20}{:>12}{share:>14}{rate:>14}", count(number));
        let _ = writeln!(text, "{}", row.trim_end());
    }
}

fn times(text: &mut String, report: &Report) {
    let rows = words::times(&report.outcome);
    if rows.iter().all(|(_, times)| times.count() == 0) {
        return;
    }
    let heads = ["mean", "p50", "p90", "p99", "p99.9", "max"].map(|head| format!("{head:>11}")).concat();
    let _ = writeln!(text, "\n{:<16}{heads}", "Times");
    for (label, times) in rows.iter().filter(|(_, times)| times.count() > 0) {
        let _ = writeln!(text, "  {label:<14}{}", percentiles(times));
    }
}

fn deeds(text: &mut String, report: &Report) {
    let deeds = words::deeds(&report.outcome);
    if !deeds.is_empty() {
        text.push_str("\nOn the way\n");
    }
    for (what, number) in deeds {
        let _ = writeln!(text, "  {what:<30}{:>12}", count(number));
    }
}

fn generator(text: &mut String, report: &Report) {
    let (setup, machine) = (&report.setup, &report.machine);
    text.push('\n');
    line(text, 0, "Generator", &crate::report::words::setup(setup));
    line(text, 2, "CPU", &words::own(&report.outcome));
    if !machine.processor.is_empty() {
        let (cpus, memory) = (plural(machine.cpus as u64, "processor"), memory(machine.memory));
        line(
            text,
            2,
            "Machine",
            &format!("{}, {cpus}, {memory}, Linux {}", machine.processor, machine.kernel),
        );
    }
}

fn verdict(text: &mut String, report: &Report) {
    crate::report::text::objectives(text, &report.objectives);
    let name = if report.verdict == Verdict::Met { "" } else { "! " };
    let _ = writeln!(text, "\n{name}{}", words::verdict(report));
    for reason in &report.reasons {
        wrapped(text, "  - ", reason);
    }
}

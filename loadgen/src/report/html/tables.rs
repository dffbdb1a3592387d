//! Everything that is better read than seen.

use maud::{Markup, html};

use crate::outcome::Own;
use crate::report::{Objective, RelayView, Report, words};
use crate::show::{count, memory, percent, plural, ratio, seconds};

/// More threads than this are folded away.
const FEW_THREADS: usize = 16;

/// Each objective, and what was measured; nothing where there was none.
pub(crate) fn objectives(objectives: &[Objective]) -> Markup {
    html! {
        @if !objectives.is_empty() {
            section.panel {
                h2 { "Objectives" }
                table {
                    tr { th { "Objective" } th.n { "Limit" } th.n { "Measured" } th {} }
                    @for objective in objectives {
                        tr {
                            td { code { (objective.flag) } }
                            td.n { (objective.limit) }
                            td.n { (objective.measured) }
                            td.n { @if objective.met { span.good { "✓ ok" } } @else { span.bad { "✗ missed" } } }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn all(report: &Report) -> Markup {
    html! {
        @if report.outcome.totals.sent > 0 { (copies(report)) }
        @if report.outcome.totals.lost() > 0 { (losses(report)) }
        (relay(report.relay.as_ref(), report.relay_missing.as_deref()))
        (generator(report))
        (plan(report))
        (machine(report))
    }
}

/// A part of the page.
pub(crate) fn panel(title: &str, body: &Markup) -> Markup {
    html! { section.panel { h2 { (title) } (body) } }
}

/// Two columns; rows without a value are left out.
fn pairs(rows: &[(&str, String)]) -> Markup {
    html! {
        table.pairs {
            @for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
                tr { th scope="row" { (name) } td.v { (value) } }
            }
        }
    }
}

fn copies(report: &Report) -> Markup {
    let totals = &report.outcome.totals;
    let rows = [
        ("Expected", totals.expected),
        ("Received", totals.received),
        ("Lost", totals.lost()),
        ("Duplicated", totals.duplicated),
        ("Reordered", totals.reordered),
        ("Corrupted", totals.corrupted),
        ("Misdelivered", totals.misdelivered),
    ];
    panel(
        "Copies",
        &html! {
            table {
                @for (name, number) in rows {
                    tr { th scope="row" { (name) } td.n { (count(number)) } td.n { (percent(number, totals.expected)) } }
                }
                @if totals.in_transition > 0 {
                    tr { th scope="row" { "To members on the move" } td.n { (count(totals.in_transition)) } td {} }
                }
            }
        },
    )
}

fn losses(report: &Report) -> Markup {
    let lost = report.outcome.totals.lost();
    let width = |number: u64| format!("width:{:.1}%", number as f64 / lost as f64 * 100.0);
    panel(
        "Losses by cause",
        &html! {
            table {
                @for (cause, number) in words::losses(&report.losses) {
                    tr {
                        th scope="row" { (cause) div.share { div.c3 style=(width(number)) {} } }
                        td.n { (count(number)) }
                        td.n { (percent(number, lost)) }
                    }
                }
            }
        },
    )
}

/// What the relay's own metrics say, or why they say nothing.
pub(crate) fn relay(relay: Option<&RelayView>, missing: Option<&str>) -> Markup {
    let Some(relay) = relay else {
        let why = missing.unwrap_or("Its metrics were not read.");
        return panel("The relay's view", &html! { p { (why) } });
    };
    let cpu = relay.cores().map_or(words::LITTLE_CPU.into(), |cores| format!("{} of a core", ratio(cores)));
    let each = relay.ns_per_delivery();
    let each = each.map_or(String::new(), |ns| format!("{} ns", count(ns.round() as u64)));
    let rows = [
        ("Processor", cpu),
        ("Processor per datagram sent", each),
        ("Datagrams received", count(relay.received_packets)),
        ("Datagrams sent", count(relay.sent_packets)),
        ("Dropped in its receive queues", count(relay.kernel_drops)),
        (
            "Version",
            format!("{}, {}, {}", relay.version, relay.backend, plural(relay.shards.into(), "shard")),
        ),
        ("Metrics", words::metrics_address(relay).to_owned()),
    ];
    panel("The relay's view", &html! { (pairs(&rows)) (relay_drops(relay)) })
}

fn relay_drops(relay: &RelayView) -> Markup {
    let kinds = [("Dropped on arrival", &relay.dropped_packets), ("Dropped copies", &relay.dropped_copies)];
    html! {
        @for (kind, drops) in kinds.into_iter().filter(|(_, drops)| !drops.is_empty()) {
            h3 { (kind) }
            table {
                @for (reason, number) in drops {
                    tr { th scope="row" { code { (reason) } } td.n { (count(*number)) } }
                }
            }
        }
    }
}

fn generator(report: &Report) -> Markup {
    let own = &report.outcome.own;
    let troubles: Vec<_> =
        words::troubles(&report.outcome).into_iter().map(|(name, number)| (name, count(number))).collect();
    panel(
        "The generator itself",
        &html! {
            p { (words::setup(&report.setup)) }
            @if own.len() > FEW_THREADS {
                details { summary { (plural(own.len() as u64, "thread")) } (threads(own)) }
            } @else if !own.is_empty() {
                (threads(own))
            }
            (pairs(&troubles))
        },
    )
}

fn threads(own: &[Own]) -> Markup {
    html! {
        table {
            tr { th { "Thread" } th.n { "Processor" } th.n { "Busy" } th.n { "Starved" } }
            @for (index, own) in own.iter().enumerate() {
                @let (busy, starved) = words::own(own);
                tr {
                    th scope="row" { (index) div.share { div.c1 style={ "width:" (format!("{:.1}%", busy * 100.0)) } {} } }
                    td.n { (own.cpu.map_or("any".into(), |cpu| cpu.to_string())) }
                    td.n { (ratio(busy)) }
                    td.n { (ratio(starved)) }
                }
            }
        }
    }
}

fn plan(report: &Report) -> Markup {
    let plan = &report.plan;
    let some = |wanted: bool, text: String| if wanted { text } else { String::new() };
    let rows = [
        ("Target", plan.target.to_string()),
        ("Clients", format!("{} in {}", count(plan.clients.into()), plural(plan.groups.into(), "group"))),
        ("Members at the end", count(report.outcome.members)),
        ("Senders", words::senders(plan)),
        ("Load", some(!words::is_silent(plan), words::load(plan))),
        ("Payload", some(!words::is_silent(plan), words::payload(plan))),
        ("Heartbeat", words::heartbeat(plan)),
        ("Churn", some(plan.churn > 0.0, format!("{} members/s leave and join again", plan.churn))),
        ("Silent clients", some(plan.silent > 0.0, ratio(plan.silent))),
        ("Proofs of address", some(plan.unproved, "only where the relay insists".to_owned())),
        ("Joining takes", seconds(plan.ramp)),
        ("Warm-up", seconds(plan.warm_up)),
        ("Measurement", seconds(plan.duration)),
        ("Source addresses", plan.source_prefix.map_or(String::new(), |prefix| prefix.to_string())),
        ("Seed", plan.seed.to_string()),
    ];
    panel("The plan", &pairs(&rows))
}

fn machine(report: &Report) -> Markup {
    let machine = &report.machine;
    let memory = if machine.memory > 0 { memory(machine.memory) } else { String::new() };
    let cpus = if machine.cpus > 0 { count(machine.cpus as u64) } else { String::new() };
    let rows = [
        ("Processor", machine.processor.clone()),
        ("Processors", cpus),
        ("Memory", memory),
        ("Kernel", machine.kernel.clone()),
    ];
    html! {
        @if rows.iter().any(|(_, value)| !value.is_empty()) { (panel("The generator's machine", &pairs(&rows))) }
    }
}

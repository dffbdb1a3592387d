//! The report of people as one page that needs nothing from outside.

use maud::{Markup, html};

use super::{Report, words};
use crate::report::html::{Card, card, curves, page, panel, tables};
use crate::show::{count, duration, percent, plural, seconds, short_count, si};

/// The report as an HTML page, complete in itself.
pub fn to_html(report: &Report) -> String {
    let body = html! {
        (banner(report))
        div.cards { @for card in cards(report) { (card.draw()) } }
        (tables::objectives(&report.objectives))
        div.charts { @if let Some(chart) = chart(report) { (chart) } }
        div.panels {
            (accounts(report))
            (numbers("On the way", &words::deeds(&report.outcome)))
            (tables::relay(report.relay.as_ref(), report.relay_missing.as_deref()))
            (generator(report))
        }
    };
    page(&format!("{} · {} · people", report.verdict.name(), report.target), &report.setup.started, &body)
}

fn banner(report: &Report) -> Markup {
    let (outcome, [load, away]) = (&report.outcome, words::work(report));
    html! {
        header class={ "banner " (report.verdict.name()) } {
            div.mark aria-hidden="true" { (crate::report::html::mark(report.verdict)) }
            div {
                h1 { (words::verdict(report)) }
                p {
                    strong { (report.target) } " · " (count(report.plan.plan.clients.into())) " people · "
                    (load) " · " (away) " · " (seconds(outcome.duration)) " measured"
                    @if outcome.interrupted { " of " (seconds(report.plan.plan.duration)) ", ended early" }
                }
                @if !report.reasons.is_empty() {
                    ul { @for reason in &report.reasons { li { (reason) } } }
                }
            }
        }
    }
}

fn cards(report: &Report) -> Vec<Card> {
    let (sums, times) = (&report.outcome.sums, &report.outcome.times);
    let rate = |number| si(crate::show::per_second(number, report.outcome.duration)) + "/s";
    let fault = |name, number: u64| {
        card(name, count(number), format!("of {} sent", short_count(sums.sent)), number > 0)
    };
    let time = |name, times: &crate::hdr::Durations| {
        let (value, more) = match times.count() {
            0 => ("–".to_owned(), "never".to_owned()),
            _ => (duration(times.quantile(0.5)), format!("p99 {}", duration(times.quantile(0.99)))),
        };
        card(name, value, more, false)
    };
    vec![
        fault("Lost", sums.lost + sums.unanswered),
        fault("Doubled", sums.doubled),
        fault("Out of order", sums.out_of_order),
        card("Delivered", rate(sums.delivered), format!("{} in all", short_count(sums.delivered)), false),
        card(
            "From mail",
            percent(sums.delivered_from_mail, sums.delivered),
            format!("{} of what was delivered", short_count(sums.delivered_from_mail)),
            false,
        ),
        time("Delivered p50", &times.delivered),
        time("Stored p50", &times.stored),
        time("First mail p50", &times.first_mail),
    ]
}

fn chart(report: &Report) -> Option<Markup> {
    let [delivered, stored, first_mail, pacing] = words::times(&report.outcome).map(|(_, times)| times);
    let all = [
        ("delivered", "c1", delivered),
        ("stored", "c2", stored),
        ("first mail", "c3", first_mail),
        ("pacing error", "c0", pacing),
    ];
    curves::percentiles(&all).map(|chart| chart.draw())
}

fn accounts(report: &Report) -> Markup {
    let sent = report.outcome.sums.sent;
    panel(
        "Messages",
        &html! {
            table {
                @for (name, number) in words::accounts(&report.outcome) {
                    tr { th scope="row" { (name) } td.n { (count(number)) } td.n { (percent(number, sent)) } }
                }
            }
        },
    )
}

fn numbers(title: &str, rows: &[(&'static str, u64)]) -> Markup {
    panel(
        title,
        &html! {
            table { @for (name, number) in rows { tr { th scope="row" { (name) } td.n { (count(*number)) } } } }
        },
    )
}

fn generator(report: &Report) -> Markup {
    let machine = &report.machine;
    panel(
        "The generator itself",
        &html! {
            p { (crate::report::words::setup(&report.setup)) }
            p { (words::own(&report.outcome)) }
            p { (machine.processor) ", " (plural(machine.cpus as u64, "processor")) ", Linux " (machine.kernel) }
        },
    )
}

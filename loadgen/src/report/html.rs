//! The report as one page that needs nothing from outside.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Report, Verdict, words};
use crate::show::{count, plural, seconds};

mod axis;
mod cards;
mod chart;
pub(crate) mod curves;
pub(crate) mod tables;

pub(crate) use cards::{Card, card};
pub(crate) use tables::panel;

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");
/// Holds the page to its promise, whatever a text in it says.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// The report as an HTML page with charts, complete in itself: no part of it is fetched from anywhere.
pub fn to_html(report: &Report) -> String {
    let body = html! {
        (banner(report))
        (cards::all(report))
        (tables::objectives(&report.objectives))
        (charts(report))
        div.panels { (tables::all(report)) }
    };
    let title = format!("{} · {} · load report", report.verdict.name(), report.target);
    page(&title, &report.setup.started, &body)
}

/// A page of this title and body, of something that was measured from then on.
pub(crate) fn page(title: &str, started: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main { (body) }
                footer { "loadgen " (env!("CARGO_PKG_VERSION")) " · measured from " (started) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

/// A sign for a verdict.
pub(crate) fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "✓",
        Verdict::Missed => "✗",
        Verdict::Invalid => "!",
    }
}

fn banner(report: &Report) -> Markup {
    let (plan, outcome) = (&report.plan, &report.outcome);
    html! {
        header class={ "banner " (report.verdict.name()) } {
            div.mark aria-hidden="true" { (mark(report.verdict)) }
            div {
                h1 { (words::verdict(report)) }
                p {
                    strong { (report.target) }
                    " · " (count(plan.clients.into())) " clients in " (plural(plan.groups.into(), "group"))
                    " · " (seconds(outcome.duration)) " measured"
                    @if outcome.interrupted { " of " (seconds(plan.duration)) ", ended early" }
                }
                @if !report.reasons.is_empty() {
                    ul { @for reason in &report.reasons { li { (reason) } } }
                }
            }
        }
    }
}

fn charts(report: &Report) -> Markup {
    let outcome = &report.outcome;
    html! {
        @if outcome.totals.sent == 0 {
            p.empty { (words::nothing_received(outcome)) }
        }
        div.charts {
            @for chart in curves::over_time(outcome) { (chart.draw()) }
            @if let Some(chart) = curves::percentiles(&curves::times(outcome)) { (chart.draw()) }
        }
    }
}

#[cfg(test)]
mod tests;

//! The key figures.

use maud::{Markup, html};

use crate::report::{Report, words};
use crate::show::{count, duration, percent, short_count, si, throughput};

/// A key figure.
#[derive(Clone)]
pub(crate) struct Card {
    name: &'static str,
    value: String,
    more: String,
    /// Whether it is bad news.
    bad: bool,
}

pub(super) fn all(report: &Report) -> Markup {
    let cards = if report.outcome.totals.sent > 0 {
        [traffic(report), times(report), vec![pongs(report), pacing(report)]].concat()
    } else {
        [vec![members(report), pongs(report)], round_trips(report)].concat()
    };
    html! {
        div.cards {
            @for card in cards { (card.draw()) }
        }
    }
}

impl Card {
    /// Its place on the page.
    pub(crate) fn draw(&self) -> Markup {
        html! {
            div.card.bad[self.bad] {
                h2 { (self.name) }
                p.value { (self.value) }
                p { (self.more) }
            }
        }
    }
}

fn traffic(report: &Report) -> Vec<Card> {
    let (outcome, totals) = (&report.outcome, &report.outcome.totals);
    let (time, lost) = (outcome.duration, totals.lost());
    let (payloads, copies) = words::rates(outcome);
    let bits = |bytes| throughput(bytes, time).replace(' ', "\u{a0}");
    let of = format!("{} of {}", short_count(lost), short_count(totals.expected));
    vec![
        card("Lost", percent(lost, totals.expected), of, lost > 0),
        card(
            "Delivered",
            si(copies) + "/s",
            format!("{} in all, {}", short_count(totals.received), bits(totals.received_bytes)),
            false,
        ),
        card(
            "Payloads",
            si(payloads) + "/s",
            format!("{} in all, {}", short_count(totals.sent), bits(totals.sent_bytes)),
            false,
        ),
    ]
}

fn times(report: &Report) -> Vec<Card> {
    let latency = &report.outcome.latency;
    if latency.count() == 0 {
        return vec![card("Latency", "–".into(), words::nothing_received(&report.outcome).into(), true)];
    }
    let at = |part| duration(latency.quantile(part));
    vec![
        card("Latency p50", at(0.5), format!("p90 {}", at(0.9)), false),
        card("Latency p99", at(0.99), format!("p99.9 {}", at(0.999)), false),
        card("Latency max", duration(latency.max()), format!("mean {}", duration(latency.mean())), false),
    ]
}

fn pongs(report: &Report) -> Card {
    let totals = &report.outcome.totals;
    let lost = totals.pongs_lost();
    let of =
        format!("{} PONGs for {} PINGs", short_count(totals.pongs_received), short_count(totals.pings_sent));
    card("Heartbeats lost", percent(lost, totals.pings_sent), of, lost > 0)
}

fn pacing(report: &Report) -> Card {
    let (outcome, late) = (&report.outcome, report.outcome.totals.late_sends);
    let error = format!("pacing p99 {}", duration(outcome.lateness.quantile(0.99)));
    card("Late sends", percent(late, outcome.totals.sent), error, late > 0)
}

fn members(report: &Report) -> Card {
    let of = format!("of {} clients, at the end", count(report.plan.clients.into()));
    card("Members", count(report.outcome.members), of, report.outcome.members == 0)
}

fn round_trips(report: &Report) -> Vec<Card> {
    let times = &report.outcome.round_trip;
    if times.count() == 0 {
        return Vec::new();
    }
    let at = |part| duration(times.quantile(part));
    vec![
        card("PING to PONG p50", at(0.5), format!("p90 {}", at(0.9)), false),
        card("PING to PONG p99", at(0.99), format!("max {}", duration(times.max())), false),
    ]
}

/// A figure, and what stands below it.
pub(crate) fn card(name: &'static str, value: String, more: String, bad: bool) -> Card {
    Card { name, value, more, bad }
}

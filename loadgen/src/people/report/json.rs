//! The report of people as JSON: a summary of fixed keys for other programs, and everything else behind it without loss.

use serde::Serialize;

use super::Report;
use crate::hdr::Durations;
use crate::report::Verdict;
use crate::report::json::Latency;

/// Names the form of this report; `docs/loadgen.md` says when it changes.
pub const SCHEMA: &str = "loadgen-people/1";

/// The report as indented JSON, in the form that `docs/loadgen.md` describes.
pub fn to_json(report: &Report) -> String {
    serde_json::to_string_pretty(&Written::of(report))
        .unwrap_or_else(|_| unreachable!("every key is a string and a vector takes every byte"))
}

/// What programs read; the order of the fields is the order of the keys.
#[derive(Serialize)]
struct Written<'a> {
    schema: &'static str,
    target: &'a str,
    people: u32,
    duration_s: f64,
    sent: u64,
    delivered: u64,
    delivered_from_mail: u64,
    refused: u64,
    unanswered: u64,
    lost: u64,
    doubled: u64,
    out_of_order: u64,
    delivered_us: Latency,
    stored_us: Latency,
    first_mail_us: Latency,
    verdict: Verdict,
    reasons: &'a [String],
    details: &'a Report,
}

impl<'a> Written<'a> {
    fn of(report: &'a Report) -> Self {
        let (sums, times) = (&report.outcome.sums, &report.outcome.times);
        let latency = |times: &Durations| Latency::of(times);
        Self {
            schema: SCHEMA,
            target: &report.target,
            people: report.plan.plan.clients,
            duration_s: report.outcome.duration.as_secs_f64(),
            sent: sums.sent,
            delivered: sums.delivered,
            delivered_from_mail: sums.delivered_from_mail,
            refused: sums.refused(),
            unanswered: sums.unanswered,
            lost: sums.lost,
            doubled: sums.doubled,
            out_of_order: sums.out_of_order,
            delivered_us: latency(&times.delivered),
            stored_us: latency(&times.stored),
            first_mail_us: latency(&times.first_mail),
            verdict: report.verdict,
            reasons: &report.reasons,
            details: report,
        }
    }
}

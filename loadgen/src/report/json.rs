//! The report as JSON: a summary of fixed keys for other programs, and everything else behind it without loss.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Losses, Machine, Objective, RelayView, Report, Setup, Verdict};
use crate::hdr::Durations;
use crate::outcome::Outcome;
use crate::plan::Plan;

/// Names the form of the JSON report; `docs/loadgen.md` says when it changes.
pub const SCHEMA: &str = "loadgen-report/1";

/// Why a text is not a report.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It is no JSON, or a key is missing or of another form.
    #[error("is not a report: {0}")]
    Form(#[from] serde_json::Error),
    /// It is a report of another schema.
    #[error("is a report of the schema {0:?}; this program reads {SCHEMA:?}")]
    Schema(String),
    /// It says what no run can have seen.
    #[error("is not a report of a run: {0}")]
    Nonsense(String),
}

/// The report as indented JSON, in the form that `docs/loadgen.md` describes.
pub fn to_json(report: &Report) -> String {
    let whole = Written { summary: Summary::of(report), details: Details::of(report) };
    serde_json::to_string_pretty(&whole)
        .unwrap_or_else(|_| unreachable!("every key is a string and a vector takes every byte"))
}

/// The report that [`to_json`] wrote.
///
/// # Errors
/// Why the text is none.
pub fn from_json(text: &str) -> Result<Report, JsonError> {
    let Schema { schema } = serde_json::from_str(text)?;
    if schema != SCHEMA {
        return Err(JsonError::Schema(schema));
    }
    let read: Read = serde_json::from_str(text)?;
    let Details { plan, setup, machine, relay, relay_missing, losses, objectives, outcome } = read.details;
    let Read { target, verdict, reasons, .. } = read;
    let report = Report {
        target,
        plan,
        setup,
        outcome,
        relay,
        relay_missing,
        losses,
        objectives,
        verdict,
        reasons,
        machine,
    };
    report.fault().map_or(Ok(report), |fault| Err(JsonError::Nonsense(fault)))
}

#[derive(Serialize)]
struct Written<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    details: Details,
}

#[derive(Deserialize)]
struct Schema {
    schema: String,
}

/// What of the summary is nowhere in the details.
#[derive(Deserialize)]
struct Read {
    target: String,
    verdict: Verdict,
    reasons: Vec<String>,
    details: Details,
}

/// What programs read; the order of the fields is the order of the keys.
#[derive(Serialize)]
struct Summary<'a> {
    schema: &'static str,
    target: &'a str,
    clients: u32,
    groups: u32,
    duration_s: f64,
    sent: u64,
    expected: u64,
    received: u64,
    lost: u64,
    duplicated: u64,
    reordered: u64,
    corrupted: u64,
    late_sends: u64,
    latency_us: Latency,
    pongs: Pongs,
    verdict: Verdict,
    reasons: &'a [String],
}

/// Percentiles in microseconds; null if there was nothing.
#[derive(Serialize)]
pub(crate) struct Latency {
    p50: Option<f64>,
    p90: Option<f64>,
    p99: Option<f64>,
    p999: Option<f64>,
    max: Option<f64>,
}

#[derive(Serialize)]
struct Pongs {
    sent: u64,
    received: u64,
    lost: u64,
}

#[derive(Serialize, Deserialize)]
struct Details {
    plan: Plan,
    setup: Setup,
    machine: Machine,
    relay: Option<RelayView>,
    relay_missing: Option<String>,
    losses: Losses,
    objectives: Vec<Objective>,
    outcome: Outcome,
}

impl<'a> Summary<'a> {
    fn of(report: &'a Report) -> Self {
        let (plan, outcome, totals) = (&report.plan, &report.outcome, &report.outcome.totals);
        Summary {
            schema: SCHEMA,
            target: &report.target,
            clients: plan.clients,
            groups: plan.groups,
            duration_s: outcome.duration.as_secs_f64(),
            sent: totals.sent,
            expected: totals.expected,
            received: totals.received,
            lost: totals.lost(),
            duplicated: totals.duplicated,
            reordered: totals.reordered,
            corrupted: totals.corrupted,
            late_sends: totals.late_sends,
            latency_us: Latency::of(&outcome.latency),
            pongs: Pongs {
                sent: totals.pings_sent,
                received: totals.pongs_received,
                lost: totals.pongs_lost(),
            },
            verdict: report.verdict,
            reasons: &report.reasons,
        }
    }
}

impl Latency {
    /// Those of a histogram.
    pub(crate) fn of(latency: &Durations) -> Self {
        let some = |duration: Duration| (latency.count() > 0).then(|| microseconds(duration));
        let at = |part: f64| some(latency.quantile(part));
        Latency { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: some(latency.max()) }
    }
}

impl Details {
    fn of(report: &Report) -> Self {
        Details {
            plan: report.plan.clone(),
            setup: report.setup.clone(),
            machine: report.machine.clone(),
            relay: report.relay.clone(),
            relay_missing: report.relay_missing.clone(),
            losses: report.losses,
            objectives: report.objectives.clone(),
            outcome: report.outcome.clone(),
        }
    }
}

/// To a tenth: the clock and the histogram know no better.
fn microseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e7).round() / 10.0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::report::samples;

    const DOCUMENT: &str = include_str!("../../../docs/loadgen.md");

    /// The keys of the tables under each heading of "The JSON report", with the heading.
    fn documented() -> Vec<(String, Vec<String>)> {
        let section = DOCUMENT.split("## The JSON report\n").nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let key = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
        let parts = section.split("\n### ").skip(1);
        parts
            .map(|part| (part.lines().next().unwrap().into(), part.lines().filter_map(key).collect()))
            .collect()
    }

    /// The keys of the first two levels in the order of the text, of the second with the first before it.
    fn written(text: &str) -> Vec<String> {
        let (mut keys, mut parent) = (Vec::new(), "");
        for line in text.lines() {
            let depth = line.len() - line.trim_start().len();
            let Some((key, _)) = line.trim_start().strip_prefix('"').and_then(|rest| rest.split_once("\":"))
            else {
                continue;
            };
            match depth {
                2 => {
                    parent = key;
                    keys.push(key.to_owned());
                }
                4 => keys.push(format!("{parent}.{key}")),
                _ => {}
            }
        }
        keys
    }

    /// The keys of the object that a heading such as `details.outcome.series[]` names.
    fn keys_at(whole: &Value, path: &str) -> BTreeSet<String> {
        let pointer = format!("/{}", path.replace("[]", "/0").replace('.', "/"));
        let object = whole.pointer(&pointer).and_then(Value::as_object);
        object.unwrap_or_else(|| panic!("{path}")).keys().cloned().collect()
    }

    #[test]
    fn every_report_comes_back_as_it_was() {
        for (name, report) in samples::all() {
            let text = to_json(&report);
            samples::keep(name, "json", &text);
            assert_eq!(from_json(&text).unwrap(), report, "{name}");
        }
    }

    #[test]
    fn the_document_knows_every_key_and_no_other() {
        let text = to_json(&samples::lossy());
        let whole: Value = serde_json::from_str(&text).unwrap();
        let mut documented = documented().into_iter();
        assert_eq!(documented.next().unwrap(), ("All keys".to_owned(), written(&text)));
        let mut headings = BTreeSet::new();
        for (heading, keys) in documented.filter(|(heading, _)| heading.starts_with('`')) {
            let path = heading.trim_matches('`');
            assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), keys_at(&whole, path), "{path}");
            headings.insert(path.to_owned());
        }
        let parts = keys_at(&whole, "details").len();
        assert_eq!(
            headings.len(),
            parts - 1 + 3,
            "relay_missing is a text; outcome has three parts of its own"
        );
    }

    #[test]
    fn the_summary_is_first_and_in_its_order() {
        let top: Vec<String> =
            written(&to_json(&samples::perfect())).into_iter().filter(|key| !key.contains('.')).collect();
        assert_eq!(
            top.join(" "),
            "schema target clients groups duration_s sent expected received lost duplicated reordered corrupted \
             late_sends latency_us pongs verdict reasons details"
        );
    }

    #[test]
    fn latency_is_in_tenths_of_microseconds_or_null() {
        assert!((microseconds(Duration::from_nanos(1_234_567)) - 1234.6).abs() < 1e-9);
        let whole: Value = serde_json::from_str(&to_json(&samples::heartbeat())).unwrap();
        assert!(whole["latency_us"].as_object().unwrap().values().all(Value::is_null), "{whole}");
    }

    #[test]
    fn nonsense_is_no_report() {
        let mut report = samples::perfect();
        report.outcome.totals.received += 1_000_000_000;
        let error = from_json(&to_json(&report)).unwrap_err().to_string();
        assert!(error.contains("is not a report of a run: received: 1"), "{error}");
    }

    #[test]
    fn another_schema_is_named() {
        let error = from_json(r#"{"schema": "loadgen-report/2"}"#).unwrap_err();
        assert!(error.to_string().contains("loadgen-report/2"), "{error}");
        assert!(from_json("{}").is_err());
    }
}

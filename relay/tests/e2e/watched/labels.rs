//! The values of labels that documents, dashboards and rules name are those that a relay exports.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, iter};

use crate::support::RelayOptions;

/// Labels with a closed list of values, all of which are there from the start.
const CLOSED: [&str; 5] = ["reason", "event", "command", "direction", "outcome"];
/// The reason of this one is what the kernel says, and is there only then.
const FREE: &str = "relay_backend_fallback_info";

const READ: [&str; 10] = [
    "README.md",
    "docs/architecture.md",
    "docs/loadgen.md",
    "docs/operations.md",
    "docs/performance.md",
    "docs/protocol.md",
    "dashboards/relay.json",
    "dashboards/loadgen.json",
    "dashboards/alerts.yml",
    "dashboards/alerts_test.yml",
];

/// `metric{label="value"}` for each value that a text asks for, also where a metric stands with several.
fn named(text: &str) -> BTreeSet<(String, String)> {
    let text = text.replace("\\\"", "\"");
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = text.match_indices('{').map(|(at, _)| at);
    let selectors = starts.filter_map(|at| {
        let metric = text[..at].rsplit(|c| !is_name(c)).next()?;
        let inside = text[at + 1..].split('}').next()?;
        metric.starts_with("relay_").then(|| (metric.to_owned(), inside.to_owned()))
    });
    let pairs = selectors.flat_map(|(metric, inside)| {
        let labels: Vec<String> = inside.split(',').map(|label| label.trim().to_owned()).collect();
        iter::repeat(metric).zip(labels)
    });
    let is_closed = |label: &str| {
        CLOSED.iter().any(|name| label.strip_prefix(name).is_some_and(|rest| rest.starts_with("=\"")))
    };
    pairs.filter(|(metric, label)| metric != FREE && is_closed(label) && !label.contains('$')).collect()
}

#[test]
fn values_that_are_named_exist() {
    let relay = RelayOptions::plain().with(["--port", "0"]).start();
    let samples = relay.metrics();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut seen = 0;
    for file in READ {
        let text = fs::read_to_string(root.join(file)).expect(file);
        for (metric, label) in named(&text) {
            let has = |key: &String| key.starts_with(&format!("{metric}{{")) && key.contains(&label);
            assert!(samples.keys().any(has), "{file}: {metric}{{{label}}} does not exist");
            seen += 1;
        }
    }
    assert!(seen > 5, "only {seen} values are named");
}

#[test]
fn values_are_found_in_selectors() {
    let text = "rate(relay_a{shard=\\\"0\\\", reason=\\\"b\\\"}[1m]) x{reason=\"c\"} relay_d{event=~\"e\"} relay_f{event=\"$g\"}";
    let expected = BTreeSet::from([("relay_a".to_owned(), "reason=\"b\"".to_owned())]);
    assert_eq!(named(text), expected);
}

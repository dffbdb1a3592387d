//! Dashboards, alerts and documents agree: what is named exists, and what exists is watched.

use std::collections::BTreeSet;
use std::fs;

use anyhow::Context;
use serde_json::Value;

use super::{base_of, metric_names};

const DASHBOARDS: [&str; 2] = ["dashboards/relay.json", "dashboards/loadgen.json"];
const ALERTS: &str = "dashboards/alerts.yml";

/// Metrics that no dashboard and no alert names, with the reason.
const NOT_WATCHED: [(&str, &str); 0] = [];

/// Every metric that is named exists, every metric is on a dashboard or in an alert, and every link leads to a heading.
pub fn check(faults: &mut Vec<String>) -> anyhow::Result<()> {
    let mut known = metric_names("relay/src/metrics/catalogue.rs")?;
    known.extend(metric_names("loadgen/src/exporter/catalogue.rs")?);
    let mut watched = BTreeSet::new();
    for file in DASHBOARDS {
        let text = fs::read_to_string(file).with_context(|| file.to_owned())?;
        let strings = strings(&serde_json::from_str(&text)?);
        strings.iter().for_each(|text| check_names(file, text, &known, &mut watched, faults));
        for link in strings.iter().filter_map(|text| text.strip_prefix("${docs}/")) {
            if !leads_somewhere(link) {
                faults.push(format!("{file}: {link} leads to no heading in docs/"));
            }
        }
    }
    let alerts = fs::read_to_string(ALERTS).with_context(|| ALERTS.to_owned())?;
    // What only a comment names is not watched.
    let rules = alerts.lines().filter(|line| !line.trim_start().starts_with('#'));
    let rules = rules.collect::<Vec<_>>().join("\n");
    check_names(ALERTS, &rules, &known, &mut watched, faults);
    for name in known.difference(&watched) {
        if !NOT_WATCHED.iter().any(|(excused, _)| excused == name) {
            faults.push(format!("{name} is on no dashboard and in no alert"));
        }
    }
    Ok(())
}

/// Notes the metrics that a text names, and complains about those that do not exist.
fn check_names(
    file: &str,
    text: &str,
    known: &BTreeSet<String>,
    watched: &mut BTreeSet<String>,
    faults: &mut Vec<String>,
) {
    // A word with a dollar sign is a variable.
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$');
    for word in words.filter(|word| super::is_metric(word)) {
        match [word, base_of(word)].iter().find(|name| known.contains(**name)) {
            Some(name) => _ = watched.insert((*name).to_owned()),
            None => faults.push(format!("{file}: names {word}, which does not exist")),
        }
    }
}

/// All queries, addresses and definitions of variables, wherever they are.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(strings).collect(),
        Value::Object(fields) => {
            let is_ours = |name: &str| ["expr", "query", "url"].contains(&name);
            let own = fields.iter().filter(|(name, _)| is_ours(name)).filter_map(|(_, value)| value.as_str());
            own.map(str::to_owned).chain(fields.values().flat_map(strings)).collect()
        }
        _ => Vec::new(),
    }
}

/// True if `file#heading` is in docs/.
fn leads_somewhere(link: &str) -> bool {
    let Some((file, anchor)) = link.split_once('#') else { return false };
    let text = fs::read_to_string(format!("docs/{file}")).unwrap_or_default();
    text.lines().filter(|line| line.starts_with('#')).any(|line| slug(line.trim_start_matches('#')) == anchor)
}

/// The anchor of a heading, as forges make it.
fn slug(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

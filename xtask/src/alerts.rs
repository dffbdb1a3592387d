//! The house rules of alerts: each has a section of the runbook, a test of promtool and a story in which it fires for real.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

const RULES: &str = "dashboards/alerts.yml";
const TESTS: &str = "dashboards/alerts_test.yml";
const THRESHOLDS: &str = "dashboards/alerts_thresholds_test.yml";
const STORIES: &str = "relay/tests/e2e/watched/alerts.rs";
const RUNBOOK: &str = "docs/operations.md";

/// Alerts that neither compare with a number other than 0 nor wait.
const UNTHRESHOLDED: [&str; 1] = ["RelayFull"];

/// What the names of alerts begin with, and no other word in documents does.
const PREFIX: &str = "Relay";

/// Adds what is untidy about the alerts.
pub fn check(files: &[PathBuf], faults: &mut Vec<String>) -> anyhow::Result<()> {
    let (rules, tests) = (fs::read_to_string(RULES)?, fs::read_to_string(TESTS)?);
    let (stories, runbook) = (fs::read_to_string(STORIES)?, fs::read_to_string(RUNBOOK)?);
    let thresholds = fs::read_to_string(THRESHOLDS)?;
    let alerts = after("- alert: ", &rules);
    let links = after("runbook_url: ", &rules);
    let firing = fired(&tests);
    for alert in &alerts {
        let mut lacks = |what: &str| faults.push(format!("{RULES}: {alert} has no {what}"));
        if !runbook.lines().any(|line| line.strip_prefix("### ") == Some(alert)) {
            lacks(&format!("section in {RUNBOOK}"));
        }
        if !links.contains(&*format!("{RUNBOOK}#{}", alert.to_lowercase())) {
            lacks("runbook_url with the anchor of its section");
        }
        if !firing.contains(alert) || !tests.contains(&format!("alertname: {alert}, exp_alerts: []")) {
            lacks(&format!("test in {TESTS} in which it fires, and one in which it does not"));
        }
        if !thresholds.contains(&format!("alertname=\"{alert}\"")) && !UNTHRESHOLDED.contains(alert) {
            lacks(&format!("test in {THRESHOLDS}"));
        }
    }
    for (alert, severity) in severities(&rules) {
        if !stories.contains(&format!("\"{alert} {severity}\"")) {
            faults.push(format!("{RULES}: {alert} of severity {severity} has no story in {STORIES}"));
        }
    }
    for file in files.iter().filter(|file| is_document(file)) {
        for name in named(&fs::read_to_string(file)?).filter(|name| !alerts.contains(&**name)) {
            faults.push(format!("{}: names {name}, which is no alert", file.display()));
        }
    }
    Ok(())
}

/// Documents and dashboards; what programs generate of others is none.
fn is_document(path: &std::path::Path) -> bool {
    let is = |ending: &str| path.extension().is_some_and(|extension| extension == ending);
    is("md") || (is("json") && path.parent().is_some_and(|folder| folder.ends_with("dashboards")))
}

/// What stands behind this text in its lines.
fn after<'a>(start: &str, text: &'a str) -> BTreeSet<&'a str> {
    text.lines().filter_map(|line| line.trim().strip_prefix(start)).collect()
}

/// The rules: their names and severities, in their order.
fn severities(rules: &str) -> Vec<(&str, &str)> {
    let all = |start| rules.lines().filter_map(move |line| line.trim().strip_prefix(start));
    all("- alert: ").zip(all("severity: ")).collect()
}

/// Alerts of the tests that are expected to fire: their labels follow.
fn fired(tests: &str) -> BTreeSet<&str> {
    let lines: Vec<&str> = tests.lines().map(str::trim).collect();
    let expected = lines.windows(2).filter(|pair| pair[1] == "exp_alerts:");
    expected.filter_map(|pair| pair[0].strip_prefix("alertname: ")).collect()
}

/// Words that look like the name of an alert: two capitals at least.
fn named(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_name = |word: &&str| {
        word.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
    };
    words.filter(is_name).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_alerts_are_found_in_text() {
        let text = "see [RelayDown](#relaydown), UDPRelay, Relays and `RelayFull`";
        assert_eq!(named(text).collect::<Vec<_>>(), ["RelayDown", "RelayFull"]);
    }

    #[test]
    fn rules_of_one_name_are_told_apart() {
        let rules =
            "- alert: A\n  labels:\n    severity: warning\n- alert: A\n  labels:\n    severity: critical\n";
        assert_eq!(severities(rules), [("A", "warning"), ("A", "critical")]);
    }

    #[test]
    fn only_tests_that_expect_an_alert_count() {
        let tests = "- {eval_time: 1m, alertname: RelayDown, exp_alerts: []}\n- eval_time: 2m\n  alertname: RelayFull\n  exp_alerts:\n";
        assert_eq!(fired(tests), BTreeSet::from(["RelayFull"]));
    }
}

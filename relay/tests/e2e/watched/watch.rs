//! A Prometheus with the committed alert rules, in which every duration is shorter by the same factor.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::support::{Alert, PATIENCE, Prometheus, RelayOptions, tick};

/// The rules are written for a scrape every 15 s; here is one every 100 ms.
const FASTER: u64 = 150;

const SCRAPE: Duration = Duration::from_millis(100);
/// Longer than all stories together.
const LONGEST: Duration = Duration::from_secs(300);

const CONFIGURATION: &str = "\
global:
  scrape_interval: 100ms
  scrape_timeout: 100ms
  evaluation_interval: 100ms
rule_files: [alerts.yml]
scrape_configs:
  - job_name: relay
    static_configs:
      - targets: [TARGETS]
";

/// Watches relays, each known by the port of its metrics.
pub struct Watch {
    pub prometheus: Prometheus,
}

impl Watch {
    /// Watches the relays whose metrics are at these ports, now or later.
    pub fn over(ports: impl Iterator<Item = u16>) -> Self {
        let targets: Vec<String> = ports.map(|port| format!("'{}'", instance(port))).collect();
        let configuration = CONFIGURATION.replace("TARGETS", &targets.join(","));
        let rules = faster(&fs::read_to_string(rules()).expect("the rules"));
        Self { prometheus: Prometheus::start(&configuration, &[("alerts.yml", &rules)]) }
    }

    /// Waits until it sees the relay at this port serve.
    #[track_caller]
    pub fn sees(&self, port: u16) {
        self.prometheus.soon(&format!("relay_ready{{instance=\"{}\"}}", instance(port)), 1.0);
    }

    /// Waits until it sees that the relay at this port is not there.
    #[track_caller]
    pub fn misses(&self, port: u16) {
        self.prometheus.soon(&format!("up{{instance=\"{}\"}}", instance(port)), 0.0);
    }

    /// Goes on with `cause` until an alert with this label fires about the relay at this port.
    #[track_caller]
    pub fn fires(&self, port: u16, alert: &str, label: (&str, &str), mut cause: impl FnMut()) -> Alert {
        let start = Instant::now();
        loop {
            cause();
            let fires = |found: &Alert| {
                found.firing
                    && found.name == alert
                    && found.labels.get(label.0).is_some_and(|value| value == label.1)
            };
            let about = self.about(port);
            if let Some(alert) = about.iter().find(|alert| fires(alert)) {
                return alert.clone();
            }
            assert!(start.elapsed() < PATIENCE, "{alert} {label:?} does not fire; there are {about:#?}");
            tick();
        }
    }

    /// Waits until nothing is wrong with the relay at this port any more, and goes on with something meanwhile.
    #[track_caller]
    pub fn is_content(&self, port: u16, mut meanwhile: impl FnMut()) {
        let start = Instant::now();
        loop {
            meanwhile();
            let about = self.about(port);
            if about.is_empty() {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "the cause has gone, and there are still {about:#?}");
            tick();
        }
    }

    /// Names and severities of all alerts that have ever fired about the relay at this port.
    pub fn ever_fired(&self, port: u16) -> BTreeSet<String> {
        let query = format!("ALERTS{{alertstate=\"firing\",instance=\"{}\"}}", instance(port));
        let fired = self.prometheus.range(&query, LONGEST, SCRAPE);
        fired
            .into_iter()
            .map(|(labels, _)| format!("{} {}", labels["alertname"], labels["severity"]))
            .collect()
    }

    fn about(&self, port: u16) -> Vec<Alert> {
        let mut alerts = self.prometheus.alerts();
        alerts.retain(|alert| alert.labels.get("instance") == Some(&instance(port)));
        alerts
    }
}

/// A relay whose metrics are at this port.
pub fn relay_at(port: u16) -> RelayOptions {
    let metrics = instance(port);
    RelayOptions::plain().with(["--port", "0", "--metrics-listen", &metrics])
}

/// The committed rules.
pub fn rules() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../dashboards/alerts.yml")
}

fn instance(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

/// The same rules with every duration shorter by [`FASTER`].
fn faster(rules: &str) -> String {
    let hasten = |line: &str| match line.split_once("for: ") {
        Some((indent, time)) => format!("{indent}for: {}", shorter(time)),
        None => {
            let mut parts = line.split('[');
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |line, part| match part.split_once(']') {
                Some((time, rest)) => format!("{line}[{}]{rest}", shorter(time)),
                None => format!("{line}[{part}"),
            })
        }
    };
    rules.lines().map(|line| hasten(line) + "\n").collect()
}

fn shorter(time: &str) -> String {
    let minutes = time.strip_suffix('m').and_then(|minutes| minutes.parse::<u64>().ok());
    let minutes = minutes.unwrap_or_else(|| panic!("the rules have their durations in minutes: {time}"));
    format!("{}ms", Duration::from_secs(60 * minutes).as_millis() as u64 / FASTER)
}

#[test]
fn all_durations_are_shorter() {
    let rules = "expr: rate(a[5m]) > max(rate(b[15m]))\nfor: 1m\nsummary: for a minute\n";
    let expected = "expr: rate(a[2000ms]) > max(rate(b[6000ms]))\nfor: 400ms\nsummary: for a minute\n";
    assert_eq!(faster(rules), expected);
}

//! Alerts that fire for real, and go when their cause has gone.

use std::time::Duration;

use crate::support::{Prometheus, RelayOptions, alone, eventually};

const CONFIGURATION: &str = "\
global:
  scrape_interval: 200ms
  scrape_timeout: 200ms
  evaluation_interval: 200ms
rule_files: [alerts.yml]
scrape_configs:
  - job_name: relay
    static_configs:
      - targets: ['127.0.0.1:9500']
";

const RULES: &str = "\
groups:
  - name: relay
    rules:
      - alert: RelayDown
        expr: up{job=\"relay\"} == 0
        annotations:
          summary: Relay {{ $labels.instance }} does not answer.
";

#[test]
fn a_killed_relay_is_down() {
    alone(|| {
        let prometheus = Prometheus::start(CONFIGURATION, &[("alerts.yml", RULES)]);
        assert!(prometheus.folder().join("alerts.yml").is_file());
        let relay = RelayOptions::plain().start();
        prometheus.soon("up", 1.0);
        assert!(prometheus.alerts().iter().all(|alert| !alert.firing));
        drop(relay);
        let down = eventually("the alert fires", || {
            prometheus.alerts().into_iter().find(|alert| alert.name == "RelayDown" && alert.firing)
        });
        assert_eq!(down.labels["instance"], "127.0.0.1:9500");
        assert_eq!(down.annotations["summary"], "Relay 127.0.0.1:9500 does not answer.");
        let ups = prometheus.range("up", Duration::from_secs(10), Duration::from_millis(200));
        assert!(ups[0].1.iter().any(|(_, value)| *value == 1.0), "{ups:?}");
        assert_eq!(prometheus.address().port(), 9090);
    });
}

//! A real Prometheus scrapes the relay under traffic, and its answers agree with what the clients did.

use std::time::{Duration, Instant};

use crate::support::{Client, PATIENCE, Prometheus, RelayOptions, alone, each_backend};

const CONFIGURATION: &str = "\
global:
  scrape_interval: 200ms
  scrape_timeout: 200ms
scrape_configs:
  - job_name: relay
    static_configs:
      - targets: ['127.0.0.1:9500']
";

#[test]
fn prometheus_sees_what_the_clients_did() {
    alone(|| {
        let prometheus = Prometheus::start(CONFIGURATION, &[]);
        each_backend(|backend| {
            let mut relay =
                RelayOptions::plain().with(["--backend", backend.name(), "--shards", "2"]).start();
            let clients = [(); 5].map(|()| Client::to(relay.address()));
            let group = clients[0].create();
            clients.iter().for_each(|client| client.join(&group));
            // The relay of the round before is forgotten.
            prometheus.soon("sum(relay_members)", 5.0);
            prometheus.soon("up", 1.0);

            let payloads = talk_until(&clients, || {
                let rate = |name: &str| prometheus.ask(&format!("sum(rate({name}[2s]))")).unwrap_or(0.0);
                rate("relay_received_packets_total") > 1.0
                    && rate("relay_sent_packets_total") > 1.0
                    && rate("relay_forward_latency_seconds_count") > 1.0
                    && rate("relay_shard_busy_seconds_total") > 0.0
                    && rate("process_cpu_seconds_total") > 0.0
            });
            assert_eq!(clients[0].ask("!LEAVE NOWHERE"), "ERR NOT_IN_GROUP NotInThatGroup");

            let (payloads, commands) = (payloads as f64, 7.0);
            for (query, expected) in [
                ("sum(relay_received_packets_total)", payloads + commands),
                ("sum(relay_sent_packets_total)", 4.0 * payloads + commands),
                ("relay_fanout_recipients_count", payloads),
                ("relay_fanout_recipients_sum", 4.0 * payloads),
                ("relay_commands_total{command=\"join\"}", 5.0),
                ("relay_group_events_total{event=\"create\"}", 1.0),
                ("relay_requests_refused_total{reason=\"not_in_group\"}", 1.0),
                ("sum(relay_dropped_copies_total) + sum(relay_dropped_packets_total)", 0.0),
                ("sum(relay_clients)", 5.0),
                ("relay_ready", 1.0),
            ] {
                prometheus.soon(query, expected);
            }
            let backend_query = format!("relay_build_info{{backend=\"{}\"}}", backend.name());
            prometheus.soon(&backend_query, 1.0);
            let median =
                prometheus.ask("histogram_quantile(0.5, sum by (le) (relay_forward_latency_seconds_bucket))");
            assert!(median.is_some_and(|seconds| seconds > 0.0 && seconds < 1.0), "{median:?}");

            relay.signal("TERM");
            relay.wait();
            prometheus.soon("up", 0.0);
        });
    });
}

/// Speaks in turns, each payload heard by everyone else, until the condition holds; gives the number of payloads.
fn talk_until(clients: &[Client], mut condition: impl FnMut() -> bool) -> usize {
    let start = Instant::now();
    let mut payloads = 0;
    let mut next_look = start;
    loop {
        for (from, sender) in clients.iter().enumerate() {
            sender.send("something to say");
            payloads += 1;
            for (_, receiver) in clients.iter().enumerate().filter(|(to, _)| *to != from) {
                assert_eq!(receiver.hear(), "something to say");
            }
        }
        if Instant::now() >= next_look {
            if condition() {
                return payloads;
            }
            next_look = Instant::now() + Duration::from_millis(50);
        }
        assert!(start.elapsed() < PATIENCE, "the rates do not move");
    }
}

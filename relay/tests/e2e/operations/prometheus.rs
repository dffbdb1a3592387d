//! A real Prometheus scrapes the relay under traffic, and its answers agree with what the clients did.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Client, PATIENCE, RelayOptions, alone, each_backend, eventually};

/// Its own port is its usual one: nobody else is in this namespace.
const ADDRESS: &str = "127.0.0.1:9090";

const CONFIGURATION: &str = "\
global:
  scrape_interval: 200ms
  scrape_timeout: 200ms
scrape_configs:
  - job_name: relay
    static_configs:
      - targets: ['127.0.0.1:9500']
";

struct Prometheus {
    child: Child,
    folder: TempDir,
}

impl Prometheus {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("prometheus.yml"), CONFIGURATION).unwrap();
        let log = fs::File::create(path("log")).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", path("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", path("data")))
            .arg(format!("--web.listen-address={ADDRESS}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus runs: it is the Debian package of this name");
        let prometheus = Self { child, folder };
        eventually("Prometheus is ready", || {
            let answer = get("/-/ready")?;
            answer.starts_with("HTTP/1.1 200").then_some(())
        });
        prometheus
    }

    /// The value of a query without labels, if there is one.
    fn ask(&self, query: &str) -> Option<f64> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = get(&format!("/api/v1/query?query={encoded}"))?;
        let body = answer.split_once("\r\n\r\n")?.1;
        let answer: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        assert_eq!(answer["status"], "success", "{query}: {answer}");
        let result = answer["data"]["result"].as_array().expect("a vector");
        assert!(result.len() <= 1, "{query}: {answer}");
        Some(result.first()?["value"][1].as_str()?.parse().expect("a number"))
    }

    #[track_caller]
    fn soon(&self, query: &str, expected: f64) {
        let start = Instant::now();
        let mut last = None;
        while last != Some(expected) {
            assert!(start.elapsed() < PATIENCE, "{query} is {last:?}, and should be {expected}");
            std::thread::sleep(Duration::from_millis(20));
            last = self.ask(query);
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", fs::read_to_string(self.folder.path().join("log")).unwrap_or_default());
        }
    }
}

/// The whole answer; HTTP/1.0, so that it comes in one piece.
fn get(path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(ADDRESS).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {ADDRESS}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer.replacen("HTTP/1.0", "HTTP/1.1", 1))
}

#[test]
fn prometheus_sees_what_the_clients_did() {
    alone(|| {
        let prometheus = Prometheus::start();
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

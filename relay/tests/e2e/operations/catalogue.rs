//! What a scrape shows: every metric of the catalogue, every reason from the start, and nothing that disturbs.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use engine::{CommandKind, DropReason, Event, Throttled};
use expose::{Kind, Metric};
use relay::metrics::catalogue::{BACKEND_FALLBACK_INFO, CATALOGUE};

use crate::support::{Backend, Client, PATIENCE, Relay, each_backend, eventually, field};

use super::tools::{Over, main_job};

/// The relay's metrics, and those of any process.
fn catalogue() -> impl Iterator<Item = &'static Metric> {
    CATALOGUE.iter().chain(expose::process::CATALOGUE)
}

/// The names of a series' labels, but for the bound of a bucket.
fn labels(series: &str) -> Vec<&str> {
    let inside = series.split_once('{').map_or("", |(_, labels)| labels);
    let names = inside.split("\",").filter_map(|label| label.split_once("=\"")).map(|(name, _)| name);
    names.filter(|name| *name != "le").collect()
}

#[test]
fn every_metric_has_help_type_and_a_value_and_there_are_no_others() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        main_job(relay.address());
        let (status, body) = relay.http("/metrics");
        assert_eq!(status, 200);
        let samples = relay.metrics();
        for metric in catalogue().filter(|metric| metric.name != BACKEND_FALLBACK_INFO.name) {
            let header = [
                format!("# HELP {} {}", metric.name, metric.help),
                format!("# TYPE {} {}", metric.name, metric.kind.name()),
            ];
            for line in header {
                assert_eq!(body.lines().filter(|other| **other == line).count(), 1, "{line}");
            }
            let names = match metric.kind {
                Kind::Histogram => {
                    ["_bucket", "_sum", "_count"].map(|end| format!("{}{end}", metric.name)).to_vec()
                }
                _ => vec![metric.name.to_owned()],
            };
            for name in names {
                let mut series = samples.keys().filter(|key| key.split('{').next() == Some(&name)).peekable();
                assert!(series.peek().is_some(), "{name} has no value");
                for series in series {
                    assert_eq!(labels(series), metric.labels, "{series}");
                }
            }
        }
        let typed: BTreeSet<&str> =
            body.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        let known: BTreeSet<&str> = catalogue().map(|metric| metric.name).collect();
        assert_eq!(typed.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new());
    });
}

#[test]
fn every_reason_is_there_at_zero_from_the_start() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let samples = relay.metrics();
        let mut expected = Vec::new();
        for shard in 0..2 {
            for reason in DropReason::LABELS {
                expected
                    .push(format!("relay_dropped_packets_total{{shard=\"{shard}\",reason=\"{reason}\"}}"));
            }
            for reason in ["send_buffer_full", "unreachable", "too_large", "denied", "other", "backlog"] {
                expected.push(format!("relay_dropped_copies_total{{shard=\"{shard}\",reason=\"{reason}\"}}"));
            }
            for name in
                ["received_packets", "received_bytes", "sent_packets", "sent_bytes", "kernel_receive_dropped"]
            {
                expected.push(format!("relay_{name}_total{{shard=\"{shard}\"}}"));
            }
        }
        for reason in wire::Refusal::LABELS {
            expected.push(format!("relay_requests_refused_total{{reason=\"{reason}\"}}"));
        }
        for reason in Throttled::LABELS {
            expected.push(format!("relay_throttled_requests_total{{reason=\"{reason}\"}}"));
        }
        for event in Event::LABELS {
            expected.push(format!("relay_group_events_total{{event=\"{event}\"}}"));
        }
        for outcome in people::Outcome::LABELS {
            expected.push(format!("relay_messages_total{{outcome=\"{outcome}\"}}"));
        }
        for command in CommandKind::LABELS {
            expected.push(format!("relay_commands_total{{command=\"{command}\"}}"));
        }
        for name in expected {
            assert_eq!(samples.get(&name), Some(&0.0), "{name}");
        }
        assert_eq!(samples["relay_ready"], 1.0);
        let version = env!("CARGO_PKG_VERSION");
        let build = format!("relay_build_info{{version=\"{version}\",backend=\"{}\"}}", backend.name());
        assert_eq!(samples.get(&build), Some(&1.0), "{build}");
    });
}

#[test]
fn the_pages_of_the_server() {
    let relay = Relay::start(Backend::Mmsg);
    assert_eq!(relay.http("/livez"), (200, "ok\n".to_owned()));
    assert_eq!(relay.http("/readyz"), (200, "ready\n".to_owned()));
    for path in ["/status", "/metrics/", "/metric", "/livez/x", "/favicon.ico", "/../etc/passwd", "/%2e%2e/"]
    {
        assert_eq!(relay.http(path).0, 404, "{path}");
    }
    // A query does not change the page.
    assert_eq!(relay.http("/livez?verbose").0, 200);
    let url = field(&relay.log()[0], "metrics");
    let address: SocketAddr = url.trim_start_matches("http://").trim_end_matches("/metrics").parse().unwrap();
    let head = |request: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
            .write_all(format!("{request}\r\nHost: relay\r\nConnection: close\r\n\r\n").as_bytes())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.to_ascii_lowercase()
    };
    let scrape = head("GET /metrics HTTP/1.1");
    assert!(scrape.contains("content-type: text/plain; version=0.0.4"), "{scrape}");
    assert!(head("POST /metrics HTTP/1.1").starts_with("http/1.1 405 "));
    assert!(head("nonsense").starts_with("http/1.1 400 "));
    // Somebody who connects and says nothing, or half of something, keeps nobody else from being served.
    let silent: Vec<_> = (0..50).map(|_| TcpStream::connect(address).unwrap()).collect();
    silent.iter().step_by(2).for_each(|mut stream| stream.write_all(b"GET /met").unwrap());
    assert_eq!(relay.http("/livez").0, 200);
    main_job(relay.address());
}

#[test]
fn scrapes_do_not_disturb_forwarding() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let [a, b] = [(); 2].map(|()| Client::to(relay.address()));
        let group = a.create();
        a.join(&group);
        b.join(&group);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let scrapers = [(); 2].map(|()| {
                scope.spawn(|| {
                    let mut scrapes = 0;
                    while !done.load(Ordering::Relaxed) {
                        assert_eq!(relay.http("/metrics").0, 200);
                        scrapes += 1;
                    }
                    scrapes
                })
            });
            let over = Over(&done);
            for number in 0..3000 {
                let text = number.to_string();
                a.send(&text);
                assert_eq!(b.hear(), text);
            }
            drop(over);
            for scraper in scrapers {
                assert!(scraper.join().unwrap() > 0);
            }
        });
        eventually("all is counted", || {
            (relay.metric("relay_fanout_recipients_sum", "") == 3000.0).then_some(())
        });
        for name in [
            "relay_dropped_copies_total",
            "relay_dropped_packets_total",
            "relay_kernel_receive_dropped_total",
        ] {
            assert_eq!(relay.metric(name, ""), 0.0, "{name}");
        }
    });
}

#[test]
fn promtool_finds_nothing_to_complain_about() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        main_job(relay.address());
        let mut promtool = Command::new("promtool")
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("promtool runs: it is in the Debian package prometheus");
        promtool.stdin.take().unwrap().write_all(relay.http("/metrics").1.as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && said.trim().is_empty(), "{said}");
    });
}

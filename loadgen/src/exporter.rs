//! The generator's own metrics, for a Prometheus that watches a run: sums that never go back, although each measurement
//! of a process begins at nothing.

mod catalogue;
mod latency;
mod sums;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use expose::Metric;
use metrics::{counter, gauge, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use catalogue as names;
pub use catalogue::CATALOGUE;
use latency::Latency;
use sums::Sums;

use crate::outcome::{Phase, Totals};
use crate::view::Status;

/// Shows the state of a run to whoever asks over HTTP, until the process ends.
pub struct Exporter {
    recorder: PrometheusRecorder,
    sums: Mutex<Sums>,
    latency: Arc<Mutex<Latency>>,
}

const PHASES: [(Phase, &str); 6] = [
    (Phase::Joining, "joining"),
    (Phase::Ready, "ready"),
    (Phase::WarmUp, "warm_up"),
    (Phase::Measuring, "measuring"),
    (Phase::Draining, "draining"),
    (Phase::Leaving, "leaving"),
];

impl Exporter {
    /// Serves `/metrics` at this address, on a thread of its own; the address that it got is returned, which differs
    /// where the port was 0.
    ///
    /// # Errors
    /// The address cannot be listened at, or the thread cannot be started.
    pub fn start(address: SocketAddr) -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let exporter = Exporter::new();
        let (handle, latency) = (exporter.recorder.handle(), Arc::clone(&exporter.latency));
        expose::serve(listener, expose::metrics_at(move || render(&handle, &latency)))?;
        Ok((exporter, address))
    }

    fn new() -> Self {
        let exporter = Exporter {
            recorder: PrometheusBuilder::new().build_recorder(),
            sums: Mutex::default(),
            latency: Arc::default(),
        };
        with_local_recorder(&exporter.recorder, || {
            CATALOGUE.iter().for_each(Metric::describe);
            gauge!(names::BUILD_INFO.name, "version" => env!("CARGO_PKG_VERSION")).set(1);
            set_totals(&Totals::default());
            set_gauges(0, 0, 0, 0);
            set_phase(None);
        });
        exporter
    }

    /// What a scrape shows from now on. Each status is given once, because its latency is added up.
    pub fn update(&self, status: &Status) {
        let progress = &status.progress;
        let totals = self.sums.lock().unwrap_or_else(PoisonError::into_inner).of_all(&progress.totals);
        if let Some(latency) = &progress.latency {
            self.latency.lock().unwrap_or_else(PoisonError::into_inner).add(latency);
        }
        with_local_recorder(&self.recorder, || {
            set_totals(&totals);
            set_gauges(status.clients, progress.members, progress.groups, progress.missing);
            set_phase(Some(progress.phase));
        });
    }
}

fn render(handle: &PrometheusHandle, latency: &Mutex<Latency>) -> String {
    handle.run_upkeep();
    let mut out = handle.render();
    latency.lock().unwrap_or_else(PoisonError::into_inner).append(&mut out);
    expose::process::append(&mut out);
    out
}

fn set_totals(totals: &Totals) {
    let values = [
        (names::PAYLOADS_SENT, totals.sent),
        (names::COPIES_EXPECTED, totals.expected),
        (names::COPIES_RECEIVED, totals.received),
        (names::COPIES_DUPLICATED, totals.duplicated),
        (names::COPIES_REORDERED, totals.reordered),
        (names::COPIES_CORRUPTED, totals.corrupted),
        (names::LATE_SENDS, totals.late_sends),
        (names::SEND_FAILURES, totals.send_failures),
        (names::OWN_DROPPED_COPIES, totals.own_drops),
        (names::PINGS_SENT, totals.pings_sent),
        (names::PONGS_RECEIVED, totals.pongs_received),
    ];
    for (metric, value) in values {
        counter!(metric.name).absolute(value);
    }
}

fn set_gauges(clients: u64, members: u64, groups: u64, missing: u64) {
    let values = [
        (names::CLIENTS, clients),
        (names::MEMBERS, members),
        (names::GROUPS, groups),
        (names::LOST, missing),
    ];
    for (metric, value) in values {
        gauge!(metric.name).set(value as f64);
    }
}

fn set_phase(now: Option<Phase>) {
    for (phase, name) in PHASES {
        gauge!(names::PHASE.name, "phase" => name).set(f64::from(u8::from(now == Some(phase))));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::*;
    use crate::hdr::Durations;
    use crate::view::example;

    fn measuring(sent: u64) -> Status {
        let mut status = example(Duration::from_secs(1), Phase::Measuring);
        status.progress.totals = Totals { sent, expected: 9 * sent, received: 8 * sent, ..Totals::default() };
        status.progress.missing = sent;
        let mut latency = Durations::with_digits(2);
        latency.record_n(Duration::from_micros(120), 3);
        status.progress.latency = Some(latency);
        status
    }

    fn scraped(exporter: &Exporter) -> String {
        render(&exporter.recorder.handle(), &exporter.latency)
    }

    fn has(text: &str, line: &str) {
        assert!(text.lines().any(|other| other == line), "{line} in {text}");
    }

    #[test]
    fn what_is_told_is_shown_over_http() {
        let (exporter, address) = Exporter::start("127.0.0.1:0".parse().unwrap()).unwrap();
        exporter.update(&measuring(100));
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: loadgen\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        for line in [
            "loadgen_payloads_sent_total 100",
            "loadgen_copies_expected_total 900",
            "loadgen_copies_received_total 800",
            "loadgen_copies_lost 100",
            "loadgen_clients 100000",
            "loadgen_members 12345",
            "loadgen_groups 1234",
            "loadgen_phase{phase=\"measuring\"} 1",
            "loadgen_phase{phase=\"joining\"} 0",
            "loadgen_latency_seconds_count 3",
            "loadgen_latency_seconds_bucket{le=\"0.0001\"} 0",
            "loadgen_latency_seconds_bucket{le=\"0.00025\"} 3",
        ] {
            has(&text, line);
        }
    }

    #[test]
    fn nothing_goes_back_when_the_next_measurement_begins() {
        let exporter = Exporter::new();
        for sent in [50, 100, 10, 30] {
            exporter.update(&measuring(sent));
        }
        let text = scraped(&exporter);
        has(&text, "loadgen_payloads_sent_total 130");
        has(&text, "loadgen_copies_lost 30");
        has(&text, "loadgen_latency_seconds_count 12");
    }

    #[test]
    fn every_metric_of_the_catalogue_is_there_from_the_start_and_no_other() {
        let text = scraped(&Exporter::new());
        let typed: BTreeSet<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        let known = CATALOGUE.iter().chain(expose::process::CATALOGUE).map(|metric| metric.name);
        assert_eq!(typed, known.collect());
    }

    #[test]
    fn promtool_finds_nothing_to_complain_about() {
        let exporter = Exporter::new();
        exporter.update(&measuring(100));
        let mut command = Command::new("promtool");
        command
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut promtool = command.spawn().expect("promtool runs: it is in the Debian package prometheus");
        promtool.stdin.take().unwrap().write_all(scraped(&exporter).as_bytes()).unwrap();
        let output = promtool.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success() && said.trim().is_empty(), "{said}");
    }
}

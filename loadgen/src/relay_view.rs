//! What the relay says about itself: its metrics, read before and after a measurement.

mod exposition;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use exposition::Sample;

use crate::report::RelayView;

/// The port where a relay shows its metrics unless it is told otherwise.
const DEFAULT_PORT: u16 = 9500;

/// How long a reading may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// No reading is longer, in bytes: a relay with a thousand shards says less than half of that.
const LONGEST: u64 = 8 << 20;

/// Start times of the same process differ by less: the kernel's idea of when it booted moves with the clock.
const SAME_START: f64 = 2.0;

/// The relay's metrics, as they were at one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    url: String,
    /// Seconds since the epoch; 0 where it is not told.
    started: f64,
    version: String,
    backend: String,
    shards: BTreeSet<String>,
    cpu: f64,
    commands: u64,
    /// Datagrams that were refused as unknown commands.
    unknown_commands: u64,
    received_packets: u64,
    sent_packets: u64,
    dropped_packets: BTreeMap<String, u64>,
    dropped_copies: BTreeMap<String, u64>,
    kernel_drops: u64,
}

/// Why there is nothing to read, in a sentence.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// There was no answer, or one that is no success.
    #[error("the relay's metrics could not be read at {url}: {reason}")]
    NoAnswer {
        /// Where it was tried.
        url: String,
        /// What went wrong.
        reason: ureq::Error,
    },
    /// The answer is no metrics.
    #[error("what {url} answers is not in the Prometheus text format (line {line})")]
    Form {
        /// Where it was read.
        url: String,
        /// The first line of another form.
        line: usize,
    },
    /// The answer is another program's metrics.
    #[error("what {url} answers is not the metrics of a relay: there is no relay_build_info")]
    NoRelay {
        /// Where it was read.
        url: String,
    },
}

/// Why two readings cannot be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the relay restarted between the two readings of its metrics: its counters began again")]
pub struct Restarted;

/// Where the relay that serves this address shows its metrics, unless it was told otherwise.
pub fn default_url(target: SocketAddr) -> String {
    format!("http://{}/metrics", SocketAddr::new(target.ip().to_canonical(), DEFAULT_PORT))
}

/// Reads the metrics at an `http://` address. Takes 2 seconds at most.
///
/// # Errors
/// Why there is nothing to read.
pub fn read(url: &str) -> Result<Reading, ReadError> {
    let text = get(url).map_err(|reason| ReadError::NoAnswer { url: url.to_owned(), reason })?;
    Reading::of(url, &text)
}

fn get(url: &str) -> Result<String, ureq::Error> {
    // A proxy would answer for the relay at its own 127.0.0.1.
    let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).proxy(None).max_redirects(0);
    let mut response = config.build().new_agent().get(url).call()?;
    response.body_mut().with_config().limit(LONGEST).lossy_utf8(true).read_to_string()
}

impl Reading {
    fn of(url: &str, text: &str) -> Result<Self, ReadError> {
        let mut reading = Self::empty(url);
        let mut is_relay = false;
        for sample in exposition::samples(text) {
            let sample = sample.map_err(|line| ReadError::Form { url: url.to_owned(), line })?;
            is_relay |= sample.name == "relay_build_info";
            reading.take(&sample);
        }
        if is_relay { Ok(reading) } else { Err(ReadError::NoRelay { url: url.to_owned() }) }
    }

    fn empty(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            started: 0.0,
            version: String::new(),
            backend: String::new(),
            shards: BTreeSet::new(),
            cpu: 0.0,
            commands: 0,
            unknown_commands: 0,
            received_packets: 0,
            sent_packets: 0,
            dropped_packets: BTreeMap::new(),
            dropped_copies: BTreeMap::new(),
            kernel_drops: 0,
        }
    }

    fn take(&mut self, sample: &Sample<'_>) {
        let label = |name: &str| sample.label(name).unwrap_or_default().to_owned();
        match sample.name {
            "relay_build_info" => (self.version, self.backend) = (label("version"), label("backend")),
            "process_start_time_seconds" => self.started = sample.value,
            "process_cpu_seconds_total" => self.cpu = sample.value,
            "relay_commands_total" => add(&mut self.commands, sample),
            "relay_requests_refused_total" if sample.label("reason") == Some("bad_cmd") => {
                add(&mut self.unknown_commands, sample);
            }
            "relay_received_packets_total" => {
                // The thread of TCP counts, too, but is no shard of the sockets.
                self.shards.extend(Some(label("shard")).filter(|shard| shard != "tcp"));
                add(&mut self.received_packets, sample);
            }
            "relay_sent_packets_total" => add(&mut self.sent_packets, sample),
            "relay_dropped_packets_total" => {
                add(self.dropped_packets.entry(label("reason")).or_default(), sample);
            }
            "relay_dropped_copies_total" => {
                add(self.dropped_copies.entry(label("reason")).or_default(), sample);
            }
            "relay_kernel_receive_dropped_total" => add(&mut self.kernel_drops, sample),
            _ => {}
        }
    }

    /// Unknown commands that the relay has refused since it started.
    pub fn unknown_commands(&self) -> u64 {
        self.unknown_commands
    }

    /// What happened between an earlier reading and this one, with traffic for so long.
    ///
    /// # Errors
    /// The relay restarted in between.
    pub fn since(&self, earlier: &Reading, traffic: Duration) -> Result<RelayView, Restarted> {
        if (self.started - earlier.started).abs() > SAME_START || self.commands < earlier.commands {
            return Err(Restarted);
        }
        let cpu = self.cpu - earlier.cpu;
        Ok(RelayView {
            url: self.url.clone(),
            version: self.version.clone(),
            backend: self.backend.clone(),
            shards: self.shards.len() as u32,
            cpu: Duration::try_from_secs_f64(cpu).map_err(|_| Restarted)?,
            elapsed: traffic,
            received_packets: grown(self.received_packets, earlier.received_packets)?,
            sent_packets: grown(self.sent_packets, earlier.sent_packets)?,
            dropped_packets: grown_by_reason(&self.dropped_packets, &earlier.dropped_packets)?,
            dropped_copies: grown_by_reason(&self.dropped_copies, &earlier.dropped_copies)?,
            kernel_drops: grown(self.kernel_drops, earlier.kernel_drops)?,
        })
    }
}

fn add(sum: &mut u64, sample: &Sample<'_>) {
    *sum = sum.saturating_add(sample.count());
}

fn grown(now: u64, before: u64) -> Result<u64, Restarted> {
    now.checked_sub(before).ok_or(Restarted)
}

/// Only what has grown.
fn grown_by_reason(
    now: &BTreeMap<String, u64>,
    before: &BTreeMap<String, u64>,
) -> Result<Vec<(String, u64)>, Restarted> {
    let mut grown_reasons = Vec::new();
    for (reason, count) in now {
        let more = grown(*count, before.get(reason).copied().unwrap_or(0))?;
        if more > 0 {
            grown_reasons.push((reason.clone(), more));
        }
    }
    Ok(grown_reasons)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Instant;

    use super::*;

    const EARLY: &str = r#"# HELP relay_build_info Version and I/O backend of this relay; always 1.
# TYPE relay_build_info gauge
relay_build_info{version="0.1.0",backend="uring"} 1
process_start_time_seconds 1700000000.25
process_cpu_seconds_total 1.5
relay_commands_total{command="create"} 10
relay_commands_total{command="join"} 100
relay_requests_refused_total{reason="bad_arg"} 50
relay_requests_refused_total{reason="bad_cmd"} 60
relay_received_packets_total{shard="0"} 1000
relay_received_packets_total{shard="1"} 2000
relay_sent_packets_total{shard="0"} 5
relay_dropped_packets_total{shard="0",reason="not_joined"} 7
relay_dropped_copies_total{shard="0",reason="send_buffer_full"} 0
relay_dropped_copies_total{shard="1",reason="send_buffer_full"} 0
relay_kernel_receive_dropped_total{shard="0"} 1
"#;

    fn reading(text: &str) -> Reading {
        Reading::of("http://relay/metrics", text).unwrap()
    }

    fn later() -> String {
        EARLY
            .replace("seconds_total 1.5", "seconds_total 2")
            .replace("start_time_seconds 1700000000.25", "start_time_seconds 1700000001.25")
            .replace("{shard=\"1\"} 2000", "{shard=\"1\"} 3000")
            .replace(
                "{shard=\"0\",reason=\"send_buffer_full\"} 0",
                "{shard=\"0\",reason=\"send_buffer_full\"} 3",
            )
            .replace(
                "{shard=\"1\",reason=\"send_buffer_full\"} 0",
                "{shard=\"1\",reason=\"send_buffer_full\"} 4",
            )
    }

    #[test]
    fn the_difference_of_two_readings() {
        let (early, late) = (reading(EARLY), reading(&later()));
        let view = late.since(&early, Duration::from_secs(3)).unwrap();
        assert_eq!((early.commands, early.unknown_commands(), view.shards), (110, 60, 2));
        assert_eq!((view.cpu, view.elapsed), (Duration::from_millis(500), Duration::from_secs(3)));
        assert_eq!((view.received_packets, view.sent_packets, view.kernel_drops), (1000, 0, 0));
        assert_eq!((view.version.as_str(), view.backend.as_str()), ("0.1.0", "uring"));
        assert_eq!(view.dropped_copies, [("send_buffer_full".to_owned(), 7)]);
        assert_eq!(view.dropped_packets, []);
    }

    #[test]
    fn a_restart_is_seen() {
        let early = reading(EARLY);
        let changes = [
            ("1700000000.25", "1700000009.25"),
            ("{command=\"join\"} 100", "{command=\"join\"} 3"),
            ("{shard=\"1\"} 2000", "{shard=\"1\"} 999"),
            ("reason=\"not_joined\"} 7", "reason=\"not_joined\"} 0"),
            ("seconds_total 1.5", "seconds_total 0.25"),
        ];
        for (from, to) in changes {
            assert_eq!(
                reading(&EARLY.replace(from, to)).since(&early, Duration::ZERO),
                Err(Restarted),
                "{to}"
            );
        }
        assert_eq!(
            reading(&EARLY.replace("seconds_total 1.5", "seconds_total NaN")).since(&early, Duration::ZERO),
            Err(Restarted)
        );
    }

    #[test]
    fn other_pages_are_told_apart() {
        let read = |text| Reading::of("u", text).unwrap_err();
        assert!(matches!(read("<html>\n"), ReadError::Form { line: 1, .. }));
        assert!(matches!(read("up 1\n"), ReadError::NoRelay { .. }));
        assert!(matches!(read(""), ReadError::NoRelay { .. }));
    }

    #[test]
    fn where_metrics_are() {
        let urls = ["10.0.0.1:5000", "[::1]:5000", "[::ffff:10.0.0.1]:5000"]
            .map(|target| default_url(target.parse().unwrap()));
        let expected =
            ["http://10.0.0.1:9500/metrics", "http://[::1]:9500/metrics", "http://10.0.0.1:9500/metrics"];
        assert_eq!(urls, expected);
    }

    /// Answers one request with this.
    fn answering(answer: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/metrics", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            // The reader may have had enough before the end.
            let _ = stream.write_all(answer.as_bytes());
        });
        url
    }

    #[test]
    fn over_http() {
        let ok = |body: &str| format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}");
        assert_eq!(read(&answering(ok(EARLY))).unwrap().unknown_commands(), 60);
        let refused = read(&answering("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n".into())).unwrap_err();
        assert!(refused.to_string().contains("503"), "{refused}");
        let endless = read(&answering(ok(&"# endless\n".repeat(1 << 20)))).unwrap_err();
        assert!(matches!(endless, ReadError::NoAnswer { .. }), "{endless}");
        for url in ["https://127.0.0.1:1/", "ftp://x/", "nonsense", "", "http://127.0.0.1:1/metrics"] {
            assert!(read(url).is_err(), "{url}");
        }
    }

    #[test]
    fn who_never_answers_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let start = Instant::now();
        assert!(read(&format!("http://{}/", listener.local_addr().unwrap())).is_err());
        assert!(start.elapsed() < 2 * PATIENCE);
    }
}

//! A real Prometheus: started with the configuration of a story, asked over its own interface.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::{PATIENCE, eventually};

/// Its own port is its usual one, for stories that are alone in their namespace.
const USUAL: &str = "127.0.0.1:9090";

/// The labels of a series or of an alert.
pub type Labels = BTreeMap<String, String>;

/// A Prometheus that answers; it ends with the story.
pub struct Prometheus {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
}

/// An alert that is pending or firing.
#[derive(Clone, Debug)]
pub struct Alert {
    pub name: String,
    pub labels: Labels,
    pub annotations: Labels,
    pub firing: bool,
}

impl Prometheus {
    /// On its usual port, in a namespace of the story's own, with this configuration and these files beside it.
    pub fn start(configuration: &str, files: &[(&str, &str)]) -> Self {
        Self::at(USUAL.parse().unwrap(), configuration, files)
    }

    /// On this address.
    pub fn at(address: SocketAddr, configuration: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        for (name, text) in files.iter().chain(&[("prometheus.yml", configuration)]) {
            fs::write(path(name), text).unwrap();
        }
        let log = fs::File::create(path("log")).unwrap();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", path("prometheus.yml")))
            .arg(format!("--storage.tsdb.path={}", path("data")))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus runs: it is the Debian package of this name");
        let mut prometheus = Self { child, folder, address };
        eventually("Prometheus is ready", || {
            if let Some(status) = prometheus.child.try_wait().unwrap() {
                panic!("Prometheus ended with {status}");
            }
            let answer = prometheus.get("/-/ready")?;
            answer.starts_with("HTTP/1.0 200").then_some(())
        });
        prometheus
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The value of a query that gives one series at most, if there is one.
    #[track_caller]
    pub fn ask(&self, query: &str) -> Option<f64> {
        let vector = self.vector(query);
        assert!(vector.len() <= 1, "{query}: {vector:?}");
        Some(vector.first()?.1)
    }

    /// All series of a query, now.
    #[track_caller]
    pub fn vector(&self, query: &str) -> Vec<(Labels, f64)> {
        let data = self.api(&format!("query?query={}", encoded(query)));
        let Some(data) = data else { return Vec::new() };
        let result = data["result"].as_array().unwrap_or_else(|| panic!("{query}: {data}"));
        result.iter().map(|series| (labels(&series["metric"]), number(&series["value"][1]))).collect()
    }

    /// All series of a query over the last while, each with its values and their times in seconds since 1970.
    #[track_caller]
    pub fn range(&self, query: &str, last: Duration, step: Duration) -> Vec<(Labels, Vec<(f64, f64)>)> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        let (start, step) = (now - last.as_secs_f64(), step.as_secs_f64());
        let question = format!("query_range?query={}&start={start}&end={now}&step={step}", encoded(query));
        let Some(data) = self.api(&question) else { return Vec::new() };
        let values = |series: &Value| {
            let values = series["values"].as_array().expect("values");
            values.iter().map(|pair| (pair[0].as_f64().expect("a time"), number(&pair[1]))).collect()
        };
        let result = data["result"].as_array().expect("a matrix");
        result.iter().map(|series| (labels(&series["metric"]), values(series))).collect()
    }

    /// The alerts that are pending or firing.
    #[track_caller]
    pub fn alerts(&self) -> Vec<Alert> {
        let Some(data) = self.api("alerts") else { return Vec::new() };
        let alert = |alert: &Value| {
            let labels = labels(&alert["labels"]);
            Alert {
                name: labels["alertname"].clone(),
                labels,
                annotations: self::labels(&alert["annotations"]),
                firing: alert["state"] == "firing",
            }
        };
        data["alerts"].as_array().expect("alerts").iter().map(alert).collect()
    }

    /// Waits until a query gives this.
    #[track_caller]
    pub fn soon(&self, query: &str, expected: f64) {
        let start = Instant::now();
        let mut last = None;
        while last != Some(expected) {
            assert!(start.elapsed() < PATIENCE, "{query} is {last:?}, and should be {expected}");
            std::thread::sleep(Duration::from_millis(20));
            last = self.ask(query);
        }
    }

    /// The data of an answer of `/api/v1/`, if there is an answer.
    #[track_caller]
    fn api(&self, question: &str) -> Option<Value> {
        let answer = self.get(&format!("/api/v1/{question}"))?;
        let body = answer.split_once("\r\n\r\n")?.1;
        let mut answer: Value =
            serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        assert_eq!(answer["status"], "success", "{question}: {answer}");
        Some(answer["data"].take())
    }

    /// The whole answer; HTTP/1.0, so that it comes in one piece.
    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
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

fn encoded(query: &str) -> String {
    query.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn labels(object: &Value) -> Labels {
    let pairs = object.as_object().expect("labels");
    pairs.iter().map(|(name, value)| (name.clone(), value.as_str().expect("text").to_owned())).collect()
}

fn number(text: &Value) -> f64 {
    text.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no number: {text}"))
}

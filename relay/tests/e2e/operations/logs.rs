//! The log: every line a JSON object if asked for, and nothing that the relay depends on.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Backend, Client, RelayOptions, alone, each_backend, eventually};

use super::tools::{ConfigFile, main_job};

#[test]
fn every_line_is_a_json_object() {
    alone(|| {
        let _taken = TcpListener::bind("127.0.0.1:9500").unwrap();
        let file = ConfigFile::new("cap = 5\n");
        let mut relay = RelayOptions::plain()
            .env("RELAY_PORT", "tcp://10.0.0.1:5000")
            .with(["--log-format", "json", "--config", &file.name()])
            .start();
        main_job(relay.address());
        file.write("cap = 6\nport = 5001\n");
        relay.signal("HUP");
        relay.wait_for_log("reloaded");
        file.write("cap = \"\u{1b}[2J\"\n");
        relay.signal("HUP");
        relay.wait_for_log("stays");
        relay.signal("TERM");
        assert!(relay.wait().success());
        relay.wait_for_log("stops");
        let lines = relay.log();
        let level = |text: &str| {
            let line = lines.iter().find(|line| line.contains(text));
            let object: Value =
                serde_json::from_str(line.unwrap_or_else(|| panic!("{text}: {lines:#?}"))).unwrap();
            object["level"].as_str().unwrap().to_owned()
        };
        for (text, expected) in [
            ("RELAY_PORT", "WARN"),
            ("no metrics", "WARN"),
            ("the relay serves", "INFO"),
            ("needs a restart", "WARN"),
            ("reloaded", "INFO"),
            ("stays", "ERROR"),
            ("stops", "INFO"),
        ] {
            assert_eq!(level(text), expected, "{text}");
        }
        for line in &lines {
            let object: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            for key in ["timestamp", "level", "message"] {
                assert!(object[key].is_string(), "{key}: {line}");
            }
        }
        assert_eq!(lines.len(), 7, "{lines:#?}");
    });
}

#[test]
fn the_level_is_the_least_severe_one() {
    let file = ConfigFile::new("");
    let mut options =
        RelayOptions::new(Backend::Mmsg).with(["--log-level", "error", "--config", &file.name()]);
    let mut child = options.command().stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let pid = child.id().to_string();
    // Until it listens to signals, SIGHUP ends it; the thread that does has this name.
    eventually("it listens to signals", || {
        super::tools::threads(child.id()).iter().any(|(name, _)| name == "signals").then_some(())
    });
    file.write("nonsense = 1\n");
    assert!(std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("ERROR") && line.contains("nonsense"), "{line}");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_log_that_nobody_reads_any_more_does_not_end_the_relay() {
    each_backend(|backend| {
        let mut options = RelayOptions::new(backend);
        let mut child = options.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = crate::support::field(&line, "address").parse().unwrap();
        drop(stderr);
        let client = Client::to(address);
        client.join(&client.create());
        for _ in 0..5 {
            let status = std::process::Command::new("kill").args(["-HUP", &child.id().to_string()]).status();
            assert!(status.unwrap().success());
            std::thread::sleep(Duration::from_millis(20));
            assert!(client.ask("!WHO").starts_with("OK WHO "));
        }
        let status = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(status.unwrap().success());
        let status = eventually("it ends", || child.try_wait().unwrap());
        assert!(status.success(), "{status}");
    });
}

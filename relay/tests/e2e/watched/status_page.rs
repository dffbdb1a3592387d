//! The status page in a real browser: it lives, it keeps to itself, and it says when the relay has gone.

use std::io::{BufRead, BufReader, Lines, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Backend, Cable, Client, FAR, NEAR, RelayOptions, ip};

use super::status::near;

const SECRET: &str = "b1946ac92492d2347c6235b4d2611184";

/// Chromium, driven by a script.
struct Browser {
    child: Child,
    told: Lines<BufReader<ChildStdout>>,
}

impl Browser {
    fn start(open: &str, guarded: &str, folder: &str) -> Self {
        let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/watched/status_page.cjs");
        let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/../dashboards/node_modules");
        let mut child = Command::new("node")
            .args([here, open, guarded, SECRET, folder])
            .env("NODE_PATH", modules)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs: it is the Debian package nodejs");
        let told = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, told }
    }

    #[track_caller]
    fn hear(&mut self, chapter: &str) -> Value {
        let line = self.told.next().unwrap_or_else(|| panic!("the browser tells of {chapter}")).unwrap();
        let seen: Value = serde_json::from_str(&line).expect(&line);
        assert_eq!(seen["chapter"], chapter);
        seen
    }

    fn go_on(&mut self) {
        self.child.stdin.as_mut().expect("a pipe").write_all(b"on\n").expect("it listens");
    }
}

/// Tells the traffic that the story is over, also if it failed.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its input ends with it, and Chromium ends with the script.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Nothing was asked of anybody but the relay, and nothing was forbidden or failed but what should.
#[track_caller]
fn assert_keeps_to_itself(seen: &Value, own: &str, errors: &[&str]) {
    let texts = |name: &str| -> Vec<String> {
        seen[name].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let requests = texts("requests");
    assert!(requests.len() > 2, "{requests:?}");
    assert!(requests.iter().all(|url| url.starts_with(own) || url.starts_with("data:")), "{requests:?}");
    assert_eq!(texts("violations"), [""; 0]);
    assert!(
        texts("errors").iter().all(|error| errors.iter().any(|expected| error.contains(expected))),
        "{}",
        seen["errors"]
    );
}

fn check_live(seen: &Value, own: &str) {
    assert_keeps_to_itself(seen, own, &[]);
    assert_ne!(seen["light"], seen["dark"]);
    assert_eq!(
        (&seen["phone"], &seen["unnamed"]),
        (&0.into(), &0.into()),
        "pixels too wide; sections without a name"
    );
    assert_eq!((&seen["level"], &seen["headline"]), (&"critical".into(), &"Clients suffer".into()));
    let links: Vec<&str> = seen["links"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(links.contains(&"/runbook/relaycopiesdropped"), "{links:?}");
    let worst = &seen["worst"][0];
    assert!(worst[0].as_str().unwrap().starts_with(&format!("{FAR}:")), "{worst}");
    assert!(worst[2].as_str().unwrap().starts_with("unreachable "), "{worst}");
    let row = |table: &str, name: &str| -> Value {
        let rows = seen[table].as_array().unwrap();
        rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("no {name} in {rows:?}")).clone()
    };
    assert_ne!(row("drops", "copy: unreachable")[1], "0");
    assert_eq!(row("drops", "copy: denied")[1], "0");
    assert_eq!(row("driver", "shards that get more than they can do")[1], "none");
    assert_eq!(row("configuration", "host")[1], NEAR);
    assert_eq!(row("configuration", "host")[2], "flag");
    assert_eq!(row("configuration", "shards")[2], "environment RELAY_SHARDS");
    let shards: Vec<&Value> = seen["shards"].as_array().unwrap().iter().map(|row| &row[0]).collect();
    assert_eq!(shards, ["0", "1", "tcp"]);
    assert!(seen["tcp"].as_str().unwrap().contains("the thread that serves"), "what that is");
    assert_eq!(row("since", "messages: delivered")[1], "0");
    assert_eq!(row("since", "pairs that were told each other's address")[1], "0");
    assert_eq!(seen["span"], "since_start");
}

/// `RELAY_PICTURES=docs/images` renews the pictures of the documents.
#[test]
fn in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let pictures = std::env::var("RELAY_PICTURES").unwrap_or_else(|_| folder.path().display().to_string());
    let secret = folder.path().join("token");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    Cable::lay(|cable| {
        let far = SocketAddr::new(FAR.parse().unwrap(), 0);
        let options = || RelayOptions::new(Backend::Uring).with(["--host", NEAR]);
        let relay = options().start();
        let file = secret.display().to_string();
        let guarded = options().with(["--metrics-listen", "0.0.0.0:0", "--status-token-file", &file]).start();
        let members = [(); 4].map(|()| Client::from(near(), relay.address()));
        let group = members[0].create();
        members.iter().for_each(|member| member.join(&group));
        let lost = cable.over_there(|| Client::from(far, relay.address()));
        lost.join(&group);
        ip(&format!("route add unreachable {FAR}"));
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut turn = 0_usize;
                while !over.load(Ordering::Relaxed) {
                    turn += 1;
                    (0..1 + turn / 8 % 5).for_each(|_| members[turn % 4].send([b'x'; 200]));
                    members.iter().for_each(|member| drop(member.drain()));
                    // The rate of what the page shows.
                    thread::sleep(Duration::from_millis(10));
                }
            });
            let over = Over(&over);
            let own = format!("http://{}/", relay.metrics_address());
            let port = guarded.metrics_address().port();
            let other = format!("http://127.0.0.1:{port}/");
            let mut browser = Browser::start(&own, &other, &pictures);
            let locked = browser.hear("locked");
            assert_keeps_to_itself(&locked, &other, &["401"]);
            assert_eq!(
                (&locked["url"], &locked["wrong"]),
                (&other.as_str().into(), &"That is not the token.".into())
            );
            assert_eq!(locked["kept"], serde_json::json!([[SECRET], 0, ""]));
            check_live(&browser.hear("live"), &own);
            drop(over);
            drop(relay);
            browser.go_on();
            let gone = browser.hear("gone");
            assert_eq!(gone["headline"], "No answer from the relay");
            assert!(gone["freshness"].as_str().unwrap().starts_with("What you see is of "), "{gone}");
            assert!(gone["faded"].as_str().unwrap().parse::<f64>().unwrap() < 1.0);
            assert!(browser.child.wait().unwrap().success());
        });
    });
}

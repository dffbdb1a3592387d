//! `/status.json` and its neighbours: the shape, the worst receivers, and who may see them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::support::{
    Backend, Cable, Client, FAR, NEAR, PATIENCE, Relay, RelayOptions, each_backend, eventually, ip,
};

const SECRETS: [&str; 2] = ["b1946ac92492d2347c6235b4d2611184", "591785b794601e212b260e25925636fd"];

/// A member at this end of the cable.
pub fn near() -> SocketAddr {
    SocketAddr::new(NEAR.parse().unwrap(), 0)
}

/// The head and the body of an answer to a request with these lines.
#[track_caller]
fn ask(relay: &Relay, request: &str, headers: &[&str]) -> (String, String) {
    ask_by("HTTP/1.1", relay, request, headers)
}

#[track_caller]
fn ask_by(version: &str, relay: &Relay, request: &str, headers: &[&str]) -> (String, String) {
    let address = (Ipv4Addr::LOCALHOST, relay.metrics_address().port());
    let mut stream = TcpStream::connect(address).expect("the metrics address answers");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let lines: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    write!(stream, "{request} {version}\r\n{lines}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (head.to_owned(), body.to_owned())
}

#[track_caller]
pub fn status(relay: &Relay, headers: &[&str]) -> Value {
    let (head, body) = ask(relay, "GET /status.json", headers);
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-type: application/json"), "{head}");
    serde_json::from_str(&body).expect("JSON")
}

#[track_caller]
fn worst(relay: &Relay, headers: &[&str]) -> Value {
    status(relay, headers)["worst_receivers"].clone()
}

pub const HERE: &[&str] = &["Host: localhost"];

#[test]
fn a_dead_receiver_is_listed_with_its_address_and_the_reasons() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let relay = RelayOptions::new(backend).with(["--host", NEAR]).start();
            let members = [(); 3].map(|()| Client::from(near(), relay.address()).roomy());
            let group = members[0].create();
            let lost =
                cable.over_there(|| Client::from(SocketAddr::new(FAR.parse().unwrap(), 0), relay.address()));
            members.iter().chain([&lost]).for_each(|client| client.join(&group));
            assert_eq!(worst(&relay, HERE)["since_start"]["receivers"], json!([]));
            for (kind, count, sum) in [("unreachable", 70, 70.0), ("prohibit", 30, 100.0)] {
                ip(&format!("route add {kind} {FAR}"));
                for number in 0..count {
                    members[number % 3].send([b'x'; 300]);
                }
                eventually("all of them have failed", || {
                    (relay.metric("relay_dropped_copies_total", "") == sum).then_some(())
                });
                ip(&format!("route del {kind} {FAR}"));
            }
            let listed = eventually("all failures are published", || {
                Some(worst(&relay, HERE)).filter(|worst| worst["since_start"]["dropped"] == 100)
            });
            for list in ["since_start", "recent"] {
                let list = &listed[list];
                let receivers = list["receivers"].as_array().unwrap();
                assert_eq!((receivers.len(), &list["others_at_most"]), (1, &0.into()), "{list}");
                assert_eq!(receivers[0]["address"], lost.address().to_string());
                assert_eq!(
                    (&receivers[0]["dropped_at_least"], &receivers[0]["dropped_at_most"]),
                    (&100.into(), &100.into())
                );
                let reasons = json!({"send_buffer_full": 0, "unreachable": 70, "too_large": 0, "denied": 30, "other": 0});
                assert_eq!(receivers[0]["reasons"], reasons);
            }
            // The same number as the metrics', and a verdict that says so.
            let all = status(&relay, HERE);
            assert_eq!(relay.metric("relay_dropped_copies_total", ""), 100.0);
            assert_eq!(
                (&all["totals"]["dropped_copies"], &all["drops"]["copies"]["denied"]),
                (&100.into(), &30.into())
            );
            assert_eq!(all["verdict"]["level"], "critical");
            assert_eq!(all["verdict"]["findings"][0]["runbook"], "relaycopiesdropped");
        });
    });
}

/// The shape that docs/operations.md promises.
#[test]
fn the_shape_is_the_one_that_is_documented() {
    let relay = RelayOptions::new(Backend::Mmsg).with(["--cap", "7"]).start();
    let client = Client::to(relay.address());
    client.join(&client.create());
    let all = eventually("a rate of the past second", || {
        Some(status(&relay, HERE))
            .filter(|all| !all["history"]["sent_packets"].as_array().unwrap().is_empty())
    });
    let manual = include_str!("../../../../docs/operations.md");
    let section = manual.split("\n## The status page\n").nth(1).expect("a section of the manual");
    let section = section.split("\n## ").next().unwrap();
    for (name, part) in all.as_object().unwrap() {
        assert!(section.contains(&format!("`{name}`")), "the manual says nothing of {name}");
        let records = part.as_array().map_or(part, |list| &list[0]);
        for (key, _) in records.as_object().into_iter().flatten() {
            assert!(section.contains(&format!("`{key}`")), "the manual says nothing of {name}.{key}");
        }
    }
    assert_eq!(
        (&all["schema"], &all["relay"]["ready"], &all["relay"]["backend"]),
        (&1.into(), &true.into(), &"mmsg".into())
    );
    assert_eq!((&all["present"]["members"], &all["present"]["groups"]), (&1.into(), &1.into()));
    assert_eq!(all["requests"]["commands"]["join"], 1);
    assert_eq!(all["shards"].as_array().unwrap().len(), 3, "two, and the thread of TCP");
    assert_eq!(all["shards"][0]["overloaded"], false);
    let option = |name: &str| -> Value {
        let options = all["configuration"]["options"].as_array().unwrap();
        options.iter().find(|option| option["name"] == name).expect(name).clone()
    };
    assert_eq!(
        option("cap"),
        json!({"name": "cap", "value": "7", "source": "flag", "place": "flag", "live": true})
    );
    assert_eq!(option("heartbeat")["source"], "default");
}

#[test]
fn addresses_are_for_this_machine_or_for_whoever_has_the_token() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let name = file.path().display().to_string();
    std::fs::write(file.path(), SECRETS[0]).unwrap();
    let [bearer, other] = SECRETS.map(|secret| format!("Authorization: Bearer {secret}"));
    let why = |relay: &Relay, headers: &[&str]| worst(relay, headers)["why"].as_str().map(str::to_owned);

    let open = Relay::start(Backend::Mmsg);
    assert_eq!(worst(&open, HERE)["shown"], true);
    assert_eq!(worst(&open, &["Host: 127.0.0.1:8080"])["shown"], true, "by a forwarded port");
    let proxied = why(&open, &["Host: localhost", "X-Forwarded-Proto: https"]);
    assert_eq!(proxied.as_deref(), Some("proxied"));
    let (head, body) = ask_by("HTTP/1.0", &open, "GET /status.json", HERE);
    assert!(head.contains(" 200 ") && body.contains("\"proxied\""), "{head}\n{body}");
    let of_a_page = why(&open, &["Host: localhost", "Sec-Fetch-Site: cross-site"]);
    assert_eq!(of_a_page.as_deref(), Some("foreign_site"));
    // A page of another site whose name leads here, and who is asked by another name every day.
    let evil = &["Host: evil.example"];
    for request in ["GET /", "GET /status.json"] {
        let (head, body) = ask(&open, request, evil);
        assert!(head.starts_with("HTTP/1.1 421 ") && body.contains("localhost"), "{request}: {head}\n{body}");
    }
    for request in ["GET /metrics", "GET /livez", "GET /readyz"] {
        assert!(ask(&open, request, evil).0.starts_with("HTTP/1.1 200 "), "{request}");
    }

    let far = RelayOptions::new(Backend::Mmsg).with(["--metrics-listen", "0.0.0.0:0"]).start();
    let hidden = worst(&far, HERE);
    assert_eq!((&hidden["shown"], &hidden["why"]), (&false.into(), &"no_token_configured".into()));
    assert!(
        hidden["hint"].as_str().unwrap().contains("--status-token-file") && hidden.get("recent").is_none()
    );

    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        let flags = ["--metrics-listen", listen, "--status-token-file", &name, "--log-level", "trace"];
        let relay = RelayOptions::new(Backend::Mmsg).with(flags).start();
        assert_eq!(why(&relay, HERE).as_deref(), Some("token_needed"));
        assert_eq!(worst(&relay, &["Host: evil.example", &bearer])["shown"], true);
        let (head, body) = ask(&relay, "GET /status.json", &["Host: localhost", &other]);
        assert!(head.starts_with("HTTP/1.1 401 ") && head.contains("www-authenticate: Bearer"), "{head}");
        assert!(!body.contains("relay"), "{body}");
        // By another name it is a page that asks for the token, and tells nothing before.
        let unknown = ask(&relay, "GET /status.json", evil).0;
        let code = if listen.starts_with("127.") { "401" } else { "200" };
        assert!(unknown.starts_with(&format!("HTTP/1.1 {code} ")), "{listen}: {unknown}");
        assert!(ask(&relay, "GET /", evil).0.starts_with("HTTP/1.1 200 "));
        // Everybody may see whether it works.
        assert!(ask(&relay, "GET /", HERE).0.starts_with("HTTP/1.1 200 "));
        std::fs::write(file.path(), SECRETS[1]).unwrap();
        relay.signal("HUP");
        relay.wait_for_log("the configuration was reloaded");
        assert_eq!(worst(&relay, &["Host: localhost", &other])["shown"], true);
        assert!(
            ask(&relay, "GET /status.json", &["Host: localhost", &bearer]).0.starts_with("HTTP/1.1 401 ")
        );
        let log = relay.log().join("\n") + &status(&relay, HERE).to_string();
        assert!(SECRETS.iter().all(|secret| !log.contains(secret)), "{log}");
        std::fs::write(file.path(), SECRETS[0]).unwrap();
    }
}

#[test]
fn every_answer_is_guarded_and_what_is_not_there_is_not_found() {
    let relay = Relay::start(Backend::Mmsg);
    for (request, code) in [
        ("GET /", 200),
        ("GET /status.json", 200),
        ("GET /metrics", 200),
        ("GET /livez", 200),
        ("GET /runbook/socket-buffers", 200),
        ("GET /runbook/no-such-section", 404),
        ("GET /runbook/%ff", 404),
        ("GET /runbook/..%2f..%2fetc%2fpasswd", 404),
        ("GET /status.json/", 404),
        ("GET /favicon.ico", 404),
        ("HEAD /", 200),
        ("POST /", 405),
        ("DELETE /status.json", 405),
    ] {
        let (head, body) = ask(&relay, request, HERE);
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with(&format!("http/1.1 {code} ")), "{request}: {head}");
        assert_eq!(body.is_empty(), request.starts_with("HEAD"), "{request}: {body}");
        match code {
            404 => {
                assert!(body.contains("not found") || body.contains("no such section"), "{request}: {body}");
            }
            405 => assert!(
                head.contains("allow: get,head") && body == "only GET and HEAD\n",
                "{request}: {body}"
            ),
            _ => {}
        }
        for guard in [
            "content-security-policy: default-src 'none'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "cache-control: no-store",
            "referrer-policy: no-referrer",
        ] {
            assert!(head.contains(guard), "{request}: {guard}: {head}");
        }
    }
}

//! On one machine, over loopback.

use std::thread;

use crate::common::process::{Backend, Relay, RelayOptions, each_backend};
use crate::common::program::Program;
use crate::common::report::Seen;
use crate::{assert_reconciled, assert_viewed};

/// Host of the relay, and how clients are many.
const WAYS: [(&str, &str, &str); 4] = [
    ("127.0.0.1", "--sockets shared --backend uring", "uring"),
    ("127.0.0.1", "--sockets shared --backend mmsg", "mmsg"),
    ("127.0.0.1", "--sockets per-client", "epoll"),
    ("::1", "--gro", "epoll"),
];

/// A run against a relay of its own, whose metrics are read.
fn run(backend: Backend, host: &str, words: &str) -> (Seen, Relay) {
    let relay = RelayOptions::new(backend).with(["--host", host]).start();
    let (target, metrics) = (relay.address(), relay.metrics_address());
    let own = format!("run --target {target} --relay-metrics http://{metrics}/metrics");
    (Program::new(&format!("{own} {words}")).report(), relay)
}

fn on_every_way(load: &str, story: impl Fn(&Seen, &Relay) + Sync) {
    each_backend(|backend| {
        thread::scope(|scope| {
            for (host, way, driver) in WAYS {
                let story = &story;
                scope.spawn(move || {
                    let (seen, relay) = run(backend, host, &format!("{load} {way}"));
                    assert_eq!(seen.text("/details/setup/backend"), driver);
                    assert_reconciled(&seen, &relay);
                    assert_viewed(&seen, &relay, backend.name());
                    story(&seen, &relay);
                });
            }
        });
    });
}

#[test]
fn nothing_is_lost_and_both_sides_count_the_same() {
    on_every_way("--clients 60 --group-size 12 --rate 10 --payload mix --duration 2s", |seen, _| {
        assert_eq!((seen.members(), seen.total("in_transition")), (60, 0));
        assert_eq!(seen.number("/expected"), 11 * seen.number("/sent"));
    });
}

#[test]
fn nor_while_members_come_and_go() {
    on_every_way("--clients 60 --group-size 12 --rate 8 --churn 20 --duration 3s", |seen, relay| {
        assert!(seen.total("leaves") > 0 && seen.total("in_transition") > 0);
        let left = relay.metric("relay_group_events_total", "event=\"leave\"");
        // At the end, all others leave, too.
        assert!(left >= seen.total("leaves") as f64, "{left}");
    });
}

#[test]
fn nor_as_fast_as_it_goes() {
    on_every_way("--clients 20 --group-size 10 --in-flight 4 --payload 200 --duration 1s", |seen, _| {
        assert_eq!(seen.number("/expected"), 9 * seen.number("/sent"));
    });
}

#[test]
fn clients_that_only_listen_are_forgotten_in_time() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--heartbeat", "1s", "--sweep", "100ms"]).start();
        let load = "--clients 40 --group-size 10 --silent 0.2 --rate 5 --ramp 200ms --duration 4s";
        let seen = Program::run(relay.address(), load).report();
        assert_reconciled(&seen, &relay);
        assert_eq!(seen.members(), 32);
        let expired = relay.metric("relay_group_events_total", "event=\"expire\"");
        assert_eq!(expired, 8.0);
    });
}

#[test]
fn limits_are_named_with_their_remedy() {
    let relay = RelayOptions::new(Backend::Mmsg).with(["--cap", "4"]).start();
    let ended = Program::run(relay.address(), "--clients 10 --group-size 5").end();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let line = ended.stderr.concat();
    assert!(
        line.contains("ERR GROUP_FULL") && line.contains("--cap") && line.contains("--group-size"),
        "{line}"
    );
    let relay = RelayOptions::new(Backend::Mmsg).with(["--max-groups-per-client", "0"]).start();
    let ended = Program::run(relay.address(), "--clients 10 --group-size 5 --json -").end();
    ended.failed(1, &["ERR CLIENT_LIMIT", "quota"]);
}

//! A shard that stands still is known to everybody who asks; a relay that was stopped as a whole accuses none.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Backend, Halted, Relay, RelayOptions, each_backend, eventually};

/// Makes the relay look every 80 ms; nobody has to listen.
const OFTEN: (&str, &str) = ("WATCHDOG_USEC", "400000");

#[track_caller]
fn verdict(relay: &Relay) -> (String, String) {
    let all: Value = serde_json::from_str(&relay.http("/status.json").1).expect("JSON");
    let verdict = &all["verdict"];
    (verdict["level"].as_str().unwrap().to_owned(), verdict["findings"][0]["runbook"].to_string())
}

#[track_caller]
fn is_known_and_forgotten(relay: &Relay) {
    assert_eq!(relay.http("/livez"), (200, "ok\n".to_owned()));
    let halted = Halted::new(relay, "shard-1");
    eventually("it is not alive", || (relay.http("/livez").0 == 503).then_some(()));
    assert_eq!(relay.http("/livez").1, "shard 1 does not turn\n");
    let stalled = || ["0", "1"].map(|at| relay.metric("relay_shard_stalled", &format!("shard=\"{at}\"")));
    assert_eq!((stalled(), relay.http("/readyz").0), ([0.0, 1.0], 200));
    assert_eq!(verdict(relay), ("critical".to_owned(), "\"relayshardstalled\"".to_owned()));
    assert!(relay.wait_for_log("does not turn").contains("ERROR"));
    halted.go_on();
    eventually("it is alive again", || (relay.http("/livez").0 == 200).then_some(()));
    assert_eq!(stalled(), [0.0, 0.0]);
    assert_ne!(verdict(relay).1, "\"relayshardstalled\"");
    assert!(relay.wait_for_log("the shard turns again").contains("INFO"));
}

#[test]
fn a_shard_that_stands_still_is_known_until_it_turns_again() {
    each_backend(|backend| is_known_and_forgotten(&RelayOptions::new(backend).env(OFTEN.0, OFTEN.1).start()));
}

#[test]
fn nobody_has_to_ask_for_it() {
    is_known_and_forgotten(&RelayOptions::new(Backend::Mmsg).start());
}

#[test]
fn a_relay_that_was_stopped_as_a_whole_accuses_no_shard() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).env(OFTEN.0, OFTEN.1).start();
        // Longer than four looks: the time is the trouble, nothing is waited for.
        (0..3).for_each(|_| relay.pausing(|| thread::sleep(Duration::from_millis(450))));
        // Whoever is accused after that is accused before it.
        Halted::new(&relay, "shard-1").go_on();
        let halted = Halted::new(&relay, "shard-0");
        relay.wait_for_log("does not turn");
        halted.go_on();
        let accused: Vec<String> =
            relay.log().into_iter().filter(|line| line.contains("does not turn")).collect();
        assert!(accused.len() == 1 && accused[0].contains("shard=0"), "{accused:?}");
    });
}

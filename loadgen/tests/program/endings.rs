//! The exit code is the verdict.

use crate::common::program::Program;
use crate::common::relay::{Faults, LossyRelay};

const LOAD: &str = "--clients 10 --group-size 5 --rate 10 --duration 1s --ramp 0";

/// Generous, because the machine may be busy. What is met or missed are counts.
#[test]
fn objectives_that_are_met_end_with_0() {
    let relay = LossyRelay::with(Faults::default());
    let ended = Program::run(relay.address(), &format!("{LOAD} --max-loss 0 --max-pong-loss 0 --json -"))
        .word("--heartbeat")
        .word("1s")
        .end();
    let seen = ended.report();
    let objectives = seen.0["details"]["objectives"].as_array().unwrap();
    assert_eq!(objectives.len(), 2);
    assert!(objectives.iter().all(|objective| objective["met"] == true), "{objectives:?}");
    assert_code(ended.code, seen.text("/verdict"), "met", 0);
}

#[test]
fn a_missed_objective_ends_with_99() {
    let relay = LossyRelay::with(Faults { drop: 1.0, ..Faults::default() });
    let ended = Program::run(relay.address(), &format!("{LOAD} --max-loss 5% --json -")).end();
    let seen = ended.report();
    let lost = relay.truth().dropped;
    assert_eq!((seen.number("/lost"), seen.number("/received")), (lost, 0));
    let missed = format!("--max-loss 5%: measured 100% ({lost} of {lost})");
    assert!(seen.reasons().contains(&missed.as_str()), "{:?}", seen.reasons());
    assert!(seen.0["latency_us"]["p50"].is_null());
    assert_code(ended.code, seen.text("/verdict"), "missed", 99);
}

#[test]
fn what_no_relay_may_do_is_missed_without_any_objective() {
    let relay = LossyRelay::with(Faults { flip: 0.1, ..Faults::default() });
    let ended = Program::run(relay.address(), &format!("{LOAD} --json -")).end();
    let seen = ended.report();
    assert!(seen.reasons().iter().any(|reason| reason.contains("nor an intact payload")));
    assert_code(ended.code, seen.text("/verdict"), "missed", 99);
}

/// On a machine that held the generator up, the verdict is another, and right.
#[track_caller]
fn assert_code(code: Option<i32>, verdict: &str, wanted: &str, wanted_code: i32) {
    if verdict == "invalid" {
        assert_eq!(code, Some(98));
    } else {
        assert_eq!((verdict, code), (wanted, Some(wanted_code)));
    }
}

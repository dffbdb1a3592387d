//! Interrupted, it reports what it has seen; interrupted twice, it ends.

use nix::sys::signal::Signal;

use crate::common::eventually;
use crate::common::program::{Program, Running};
use crate::common::relay::{Faults, LossyRelay, Options};

/// A run that would take an hour.
fn long_run(relay: &LossyRelay) -> Running {
    let load = "--clients 10 --group-size 5 --rate 20 --ramp 0 --duration 1h --max-loss 0 --json -";
    let running = Program::run(relay.address(), load).start();
    eventually("payloads", || (relay.truth().payloads > 100).then_some(()));
    running
}

#[test]
fn an_interrupted_run_reports_what_was_seen() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let relay = LossyRelay::start(Options::default());
        let running = long_run(&relay);
        running.signal(signal);
        let ended = running.end();
        let (seen, truth) = (ended.report(), relay.truth());
        assert_eq!((seen.number("/sent"), seen.number("/expected")), (truth.payloads, truth.copies));
        assert_eq!((seen.number("/lost"), seen.number("/received")), (0, truth.delivered));
        assert_eq!(seen.0["details"]["outcome"]["interrupted"], true);
        assert!(seen.reasons().iter().any(|reason| reason.contains("ended early")), "{:?}", seen.reasons());
        let code = if seen.text("/verdict") == "invalid" { 98 } else { 0 };
        assert_eq!(ended.code, Some(code), "{signal}");
        eventually("everybody has left", || (relay.members() == 0).then_some(()));
    }
}

#[test]
fn a_second_interruption_ends_it_at_once() {
    // What is lost is waited for, a second long.
    let relay = LossyRelay::with(Faults { drop: 1.0, ..Faults::default() });
    let mut running = long_run(&relay);
    // Two equal signals may become one on their way; a third does no more than the second.
    eventually("the end", || {
        running.signal(Signal::SIGINT);
        (!running.is_running()).then_some(())
    });
    let ended = running.end();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(130), ""), "{ended:?}");
}

#[test]
fn interrupted_before_it_measures_it_says_so() {
    let relay = LossyRelay::start(Options::default());
    let load = "--clients 1000 --group-size 5 --ramp 1h --json -";
    let running = Program::run(relay.address(), load).start();
    eventually("somebody joins", || (relay.joins() > 0).then_some(()));
    running.signal(Signal::SIGINT);
    running.end().failed(1, &["ended before the measurement began"]);
}

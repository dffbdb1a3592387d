//! Interrupted, it reports what it has seen; interrupted twice, it ends.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::common::eventually;
use crate::common::process::program;
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

#[test]
fn whoever_has_joined_leaves_when_joining_is_interrupted() {
    let relay = LossyRelay::start(Options::default());
    let load = "--clients 1000 --group-size 5 --ramp 20s --json -";
    let running = Program::run(relay.address(), load).start();
    eventually("many join", || (relay.members() > 50).then_some(()));
    running.signal(Signal::SIGINT);
    running.end().failed(1, &["nothing was measured"]);
    eventually("everybody has left", || (relay.members() == 0).then_some(()));
}

#[test]
fn interrupted_in_the_warm_up_nothing_was_measured() {
    let relay = LossyRelay::start(Options::default());
    let load = "--clients 10 --group-size 5 --rate 20 --ramp 0 --warm-up 1h --max-loss 0 --plain";
    let mut child = Command::new(program("loadgen"))
        .args(["run", "--relay-metrics", "off", "--target", &relay.address().to_string()])
        .args(load.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    lines.find(|line| line.contains("warm")).expect("a line of the warm-up");
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    assert!(lines.all(|line| !line.contains("Objectives")));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("nothing was measured"), "{output:?}");
    eventually("everybody has left", || (relay.members() == 0).then_some(()));
}

//! The generator itself is held up: it tells so, and blames nobody.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::accounts::Accounts;
use crate::common::eventually;
use crate::common::program::{Ended, Program};
use crate::common::relay::{Faults, LossyRelay};
use crate::common::report::Seen;

/// A run of so many seconds and 200 payloads in each that is stopped after the first hundred, for so long.
fn stopped(faults: Faults, seconds: u32, stop: Duration) -> (Ended, Seen) {
    let relay = LossyRelay::with(faults);
    let load = format!(
        "--clients 10 --groups 2 --rate 20 --ramp 0 --heartbeat 1s --duration {seconds}s --max-loss 0 --json -"
    );
    let running = Program::run(relay.address(), &load).start();
    eventually("payloads", || (relay.truth().payloads > 100).then_some(()));
    running.signal(Signal::SIGSTOP);
    let start = Instant::now();
    eventually("the stop is long enough", || (start.elapsed() > stop).then_some(()));
    running.signal(Signal::SIGCONT);
    let ended = running.end();
    let seen = ended.report();
    assert_eq!(Accounts::from(&seen), Accounts::from(relay.truth()));
    (ended, seen)
}

/// What was held up left late, or the time to catch up was over; so much is late that the run says nothing.
#[track_caller]
fn assert_owned_up((ended, seen): &(Ended, Seen), payloads: u64) {
    assert_eq!(seen.number("/pongs/lost"), 0);
    let (sent, late) = (seen.number("/sent"), seen.number("/late_sends"));
    assert!(sent <= payloads && late > payloads / 10, "{late} of {sent}");
    assert_eq!((seen.text("/verdict"), ended.code), ("invalid", Some(98)));
}

#[test]
fn in_the_middle() {
    assert_owned_up(&stopped(Faults::default(), 4, Duration::from_secs(2)), 800);
}

#[test]
fn beyond_the_end() {
    assert_owned_up(&stopped(Faults::default(), 2, Duration::from_secs(3)), 400);
}

#[test]
fn a_missed_objective_is_then_nobody_elses_fault() {
    let run = stopped(Faults { drop: 0.5, ..Faults::default() }, 2, Duration::from_secs(1));
    assert_owned_up(&run, 400);
    let (_, seen) = run;
    assert_eq!(seen.0["details"]["objectives"][0]["met"], false);
    assert!(seen.reasons().iter().any(|reason| reason.contains("--max-loss")), "{:?}", seen.reasons());
}

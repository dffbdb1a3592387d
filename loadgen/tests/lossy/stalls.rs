//! The generator itself is held up: it tells so, and blames nobody.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::accounts::Accounts;
use crate::common::eventually;
use crate::common::program::Program;
use crate::common::relay::{Faults, LossyRelay};
use crate::common::report::Seen;

/// A run of so many seconds and 200 payloads in each that is stopped after the first hundred, for so long.
fn stopped(seconds: u32, stop: Duration) -> (Seen, LossyRelay) {
    let relay = LossyRelay::with(Faults::default());
    let load =
        format!("--clients 10 --groups 2 --rate 20 --ramp 0 --heartbeat 1s --duration {seconds}s --json -");
    let running = Program::run(relay.address(), &load).start();
    eventually("payloads", || (relay.truth().payloads > 100).then_some(()));
    running.signal(Signal::SIGSTOP);
    let start = Instant::now();
    eventually("the stop is long enough", || (start.elapsed() > stop).then_some(()));
    running.signal(Signal::SIGCONT);
    let seen = running.end().report();
    assert_eq!(Accounts::from(&seen), Accounts::from(relay.truth()));
    (seen, relay)
}

/// What was held up left late, or the time to catch up was over; so much is late that the run says nothing.
#[track_caller]
fn assert_owned_up(seen: &Seen, payloads: u64) {
    assert_eq!((seen.number("/lost"), seen.number("/pongs/lost")), (0, 0));
    let (sent, late) = (seen.number("/sent"), seen.number("/late_sends"));
    assert!(sent <= payloads && late > payloads / 10, "{late} of {sent}");
    assert_eq!(seen.text("/verdict"), "invalid");
}

#[test]
fn in_the_middle() {
    let (seen, _) = stopped(4, Duration::from_secs(2));
    assert_owned_up(&seen, 800);
}

#[test]
fn beyond_the_end() {
    let (seen, _) = stopped(2, Duration::from_secs(3));
    assert_owned_up(&seen, 400);
}

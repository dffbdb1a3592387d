//! Clients that say nothing after they have joined, until the relay forgets them.

use std::time::Duration;

use crate::accounts::{WAYS, all_at_once};
use crate::common::program::Program;
use crate::common::relay::{LossyRelay, Options};

/// A relay that forgets whoever says nothing for three of these.
fn forgetful(heartbeat: Duration) -> LossyRelay {
    LossyRelay::start(Options { heartbeat, ..Options::default() })
}

#[track_caller]
fn run(relay: &LossyRelay, words: &str) {
    let load = "--clients 40 --group-size 10 --silent 0.2 --rate 5";
    let seen = Program::run(relay.address(), &format!("{load} {words}")).report();
    let truth = relay.truth();
    assert_eq!((seen.number("/sent"), seen.total("skipped")), (truth.payloads, 0), "{words}");
    assert_eq!((seen.number("/lost"), seen.number("/expected")), (0, seen.number("/received")), "{words}");
    // Those who are about to be forgotten are not counted on, and get copies for a while.
    assert_eq!(seen.number("/received") + seen.total("in_transition"), truth.delivered, "{words}");
    assert!(seen.number("/expected") > 0 && truth.copies == truth.delivered, "{words}: {truth:?}");
    assert_eq!((seen.members(), seen.total("evictions")), (32, 0), "{words}");
}

#[test]
fn the_silent_are_forgotten_and_nobody_misses_their_copies() {
    all_at_once(&WAYS, |way| {
        run(&forgetful(Duration::from_secs(1)), &format!("--ramp 200ms --duration 4s {way}"));
    });
}

#[test]
fn they_are_counted_on_as_long_as_the_relay_must_remember_them() {
    let relay = forgetful(Duration::from_secs(2));
    let load = "--clients 40 --group-size 10 --silent 0.2 --rate 5 --ramp 200ms --duration 1s";
    let seen = Program::run(relay.address(), load).report();
    // Four seconds are not over, so that everybody is a member.
    assert_eq!((seen.number("/lost"), seen.members()), (0, 40));
    assert_eq!(seen.number("/expected"), 9 * seen.number("/sent"));
}

#[test]
fn the_first_may_be_forgotten_before_the_last_has_joined() {
    run(&forgetful(Duration::from_secs(1)), "--ramp 3s --duration 3s");
}

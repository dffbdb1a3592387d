//! How we prove it: the real shard loop and engine, under a seeded clock and a network that fails.
//!
//! **[`run`] is a seed's whole run: faults, then calm, then the end. A [`model`] of the protocol says at each step what
//! should be, and the first violation ends the run.** Equal seeds of one commit give equal runs, bit by bit.

mod audit;
mod client;
mod crowd;
mod driver;
mod faults;
mod fleet;
mod lease;
mod ledger;
mod liveness;
pub mod model;
pub mod network;
pub mod people;
pub mod port;
mod script;
mod simulation;
mod trace;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use net::Waker;

pub use script::Script;
pub use simulation::Simulation;

/// How a run went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its seed.
    pub seed: u64,
    /// A hash of everything that happened.
    pub hash: u64,
    /// How much happened.
    pub events: u64,
    /// Simulated time.
    pub time: Duration,
    /// What did not hold, with what happened before.
    pub violation: Option<String>,
}

/// The runs of a seed: that of groups, and that of people, which the outcome holds both of. The waker wakes nobody, so any will do.
pub fn run(seed: u64, waker: &Waker) -> Outcome {
    let (groups, people) = (run_groups(seed, waker), people::run(seed));
    Outcome {
        hash: groups.hash ^ people.hash.rotate_left(1),
        events: groups.events + people.events,
        time: groups.time + people.time,
        violation: groups.violation.or(people.violation.map(|what| format!("people: {what}"))),
        ..groups
    }
}

fn run_groups(seed: u64, waker: &Waker) -> Outcome {
    let mut simulation = Simulation::new(seed, waker);
    let ended = catch_unwind(AssertUnwindSafe(|| simulation.run()));
    let world = simulation.world();
    if let Err(panic) = ended {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        world.violated(|| format!("a panic: {}", text.unwrap_or_default()));
    }
    let (hash, events) = world.fingerprint();
    Outcome { seed, hash, events, time: world.now(), violation: world.verdict() }
}

//! What everything in a simulation shares: the time, the dice, the trace, and the first violation.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use engine::Tick;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use relay::clock::Clock;

use crate::model::Model;
use crate::network::Network;
use crate::trace::{Trace, What};

/// A world, shared by the one thread that turns in it.
pub type SharedWorld = Rc<World>;

/// Everything outside of the shards.
pub struct World {
    now: Cell<Duration>,
    dice: RefCell<SmallRng>,
    trace: RefCell<Trace>,
    violation: RefCell<Option<String>>,
    /// What should be.
    pub model: RefCell<Model>,
    /// What happens to datagrams.
    pub network: RefCell<Network>,
}

/// The clock of the shards: the world's time.
pub struct SimClock(pub SharedWorld);

impl Clock for SimClock {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn calendar(&self) -> Duration {
        self.now()
    }
}

impl World {
    /// A world that begins now.
    pub fn new(seed: u64, model: Model, network: Network) -> SharedWorld {
        Rc::new(Self {
            now: Cell::new(Duration::ZERO),
            dice: RefCell::new(SmallRng::seed_from_u64(seed)),
            trace: RefCell::new(Trace::new()),
            violation: RefCell::new(None),
            model: RefCell::new(model),
            network: RefCell::new(network),
        })
    }

    /// The time.
    pub fn now(&self) -> Duration {
        self.now.get()
    }

    /// The time as the engine has it.
    pub fn tick(&self) -> Tick {
        relay::clock::tick(self.now())
    }

    /// Time passes up to here, unless it already has.
    pub fn pass_to(&self, at: Duration) {
        self.now.set(self.now().max(at));
    }

    /// Time passes.
    pub fn pass(&self, time: Duration) {
        self.now.set(self.now() + time);
    }

    /// True with this probability.
    pub fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && self.dice.borrow_mut().random_bool(probability.min(1.0))
    }

    /// A number below the bound, which is 1 at least.
    pub fn below(&self, bound: u64) -> u64 {
        self.dice.borrow_mut().random_range(0..bound.max(1))
    }

    /// A duration from here to there.
    pub fn between(&self, least: Duration, most: Duration) -> Duration {
        least + Duration::from_nanos(self.below((most.saturating_sub(least)).as_nanos() as u64 + 1))
    }

    /// One of them.
    pub fn pick<'a, T>(&self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }

    /// Notes an event.
    pub fn note(&self, what: What, numbers: [u64; 3], bytes: &[u8]) {
        self.trace.borrow_mut().note(self.now(), what, numbers, bytes);
    }

    /// A hash of all events, and how many they are.
    pub fn fingerprint(&self) -> (u64, u64) {
        let trace = self.trace.borrow();
        (trace.hash(), trace.events())
    }

    /// An invariant does not hold. The first violation counts.
    pub fn violated(&self, what: impl FnOnce() -> String) {
        let whole = || format!("{}at {:?}: {}", self.trace.borrow().last(), self.now(), what());
        self.violation.borrow_mut().get_or_insert_with(whole);
    }

    /// Checks an invariant.
    pub fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.violated(what);
        }
    }

    /// True once an invariant did not hold.
    pub fn is_violated(&self) -> bool {
        self.violation.borrow().is_some()
    }

    /// What did not hold, when, and what happened before.
    pub fn verdict(&self) -> Option<String> {
        self.violation.borrow().clone()
    }

    /// The number that the trace has for an address.
    pub fn number_of(&self, peer: SocketAddr) -> u64 {
        u64::from(peer.port()) | u64::from(peer.is_ipv6()) << 16
    }
}

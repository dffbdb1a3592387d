//! A lane and the relay's own engine, with a link between them that loses, repeats, holds back and breaks copies as it
//! is told, and keeps the truth about it.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use engine::Settings;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::relay::{Answer, Relay, client};
use crate::lane::{Lane, Measurement, Outlet};
use crate::outcome::{Outcome, Phase};
use crate::payload::Stamp;
use crate::plan::{Load, Plan};

/// How often each fault happens to a copy, 0 to 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub drop: f64,
    pub repeat: f64,
    pub hold: f64,
    pub corrupt: f64,
    /// PONGs that are lost.
    pub mute: f64,
}

/// What the link did to copies that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    pub copies: u64,
    pub dropped: u64,
    pub repeated: u64,
    pub reordered: u64,
    pub corrupted: u64,
    pub muted: u64,
}

pub struct World {
    pub lane: Lane,
    pub relay: Relay,
    pub now: Duration,
    pub faults: Faults,
    pub truth: Truth,
    /// How long everything from the relay is on its way.
    pub delay: Duration,
    /// False for a relay like the original, for which a proof is a part of the group's name.
    pub knows_proofs: bool,
    clients: HashMap<SocketAddr, u32>,
    arrivals: VecDeque<(Duration, u32, Vec<u8>)>,
    /// One copy of each receiver and sender that is held back until the next one has passed.
    held: HashMap<(u32, u32), Vec<u8>>,
    highest: HashMap<(u32, u32), u32>,
    rng: SmallRng,
}

#[derive(Default)]
pub struct Sent(Vec<(u32, Vec<u8>)>);

impl Outlet for Sent {
    fn send(&mut self, client: u32, bytes: &[u8]) {
        self.0.push((client, bytes.to_vec()));
    }
}

impl World {
    pub fn new(plan: &Plan, settings: Settings) -> Self {
        World {
            lane: Lane::new(plan, &plan.whole()),
            relay: Relay::new(1, settings),
            now: Duration::ZERO,
            faults: Faults::default(),
            truth: Truth::default(),
            delay: Duration::ZERO,
            knows_proofs: true,
            clients: (0..plan.clients).map(|number| (client(number), number)).collect(),
            arrivals: VecDeque::new(),
            held: HashMap::new(),
            highest: HashMap::new(),
            rng: SmallRng::seed_from_u64(7),
        }
    }

    /// A world in which everybody has joined.
    pub fn joined(plan: &Plan) -> Self {
        let mut world = Self::new(plan, Settings::default());
        world.until(|lane| lane.phase() == Phase::Ready);
        world
    }

    /// Turns until something is true of the lane.
    pub fn until(&mut self, done: impl Fn(&Lane) -> bool) {
        while !done(&self.lane) {
            assert!(self.now < Duration::from_secs(3600), "it never comes");
            self.turn();
        }
    }

    /// Turns for so long.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.turn();
        }
    }

    /// A measurement, whole.
    pub fn measure(&mut self, load: Load, duration: Duration) -> Outcome {
        let measurement = Measurement { load, warm_up: Duration::ZERO, duration };
        self.lane.measure(measurement, self.now);
        loop {
            self.turn();
            if let Some(outcome) = self.lane.take_outcome() {
                return outcome;
            }
        }
    }

    /// What is due is sent and answered; the time goes on to what is due next, a millisecond at most.
    fn turn(&mut self) {
        let mut sent = Sent::default();
        self.lane.due(self.now, &mut sent);
        self.lane.handed_over(self.now);
        for (client, bytes) in sent.0 {
            self.answer(client, &bytes);
        }
        if self.lane.phase() == Phase::Draining {
            let held: Vec<_> = self.held.drain().collect();
            held.into_iter().for_each(|((receiver, _), copy)| self.pass_on(receiver, copy));
        }
        while self.arrivals.front().is_some_and(|(due, ..)| *due <= self.now) {
            let Some((_, client, bytes)) = self.arrivals.pop_front() else { break };
            self.lane.receive(client, &bytes, self.now);
        }
        let step = Duration::from_millis(1);
        let next = self.lane.next_due().unwrap_or(self.now + step).clamp(self.now, self.now + step);
        let next = next.max(self.now + Duration::from_micros(10));
        self.relay.begin_turn((next.as_millis() - self.now.as_millis()) as u64);
        self.relay.sweep();
        self.now = next;
    }

    fn answer(&mut self, sender: u32, bytes: &[u8]) {
        let shows_proof = bytes.starts_with(b"!JOIN ") && bytes[6..].contains(&b' ');
        if shows_proof && !self.knows_proofs {
            let refusal = b"ERR BAD_ARG NoSuchGroup".to_vec();
            return self.arrivals.push_back((self.now + self.delay, sender, refusal));
        }
        match self.relay.ask(client(sender), bytes) {
            Answer::Nothing => {}
            Answer::Reply { text, .. } if text.starts_with("PONG") && self.happens(self.faults.mute) => {
                self.truth.muted += u64::from(self.lane.phase() == Phase::Measuring);
            }
            Answer::Reply { text, .. } => {
                self.arrivals.push_back((self.now + self.delay, sender, text.into_bytes()));
            }
            Answer::FanOut(members) => {
                for member in members {
                    let receiver = self.clients[&member.client.socket_addr()];
                    self.copy(receiver, sender, bytes.to_vec());
                }
            }
        }
    }

    fn copy(&mut self, receiver: u32, sender: u32, bytes: Vec<u8>) {
        self.truth.copies += 1;
        if self.happens(self.faults.drop) {
            self.truth.dropped += 1;
        } else if self.happens(self.faults.corrupt) {
            self.truth.corrupted += 1;
            let mut broken = bytes;
            let at = self.rng.random_range(0..broken.len());
            broken[at] ^= 1 << self.rng.random_range(0..8);
            self.arrivals.push_back((self.now + self.delay, receiver, broken));
        } else if !self.held.contains_key(&(receiver, sender)) && self.happens(self.faults.hold) {
            self.held.insert((receiver, sender), bytes);
        } else {
            self.pass_on(receiver, bytes);
            if let Some(held) = self.held.remove(&(receiver, sender)) {
                self.pass_on(receiver, held);
            }
        }
    }

    /// A copy arrives, maybe twice.
    fn pass_on(&mut self, receiver: u32, bytes: Vec<u8>) {
        let stamp = Stamp::read(&bytes).unwrap();
        let highest = self.highest.entry((receiver, stamp.sender)).or_default();
        self.truth.reordered += u64::from(stamp.sequence + 1 < *highest);
        *highest = (*highest).max(stamp.sequence + 1);
        if self.happens(self.faults.repeat) {
            self.truth.repeated += 1;
            self.arrivals.push_back((self.now + self.delay, receiver, bytes.clone()));
        }
        self.arrivals.push_back((self.now + self.delay, receiver, bytes));
    }

    fn happens(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.rng.random_bool(chance)
    }
}

//! People over a network that loses, repeats and reorders, and a relay that crashes: each message is read once, and those of
//! a pair in order.
//!
//! The real engines of all shards share a store whose answers come late; a crash takes the engines and what the store has not
//! done yet. Everybody writes to everybody, and follows the rules of `docs/protocol.md`.

mod drawer;
mod hall;
mod talker;

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::Outcome;
use hall::Hall;
use talker::Talker;

/// A step of time, in milliseconds: the least that anything takes.
const STEP_MS: u64 = 5;

/// Longer than this, in simulated time, nothing may take once the network is well: less than the relay remembers a message.
const PATIENCE_MS: u64 = 5 * 60 * 1000;

/// The run of a seed.
pub fn run(seed: u64) -> Outcome {
    let mut story = Story::new(seed);
    let violation = story.tell().err();
    let (hash, events) = story.hall.fingerprint();
    Outcome { seed, hash, events, time: Duration::from_millis(story.hall.now), violation }
}

struct Story {
    hall: Hall,
    talkers: Vec<Talker>,
    dice: SmallRng,
    /// Until when there are faults.
    calm: u64,
    /// How often the relay crashes, and clients go away or move: one step in so many.
    crash: u32,
    away: u32,
    messages: usize,
}

impl Story {
    fn new(seed: u64) -> Self {
        // Not the numbers of the other run of this seed.
        let mut dice = SmallRng::seed_from_u64(seed ^ 0x7065_6f70_6c65);
        let people = dice.random_range(2..7);
        let messages = dice.random_range(3..25);
        let hall = Hall::new(&mut dice);
        let talkers = (0..people).map(|own| Talker::new(own, people, messages)).collect();
        let calm = dice.random_range(20_000..120_000);
        let (crash, away) = (dice.random_range(3000..40_000), dice.random_range(500..20_000));
        Self { hall, talkers, dice, calm, crash, away, messages }
    }

    fn tell(&mut self) -> Result<(), String> {
        loop {
            let is_calm = self.hall.now >= self.calm;
            if is_calm {
                self.hall.be_well();
            }
            self.step(is_calm)?;
            if is_calm && self.is_over() {
                return self.check_end();
            }
            if self.hall.now > self.calm + PATIENCE_MS {
                return Err(format!("not all arrives: {:?}", self.talkers));
            }
        }
    }

    fn step(&mut self, is_calm: bool) -> Result<(), String> {
        if !is_calm && self.dice.random_ratio(1, self.crash) {
            self.hall.crash();
        }
        for (to, text) in self.hall.step(STEP_MS) {
            // What comes to an address that was left is nobody's.
            if let Some(talker) = self.talkers.iter_mut().find(|talker| talker.address() == to) {
                talker.hear(&text)?;
            }
        }
        for talker in &mut self.talkers {
            if !is_calm && self.dice.random_ratio(1, self.away) {
                talker.change(&mut self.dice, self.hall.now);
            }
            for text in talker.say(self.hall.now) {
                self.hall.send(talker.address(), &text);
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let all = (self.talkers.len() - 1) * self.messages;
        self.talkers.iter().all(|talker| talker.is_done() && talker.read() == all)
    }

    fn check_end(&mut self) -> Result<(), String> {
        self.talkers.iter().try_for_each(|talker| talker.check(self.messages))?;
        // The last acknowledgements, and what is deleted for them.
        for _ in 0..10_000 / STEP_MS {
            self.step(true)?;
        }
        match self.hall.mails() {
            0 => Ok(()),
            mails => Err(format!("{mails} mails are left although everybody has read them")),
        }
    }
}

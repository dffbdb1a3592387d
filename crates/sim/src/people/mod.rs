//! People over a network that loses, repeats and reorders, and a relay that crashes: each message is read once, those of
//! a pair in order, and nobody is told what is not so.
//!
//! The real engines of all shards share a store whose answers come late; a crash takes the engines and what the store has not
//! done yet. Everybody writes to everybody, goes from group to group, watches, meets others, and follows the rules of
//! `docs/protocol.md`. When everything has arrived there is a last act, in which all that is told has to be exact.

mod drawer;
mod hall;
mod last_act;
mod life;
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
    /// How often the relay crashes, clients go away, move or lose their names, and want something else: one step in so many.
    crash: u32,
    away: u32,
    whim: u32,
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
        let whim = dice.random_range(20..2000);
        Self { hall, talkers, dice, calm, crash, away, whim, messages }
    }

    fn tell(&mut self) -> Result<(), String> {
        loop {
            let is_calm = self.hall.now >= self.calm;
            if is_calm {
                self.hall.be_well();
            }
            self.step(is_calm)?;
            if is_calm && self.is_over() {
                self.check_end()?;
                return self.last_act();
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
                talker.hear(&text, self.hall.now).map_err(|what| format!("{what}: {talker:?}"))?;
            }
        }
        for talker in &mut self.talkers {
            if !is_calm && self.dice.random_ratio(1, self.away) {
                talker.change(&mut self.dice, self.hall.now);
            }
            if !is_calm && self.dice.random_ratio(1, self.whim) {
                talker.want(&mut self.dice);
            }
            for text in talker.say(self.hall.now) {
                self.hall.send(talker.address(), &text);
            }
        }
        Ok(())
    }

    /// Time passes, with no faults, until this is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&Talker) -> bool) -> Result<(), String> {
        let end = self.hall.now + PATIENCE_MS;
        while !self.talkers.iter().all(&is_so) {
            if self.hall.now > end {
                return Err(format!("not all {what}: {:?}", self.talkers));
            }
            self.step(true)?;
        }
        Ok(())
    }

    /// Time passes, with no faults.
    fn pass(&mut self, millis: u64) -> Result<(), String> {
        (0..millis / STEP_MS).try_for_each(|_| self.step(true))
    }

    fn is_over(&self) -> bool {
        let all = (self.talkers.len() - 1) * self.messages;
        self.talkers.iter().all(|talker| talker.is_done() && talker.read() == all)
    }

    fn check_end(&mut self) -> Result<(), String> {
        self.talkers.iter().try_for_each(|talker| talker.check(self.messages))?;
        // The last acknowledgements, and what is deleted for them.
        self.pass(10_000)?;
        match self.hall.mails() {
            0 => Ok(()),
            mails => Err(format!("{mails} mails are left although everybody has read them")),
        }
    }
}

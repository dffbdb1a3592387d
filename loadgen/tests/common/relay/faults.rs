//! What is done to copies on purpose, from a seed, and what is therefore true.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// How often each thing happens to a copy of a payload that counts, 0 to 1. One copy has at most one fault.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// It is not sent.
    pub drop: f64,
    /// It is not sent if its receiver is a member beyond doubt: it has spoken before, and speaks later without having
    /// left. Else it is sent late.
    pub drop_from_present: f64,
    /// It is sent twice.
    pub duplicate: f64,
    /// It is sent only after one to five later copies to the same receiver.
    pub hold: f64,
    /// One of its bits is turned.
    pub flip: f64,
    /// Of PONGs, once payloads count: it is not sent.
    pub pong: f64,
}

/// What happens to a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Deliver,
    Drop,
    DropFromPresent,
    Duplicate,
    /// Until so many later copies have been sent.
    Hold(u32),
    /// This bit, modulo the length.
    Flip(u32),
}

/// What was done, of payloads that count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Payloads of members.
    pub payloads: u64,
    /// For each of them, the members except its sender.
    pub copies: u64,
    /// Payloads of others, which were refused.
    pub refused: u64,
    /// Copies that were sent intact, each counted once.
    pub delivered: u64,
    pub dropped: u64,
    pub duplicated: u64,
    /// Copies that were sent after a later one of the same sender to the same receiver (RFC 4737).
    pub reordered: u64,
    pub corrupted: u64,
    pub pongs_dropped: u64,
}

/// Draws the fates.
pub struct Dice {
    faults: Faults,
    random: StdRng,
}

impl Dice {
    pub fn new(faults: Faults) -> Self {
        Self { faults, random: StdRng::seed_from_u64(4737) }
    }

    /// What happens to the next copy.
    pub fn copy(&mut self) -> Fate {
        let mut left: f64 = self.random.random();
        let mut happens = |part: f64| {
            left -= part;
            left < 0.0
        };
        let Faults { drop, drop_from_present, duplicate, hold, flip, .. } = self.faults;
        match () {
            () if happens(drop) => Fate::Drop,
            () if happens(drop_from_present) => Fate::DropFromPresent,
            () if happens(duplicate) => Fate::Duplicate,
            () if happens(hold) => Fate::Hold(self.random.random_range(1..=5)),
            () if happens(flip) => Fate::Flip(self.random.random()),
            () => Fate::Deliver,
        }
    }

    /// True if the next PONG is not sent.
    pub fn drops_pong(&mut self) -> bool {
        self.random.random_bool(self.faults.pong)
    }
}

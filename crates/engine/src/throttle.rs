//! What strangers may ask of the relay in a second: answers, questions for a proof, and guesses of group ids.

use std::net::IpAddr;

use ahash::RandomState;

use crate::buckets::Buckets;
use crate::limits::{
    GUESSES_OF_ADDRESS, GUESSES_OF_PREFIX, GUESSES_ROW, REPLIES_OF_PREFIX, REPLIES_ROW, RETRIES,
    RETRIES_OF_ADDRESS, RETRIES_ROW,
};
use crate::{ClientAddr, Tick};

/// The buckets of the whole relay. None of them is ever asked about an address that is proved by a cookie, but
/// `guesses`, which that address alone can empty.
pub(crate) struct Throttle {
    replies: Buckets,
    retries: Buckets,
    all_retries: Buckets,
    guesses: Buckets,
    proved_guesses: Buckets,
    hasher: RandomState,
}

impl Throttle {
    pub fn new(hasher: RandomState) -> Self {
        Self {
            replies: Buckets::new(REPLIES_ROW, REPLIES_OF_PREFIX),
            retries: Buckets::new(RETRIES_ROW, RETRIES_OF_ADDRESS),
            all_retries: Buckets::new(1, RETRIES),
            guesses: Buckets::new(GUESSES_ROW, GUESSES_OF_PREFIX),
            proved_guesses: Buckets::new(GUESSES_ROW, GUESSES_OF_ADDRESS),
            hasher,
        }
    }

    /// Takes an answer for an unproved client from its prefix.
    pub fn take_reply(&self, client: &ClientAddr, now: Tick) -> bool {
        self.replies.take(self.prefix(client.ip()), now)
    }

    /// Takes a question for a proof. By address, not by prefix: who floods from all of a neighbour's prefix still leaves
    /// the neighbour its own. And from all together.
    pub fn take_retry(&self, client: &ClientAddr, now: Tick) -> bool {
        self.retries.take(self.hasher.hash_one(client.ip()), now) && self.all_retries.take(0, now)
    }

    /// True if a client has guessed too many group ids lately.
    pub fn is_guessing(&self, client: &ClientAddr, proved: bool, now: Tick) -> bool {
        let (buckets, hash) = self.guesser(client, proved);
        buckets.is_empty(hash, now)
    }

    /// A client has asked for a group that does not exist.
    pub fn note_guess(&self, client: &ClientAddr, proved: bool, now: Tick) {
        let (buckets, hash) = self.guesser(client, proved);
        buckets.take(hash, now);
    }

    fn guesser(&self, client: &ClientAddr, proved: bool) -> (&Buckets, u64) {
        match proved {
            true => (&self.proved_guesses, self.hasher.hash_one(client.ip())),
            false => (&self.guesses, self.prefix(client.ip())),
        }
    }

    /// A host's /24 or /64: who has one address of it can have them all.
    fn prefix(&self, ip: IpAddr) -> u64 {
        match ip {
            IpAddr::V4(v4) => self.hasher.hash_one((4u8, u64::from(v4.to_bits() >> 8))),
            IpAddr::V6(v6) => self.hasher.hash_one((6u8, (v6.to_bits() >> 64) as u64)),
        }
    }
}

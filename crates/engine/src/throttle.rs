//! What strangers may ask of the relay in a second: answers, questions for a proof, and guesses of group ids.

use std::net::IpAddr;

use ahash::RandomState;

use crate::buckets::{Buckets, Rate};
use crate::limits::{
    GUESSES_OF_ADDRESS, GUESSES_OF_CLIENT, GUESSES_OF_PREFIX, GUESSES_ROW, REPLIES_OF_PREFIX, REPLIES_ROW,
    RETRIES, RETRIES_OF_CLIENT, RETRIES_OF_PREFIX, RETRIES_OF_PREFIX_ROW, RETRIES_ROW,
};
use crate::{ClientAddr, Tick};

/// The buckets of the whole relay. None of them is ever asked about a client that is proved, but those of its guesses, of
/// which it alone can empty its own.
pub(crate) struct Throttle {
    replies: Buckets,
    retries: Buckets,
    prefix_retries: Buckets,
    all_retries: Buckets,
    guesses: Guesses,
    proved_guesses: Guesses,
    hasher: RandomState,
}

/// Wrong group ids, twice: whoever guesses has to have emptied both, so that nobody pays for a neighbour's alone, and
/// nobody for a few of its own.
struct Guesses {
    prefix: Buckets,
    own: Buckets,
}

impl Throttle {
    pub fn new(hasher: RandomState) -> Self {
        Self {
            replies: Buckets::new(REPLIES_ROW, REPLIES_OF_PREFIX),
            retries: Buckets::new(RETRIES_ROW, RETRIES_OF_CLIENT),
            prefix_retries: Buckets::new(RETRIES_OF_PREFIX_ROW, RETRIES_OF_PREFIX),
            all_retries: Buckets::new(1, RETRIES),
            guesses: Guesses::new(GUESSES_OF_ADDRESS),
            proved_guesses: Guesses::new(GUESSES_OF_CLIENT),
            hasher,
        }
    }

    /// Takes an answer for an unproved client from its prefix.
    pub fn take_reply(&self, client: &ClientAddr, now: Tick) -> bool {
        self.replies.take(self.prefix(client.ip()), now)
    }

    /// Takes a question for a proof: from the client, so that who floods from a port leaves its neighbours behind the same
    /// address theirs, then from its prefix, and from all together.
    pub fn take_retry(&self, client: &ClientAddr, now: Tick) -> bool {
        self.retries.take(self.hasher.hash_one(client), now)
            && self.prefix_retries.take(self.prefix(client.ip()), now)
            && self.all_retries.take(0, now)
    }

    /// True if a client has guessed too many group ids lately.
    pub fn is_guessing(&self, client: &ClientAddr, proved: bool, now: Tick) -> bool {
        let (guesses, own) = self.guesser(client, proved);
        guesses.own.is_empty(own, now) && guesses.prefix.is_empty(self.prefix(client.ip()), now)
    }

    /// A client has asked for a group that does not exist.
    pub fn note_guess(&self, client: &ClientAddr, proved: bool, now: Tick) {
        let (guesses, own) = self.guesser(client, proved);
        guesses.own.take(own, now);
        guesses.prefix.take(self.prefix(client.ip()), now);
    }

    /// Where a client's guesses are counted, and as whose. Who is proved has shown its port, too, and forgers do not count
    /// for it.
    fn guesser(&self, client: &ClientAddr, proved: bool) -> (&Guesses, u64) {
        match proved {
            true => (&self.proved_guesses, self.hasher.hash_one(client)),
            false => (&self.guesses, self.hasher.hash_one(client.ip())),
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

impl Guesses {
    fn new(own: Rate) -> Self {
        Self { prefix: Buckets::new(GUESSES_ROW, GUESSES_OF_PREFIX), own: Buckets::new(GUESSES_ROW, own) }
    }
}

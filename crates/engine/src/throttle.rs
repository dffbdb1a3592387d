//! What strangers may ask of the relay in a second: answers, questions for a proof, and guesses of group ids.

use std::net::IpAddr;

use ahash::RandomState;

use crate::buckets::Buckets;
use crate::limits::{
    GUESSES_OF_ADDRESS, GUESSES_OF_CLIENT, GUESSES_OF_HOST, GUESSES_OF_PREFIX, GUESSES_ROW,
    REPLIES_OF_PREFIX, REPLIES_ROW, RETRIES, RETRIES_OF_CLIENT, RETRIES_OF_PREFIX, RETRIES_OF_PREFIX_ROW,
    RETRIES_ROW, SHELTER_OF_PREFIX, SHELTER_ROW,
};
use crate::marks::Marks;
use crate::{ClientAddr, Tick};

/// What is counted for the whole relay. None of it is ever asked about a client that is proved, but for its wrong guesses, and for the
/// shelter of its groups, without which it gets whatever it asks for.
pub(crate) struct Throttle {
    replies: Buckets,
    retries: Buckets,
    prefix_retries: Buckets,
    all_retries: Buckets,
    guesses: Guesses,
    proved_guesses: ProvedGuesses,
    shelter: Buckets,
    hasher: RandomState,
}

/// Wrong group ids of who is not proved, or does not show that it is. Whoever guesses has to have emptied both, so that nobody pays
/// for a neighbour's alone, and nobody for a few of its own.
struct Guesses {
    prefix: Buckets,
    host: Buckets,
}

/// Those of who is proved. Beyond what its prefix may try each client has a few of its own, which nobody else can use up, and
/// all of a host have some together.
struct ProvedGuesses {
    prefix: Buckets,
    host: Buckets,
    own: Marks,
}

impl Throttle {
    pub fn new(hasher: RandomState) -> Self {
        Self {
            replies: Buckets::new(REPLIES_ROW, REPLIES_OF_PREFIX),
            retries: Buckets::new(RETRIES_ROW, RETRIES_OF_CLIENT),
            prefix_retries: Buckets::new(RETRIES_OF_PREFIX_ROW, RETRIES_OF_PREFIX),
            all_retries: Buckets::new(1, RETRIES),
            guesses: Guesses {
                prefix: Buckets::new(GUESSES_ROW, GUESSES_OF_PREFIX),
                host: Buckets::new(GUESSES_ROW, GUESSES_OF_ADDRESS),
            },
            proved_guesses: ProvedGuesses {
                prefix: Buckets::new(GUESSES_ROW, GUESSES_OF_PREFIX),
                host: Buckets::new(GUESSES_ROW, GUESSES_OF_HOST),
                own: Marks::new(GUESSES_ROW, GUESSES_OF_CLIENT),
            },
            shelter: Buckets::new(SHELTER_ROW, SHELTER_OF_PREFIX),
            hasher,
        }
    }

    /// Takes an answer for an unproved client from its prefix.
    pub fn take_reply(&self, client: &ClientAddr, now: Tick) -> bool {
        self.replies.take(self.prefix(client.ip()), now)
    }

    /// Takes a question for a proof: from the client, so that who floods from a port leaves its neighbours behind the same
    /// address theirs, then from its prefix, and from all together. Where the prefix has none, the client keeps its own.
    pub fn take_retry(&self, client: &ClientAddr, now: Tick) -> bool {
        let prefix = self.prefix(client.ip());
        !self.prefix_retries.is_empty(prefix, now)
            && self.retries.take(self.client(client), now)
            && self.prefix_retries.take(prefix, now)
            && self.all_retries.take(0, now)
    }

    /// True if a client has guessed too many group ids lately, or all those behind its address together.
    pub fn is_guessing(&self, client: &ClientAddr, proved: bool, now: Tick) -> bool {
        let ip = client.ip();
        if !proved {
            let Guesses { prefix, host } = &self.guesses;
            return prefix.is_empty(self.prefix(ip), now) && host.is_empty(self.host(ip), now);
        }
        let ProvedGuesses { prefix, host, own } = &self.proved_guesses;
        prefix.is_empty(self.prefix(ip), now)
            && (own.is_spent(self.client(client), now) || host.is_empty(self.host(ip), now))
    }

    /// A client has asked for a group that does not exist. It counts for the client when its prefix has no more to try.
    pub fn note_guess(&self, client: &ClientAddr, proved: bool, now: Tick) {
        let ip = client.ip();
        if !proved {
            if !self.guesses.prefix.take(self.prefix(ip), now) {
                self.guesses.host.take(self.host(ip), now);
            }
        } else if !self.proved_guesses.prefix.take(self.prefix(ip), now) {
            self.proved_guesses.own.charge(self.client(client), now);
            self.proved_guesses.host.take(self.host(ip), now);
        }
    }

    /// Takes shelter for a new group of a client that is proved: while nobody has joined it, it does not make room for others'
    /// before its time.
    pub fn take_shelter(&self, client: &ClientAddr, now: Tick) -> bool {
        self.shelter.take(self.site(client.ip()), now)
    }

    fn client(&self, client: &ClientAddr) -> u64 {
        self.hasher.hash_one(client)
    }

    /// One machine, or a network behind one address: an IPv4 address, or a /64, whose addresses cost nothing.
    fn host(&self, ip: IpAddr) -> u64 {
        if ip.is_ipv4() { self.hasher.hash_one(ip) } else { self.prefix(ip) }
    }

    /// A /24, or the /48 that a customer's many /64s are of.
    fn site(&self, ip: IpAddr) -> u64 {
        match ip {
            IpAddr::V4(_) => self.prefix(ip),
            IpAddr::V6(v6) => self.hasher.hash_one((48u8, (v6.to_bits() >> 80) as u64)),
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

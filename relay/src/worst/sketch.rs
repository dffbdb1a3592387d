//! Space-Saving (Metwally, Agrawal, El Abbadi 2005): the heaviest of any number of addresses in fixed memory.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use net::{Failure, FailureKind};

use crate::limits::WORST_KEPT;

/// The heaviest losers of a stream of failures. Whoever lost more than `total() / WORST_KEPT` copies is here.
#[derive(Clone, Copy, Debug)]
pub struct Sketch {
    /// A few bits of each address, which are searched first.
    tags: [u32; WORST_KEPT],
    /// Upper bounds of what each has lost.
    counts: [u64; WORST_KEPT],
    accounts: [Account; WORST_KEPT],
    len: usize,
    total: u64,
    /// The smallest count when it was last looked for, and up to where every count has become larger since.
    floor: u64,
    searched: usize,
}

/// What is known of one receiver.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// Its address.
    pub to: SocketAddr,
    /// Copies lost since it is watched, by [`FailureKind`].
    pub lost: [u64; FailureKind::ALL.len()],
    /// Copies that it may have lost before, at most.
    pub before: u64,
    /// When it last lost one, by the relay's clock.
    pub last: Duration,
}

const NOBODY: Account = Account {
    to: SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0),
    lost: [0; FailureKind::ALL.len()],
    before: 0,
    last: Duration::ZERO,
};

impl Default for Sketch {
    fn default() -> Self {
        Self {
            tags: [0; WORST_KEPT],
            counts: [0; WORST_KEPT],
            accounts: [NOBODY; WORST_KEPT],
            len: 0,
            total: 0,
            floor: 0,
            searched: WORST_KEPT,
        }
    }
}

impl Sketch {
    /// Notes a failed send.
    pub fn note(&mut self, failure: &Failure, at: Duration) {
        let copies = u64::from(failure.datagrams);
        let place = self.find(failure.to).unwrap_or_else(|| self.admit(failure.to));
        self.total += copies;
        self.counts[place] += copies;
        let account = &mut self.accounts[place];
        account.lost[failure.kind.index()] += copies;
        account.last = at;
    }

    fn find(&self, to: SocketAddr) -> Option<usize> {
        let tag = tag(to);
        // Blocks without a branch inside, which the compiler compares several tags at a time.
        const BLOCK: usize = 16;
        for (block, tags) in self.tags.chunks_exact(BLOCK).enumerate() {
            if tags.iter().fold(false, |found, other| found | (*other == tag)) {
                let places = block * BLOCK..((block + 1) * BLOCK).min(self.len);
                let found =
                    places.into_iter().find(|at| self.tags[*at] == tag && self.accounts[*at].to == to);
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// A place for a newcomer: an empty one, or that of whoever lost least, whose count it takes over as what it may
    /// itself have lost unseen.
    fn admit(&mut self, to: SocketAddr) -> usize {
        let place = if self.len < WORST_KEPT {
            self.len += 1;
            self.len - 1
        } else {
            self.find_least()
        };
        self.tags[place] = tag(to);
        self.accounts[place] = Account { to, before: self.counts[place], ..NOBODY };
        place
    }

    /// Counts only grow, so that one search for the smallest count serves until all places that had it are passed.
    fn find_least(&mut self) -> usize {
        loop {
            let rest = &self.counts[self.searched..];
            if let Some(found) = rest.iter().position(|count| *count == self.floor) {
                self.searched += found + 1;
                return self.searched - 1;
            }
            (self.floor, self.searched) = (self.least(), 0);
        }
    }

    fn least(&self) -> u64 {
        self.counts.iter().copied().min().unwrap_or(0)
    }

    /// All copies that were noted, of whomever.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What anybody who is not here can have lost, at most.
    pub fn unseen(&self) -> u64 {
        if self.len < WORST_KEPT { 0 } else { self.least() }
    }

    /// Whoever is here.
    pub fn accounts(&self) -> &[Account] {
        &self.accounts[..self.len]
    }
}

impl Account {
    /// Copies that it has lost for certain.
    pub fn at_least(&self) -> u64 {
        self.lost.iter().sum()
    }
}

/// Multiplied by 2^64 divided by the golden ratio, so that neighbouring addresses differ in the upper bits.
fn tag(to: SocketAddr) -> u32 {
    let ip = match to.ip() {
        IpAddr::V4(ip) => u64::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip) as u64 ^ (u128::from(ip) >> 64) as u64,
    };
    ((ip ^ u64::from(to.port()) << 40).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

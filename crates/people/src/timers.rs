//! What is due, and when, for each shard by itself: so none has to wake another.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::SessionId;
use crate::people::Key;
use wire::Token;

/// Something to do at a time. Each is looked at again when it is due: it may have become needless.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Job {
    /// A message of this serial number may have to be sent again.
    Try { to: Key, serial: u64 },
    /// A recipient that is silent, and has spoken, may be sent something again.
    Round { to: Key },
    /// The room of this number has news.
    News { room: u64 },
    /// A peer's address may have to be sent again.
    Meet { nonce: Token, number: usize },
    /// A session may have waited long enough for a peer.
    Wait { session: SessionId },
    /// What is old is looked for.
    Sweep,
}

/// By shard.
#[derive(Default)]
pub(crate) struct Timers(Vec<BinaryHeap<Reverse<(u64, Job)>>>);

impl Timers {
    pub fn add(&mut self, shard: usize, tick: u64, job: Job) {
        if self.0.len() <= shard {
            self.0.resize_with(shard + 1, BinaryHeap::new);
        }
        self.0[shard].push(Reverse((tick, job)));
    }

    /// How many jobs there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.iter().map(BinaryHeap::len).sum()
    }

    pub fn due(&self, shard: usize) -> Option<u64> {
        self.0.get(shard)?.peek().map(|Reverse((tick, _))| *tick)
    }

    /// The next job of a shard that is due.
    pub fn pop(&mut self, shard: usize, now: u64) -> Option<Job> {
        self.due(shard).filter(|&due| due <= now)?;
        self.0[shard].pop().map(|Reverse((_, job))| job)
    }
}

//! What shards look at without the lock.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Whether there is anything to do for a shard, or for somebody who speaks.
#[derive(Debug, Default)]
pub struct Signals {
    answers: AtomicBool,
    silent: AtomicU32,
    arrivals: AtomicU32,
}

impl Signals {
    /// The desk has answers; said by whoever has put them there.
    pub fn answer(&self) {
        self.answers.store(true, Ordering::Release);
    }

    /// True if a shard had better have a turn, whatever the time: for answers, or for who has come.
    #[inline]
    pub fn is_called(&self) -> bool {
        self.answers.load(Ordering::Acquire) || self.arrivals.load(Ordering::Acquire) > 0
    }

    /// True if somebody is silent whose mail waits to be heard of.
    #[inline]
    pub fn is_anybody_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed) > 0
    }

    /// The answers are about to be taken.
    pub(crate) fn take_answers(&self) -> bool {
        self.answers.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn set_silent(&self, count: usize) {
        self.silent.store(count as u32, Ordering::Relaxed);
    }

    pub(crate) fn set_arrivals(&self, count: usize) {
        self.arrivals.store(count as u32, Ordering::Release);
    }
}

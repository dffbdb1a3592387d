//! What shards look at without the lock.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Whether there is anything to do for a shard, or for somebody who speaks.
#[derive(Debug, Default)]
pub struct Signals {
    answers: AtomicBool,
    silent: AtomicU32,
    awaited: AtomicU32,
    arrivals: AtomicU32,
    under_way: Apart,
}

/// In a line of the cache of its own: it changes with each message, and the others are read in each turn.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart(AtomicU64);

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

    /// True if anybody's [`Badge::is_awaited`](crate::Badge::is_awaited).
    #[inline]
    pub fn is_anybody_awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed) > 0
    }

    /// The answers are about to be taken.
    pub(crate) fn take_answers(&self) -> bool {
        self.answers.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn silent(&self) -> u32 {
        self.silent.load(Ordering::Relaxed)
    }

    /// One more recipient is silent, or one less.
    pub(crate) fn count_silent(&self, is_silent: bool) {
        count(&self.silent, is_silent);
    }

    /// It matters whether one more recipient says something, or one less.
    pub(crate) fn count_awaited(&self, is_awaited: bool) {
        count(&self.awaited, is_awaited);
    }

    pub(crate) fn under_way(&self) -> u64 {
        self.under_way.0.load(Ordering::Relaxed)
    }

    /// A recipient has so many messages on their way now, and had so many before.
    pub(crate) fn count_under_way(&self, before: usize, now: usize) {
        // Beyond the largest number it goes on at 0, so that less is more of the other sign.
        self.under_way.0.fetch_add((now as u64).wrapping_sub(before as u64), Ordering::Relaxed);
    }

    pub(crate) fn set_arrivals(&self, count: usize) {
        self.arrivals.store(count as u32, Ordering::Release);
    }
}

fn count(of: &AtomicU32, is_more: bool) {
    if is_more {
        of.fetch_add(1, Ordering::Relaxed);
    } else {
        of.fetch_sub(1, Ordering::Relaxed);
    }
}

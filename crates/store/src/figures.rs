//! What the store says about itself, to be read at any time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::limits;

/// What is kept, and what was done since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Names.
    pub names: u64,
    /// Mails that wait.
    pub mails: u64,
    /// What they count for, bytes.
    pub bytes: u64,
    /// Requests that wait for the store's thread.
    pub waiting: u64,
    /// Durable commits.
    pub commits: u64,
    /// Mails stored, repeats not counted.
    pub stored: u64,
    /// Mails deleted because their recipients have them.
    pub deleted: u64,
    /// Mails dropped because they were too old, or their name was.
    pub expired: u64,
    /// Names forgotten.
    pub forgotten: u64,
    /// Mails refused because there was no room.
    pub refused: u64,
    /// Batches of requests that failed with the disk, and tries to open the store that failed.
    pub failures: u64,
}

/// What the writer has done in one batch.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    pub stored: u64,
    pub deleted: u64,
    pub expired: u64,
    pub forgotten: u64,
    pub refused: u64,
}

/// The figures as the writer keeps them for readers.
pub struct Board {
    names: AtomicU64,
    mails: AtomicU64,
    bytes: AtomicU64,
    commits: AtomicU64,
    stored: AtomicU64,
    deleted: AtomicU64,
    expired: AtomicU64,
    forgotten: AtomicU64,
    refused: AtomicU64,
    failures: AtomicU64,
    commit_us: Mutex<Histogram<u64>>,
    trouble: Mutex<Option<String>>,
}

impl Board {
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, limits::LONGEST_COMMIT_US, 2);
        let zero = || AtomicU64::new(0);
        Self {
            names: zero(),
            mails: zero(),
            bytes: zero(),
            commits: zero(),
            stored: zero(),
            deleted: zero(),
            expired: zero(),
            forgotten: zero(),
            refused: zero(),
            failures: zero(),
            commit_us: Mutex::new(histogram.expect("the bounds are a histogram's")),
            trouble: Mutex::new(None),
        }
    }

    pub fn keep(&self, names: u64, mails: u64, bytes: u64) {
        self.names.store(names, Ordering::Relaxed);
        self.mails.store(mails, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    pub fn count(&self, tally: Tally) {
        let pairs = [
            (&self.stored, tally.stored),
            (&self.deleted, tally.deleted),
            (&self.expired, tally.expired),
            (&self.forgotten, tally.forgotten),
            (&self.refused, tally.refused),
        ];
        for (counter, more) in pairs {
            counter.fetch_add(more, Ordering::Relaxed);
        }
    }

    pub fn committed(&self, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        lock(&self.commit_us).saturating_record(micros);
    }

    /// True if there was no trouble before.
    pub fn failed(&self, trouble: String) -> bool {
        self.failures.fetch_add(1, Ordering::Relaxed);
        lock(&self.trouble).replace(trouble).is_none()
    }

    /// True if there was trouble.
    pub fn recovered(&self) -> bool {
        lock(&self.trouble).take().is_some()
    }

    pub fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    /// Microseconds.
    pub fn commit_us(&self) -> Histogram<u64> {
        lock(&self.commit_us).clone()
    }

    pub fn read(&self, waiting: u64) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            names: read(&self.names),
            mails: read(&self.mails),
            bytes: read(&self.bytes),
            waiting,
            commits: read(&self.commits),
            stored: read(&self.stored),
            deleted: read(&self.deleted),
            expired: read(&self.expired),
            forgotten: read(&self.forgotten),
            refused: read(&self.refused),
            failures: read(&self.failures),
        }
    }
}

/// What panicked while it had the lock has left whole numbers behind.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

//! Where a shard gets its time from.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use engine::Tick;

/// A clock that never goes back.
pub trait Clock {
    /// Time since some fixed beginning.
    fn now(&self) -> Duration;

    /// Time since 1970, as the calendar has it.
    fn calendar(&self) -> Duration;
}

/// The kernel's monotonic clock, which stands still while the machine is suspended.
#[derive(Clone, Copy, Debug)]
pub struct Monotonic(Instant);

impl Monotonic {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Monotonic {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn calendar(&self) -> Duration {
        // Before 1970 nobody had mail.
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

/// The engine's time.
pub fn tick(now: Duration) -> Tick {
    Tick(now.as_millis() as u64)
}

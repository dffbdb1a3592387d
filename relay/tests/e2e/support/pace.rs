//! Stories that have to act in time, told on a machine that may be busy with something else.

use std::thread;
use std::time::{Duration, Instant};

/// How often a story is told again because the machine held it up.
const TRIALS: usize = 10;

/// Watches that the story itself is never late.
pub struct Pace {
    limit: Duration,
    last: Instant,
}

impl Pace {
    /// From now on, at most `limit` between two beats.
    pub fn new(limit: Duration) -> Self {
        Self { limit, last: Instant::now() }
    }

    /// `None` if the story was held up since the last beat, so that nothing can be concluded from what it sees.
    pub fn beat(&mut self) -> Option<()> {
        let since = self.last.elapsed();
        self.last = Instant::now();
        (since <= self.limit).then_some(())
    }
}

/// Tells a story until it was not held up.
///
/// # Panics
/// When it was held up again and again.
#[track_caller]
pub fn undisturbed(mut story: impl FnMut() -> Option<()>) {
    assert!((0..TRIALS).any(|_| story().is_some()), "this machine is too busy: {TRIALS} times too late");
}

/// Keeps the calling thread on one processor, as far as it may choose: what one thread sends over loopback then arrives
/// in that order at whatever sockets.
pub fn stay_here() {
    let cpus = net::available_cpus().expect("processors");
    net::pin_current_thread(cpus[0]).expect("a processor");
}

/// Lets real time pass between two looks at something.
pub fn tick() {
    thread::sleep(Duration::from_millis(20));
}

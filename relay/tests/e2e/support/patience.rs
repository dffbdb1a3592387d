//! Waiting for a condition, however slow the machine is, and not for ever.

use std::time::{Duration, Instant};

/// How long anything may take on a busy machine before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `condition` gives something.
///
/// # Panics
/// When [`PATIENCE`] is over.
#[track_caller]
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        // Between two looks at the condition, so that looking does not keep a core busy.
        std::thread::sleep(Duration::from_millis(5));
    }
}

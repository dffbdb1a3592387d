//! What every story needs: a running relay, clients, and waiting for conditions.

mod client;
mod forge;
mod namespace;
mod pace;
mod process;

use std::time::{Duration, Instant};

pub use client::Client;
pub use forge::forge;
pub use namespace::{Cable, FAR, NEAR, add_ipv6, alone, ip, tc};
pub use pace::{Pace, stay_here, tick, undisturbed};
pub use process::{Backend, Relay, RelayOptions, each_backend, field};

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

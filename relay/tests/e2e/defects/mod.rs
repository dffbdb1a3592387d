//! Where the original server is broken, and we are not.

mod eviction;
mod expiry;
mod forged;
mod loops;

use crate::support::Relay;

/// Received datagrams that were dropped for this reason.
fn dropped(relay: &Relay, reason: &str) -> f64 {
    relay.metric("relay_dropped_packets_total", &format!("reason=\"{reason}\""))
}

fn received(relay: &Relay) -> f64 {
    relay.metric("relay_received_packets_total", "")
}

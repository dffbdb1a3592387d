//! The bounds of the HTTP server, with their reasons.

use std::time::Duration;

/// HTTP connections at a time: scrapers and probes are few, and descriptors are for sockets.
pub const CONNECTIONS: usize = 32;

/// Connections that wait for a place, as many as Linux grants (`net.core.somaxconn`): where the queue is full, a
/// newcomer's next attempt comes a second later, and a probe's patience is one second.
pub const WAITING: i32 = 4096;

/// How long a connection takes to bring its request, at most: what a lost packet costs, and little more.
pub const HEAD_PATIENCE: Duration = Duration::from_secs(2);

/// How long an HTTP connection lasts, at most: Prometheus gives a scrape 10 s by default.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long accepting waits after an error.
pub const RETRY: Duration = Duration::from_millis(100);

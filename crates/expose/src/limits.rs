//! The bounds of the HTTP server, with their reasons.

use std::time::Duration;

/// HTTP connections at a time: scrapers and probes are few, and descriptors are for sockets.
pub const CONNECTIONS: usize = 32;

/// How long an HTTP connection lasts, at most: Prometheus gives a scrape 10 s by default.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long accepting waits after an error.
pub const RETRY: Duration = Duration::from_millis(100);

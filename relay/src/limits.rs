//! Every bound of the shard loop, with its reason. The engine's bounds are in `engine::limits`.

use std::time::Duration;

/// Copies of payloads that one turn hands to the kernel, at most: at 1.1 us each (measured, plain sends) they take
/// 9 ms, so that no turn is longer than 10 ms.
pub const TURN_COPIES: usize = 8192;

/// Datagrams that one turn takes from the kernel, at most. Deeper turns are cheaper for each delivery
/// (docs/performance.md), and a quarter of the buffers leaves room for those that wait and those that are filled.
pub const TURN_ARRIVALS: usize = 256;

/// Receive buffers of a shard. Up to half of them wait behind the turn's budget; the rest always receives.
pub const BUFFERS: usize = 1024;

/// Payloads that wait behind the turn's budget, at most; beyond, the oldest are dropped and counted.
pub const BACKLOG_PAYLOADS: usize = BUFFERS / 2;

/// Copies that wait behind the turn's budget, at most: 32 turns, so that nobody waits for a large group for longer than
/// 0.3 s. Beyond, the oldest are dropped and counted.
pub const BACKLOG_COPIES: u64 = 32 * TURN_COPIES as u64;

/// Copies of one batch, at most, unless a single payload has more: what is dropped is dropped by batches, and the one
/// under way is always finished, so batches must be small beside the backlog.
pub const BATCH_COPIES: u64 = BACKLOG_COPIES / 8;

/// How old published counters get.
pub const PUBLISH_EVERY: Duration = Duration::from_millis(50);

/// Turns between two measurements of the forwarding latency under load, because each costs one more system call;
/// a turn that begins [`LATENCY_EVERY`] after the last measurement is always measured.
pub const LATENCY_TURNS: u32 = 8;

/// See [`LATENCY_TURNS`].
pub const LATENCY_EVERY: Duration = Duration::from_millis(1);

/// How long the relay waits for a port that a killed relay's ring still holds. The kernel lets go within 50 ms, and on
/// two cores that a dozen busy processes share within 4.5 s (measured).
pub const ORPHANED_PORT_PATIENCE: Duration = Duration::from_secs(12);

/// How long a stopping shard goes on sending what waits behind its budget.
pub const STOP_PATIENCE: Duration = Duration::from_secs(1);

const _: () = assert!(TURN_ARRIVALS < BUFFERS - BACKLOG_PAYLOADS);
const _: () = assert!(BUFFERS <= *net::limits::BUFFERS.end() as usize);
const _: () = assert!(crate::config::MAX_HOSTS <= net::limits::MAX_SOCKETS);
const _: () = assert!(BATCH_COPIES >= TURN_COPIES as u64);

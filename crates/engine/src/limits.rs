//! Every bound of the engine, with its reason. Bounds of the loop and the rings are in the relay's `limits.rs`.

use std::time::Duration;

/// Clients at most, unless configured: 2^20. A client costs about 120 bytes resident.
pub const MAX_CLIENTS: u32 = 1 << 20;

/// Groups at most, unless configured: 2^18.
pub const MAX_GROUPS: u32 = 1 << 18;

/// Groups at most that nobody ever joined, unless configured: 2^16, so that a flood of spoofed creates costs at most
/// 13 MB at [`UNJOINED_GROUP_BYTES`] each and leaves three quarters of [`MAX_GROUPS`] to groups in use.
pub const MAX_UNJOINED_GROUPS: u32 = 1 << 16;

/// Resident bytes of a group that nobody ever joined, its creator's quota included; a test measures it.
pub const UNJOINED_GROUP_BYTES: usize = 200;

/// The most that the ceilings can be configured to: positions are 32 bits, and the top bit stays free.
pub const CEILING: u32 = 1 << 31;

/// Members of a group, unless configured; the original server's default.
pub const DEFAULT_CAP: u32 = 128;

/// Live groups of one creator, unless configured; the original server's default.
pub const DEFAULT_GROUPS_PER_CLIENT: u32 = 3;

/// A client is idle after this many heartbeats of silence; the original server's rule.
pub const IDLE_HEARTBEATS: u32 = 3;

/// The shortest duration that can be configured.
pub const MIN_DURATION: Duration = Duration::from_millis(1);

/// The longest duration that can be configured: a year, far from any overflow of [`crate::Tick`].
pub const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 3600);

/// Lock stripes of the group map: with 16 shards, two of them want the same stripe at the same time in 6 % of cases,
/// and only joins, leaves and re-read rosters want one at all.
pub const STRIPES: usize = 256;

/// Lock stripes of the creators' quotas; only creates and deletions touch them.
pub const QUOTA_STRIPES: usize = 64;

/// Members from which on a group keeps an index of its members' positions. Below, a scan of at most 64 addresses of
/// 44 bytes stays within 44 cache lines and costs less than the index's upkeep.
pub const INDEXED_MEMBERS: usize = 64;

/// Slots of the timer wheel, each as wide as the sweep interval. The defaults (idle after 180 s, sweep 30 s) use six;
/// a client due beyond the last slot is looked at once more when that comes round.
pub const WHEEL_SLOTS: usize = 256;

/// Clients that one turn's sweep looks at, at most: 512 at up to 0.5 us (an expiry edits a roster) is a quarter of a
/// millisecond, and at a thousand turns a second a million clients still pass in two seconds.
pub const SWEEP_CLIENTS_PER_TURN: usize = 512;

/// Groups that one turn's sweep deletes, at most; the same arithmetic.
pub const SWEEP_GROUPS_PER_TURN: usize = 512;

/// The loop wakes at least this often in half a heartbeat, so that a longer silence of the loop itself is a stall.
pub const MIN_STALL: Duration = Duration::from_millis(20);

const _: () = assert!(MAX_UNJOINED_GROUPS < MAX_GROUPS && MAX_GROUPS < CEILING && MAX_CLIENTS < CEILING);
const _: () = assert!(STRIPES.is_power_of_two() && QUOTA_STRIPES.is_power_of_two());
const _: () = assert!(WHEEL_SLOTS >= 2);

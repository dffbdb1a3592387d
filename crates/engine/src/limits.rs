//! Every bound of the engine, with its reason. Bounds of the loop and the rings are in the relay's `limits.rs`.

use std::time::Duration;

use crate::buckets::Rate;

/// Loom and the fuzzer make a whole relay for each case, of a dozen clients: the tables for millions would take most of their time.
const SMALL: bool = cfg!(any(loom, fuzzing));

/// Clients at most, unless configured: 2^20. A client costs about 130 bytes resident, in groups of 100 (`tests/memory.rs`).
pub const MAX_CLIENTS: u32 = 1 << 20;

/// Groups at most, unless configured: 2^18.
pub const MAX_GROUPS: u32 = 1 << 18;

/// Groups at most that nobody ever joined, unless configured: 2^16, so that a flood of spoofed creates costs at most
/// 13 MB at [`UNJOINED_GROUP_BYTES`] each and leaves three quarters of [`MAX_GROUPS`] to groups in use.
pub const MAX_UNJOINED_GROUPS: u32 = 1 << 16;

/// Resident bytes at most of a group that nobody ever joined, its creator's quota included. `tests/flood.rs` measures
/// 147 to 200 at 1,024 to 65,536 groups.
pub const UNJOINED_GROUP_BYTES: usize = 200;

/// Clients that all shards together make room for at once: 2^22. A higher ceiling is reached by growing, because room
/// for 2^31 is more address space than a machine grants.
pub const ROOM_CLIENTS: u32 = 1 << 22;

/// The most that the ceilings can be configured to: positions are 32 bits, and the top bit stays free.
pub const CEILING: u32 = 1 << 31;

/// Members of a group, unless configured; the original server's default.
pub const DEFAULT_CAP: u32 = 128;

/// Live groups of one creator, unless configured; the original server's default.
pub const DEFAULT_GROUPS_PER_CLIENT: u32 = 3;

/// Letters of a generated id at least, and unless configured: the original server's eight. Of 34^8 = 1.8e12 ids a
/// quarter of a million exist at most ([`MAX_GROUPS`]), so one guess in seven million hits.
pub const MIN_GID_LENGTH: u8 = wire::GroupId::GENERATED_LEN as u8;

/// Letters of a generated id at most: what any client of the protocol takes.
pub const MAX_GID_LENGTH: u8 = wire::GroupId::MAX_LEN as u8;

/// Parts of the directory of extended sessions, each with its lock: shards that look at once hardly meet, and empty they
/// take a few kB.
pub(crate) const DIRECTORY_STRIPES: usize = if SMALL { 2 } else { 256 };

/// How long the token that a RESUME has used up gets the same answer again, from the same address: any answer can be lost.
pub(crate) const RESUME_AGAIN: Duration = Duration::from_secs(30);

/// The highest rate of payloads that can be configured for one client, per second: no single one sends as many, and
/// the interval is still 160 units of `crate::pace`.
pub const MAX_RATE: u32 = 100_000;

/// How much of a second's payloads a client may send at once: the frames of a game that a stall of its network held
/// back for as long.
pub const RATE_BURST: Duration = Duration::from_millis(250);

/// Answers that the unproved addresses of a /24 or /64 get: none has more than 92 IP bytes (112 by IPv6), so that a victim's whole
/// prefix is sent 9 kB (11 kB) a second by all the world's forgers, beside the questions ([`RETRIES_OF_PREFIX`]). At once
/// enough for the members of a large office whose relay was started anew.
pub(crate) const REPLIES_OF_PREFIX: Rate = Rate::each_second(100, 400);

/// Buckets in each of the rows for them, 1 MiB in all: together they allow 3.3 million answers a second, which is more than
/// a core takes, so that a flood from whatever prefixes empties only a part of them.
pub(crate) const REPLIES_ROW: usize = if SMALL { 1 } else { 1 << 15 };

/// Questions for a proof that one client, which is an address and a port, gets instead of them: one is enough, and any can be lost.
pub(crate) const RETRIES_OF_CLIENT: Rate = Rate::each_second(5, 10);

/// Buckets in each of the rows for them, half a MiB: together they allow more than [`RETRIES`], which so comes first.
pub(crate) const RETRIES_ROW: usize = if SMALL { 1 } else { 1 << 14 };

/// The same for all clients of a /24 or /64: a fifth of [`RETRIES`], so that a flood in the name of one prefix leaves the others
/// theirs, and its neighbours hear one unless it has more than 10,000 datagrams a second. A question is 1.7 times as long as
/// the shortest datagram that is answered with one, at most.
pub(crate) const RETRIES_OF_PREFIX: Rate = Rate::each_second(10_000, 1_000);

/// Buckets in each of the rows for them, 32 KiB: the same arithmetic.
pub(crate) const RETRIES_OF_PREFIX_ROW: usize = if SMALL { 1 } else { 1 << 10 };

/// Questions for a proof instead of answers, of the whole relay: 2.7 MB a second with 54 IP bytes each (3.7 MB with 74, by
/// IPv6), a seventh at most of what unproved members may get by default.
pub(crate) const RETRIES: Rate = Rate::each_second(50_000, 5_000);

/// Wrong group ids that a /24 or /64 may try, with and without a client's cookie apart, before each is looked at
/// alone. In a minute as many as a crowd mistypes.
///
/// Who has a whole /24 has the count of each address, too: 266 guesses a second without a cookie, 100 of them by who is in no
/// group ([`REPLIES_OF_PREFIX`]); a /64 is one host, which has 11. A quarter of a million groups ([`MAX_GROUPS`]) of 34^8 ids are hit by
/// one guess in 6.8 million, so at 266 a second in 7 hours on average, and a single one of a thousand in 78 days.
pub(crate) const GUESSES_OF_PREFIX: Rate = Rate::each_second(10, 600);

/// The same for each IPv4 address or /64 of who is not proved, and of proved members that show no cookie: a forger who wants
/// somebody to be asked for a proof has to do it for each one.
pub(crate) const GUESSES_OF_ADDRESS: Rate = Rate::each_second(1, 30);

/// The same for each proved client. Only it can use them up: nobody else shows its cookie.
pub(crate) const GUESSES_OF_CLIENT: Rate = Rate::each_minute(2, 3);

/// The same for all proved clients of an IPv4 address or a /64, who are told as many cookies as they want: what they guess when they
/// have used up what their prefix may. A whole /24 of them has 1,546 guesses a second with their cookies, and 266 without: a hit in an hour
/// among a quarter of a million groups, and in 11 days among a thousand.
pub(crate) const GUESSES_OF_HOST: Rate = Rate::each_second(6, 300);

/// Buckets in each of the rows for them, a quarter of a MiB for each of the tables. To have somebody asked who guesses nothing,
/// others have to empty the buckets of prefixes, too, all of which together allow 80,000 wrong ids a second; a datagram empties one or
/// two of the four rows, so that it takes more than a core can look at.
pub(crate) const GUESSES_ROW: usize = if SMALL { 1 } else { 1 << 13 };

/// Groups that the proved clients of a /24 or /48 make, and that count as theirs while nobody has joined them. What they make
/// beyond goes, like the groups of unproved creators, before anybody else's where there is no room.
pub(crate) const SHELTER_OF_PREFIX: Rate = Rate::each_second(1, 300);

/// Buckets in each of the rows for them, a quarter of a MiB: all together allow 8,192 groups a second.
pub(crate) const SHELTER_ROW: usize = if SMALL { 1 } else { 1 << 13 };

/// Clients at which a JOIN looks for one that makes room, at most; the next JOIN goes on behind them. Of a flood's members each
/// part holds some, and 256 looks take about a microsecond.
pub const EVICTION_CLIENTS: usize = 256;

/// Clients that one turn looks at, at most, to end those that a reload no longer allows; the arithmetic of
/// [`SWEEP_CLIENTS_PER_TURN`].
pub const EJECT_CLIENTS_PER_TURN: usize = 512;

/// A client is idle after this many heartbeats of silence; the original server's rule.
pub const IDLE_HEARTBEATS: u32 = 3;

/// The shortest duration that can be configured.
pub const MIN_DURATION: Duration = Duration::from_millis(1);

/// The longest duration that can be configured: a year, far from any overflow of [`crate::Tick`].
pub const MAX_DURATION: Duration = Duration::from_secs(365 * 24 * 3600);

/// The longest that a group's payloads can be configured to wait for company: game ticks, which it is for, are 15 to
/// 100 ms, and what waits holds its receive buffer. Replies, heartbeats among them, never wait.
pub const MAX_COALESCE: Duration = Duration::from_secs(1);

/// Lock stripes of the group map: if 16 shards want one at the same moment, each finds its own taken in 6 % of cases,
/// and only joins, leaves and re-read rosters want one at all.
pub const STRIPES: usize = if cfg!(loom) {
    2
} else if SMALL {
    16
} else {
    256
};

/// Lock stripes of the creators' quotas; only creates and deletions touch them.
pub const QUOTA_STRIPES: usize = if SMALL { 2 } else { 64 };

/// Sessions of a page of what extended clients have besides: 5 kB, which one of them alone costs, too.
pub const PAGE_KEYS: usize = if SMALL { 4 } else { 64 };

/// Parts of the index of a shard's clients. The largest growth of a part hashes a 256th of all addresses again: of a
/// million clients 4,096, some 0.2 ms.
pub const SESSION_PARTS: usize = if SMALL { 16 } else { 256 };

/// Members from which on a group keeps an index of its members' positions. Below, a scan of at most 64 addresses of
/// 44 bytes stays within 44 cache lines and costs less than the index's upkeep.
pub const INDEXED_MEMBERS: usize = 64;

/// Members in one chunk of a roster, 44 bytes each: [`DEFAULT_CAP`], so that a group of the usual size is one chunk and
/// nothing else. Joins, leaves and the payloads between them take the same time with chunks of 32, 64 and 128, within a
/// tenth (`examples/churn.rs`).
pub const ROSTER_CHUNK: usize = 128;

/// Children of a branch of a roster's tree: an edit copies one branch of each level, and 10,000 members need two levels.
/// 8 and 32 are the same within a tenth, too.
pub const ROSTER_BRANCHES: usize = 16;

/// Slots of each level of the timer wheel; on the finest each is as wide as the sweep interval. The defaults (idle
/// after 180 s, sweep 30 s) use six of them.
pub const WHEEL_SLOTS: u64 = 64;

/// Levels of the timer wheel. A client is looked at once for each level that its due time is away, so that even with
/// a sweep of 1 ms it costs three looks in 180 s. Five levels of 64 slots of 1 ms reach 12 days; who is due later is
/// looked at once in as many.
pub const WHEEL_LEVELS: u32 = 5;

/// Clients that one turn's sweep looks at, at most: 512 that are not idle take less than 0.1 ms, and at a thousand turns
/// a second a million of them pass in two seconds.
pub const SWEEP_CLIENTS_PER_TURN: usize = 512;

/// Clients that one turn's sweep removes, at most. Where snapshots are held, the first leave of a group copies the chunk
/// that it edits to fresh memory, 8 to 10 us each: 64 of them keep a turn within 1 ms, 512 took 4 (`examples/sweep.rs`).
/// All other leaves take 0.3 to 1 us.
pub const SWEEP_EXPIRIES_PER_TURN: usize = 64;

/// Groups that one turn's sweep deletes, at most; the same arithmetic.
pub const SWEEP_GROUPS_PER_TURN: usize = 512;

/// The loop wakes at least this often in half a heartbeat, so that a longer silence of the loop itself is a stall.
pub const MIN_STALL: Duration = Duration::from_millis(20);

/// How long an old, longer heartbeat goes on to count after a reload, at most: longer than any that chat needs, and
/// short enough that a mistaken year is soon mended.
pub const RELOAD_PATIENCE: Duration = Duration::from_secs(600);

/// IP bytes a second that all unproved members get, unless configured: a fifth of a gigabit link. Groups of base clients
/// with 500 players (25 payloads of 100 bytes a second, to 15 others each: 24 MB/s) fit; a relay that is used against
/// somebody adds no more than a home connection or two could.
pub const DEFAULT_UNPROVED_EGRESS: u64 = 25_000_000;

/// Chunks that a second's worth is divided into, of which a shard takes one at once: the shards meet at the common bucket
/// as often as this a second, whatever the rate, and what a shard has taken and does not use is under half a percent.
pub const EGRESS_CHUNKS: u64 = 256;

/// How long a cookie is new; it is good for this long and then for as long again.
pub const COOKIE_EPOCH: Duration = Duration::from_secs(30);

/// IP bytes that an unproved member gets while the relay is guarded without having sent any: a minute of chat, some 100 messages of
/// 128 bytes. A thousand spoofed members bring 16 MB upon whoever they are in the name of, once.
pub const BUDGET_GRANT: u64 = 16 << 10;

/// IP bytes that it gets for each that it sends. Three is what QUIC grants an address before it is validated (RFC 9000, 8.1).
pub const BUDGET_FACTOR: u64 = 3;

/// Lock stripes of the budgets; only a guarded relay touches them.
pub const BUDGET_STRIPES: usize = if SMALL { 2 } else { 64 };

/// How long after a send an ICMP error about it is heard: no path takes longer, and a forger has to know the moment.
pub const ICMP_MEMORY: Duration = Duration::from_secs(1);

/// How often the relay looks whether it is under attack.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Heartbeats in which a relay that has just started is not alarmed: everybody joins again, and nobody has had the
/// time to be anything but silent.
pub const GRACE_HEARTBEATS: u32 = 2;

/// After how long an unproved member's silence counts, in halves of a heartbeat: an original client's heartbeat may be a
/// tenth late, and one may be lost to a busy moment, but not all of it.
pub const SILENT_HALF_HEARTBEATS: u32 = 3;

/// Silent unproved members that never alarm the relay: 256 clients that crashed within a minute of their start are an
/// accident, and as many spoofed ones get what the cap lets through.
pub const SILENT_MEMBERS: u32 = 256;

/// Above, one in so many members may be silent and unproved.
pub const SILENT_SHARE: u32 = 8;

/// A guarded relay is at peace again when all was calm for so many heartbeats: in one, everyone who is there speaks.
pub const CALM_HEARTBEATS: u32 = 1;

/// And for this long at least, however short the heartbeat: ten looks.
pub const MIN_CALM: Duration = Duration::from_secs(10);

/// Pages of names that a session gets at once, unless it is trusted: of 17,000 names of 30 bytes. That is 630 kB to whoever has its address, if somebody
/// else asks in its name.
pub const PAGES_AT_ONCE: u64 = 512;

/// After how many milliseconds it gets one more: 40 kB a second.
pub const PAGE_MS: u64 = 31;

const _: () = assert!(COOKIE_EPOCH.as_millis() > 0 && EGRESS_CHUNKS > 0 && BUDGET_STRIPES.is_power_of_two());
const _: () =
    assert!(SILENT_HALF_HEARTBEATS < 2 * IDLE_HEARTBEATS && MIN_CALM.as_millis() > LOOK_EVERY.as_millis());
const _: () = assert!(MAX_UNJOINED_GROUPS < MAX_GROUPS && MAX_GROUPS < CEILING && MAX_CLIENTS < CEILING);
const _: () = assert!(MAX_CLIENTS <= ROOM_CLIENTS && ROOM_CLIENTS < CEILING);
const _: () = assert!(STRIPES.is_power_of_two() && QUOTA_STRIPES.is_power_of_two());
const _: () = assert!(ROSTER_CHUNK.is_power_of_two() && ROSTER_CHUNK >= INDEXED_MEMBERS);
const _: () = assert!(ROSTER_BRANCHES.is_power_of_two());
const _: () = assert!(RETRIES_ROW as u64 * RETRIES.interval > RETRIES_OF_CLIENT.interval || SMALL);
const _: () = assert!(RETRIES_OF_PREFIX_ROW as u64 * RETRIES.interval > RETRIES_OF_PREFIX.interval || SMALL);
const _: () = assert!(MIN_GID_LENGTH < MAX_GID_LENGTH);
const _: () = assert!(WHEEL_SLOTS.is_power_of_two() && WHEEL_SLOTS.ilog2() * WHEEL_LEVELS < u64::BITS);

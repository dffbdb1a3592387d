//! Every bound of the shard loop, with its reason. The engine's bounds are in `engine::limits`.

use std::time::Duration;

/// How long a turn sends: less than half of the 10 ms that nobody may hold a turn for, as the clock is looked at only after
/// each [`QUANTUM`].
pub const TURN: Duration = Duration::from_millis(4);

/// How long a turn sends while the kernel's receive buffers fill: with [`TURN_ARRIVALS`] received in each turn, some
/// 300,000 datagrams a second are taken in, and what cannot be sent is dropped where it hurts the fewest.
pub const HURRIED_TURN: Duration = Duration::from_micros(250);

/// How full a receive buffer is when turns begin to hurry. Up to there a burst waits where it is: of the default 8 MiB,
/// which the kernel doubles, 6,400 payloads of 512 bytes fill half. The rest lasts 16 ms at 200,000 datagrams a second.
pub const HURRY: f32 = 0.75;

/// The same while one group has more than half of what waits: what it says cannot be sent anyway, and must not stand in
/// the others' way. A few milliseconds' worth.
pub const HURRY_IF_DOMINATED: f32 = 0.05;

/// How long a shard has to hurry or to drop, without a pause of [`OVERLOAD_CALM`], before it counts as overloaded and lets nothing wait
/// for long: a burst is over by then, or it is drops of this length that a sender sees anyway.
pub const OVERLOAD_STANDING: Duration = Duration::from_millis(20);

/// The receive queue of a shard that takes nothing because there is no room is looked at in windows of this length: several
/// turns.
pub const GROWTH_WINDOW: Duration = Duration::from_millis(50);

/// In how many of them in a row it has to grow before the shard counts as overloaded although the buffer has room: a load
/// that waits for its answers has stopped growing by then, and a burst has been over for long.
pub const GROWTH_WINDOWS: u32 = 4;

/// By which part of the buffer it has to in each: some 100 payloads of the default one, 2,000 a second.
pub const GROWTH_LEAST: f32 = 0.01;

/// How long nothing was dropped before an overload is over: much longer than a load at the limit takes to show again, and
/// together with [`SIEVE_OPENING`]'s steps under the second in which everything is to be as before.
pub const OVERLOAD_CALM: Duration = Duration::from_millis(200);

/// The part of such a time in which a shard has to have had nothing to do for an overload to be over although something was
/// dropped: who is asked for too much never has.
pub const OVERLOAD_LEISURE: f32 = 0.1;

/// How old payloads of an overloaded shard are on average when their last copy has been sent. What waits for the batch before
/// its own may be twice as old; of the 20 ms that nobody may wait, a few are left for the receive queue and the turn
/// that takes it. Less would cost goodput: payloads that wait share messages.
pub const OVERLOAD_AGE: Duration = Duration::from_millis(7);

/// Copies that may wait in an overloaded shard, beside the newest payload of each group: from what a group's turn sends to
/// what ever may wait. Between these it follows [`OVERLOAD_AGE`].
pub const ROOM: std::ops::RangeInclusive<u64> = QUANTUM as u64..=BACKLOG_COPIES;

/// How often it changes, by an eighth, or to half of it if payloads are twice as old as they should be: some turns.
pub const ROOM_EVERY: Duration = Duration::from_millis(10);

/// How long a full turn of an overloaded shard sends: 256 arrivals, of which most are dropped, take a tenth of that.
pub const OVERLOADED_TURN: Duration = Duration::from_millis(1);

/// What the commands of a heartbeat begin with, and no other command: `!PING`, and `!BEAT` of extended clients.
pub const HEARTBEATS: [[u8; 4]; 2] = [*b"!PIN", *b"!BEA"];

/// How long the receive queue of an overloaded shard has to stand before less passes the filter, and in how many turns one
/// after the other: by then 8,192 datagrams were taken that had come while the thread had no core. The filter knows no
/// groups, so it is the last resort.
pub const SIEVE_CLOSING: (Duration, u32) = (Duration::from_millis(10), 32);

/// The same while the queue is fuller than [`HURRY`]: soon heartbeats would be lost.
pub const SIEVE_CLOSING_FAST: (Duration, u32) = (Duration::from_millis(2), 8);

/// How long it must not have stood before more passes. Opening is slower than closing, or the queue would stand half of
/// the time; all steps together take half a second.
pub const SIEVE_OPENING: Duration = Duration::from_millis(20);

/// The smallest part of [`net::Sieve::ALL`] that passes, a 64th, and a part of each step by which more does.
pub const SIEVE_LEAST: u32 = net::Sieve::ALL / 64;

/// How often a shard looks how much of what it takes in it has to drop, and lets more or less of it pass: a hundred turns. To
/// build a filter with a set of sources and to attach it costs some 0.2 ms a socket: the kernel checks and translates it.
pub const LOUD_EVERY: Duration = Duration::from_millis(100);

/// How long somebody counts as loud after a payload of its was dropped.
pub const LOUD_MEMORY: Duration = Duration::from_millis(500);

/// Senders that count as loud at a time, at most: with so many, one of six others is taken for one of them
/// ([`net::limits::SOURCE_WORDS`]).
pub const LOUD_KEPT: usize = 2048;

/// How much more passes than is sent, as a part of that: enough to share it out justly.
pub const LOUD_SPARE: f64 = 0.5;

/// Units of [`crate::work::Allowance`] that one turn spends, at most: 8192 plain copies at two units each, or 16,000
/// copies in messages of 64. No message is larger, so a larger turn would make none cheaper.
pub const TURN_UNITS: usize = 16_384;

/// Units that a group spends before the next one's turn comes: 512 plain copies of 1.1 to 2.8 us, so that a group that
/// begins to speak waits for one and a half milliseconds at most.
pub const QUANTUM: usize = 1024;

/// The same in a hurry.
pub const HURRIED_QUANTUM: usize = 128;

/// Units of a turn that are spent because somebody leaves a group, at most: a quarter.
pub const LEAVER_UNITS: usize = TURN_UNITS / 4;

/// Datagrams that one turn takes from the kernel, at most. Deeper turns are cheaper for each delivery
/// (docs/performance.md), and a quarter of the buffers leaves room for those that wait and those that are filled.
pub const TURN_ARRIVALS: usize = 256;

/// Receive buffers of a shard. Up to half of them wait behind the turn's allowance; the rest always receives.
pub const BUFFERS: usize = 1024;

/// Receive buffers of a shard where payloads may wait for company: a quarter of them holds ten payloads of each of a
/// hundred groups.
pub const COALESCING_BUFFERS: usize = 4096;

/// Bytes of payloads that wait for company, at most: they should still be in the second-level cache when they are sent.
pub const HELD_BYTES: usize = 1 << 20;

/// Copies that wait, at most: 32 turns of plain copies, 0.3 to 0.7 s. Beyond, the oldest of whoever has most are dropped and counted.
pub const BACKLOG_COPIES: u64 = 16 * TURN_UNITS as u64;

/// Copies of one batch, at most, unless a single payload has more: the batch under way is always finished, so batches
/// must be small beside the backlog.
pub const BATCH_COPIES: u64 = BACKLOG_COPIES / 8;

/// Payloads of one batch, at most: the messages of two rounds. More would make no message larger, and what is in a batch
/// under way cannot be dropped for others.
pub const BATCH_PAYLOADS: usize = 2 * net::Run::MAX_DATAGRAMS;

/// Payloads for clients by TCP that wait to be taken over by the thread that has their connections, at most: several turns of
/// all shards of a small machine. It takes them over within a millisecond, unless it has no core.
pub const FERRY_PARCELS: usize = 4096;

/// Their bytes, at most: a thousand of the longest.
pub const FERRY_BYTES: usize = 4 << 20;

/// Their copies, at most: what a shard lets wait, too.
pub const FERRY_COPIES: u64 = BACKLOG_COPIES;

/// Lanes of the ferry, by which it knows whose payloads wait: a group shares its own with others only where there are many. To
/// look through all of them costs a tenth of a microsecond, and only when something is dropped.
pub const FERRY_LANES: usize = 256;

/// Answers that wait so, at most.
pub const FERRY_LETTERS: usize = 4096;

/// With so many waiting, news of who is in a group, which may be lost, take no more of their room.
pub const FERRY_NEWS: usize = FERRY_LETTERS / 2;

/// Copies that one turn takes over; the last payload may have more. To queue one takes some 0.1 us, so that it is a millisecond's
/// work.
pub const FERRY_TURN: u64 = 8192;

/// How old published counters get.
pub const PUBLISH_EVERY: Duration = Duration::from_millis(50);

/// Receivers that each account of failed sends keeps: whoever has more than a 64th of all failures is in it, and it takes
/// 6 kB, of which a search reads 256 bytes.
pub const WORST_KEPT: usize = 64;

/// Width of the windows of failed sends. "Recent" is this one and the one before: long enough for a name to be read and
/// short enough to be the present.
pub const WORST_WINDOW: Duration = Duration::from_secs(30);

/// Receivers that the status page lists, at most: a screen of them.
pub const WORST_SHOWN: usize = 20;

/// How often the status page's history takes a sample, which is a read of every shard's published counters.
pub const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Samples of the history: four minutes, some 100 kB.
pub const SAMPLES: usize = 240;

/// The rates on the status page are those of the last samples: long enough to be read, short enough to be the present.
pub const RATE_SAMPLES: usize = 5;

/// The verdict on the status page looks at the last minute.
pub const VERDICT_SAMPLES: usize = 60;

/// Turns between two measurements of the forwarding latency under load, because each costs one more system call;
/// a turn that begins [`LATENCY_EVERY`] after the last measurement is always measured.
pub const LATENCY_TURNS: u32 = 8;

/// See [`LATENCY_TURNS`].
pub const LATENCY_EVERY: Duration = Duration::from_millis(1);

/// How long the relay waits for a port that a killed relay's ring still holds. The kernel lets go within 50 ms, and on
/// two cores that a dozen busy processes share within 4.5 s (measured).
pub const ORPHANED_PORT_PATIENCE: Duration = Duration::from_secs(12);

/// Ports to try where any will do, until one is free for datagrams and for connections.
pub const PORT_CHOICES: usize = 16;

/// Descriptors that a process may have where nobody can say how many: the usual soft limit.
pub const MIN_DESCRIPTORS: u64 = 1024;

/// How often the main thread looks whether each shard has turned.
pub const LOOK_EVERY: Duration = Duration::from_millis(2500);

/// The same at most, whatever a service manager wants: a hundred times a second is next to nothing.
pub const LOOK_AT_LEAST: Duration = Duration::from_millis(10);

/// Looks in the time that a service manager waits for a word of the watchdog: one more than [`DEAF_LOOKS`], so that the
/// log has the name of the shard before the relay is killed for it.
pub const LOOKS: u32 = DEAF_LOOKS + 1;

/// Looks in a row that find a shard deaf before it is said to be stalled: 10 s, a thousand times the longest turn.
pub const DEAF_LOOKS: u32 = 4;

/// How long a stopping shard goes on sending what waits.
pub const STOP_PATIENCE: Duration = Duration::from_secs(1);

const _: () = assert!(TURN_ARRIVALS <= BUFFERS / 4, "half of the buffers may wait");
const _: () =
    assert!(4 * BATCH_PAYLOADS <= BUFFERS, "a batch is a part of the half of the buffers that waits");
const _: () = assert!(SIEVE_LEAST >= 4, "shares are changed by quarters");
const _: () = assert!(OVERLOAD_STANDING.as_millis() < OVERLOAD_CALM.as_millis());
const _: () = assert!(WORST_KEPT.is_multiple_of(16), "they are searched in blocks of 16");
const _: () = assert!(RATE_SAMPLES < VERDICT_SAMPLES && VERDICT_SAMPLES < SAMPLES);
const _: () = assert!(COALESCING_BUFFERS <= *net::limits::BUFFERS.end() as usize);
const _: () = assert!(crate::config::MAX_HOSTS <= net::limits::MAX_SOCKETS);
const _: () = assert!(BATCH_COPIES >= TURN_UNITS as u64 && QUANTUM < TURN_UNITS);

//! Every bound of a client of the extended protocol, with its reason. Those of the base protocol's stand in `crate::base`.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Characters of a name at most, as the protocol has it.
pub const MAX_NAME: usize = 32;

/// How often a request is sent before the way to the relay counts as lost.
pub const TRIES: u32 = 3;

/// How long one sending of a request may stay without an answer.
pub const PATIENCE: Duration = Duration::from_secs(1);

/// How long each HELLO of the search for a relay waits: a round trip by satellite takes 600 ms, and late answers count.
pub const PROBES: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_millis(500), Duration::from_millis(1000)];

/// Pauses between attempts to come back to a relay that does not answer; the last one goes on.
pub const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(15),
];

/// How long a connection may take to be made.
pub const CONNECTING: Duration = Duration::from_secs(5);

/// Heartbeats outside are moved to the nearer end: a relay cannot make its clients flood it, or fall silent for ever.
pub const HEARTBEATS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// Payloads in a row before the relay must have answered a beat: the only flow control that there is.
pub const MAX_UNCONFIRMED: u32 = 32;

/// Nothing answers a payload: so long after one the relay is asked whether it is still there.
pub const CONFIRM: Duration = Duration::from_secs(5);

/// Messages to one person that may wait for their turn.
pub const MAX_LETTERS_TO_ONE: usize = 64;

/// Messages that may wait in all.
pub const MAX_LETTERS: usize = 256;

/// Stored messages of which the delivery is still told.
pub const MAX_STORED: usize = 1024;

/// How long a message waits for which the relay has no room at all: until some mail has been read, or has become too old.
pub const LATER: Duration = Duration::from_secs(15);

/// How long a refusal that names no message may still come for one that is settled, and a payload once more: longer than a datagram is
/// under way.
pub const STRAYS: Duration = Duration::from_secs(10);

/// How far apart messages are sent again of which one is refused, nobody knows which: a request that may be meant instead is answered before.
pub const APART: Duration = Duration::from_secs(2);

/// Ids of one sender by which its repeats are known: as many as the relay remembers.
pub const MAX_SEEN_OF_ONE: usize = 1024;

/// Senders whose ids are remembered.
pub const MAX_SEEN_SENDERS: usize = 1024;

/// How long a payload is held back for one that is missing before it.
pub const HOLD: Duration = Duration::from_millis(300);

/// Payloads of one sender that are held back at most.
pub const MAX_HELD: usize = 64;

/// Senders whose payloads are counted.
pub const MAX_SPEAKERS: usize = 1024;

/// Payloads of one sender by which repeats are known.
pub const MAX_SPOKEN: usize = 64;

/// People of a group who are known by name: as many as the relay tells that went, and as many present ones.
pub const MAX_PEOPLE: usize = 2048;

/// How long the relay waits for a peer to talk to directly, and one more second for its answer.
pub const BRIDGE_WAIT: Duration = Duration::from_secs(61);

/// Punches to a peer's address: every 100 ms for 3 s, as the protocol has it.
pub const PUNCH_EVERY: Duration = Duration::from_millis(100);
/// See [`PUNCH_EVERY`].
pub const PUNCH_FOR: Duration = Duration::from_secs(3);

/// Punches that keep an open way open: routers forget one that is unused for 30 s.
pub const KEEP_EVERY: Duration = Duration::from_secs(10);

/// A peer that is silent for so long is gone.
pub const PEER_SILENCE: Duration = Duration::from_secs(35);

/// Pauses behind each sending of a direct message; behind the last one it goes through the relay.
pub const DIRECT_PAUSES: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
    Duration::from_millis(2000),
];

/// A goodbye is a courtesy, and nobody wants to wait for it.
pub const GOODBYE_TRIES: u32 = 2;
/// See [`GOODBYE_TRIES`].
pub const GOODBYE_PATIENCE: Duration = Duration::from_millis(300);

/// Pages of one answer to PEERS: those of [`MAX_PEOPLE`] long names, and as many more.
pub const MAX_PAGES: u32 = 512;

/// The next in a list of pauses, of which the last one goes on.
pub(crate) fn pause(pauses: &[Duration], turn: u32) -> Duration {
    pauses[(turn as usize).min(pauses.len() - 1)]
}

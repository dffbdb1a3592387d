//! Every bound of the TCP side, with its reason. Those that an owner may set otherwise are in [`Bounds`](super::Bounds).

use std::time::Duration;

/// Bytes of the longest message that is taken in, without its length: the protocol's longest.
pub const LARGEST_MESSAGE: usize = 4096;

/// Bytes of the length before each message.
pub const HEADER: usize = 2;

/// Bytes that one connection hands over in a turn, at most: several of the longest messages, and a tenth of a millisecond.
pub const READ_BYTES: usize = 16 << 10;

/// Messages that one connection hands over in a turn, at most: [`READ_BYTES`] of some 256 bytes each. It is also what may be
/// answered before it is noticed that nobody reads the answers.
pub const TURN_MESSAGES: usize = 64;

/// Bytes that all connections hand over in a turn, at most: what stays in a processor's cache.
pub const TURN_BYTES: usize = 1 << 20;

/// Messages of one turn, after which no further connection is read from: a few milliseconds of work for the owner.
pub const TURN_EVENTS: usize = 1024;

/// Connections that one listener accepts in a turn, at most: a storm of them holds nobody up for more than a millisecond.
pub const TURN_ACCEPTS: usize = 64;

/// Connections that one wait of `epoll` names, at most. The kernel names the others the next time.
pub const TURN_READY: usize = 1024;

/// Messages that one call hands to the kernel, at most: their list is 1 KiB on the stack.
pub const WRITE_MESSAGES: usize = 64;

/// Control messages with which a queue stops the reading from its connection. The protocol's number.
pub const CONTROL_STOPS: usize = 64;

/// And with which it goes on: who reads something now and then has read as many in [`CONTROL_PATIENCE`], or is closed.
pub const CONTROL_RESUMES: usize = CONTROL_STOPS / 2;

/// How long nothing is read from a connection that does not read, before it is closed. The protocol's time.
pub const CONTROL_PATIENCE: Duration = Duration::from_secs(10);

/// Control messages that one queue holds, at most. When reading stops there are less than [`CONTROL_STOPS`] and those of a
/// turn, a few for each message; the rest is what others have for it, as direct messages. Control is never dropped: the connection is
/// closed.
pub const CONTROL_MOST: usize = 512;

/// Payloads that one queue holds, at most: a second of a lively group, which is as long as a lost segment holds up a stream.
pub const PAYLOADS: usize = 1024;

/// Bytes of one queue, of payloads and of control each: some sixty of the longest messages.
pub const QUEUE_BYTES: usize = 256 << 10;

/// Bytes of all queues, of payloads and of control each: what 256 connections may hold alone. Beyond, a queue may have an equal share
/// only, so that there are never more than twice as many.
pub const QUEUED_BYTES: usize = 64 << 20;

/// Bytes that a message counts in a queue beside its own: its place, and the allocation's overhead. Messages that several
/// queues share count in each.
pub const ENTRY_BYTES: usize = 64;

/// Connections in all. Each takes a descriptor, and at worst 20 KiB for what it has sent and nobody has taken yet.
pub const CONNECTIONS: usize = 16_384;

/// Connections of one address: an office behind one.
pub const PER_ADDRESS: usize = 256;

/// Connections of one prefix (/24, /64): a sixteenth of all.
pub const PER_PREFIX: usize = CONNECTIONS / 16;

/// So many IPv6 sites (/48) have all connections: whoever has one address of it can have 65,536 /64, so it has a part as a whole.
/// A campus, or the phones of a carrier that have a /64 each, have room. Where the process may have fewer connections, this
/// is the part of any prefix.
pub const SITES: usize = 4;

/// Descriptors that connections leave to the rest of the process.
pub const RESERVED_DESCRIPTORS: u64 = 256;

/// How long a new connection may take to its first whole message. Clients send it at once; a few lost segments are repeated by then.
pub const FIRST_MESSAGE: Duration = Duration::from_secs(10);

/// How long a connection that has been silent for too long is looked at once more: what it has said is read in the next turns,
/// however long the process itself was stopped.
pub const LAST_LOOK: Duration = Duration::from_secs(1);

/// How long the last messages of a connection that is closed may take.
pub const FAREWELL: Duration = Duration::from_secs(1);

/// How long what was sent may stay without an acknowledgement, or a peer's window closed, before the connection is given up
/// (TCP_USER_TIMEOUT): the three heartbeats for which a client may be silent by default. A stopped program is none that is gone.
pub const UNACKNOWLEDGED: Duration = Duration::from_secs(180);

/// How long a connection is silent before the kernel asks whether the peer is still there: the default heartbeat. It gives up after
/// [`UNACKNOWLEDGED`].
pub const PROBE_AFTER: Duration = Duration::from_secs(60);

/// How long it waits for the answer before it asks again.
pub const PROBE_EVERY: Duration = Duration::from_secs(10);

/// Bytes of a connection that the kernel takes before they can be sent (TCP_NOTSENT_LOWAT). What waits there cannot be dropped any
/// more when it gets old; less costs more calls.
pub const UNSENT_BYTES: u32 = 64 << 10;

/// How long nothing is accepted when there is no descriptor left, not even one to refuse with.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that wait to be accepted, at most; the kernel cuts it to net.core.somaxconn.
pub const BACKLOG: i32 = 4096;

const _: () = assert!(READ_BYTES >= LARGEST_MESSAGE + HEADER, "one read may complete any message");
const _: () = assert!(
    CONTROL_STOPS + TURN_MESSAGES < CONTROL_MOST,
    "one answer to each message of a turn has room when reading stops"
);
const _: () =
    assert!(TURN_BYTES >= 2 * READ_BYTES + LARGEST_MESSAGE + HEADER, "each turn has room for somebody");

//! Every bound of the people, with its reason.

use std::time::Duration;

/// When a request or a message that has no answer is sent again, after the time before. (`protocol.md`)
pub const PAUSES: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(2)];

/// What a SEND says besides its text takes no more, in bytes: the command, the longest name, the id, and spaces.
pub const ENVELOPE: usize = 64;

/// The longest text of a message, in bytes.
pub const LONGEST_TEXT: usize = wire::MAX_DATAGRAM - ENVELOPE;

/// Messages of a run: each is remembered, so that it can be told whether it was doubled; some 3 GB.
pub const MESSAGES: u64 = 30_000_000;

/// A run has no more people: names have room for so many digits.
pub const PEOPLE: u32 = 1_000_000;

/// Free addresses for each who moves: enough that one is nobody's for a while before it is somebody else's.
pub const SPARE_PLACES: u32 = 4;

/// Letters that tell the names of runs apart: one in 30 million.
pub const RUN_LETTERS: usize = 5;

/// Datagrams that are made ready between two looks at what has arrived.
pub const BATCH: usize = 256;

/// Without anybody who registers for so long, joining has failed.
pub const STALLED: Duration = Duration::from_secs(10);

/// When everything has its outcome, repeats are waited for so long: longer than a relay's pause between two tries.
pub const SETTLED: Duration = Duration::from_millis(2500);

/// Without an outcome for so long, those that are missing do not come: five tries of each sender.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Whoever has mail, is there and has not been sent any for so long says something: a relay that takes somebody for silent waits for
/// that. (`protocol.md`)
pub const PROMPT: Duration = Duration::from_secs(2);

/// People go offline for so long at the end; the relay forgets the others by itself.
pub const FAREWELL: Duration = Duration::from_secs(2);

/// After a refusal, which names no message, nothing is sent to that name for so long if the message was sent more than once:
/// the answer to its repeat would be taken for the next one's.
pub const REST: Duration = Duration::from_secs(1);

/// Draws until somebody is found who can leave.
pub const DRAWS: usize = 64;

/// Nobody says anything less often than the relay asks for; a tenth earlier, because timers are late.
pub const BEAT: f64 = 0.9;

const _: () = assert!(LONGEST_TEXT > crate::payload::STAMP);
const _: () = assert!(SETTLED.as_millis() > PAUSES[3].as_millis());
const _: () = assert!(PATIENCE.as_millis() > 2 * PROMPT.as_millis());
const _: () = assert!(PATIENCE.as_millis() >= 5 * PAUSES[3].as_millis());

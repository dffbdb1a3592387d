//! Every bound of this crate, with its reason.

/// Characters of a name, at most. (`protocol.md`)
pub const NAME_CHARACTERS: usize = 32;

/// Marks on one letter, at most: more than any script has, and fewer than hide their neighbours.
pub const MARKS_IN_A_ROW: usize = 4;

/// Messages that a recipient has been sent and has not acknowledged, at most. (`protocol.md`)
pub const WINDOW: usize = 8;

/// When a message is sent, after the first time, in milliseconds. (`protocol.md`) The last time is for who has said something since the
/// one before, and so is not silent: its acknowledgement may have been lost. That is once, so that each message has an outcome.
pub const TRIES_MS: [u64; 5] = [0, 500, 1000, 2000, 3000];

/// How often it is sent to who says nothing.
pub const TRIES: usize = TRIES_MS.len() - 1;

/// The same after it has acknowledged nothing of what it was sent last: enough to hear whether it is there.
pub const PROBE: usize = 1;

/// How long a recipient that has not acknowledged what it was sent is sent nothing anew, whatever it says, registers or moves to, in
/// milliseconds since it was sent that, at first: else whoever does so all the time has itself, or whoever it forges, sent thousands of
/// times what it says.
pub const AGAIN_MS: u64 = 500;

/// How often that doubles, at most: to 32 s. So whoever has an address that somebody else's session had, and acknowledges nothing, gets
/// one message five times in 32 s, whatever is forged in its name: 22 kB, 700 bytes a second. In the first minute, with the whole window
/// at first, and all of it anew once, it is some 80 messages: a third of a megabyte.
pub const DOUBLED: u32 = 6;

/// Senders of one recipient that are passed over, at most: as many as can have something in its mailbox.
pub const PASSED: usize = store::limits::MOST_MAILS_PER_NAME as usize;

/// A recipient that has not acknowledged so long after the last try is silent, in milliseconds. (`protocol.md`)
pub const SILENCE_MS: u64 = 1000;

/// Messages of one recipient that wait in memory, at most, beside the mail that was read for it: those of a turn of many senders.
/// Beyond, the last one of the site that has most makes room, or the new one is not accepted; its sender repeats it.
pub const QUEUE: usize = 64;

/// The part of it that one sender may have: one of so many.
pub const QUEUE_SHARE: usize = 4;

/// Mails that are read from the store at once: what the window and the queue have room for.
pub const READ: usize = QUEUE;

/// Outcomes that are remembered for one sender. (`protocol.md`)
pub const OUTCOMES_PER_SENDER: usize = 1024;

/// How long an outcome is remembered, in milliseconds. (`protocol.md`)
pub const OUTCOME_MS: u64 = 10 * 60 * 1000;

/// Outcomes that are remembered in all: some 100 MB. The oldest go first.
pub const OUTCOMES: usize = 262_144;

/// Outcomes that are forgotten at once because they are old, at most, and when the next are, in milliseconds: some 2 ms of work.
pub const FORGOTTEN_AT_ONCE: usize = 4096;
/// See [`FORGOTTEN_AT_ONCE`].
pub const FORGET_MS: u64 = 20;

/// Parts of the maps of sessions, names and outcomes. The largest growth of a part hashes a 128th of all keys again: of a
/// million names 8,192, some 2 ms.
pub const PARTS: usize = 128;

/// Room that a part keeps although it is not used.
pub const PART_LEAST: usize = 64;

/// Names that are shown as offline in a group, at most. (`protocol.md`)
pub const OFFLINE: usize = 1024;

/// Names that are shown as offline in all groups together: some 30 MB. Beyond, those who have been so for the longest are not shown any more: who
/// goes from group to group can be offline in each.
pub const OFFLINE_IN_ALL: usize = 131_072;

/// Bytes of a page of names, and of a message with news, at most. (`protocol.md`)
pub const PAGE_BYTES: usize = 1200;

/// How long news of a group wait for more, in milliseconds: nobody sees the difference, and 1,000 who come at once are some
/// messages and not 1,000.
pub const NEWS_MS: u64 = 50;

/// Messages with news that each watcher of a group gets at once, at most: what a socket's buffer takes.
pub const NEWS_PAGES: usize = 8;

/// News told in one turn, in datagrams, beyond the first message of each watcher: what others wait for some milliseconds for.
pub const NEWS_AT_ONCE: usize = 512;

/// Messages with news that a group causes in a millisecond, at most: a hundredth of what a core can send.
pub const NEWS_PER_MS: u64 = 20;

/// How long a BRIDGE waits, in milliseconds. (`protocol.md`)
pub const BRIDGE_MS: u64 = 60_000;

/// When a peer's address is sent, after the match, in milliseconds. (`protocol.md`)
pub const PEER_AT_MS: [u64; 4] = [0, 200, 600, 1400];

/// New names that a /24 or /48 may take at once: an office that comes to know the relay.
pub const NAMES_AT_ONCE: u64 = 64;

/// How long it takes until it may take one more, in milliseconds: in the 30 days that a name lives without use 86,400, so that one
/// site never has all of the usual 100,000.
pub const NAME_MS: u64 = 30_000;

/// Sites that are remembered, at most: 2 MB.
pub const SITES: usize = 65_536;

/// How often what has become old is looked for, in milliseconds.
pub const SWEEP_MS: u64 = 60_000;

/// How often the store is asked to do the same, in milliseconds, after it has heard of all names that are online: mail and names live for
/// days.
pub const STORE_SWEEP_MS: u64 = 3_600_000;

/// Names that the store hears of at once, at most: a fraction of what may wait for it. The others wait for the next sweep of people.
pub const SEEN_AT_ONCE: usize = 4096;

const _: () = assert!(TRIES_MS[TRIES] == TRIES_MS[TRIES - 1] + SILENCE_MS);
const _: () = assert!(QUEUE / QUEUE_SHARE >= 1 && WINDOW <= QUEUE);
const _: () = assert!(PROBE >= 1 && PROBE <= WINDOW);
const _: () = assert!(OFFLINE <= OFFLINE_IN_ALL);
const _: () = assert!(READ <= store::limits::READ_MAILS);

//! Every bound of the store, with its reason.

use std::time::Duration;

/// Requests that wait for the thread, at most: a second of what one core answers while the disk stands still for that long.
pub const QUEUE_REQUESTS: usize = 65_536;

/// Bytes of the requests that wait, at most: [`QUEUE_REQUESTS`] of some 256 bytes. A larger request is always refused.
pub const QUEUE_BYTES: usize = 16 << 20;

/// Requests of one commit, at most: beyond some thousand the commit itself costs nothing any more, and all of them wait for
/// the last.
pub const BATCH_REQUESTS: usize = 4096;

/// Bytes of the requests of one commit, at most. The database holds its pages in half of [`CACHE_BYTES`] until then.
pub const BATCH_BYTES: usize = 4 << 20;

/// Memory for pages of the database, bytes. Mail is written once and read once, so that more would hold nothing that is
/// looked at again.
pub const CACHE_BYTES: usize = 16 << 20;

/// Mails of one answer to a [`Request::Read`](crate::Request::Read), at most: eight times what a recipient may have
/// unacknowledged.
pub const READ_MAILS: usize = 64;

/// Names and mails that one [`Request::Sweep`](crate::Request::Sweep) removes before it stops, so that others wait for some
/// twenty milliseconds and not for all that is old. A name goes with all of its mail, so it can be as many more as one name has.
pub const SWEEP_ROWS: usize = 10_000;

/// How far the time on disk at which a name was last seen may lag behind, milliseconds: a day, of a
/// [`Bounds::name_ttl`](crate::Bounds::name_ttl) of many. So being seen costs a commit a day.
pub const SEEN_LAG_MS: u64 = 24 * 3600 * 1000;

/// The part of a [`Bounds::name_ttl`](crate::Bounds::name_ttl) of few days that it may, after which a name that was in use when the process was
/// killed is still kept for most of its time: one of so many.
pub const SEEN_LAG_SHARE: u64 = 4;

/// What a mail counts for beside its texts and bytes: what the index in memory and the page on disk need for it, in bytes.
/// An empty message must not be free.
pub const MAIL_BYTES: u64 = 64;

/// The part of a mailbox that one sender may fill: one of so many. (`protocol.md`: at most a quarter.)
pub const SENDER_SHARE: u64 = 4;

/// The part of all bytes that may be kept of what comes from one site, unless it is trusted: one of so many. So it takes as many sites to
/// fill the store, and an office still has 160,000 mails of 200 bytes in the usual [`BYTES_IN_ALL`].
pub const SITE_SHARE: u64 = 8;

/// The part of one mailbox that may be filled from one site, unless it is trusted: one of so many. Whoever has one address can have many
/// names, so [`SENDER_SHARE`] alone keeps nobody from filling the mailbox of who is away.
pub const SITE_MAILBOX_SHARE: u64 = 2;

/// Mails per name, at most, whatever is configured: for each one that comes all in the mailbox are looked at, some
/// 10 microseconds for so many.
pub const MOST_MAILS_PER_NAME: u32 = 10_000;

/// Mails per name unless configured: a busy channel's day.
pub const MAILS_PER_NAME: u32 = 1000;

/// Bytes per name unless configured: [`MAILS_PER_NAME`] of a kilobyte.
pub const BYTES_PER_NAME: u64 = 1 << 20;

/// Bytes in all unless configured: a million mails of 200 bytes, which take 50 MB of memory as index and are read in about
/// a second on start.
pub const BYTES_IN_ALL: u64 = 256 << 20;

/// Names unless configured: 20 MB of memory.
pub const NAMES: u32 = 100_000;

/// Days, both for mail and for names, unless configured.
pub const DAYS: u64 = 30;

/// How long a mail that its recipient has may stay on disk, while nothing else is committed. Nobody waits for its end, and what
/// comes back after a crash is known by its id, so delivering mail one by one costs no commit for each.
pub const DELETED_LINGER: Duration = Duration::from_secs(1);

/// How many of them may, at most. Each may lie in a page of its own, so their commit writes 4 MB, and whoever asks for
/// something meanwhile waits some 50 milliseconds.
pub const DELETED: usize = 1024;

/// Numbers are reserved on disk in blocks of so many, so that none is given twice although the mail with the highest was
/// deleted before a restart. There are enough for a million restarts a second in all eternity of this machine.
pub const NUMBERS: u64 = 1 << 20;

/// A database file that is larger than this, and than [`COMPACT_SHARE`] times what is in it, is made smaller on open.
pub const COMPACT_BYTES: u64 = 32 << 20;

/// See [`COMPACT_BYTES`].
pub const COMPACT_SHARE: u64 = 4;

/// How long after a failure something is written again, at the earliest, and how long after the file was opened it is opened again, which takes
/// half a second with a million mails. Whoever wants something written meanwhile hears at once that it failed.
pub const RETRY: Duration = Duration::from_secs(1);

/// The longest commit that is told from longer ones, microseconds.
pub const LONGEST_COMMIT_US: u64 = 60_000_000;

const _: () =
    assert!(BATCH_BYTES * 2 <= CACHE_BYTES, "a batch's pages stay in memory until they are committed");
const _: () = assert!(BATCH_BYTES <= QUEUE_BYTES && BATCH_REQUESTS <= QUEUE_REQUESTS);
const _: () = assert!(MAILS_PER_NAME <= MOST_MAILS_PER_NAME);

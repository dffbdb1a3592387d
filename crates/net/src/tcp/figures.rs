//! What the connections of one thread have done.

use super::event::{Ending, NoRoom};
use super::limits::HEADER;

/// Counters since the start, and what is there now.
///
/// Nothing is lost between them: `accepted` is `open` and all of `closed`; and every message that was taken for sending is in
/// `messages_out`, `payloads_dropped`, `messages_discarded` or `messages_queued`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Connections now, those included that are being closed.
    pub open: u64,
    /// Connections that were let in.
    pub accepted: u64,
    /// Connections that were closed at once, by [`NoRoom::index`].
    pub refused: [u64; NoRoom::ALL.len()],
    /// Other errors of accepting: the peer had gone again, mostly.
    pub accept_errors: u64,
    /// Connections that ended, by [`Ending::index`].
    pub closed: [u64; Ending::ALL.len()],
    /// Messages that were handed to the owner.
    pub messages_in: u64,
    /// Bytes that were received, lengths included.
    pub bytes_in: u64,
    /// Messages that were skipped because of their length.
    pub too_large: u64,
    /// Messages whose last byte the kernel has taken.
    pub messages_out: u64,
    /// Bytes that the kernel has taken, lengths included.
    pub bytes_out: u64,
    /// Payloads that were dropped because a queue was full.
    pub payloads_dropped: u64,
    /// Messages that were still queued when their connection ended.
    pub messages_discarded: u64,
    /// Messages that wait now.
    pub messages_queued: u64,
    /// Bytes that wait now, with [`ENTRY_BYTES`](super::limits::ENTRY_BYTES) for each message. What queues share counts in each.
    pub queued_bytes: u64,
    /// System calls.
    pub calls: u64,
}

impl Figures {
    /// Bytes that the kernel has taken, but for the lengths of whole messages.
    pub(super) fn payload_bytes(&self) -> u64 {
        self.bytes_out - HEADER as u64 * self.messages_out
    }
}

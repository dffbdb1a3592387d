//! What is counted.

/// What becomes of a message, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The recipient has it.
    Delivered,
    /// It is kept until the recipient comes.
    Stored,
    /// Nobody has that name.
    NoSuchName,
    /// There was no room for it.
    MailboxFull,
    /// There was no room for it in the whole store, or in its sender's site's part of it; its sender repeats it.
    NoRoom,
    /// It was a repeat of one that is known.
    Repeated,
    /// It was not taken, for so much waits; its sender repeats it.
    Deferred,
    /// The disk failed; its sender repeats it.
    Failed,
}

impl Outcome {
    /// Metric labels, in the order of the variants.
    pub const LABELS: [&'static str; 8] =
        ["delivered", "stored", "no_such_name", "mailbox_full", "no_room", "repeated", "deferred", "failed"];
}

/// Numbers since the start, and of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Names that are online.
    pub online: u64,
    /// Sessions that watch.
    pub watching: u64,
    /// Sessions that wait for a peer.
    pub waiting: u64,
    /// Recipients that do not acknowledge what they are sent.
    pub silent: u64,
    /// Messages that are on their way, or wait in memory for it.
    pub under_way: u64,
    /// Names registered.
    pub registered: u64,
    /// Names refused because they were somebody else's.
    pub taken: u64,
    /// Messages, by [`Outcome`]. One that was stored and then delivered is both.
    pub messages: [u64; Outcome::LABELS.len()],
    /// Messages sent again because nobody acknowledged them.
    pub tries: u64,
    /// Pairs that were told where the other is.
    pub bridges: u64,
    /// News told to watchers, in datagrams.
    pub news: u64,
}

impl Figures {
    pub(crate) fn count(&mut self, outcome: Outcome) {
        self.messages[outcome as usize] += 1;
    }
}

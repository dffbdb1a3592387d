//! What has happened: a hash over everything, and the last of it to read.

use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;

/// Entries that are kept for whoever looks for the cause of a violation.
const KEPT: usize = 400;

/// The trace of one run.
pub struct Trace {
    hash: u64,
    events: u64,
    last: VecDeque<Entry>,
}

/// One thing that has happened.
#[derive(Clone, Copy)]
pub struct Entry {
    /// When.
    pub at: Duration,
    /// What.
    pub what: What,
    /// Whom it concerns: a shard, a peer, ..., by the kind of event.
    pub numbers: [u64; 3],
    /// The beginning of the datagram, if there is one.
    pub text: [u8; Entry::TEXT],
}

/// Kinds of events, with the words for their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The relay takes a datagram: shard, peer, length.
    Takes,
    /// The relay hands a datagram to its kernel: shard, peer, length.
    Sends,
    /// The kernel refuses a send: shard, peer, kind of failure.
    Refuses,
    /// Word comes that a peer cannot be reached: shard, peer.
    Unreached,
    /// The network loses a datagram: peer, upward or downward, length.
    Loses,
    /// A socket's receive buffer is full: shard, peer, length.
    Overflows,
    /// A client hears something: peer, length.
    Hears,
    /// A shard turns: shard.
    Turns,
    /// A shard waits: shard, milliseconds.
    Waits,
    /// A member was swept: shard, peer.
    Expires,
    /// Somebody or a group had to make room: shard, peer.
    Evicts,
    /// A group was deleted: its number.
    Deletes,
    /// The faults change: the number of the change.
    Weather,
    /// Shards are stopped for a while: which, milliseconds.
    Stall,
    /// The relay is started again: how many times it was.
    Restart,
    /// New settings: which.
    Reload,
    /// A phase begins: its number.
    Phase,
}

impl Entry {
    /// Bytes of a datagram that are kept.
    pub const TEXT: usize = 40;
}

impl Trace {
    /// An empty trace.
    pub fn new() -> Self {
        Self { hash: 0xCBF2_9CE4_8422_2325, events: 0, last: VecDeque::with_capacity(KEPT) }
    }

    /// Notes an event.
    pub fn note(&mut self, at: Duration, what: What, numbers: [u64; 3], bytes: &[u8]) {
        self.events += 1;
        self.mix(at.as_nanos() as u64);
        self.mix(what as u64);
        numbers.iter().for_each(|number| self.mix(*number));
        bytes.chunks(8).for_each(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        });
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        let mut text = [0; Entry::TEXT];
        let kept = bytes.len().min(Entry::TEXT);
        text[..kept].copy_from_slice(&bytes[..kept]);
        self.last.push_back(Entry { at, what, numbers, text });
    }

    /// A hash of everything that was noted.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How much was noted.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The last events, one line each.
    pub fn last(&self) -> String {
        let mut lines = String::new();
        for Entry { at, what, numbers, text } in &self.last {
            let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
            let words = numbers.map(|number| number.to_string()).join(" ");
            let text = text[..end].escape_ascii();
            // Writing to a string cannot fail.
            let _ =
                writeln!(lines, "{:>16.6} {:<9} {words:<18} {text}", at.as_secs_f64(), format!("{what:?}"));
        }
        lines
    }

    /// One step of a multiplicative hash: equal runs have equal hashes, and nobody chooses these inputs.
    fn mix(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.hash ^= self.hash >> 29;
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

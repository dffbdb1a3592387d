//! Where the messages of one turn lie.

use std::ops::Range;

use super::event::Message;
use super::limits::{HEADER, LARGEST_MESSAGE, READ_BYTES, TURN_BYTES};

/// One buffer, filled from the front in each turn.
pub(super) struct Arena {
    bytes: Box<[u8]>,
    filled: usize,
}

/// What a connection may need: what it has kept (at most an incomplete message and one read) and another read.
const MOST: usize = 2 * READ_BYTES + LARGEST_MESSAGE + HEADER;

impl Arena {
    pub(super) fn new() -> Arena {
        Arena { bytes: vec![0; TURN_BYTES].into(), filled: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.filled = 0;
    }

    /// True while any connection can be read from.
    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() - self.filled >= MOST
    }

    /// Everything that is free.
    pub(super) fn rest(&mut self) -> &mut [u8] {
        &mut self.bytes[self.filled..]
    }

    /// The message at these positions of the rest.
    pub(super) fn message(&self, at: Range<usize>) -> Message {
        Message { at: (self.filled + at.start) as u32..(self.filled + at.end) as u32 }
    }

    /// So many bytes of the rest hold messages, and stay.
    pub(super) fn fill(&mut self, bytes: usize) {
        self.filled += bytes;
    }

    pub(super) fn bytes(&self, message: &Message) -> &[u8] {
        &self.bytes[message.at.start as usize..message.at.end as usize]
    }
}

const _: () = assert!(TURN_BYTES <= u32::MAX as usize, "a message's place is kept in 32 bits");

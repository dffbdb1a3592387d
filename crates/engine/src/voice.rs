//! Who a sender is to members that ask for it, and how much it has said.

use std::fmt::Write;

use wire::Text;

use crate::sync::{AtomicU32, Ordering};

/// A member's number in its group, and how many of its payloads there have been for members that ask for senders.
///
/// A session keeps it when it moves to another address, so two shards may share it for a moment.
pub(crate) struct Voice {
    number: u32,
    next: AtomicU32,
}

impl Voice {
    pub fn new(number: u32) -> Self {
        Self { number, next: AtomicU32::new(0) }
    }

    /// What stands before the next payload: `!FROM #<number> <seq> `.
    pub fn header(&self) -> Text {
        let seq = self.next.fetch_add(1, Ordering::Relaxed);
        let mut text = Text::new();
        // Cannot fail: two numbers of ten digits have room.
        let _ = write!(text, "!FROM #{} {seq:010} ", self.number);
        text
    }
}

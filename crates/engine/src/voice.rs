//! Who a sender is to members that ask for it, and how much it has said.

use std::sync::{Arc, OnceLock};

use people::Badge;
use wire::{Notice, Sender};

use crate::sync::{AtomicU32, Ordering};

/// A member's number in its group, and how many of its payloads there have been for members that ask for senders.
///
/// A session keeps it when it moves to another address, so two shards may share it for a moment.
pub(crate) struct Voice {
    number: u32,
    next: AtomicU32,
    /// The name of who speaks, if it has a session.
    badge: OnceLock<Arc<Badge>>,
}

impl Voice {
    pub fn new(number: u32) -> Self {
        Self { number, next: AtomicU32::new(0), badge: OnceLock::new() }
    }

    /// It speaks by that name from now on, when it has one.
    pub fn wear(&self, badge: &Arc<Badge>) {
        self.badge.get_or_init(|| Arc::clone(badge));
    }

    /// What stands before the next payload: `!FROM <name or #number> <seq> `.
    pub fn write_header(&self, to: &mut dyn FnMut(&[u8])) {
        let seq = self.next.fetch_add(1, Ordering::Relaxed);
        let name = self.badge.get().and_then(|badge| badge.name());
        let sender = name.as_deref().map_or(Sender::Member(self.number), Sender::Named);
        Notice::From(sender, seq, b"").write_to(&mut |piece| to(piece));
    }
}

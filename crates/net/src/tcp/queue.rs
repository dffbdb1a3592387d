//! What waits for one connection: control and payloads in one order, of which payloads may be dropped.

use std::collections::VecDeque;
use std::io::IoSlice;

use super::frame::Frame;
use super::ledger::Ledger;
use super::limits::{ENTRY_BYTES, WRITE_MESSAGES};

/// Whether a message may be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Never: a connection that does not take it ends.
    Control,
    /// When too many wait, the oldest first: payloads, and what else comes unasked and may be lost.
    Payload,
}

/// An empty queue keeps no more room than this.
const ROOM_KEPT: usize = 64;

struct Entry {
    frame: Frame,
    kind: Kind,
}

impl Entry {
    fn cost(&self) -> usize {
        cost_of(&self.frame)
    }
}

/// Bytes that a message counts in a queue.
pub(super) fn cost_of(frame: &Frame) -> usize {
    frame.bytes().len() + ENTRY_BYTES
}

/// Messages and bytes of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) messages: usize,
    pub(super) bytes: usize,
}

/// One connection's queue. Whatever enters or leaves is in the ledger too.
#[derive(Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    /// Bytes of the first entry that the kernel has.
    written: usize,
    held: [Held; 2],
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn held(&self, kind: Kind) -> Held {
        self.held[kind as usize]
    }

    pub(super) fn push(&mut self, frame: Frame, kind: Kind, ledger: &mut Ledger) {
        let entry = Entry { frame, kind };
        let held = &mut self.held[kind as usize];
        held.messages += 1;
        held.bytes += entry.cost();
        ledger.enter(kind, entry.cost());
        self.entries.push_back(entry);
    }

    /// Drops the oldest payload that no byte of has been written. False if there is none.
    pub(super) fn drop_payload(&mut self, ledger: &mut Ledger) -> bool {
        let first = usize::from(self.written > 0);
        // Few control messages are before it: with more of them than a few hundred a connection ends.
        let oldest = (first..self.entries.len()).find(|at| self.entries[*at].kind == Kind::Payload);
        let Some(entry) = oldest.and_then(|at| self.entries.remove(at)) else { return false };
        self.take_off(&entry, ledger);
        ledger.figures.payloads_dropped += 1;
        true
    }

    /// What is to be written next, as a list of so many places, and its bytes.
    pub(super) fn gather<'a>(&'a self, list: &mut [IoSlice<'a>; WRITE_MESSAGES]) -> (usize, usize) {
        let mut skipped = self.written;
        let (mut count, mut bytes) = (0, 0);
        for (place, entry) in list.iter_mut().zip(&self.entries) {
            let rest = &entry.frame.bytes()[skipped..];
            *place = IoSlice::new(rest);
            skipped = 0;
            count += 1;
            bytes += rest.len();
        }
        (count, bytes)
    }

    /// The kernel has taken so many bytes.
    pub(super) fn advance(&mut self, bytes: usize, ledger: &mut Ledger) {
        ledger.figures.bytes_out += bytes as u64;
        self.written += bytes;
        while let Some(first) = self.entries.front()
            && self.written >= first.frame.bytes().len()
            && let Some(entry) = self.entries.pop_front()
        {
            self.written -= entry.frame.bytes().len();
            self.take_off(&entry, ledger);
            ledger.figures.messages_out += 1;
        }
        if self.entries.is_empty() && self.entries.capacity() > ROOM_KEPT {
            self.entries = VecDeque::new();
        }
    }

    /// Forgets everything.
    pub(super) fn discard(&mut self, ledger: &mut Ledger) {
        for entry in std::mem::take(&mut self.entries) {
            self.take_off(&entry, ledger);
            ledger.figures.messages_discarded += 1;
        }
        self.written = 0;
    }

    fn take_off(&mut self, entry: &Entry, ledger: &mut Ledger) {
        let held = &mut self.held[entry.kind as usize];
        held.messages -= 1;
        held.bytes -= entry.cost();
        ledger.leave(entry.kind, entry.cost());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tcp::bounds::Bounds;

    fn filled(ledger: &mut Ledger, messages: &[&[u8]]) -> Queue {
        let mut queue = Queue::default();
        for message in messages {
            queue.push(Frame::new(&[message]).unwrap(), Kind::Payload, ledger);
        }
        queue
    }

    /// What would be written next.
    fn rest(queue: &Queue) -> Vec<u8> {
        let mut list = [IoSlice::new(&[]); WRITE_MESSAGES];
        let (count, bytes) = queue.gather(&mut list);
        let rest: Vec<u8> = list[..count].iter().flat_map(|part| part.iter().copied()).collect();
        assert_eq!(rest.len(), bytes);
        rest
    }

    #[test]
    fn a_payload_of_which_something_is_written_is_not_dropped() {
        let mut ledger = Ledger::new(Bounds::default());
        let mut queue = filled(&mut ledger, &[b"one", b"two", b"three"]);
        queue.advance(4, &mut ledger);
        assert!(queue.drop_payload(&mut ledger));
        assert_eq!(rest(&queue), b"e\x00\x05three");
        assert!(queue.drop_payload(&mut ledger) && !queue.drop_payload(&mut ledger));
        assert_eq!(rest(&queue), b"e");
        queue.advance(1, &mut ledger);
        assert_eq!((ledger.figures.messages_out, ledger.figures.payloads_dropped), (1, 2));
        assert_eq!((queue.held(Kind::Payload), ledger.figures.queued_bytes), (Held::default(), 0));
    }

    #[test]
    fn a_write_may_end_anywhere() {
        for first in 0..=13 {
            let mut ledger = Ledger::new(Bounds::default());
            let mut queue = filled(&mut ledger, &[b"one", b"", b"three"]);
            let whole = rest(&queue);
            queue.advance(first, &mut ledger);
            assert_eq!(rest(&queue), whole[first..]);
            queue.advance(whole.len() - first, &mut ledger);
            assert!(queue.is_empty() && ledger.figures.messages_out == 3);
        }
    }

    #[test]
    fn queues_share_the_bytes_of_a_message() {
        let mut ledger = Ledger::new(Bounds::default());
        let frame = Frame::new(&[b"for a thousand"]).unwrap();
        for _ in 0..1000 {
            let mut queue = Queue::default();
            queue.push(frame.clone(), Kind::Payload, &mut ledger);
            let mut list = [IoSlice::new(&[]); WRITE_MESSAGES];
            queue.gather(&mut list);
            assert_eq!(list[0].as_ptr(), frame.bytes().as_ptr());
        }
    }
}

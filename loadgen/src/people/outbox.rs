//! Datagrams that wait to be sent, one behind the other in one text, each with the number of the address that it leaves from.

use std::ops::Range;

/// Datagrams from many addresses, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    text: Vec<u8>,
    list: Vec<(u32, Range<usize>)>,
}

impl Outbox {
    /// One more from this address, of these pieces.
    pub fn put(&mut self, place: u32, pieces: &[&[u8]]) {
        let start = self.text.len();
        pieces.iter().for_each(|piece| self.text.extend_from_slice(piece));
        self.list.push((place, start..self.text.len()));
    }

    /// What is said from where.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.list.iter().map(|(place, range)| (*place, &self.text[range.clone()]))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Forgets them, keeping the allocation.
    pub fn clear(&mut self) {
        self.text.clear();
        self.list.clear();
    }
}

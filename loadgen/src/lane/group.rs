//! One group, and what each of its members has seen of each of its senders.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use wire::GroupId;

use super::book::{Book, Seen};

/// A group of a lane.
#[derive(Debug)]
pub struct Group {
    /// Its clients' numbers in the lane.
    pub clients: Range<u32>,
    /// Its name, once the relay has given one.
    pub id: Option<GroupId>,
    /// Members that are counted.
    pub members: u32,
    /// When the relay made it, in milliseconds since the start of the lane.
    pub created: u32,
    /// The client whose turn it is to ask for the group, counted from the first.
    pub creator: u32,
    /// True while that client asks.
    pub creating: bool,
    /// The next sequence number of each sender.
    pub sequences: Box<[u32]>,
    /// What each receiver has seen of each sender; empty until somebody has heard something.
    book: Book,
    /// Payloads on their way (closed loop only).
    pub places: Box<[Place]>,
    /// The sender whose turn is next (closed loop only).
    pub turn: u32,
}

/// A payload on its way (closed loop only).
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// Its number; `None` if the place is free.
    pub number: Option<u64>,
    /// Members that it has not reached.
    pub missing: u32,
}

/// Payloads that are on their way longer than a second are given up and their place is free (closed loop only).
pub type Overdue = VecDeque<(Duration, u32, u16, u64)>;

impl Group {
    /// A group of these clients, so many of whom send.
    pub fn new(clients: Range<u32>, senders: u32) -> Self {
        Group {
            clients,
            id: None,
            members: 0,
            created: 0,
            creator: 0,
            creating: false,
            sequences: vec![0; senders as usize].into(),
            book: Book::default(),
            places: Box::default(),
            turn: 0,
        }
    }

    /// Forgets what was seen, where a measurement begins, and remembers so many words of each pair from now on.
    pub fn forget(&mut self, words: usize) {
        self.sequences.fill(0);
        self.book = Book::with_words(words);
    }

    /// The client whose turn it is to ask for the group.
    pub fn creator(&self) -> u32 {
        self.clients.start + self.creator % self.clients.len() as u32
    }

    /// Takes note that a receiver has got a payload of a sender, who is given by its place.
    pub fn see(&mut self, receiver: u32, sender: u32, sequence: u32) -> Seen {
        let senders = self.sequences.len();
        let pair = (receiver - self.clients.start) as usize * senders + sender as usize;
        self.book.see(pair, self.clients.len() * senders, sequence)
    }
}

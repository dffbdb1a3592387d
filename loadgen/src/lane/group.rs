//! One group, and what each of its members has seen of each of its senders.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use wire::GroupId;

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
    /// Sender x receiver, a receiver's senders side by side; empty until somebody sends.
    pairs: Box<[Pair]>,
    /// Payloads on their way (closed loop only).
    pub places: Box<[Place]>,
    /// The sender whose turn is next (closed loop only).
    pub turn: u32,
}

/// What a receiver has seen of a sender: 12 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// One more than the highest sequence number that was seen.
    next: u32,
    /// Which of the 64 before `next` were seen; bit 0 is the highest.
    seen: [u32; 2],
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

/// What the arrival of a copy means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The next one or a later one.
    New,
    /// One that a later one had overtaken.
    Reordered,
    /// One that had arrived before.
    Duplicate,
}

impl Pair {
    /// Takes note of an arrival. What is 64 or more behind is taken for reordered, not for a duplicate.
    pub fn see(&mut self, sequence: u32) -> Seen {
        let seen = u64::from(self.seen[0]) | u64::from(self.seen[1]) << 32;
        let (verdict, seen) = if sequence >= self.next {
            let ahead = sequence - self.next + 1;
            self.next = sequence.wrapping_add(1);
            (Seen::New, seen.checked_shl(ahead).unwrap_or(0) | 1)
        } else {
            match 1_u64.checked_shl(self.next - 1 - sequence) {
                Some(bit) if seen & bit != 0 => (Seen::Duplicate, seen),
                bit => (Seen::Reordered, seen | bit.unwrap_or(0)),
            }
        };
        self.seen = [seen as u32, (seen >> 32) as u32];
        verdict
    }
}

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
            pairs: Box::default(),
            places: Box::default(),
            turn: 0,
        }
    }

    /// Forgets what was seen; called where a measurement begins.
    pub fn forget(&mut self) {
        self.sequences.fill(0);
        self.pairs.fill(Pair::default());
    }

    /// The client whose turn it is to ask for the group.
    pub fn creator(&self) -> u32 {
        self.clients.start + self.creator % self.clients.len() as u32
    }

    /// What a receiver has seen of a sender, which is given by its place.
    pub fn pair(&mut self, receiver: u32, sender: u32) -> &mut Pair {
        let senders = self.sequences.len();
        if self.pairs.is_empty() {
            self.pairs = vec![Pair::default(); self.clients.len() * senders].into();
        }
        &mut self.pairs[(receiver - self.clients.start) as usize * senders + sender as usize]
    }
}

const _: () = assert!(size_of::<Pair>() == 12);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(sequences: &[u32]) -> Vec<Seen> {
        let mut pair = Pair::default();
        sequences.iter().map(|&sequence| pair.see(sequence)).collect()
    }

    #[test]
    fn order_and_repeats_are_told_apart() {
        use Seen::{Duplicate, New, Reordered};
        assert_eq!(
            seen(&[0, 1, 1, 4, 3, 3, 2, 5]),
            [New, New, Duplicate, New, Reordered, Duplicate, Reordered, New]
        );
        assert_eq!(
            seen(&[100, 36, 37, 37, 1000, 999]),
            [New, Reordered, Reordered, Duplicate, New, Reordered]
        );
    }

    proptest! {
        /// Against a set, for any order within the window.
        #[test]
        fn every_copy_is_new_or_late_once(sequences in prop::collection::vec(0..64_u32, 0..200)) {
            let (mut all, mut highest) = (std::collections::HashSet::new(), None);
            for (sequence, verdict) in sequences.iter().zip(seen(&sequences)) {
                let expected = match (all.insert(*sequence), highest.is_some_and(|highest| *sequence < highest)) {
                    (false, _) => Seen::Duplicate,
                    (true, true) => Seen::Reordered,
                    (true, false) => Seen::New,
                };
                prop_assert_eq!(verdict, expected);
                highest = highest.max(Some(*sequence));
            }
        }
    }
}

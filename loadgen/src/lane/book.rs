//! What each receiver has seen of each sender: the last sequence numbers, one bit for each.

/// What the arrival of a copy means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The next one or a later one.
    New,
    /// One that a later one had overtaken.
    Reordered,
    /// One that had arrived before.
    Duplicate,
    /// One so old that it is not known any more whether it had arrived before.
    TooLate,
}

/// The pairs of receivers and senders of one group: 4 bytes and so many words of 8 each.
#[derive(Debug, Default)]
pub struct Book {
    words: usize,
    /// One more than the highest sequence number that was seen.
    next: Box<[u32]>,
    /// A ring of bits for each pair: that of a sequence number is at its remainder.
    seen: Box<[u64]>,
}

impl Book {
    /// A book that remembers the last 64 payloads of each pair in each word. It takes no memory until something is seen.
    pub fn with_words(words: usize) -> Self {
        Book { words: words.max(1), ..Book::default() }
    }

    /// Takes note of an arrival at one of so many pairs.
    pub fn see(&mut self, pair: usize, pairs: usize, sequence: u32) -> Seen {
        if self.next.is_empty() {
            self.words = self.words.max(1);
            self.next = vec![0; pairs].into();
            self.seen = vec![0; pairs * self.words].into();
        }
        let seen = &mut self.seen[pair * self.words..(pair + 1) * self.words];
        see(&mut self.next[pair], seen, sequence)
    }
}

fn see(next: &mut u32, seen: &mut [u64], sequence: u32) -> Seen {
    let window = seen.len() as u32 * u64::BITS;
    if sequence >= *next {
        if sequence - *next >= window {
            seen.fill(0);
        } else {
            (*next..sequence).for_each(|missed| *word(seen, missed) &= !bit(missed));
        }
        *word(seen, sequence) |= bit(sequence);
        *next = sequence.saturating_add(1);
        return Seen::New;
    }
    if *next - sequence > window {
        return Seen::TooLate;
    }
    let word = word(seen, sequence);
    let verdict = if *word & bit(sequence) == 0 { Seen::Reordered } else { Seen::Duplicate };
    *word |= bit(sequence);
    verdict
}

fn word(seen: &mut [u64], sequence: u32) -> &mut u64 {
    let words = seen.len();
    &mut seen[(sequence / u64::BITS) as usize % words]
}

fn bit(sequence: u32) -> u64 {
    1 << (sequence % u64::BITS)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(words: usize, sequences: &[u32]) -> Vec<Seen> {
        let mut book = Book::with_words(words);
        sequences.iter().map(|&sequence| book.see(1, 3, sequence)).collect()
    }

    #[test]
    fn order_and_repeats_are_told_apart() {
        use Seen::{Duplicate, New, Reordered, TooLate};
        assert_eq!(
            seen(1, &[0, 1, 1, 4, 3, 3, 2, 5]),
            [New, New, Duplicate, New, Reordered, Duplicate, Reordered, New]
        );
        assert_eq!(
            seen(1, &[100, 36, 37, 37, 1000, 999, 936]),
            [New, TooLate, Reordered, Duplicate, New, Reordered, TooLate]
        );
        assert_eq!(seen(2, &[100, 36, 1000, 873, 872]), [New, Reordered, New, Reordered, TooLate]);
    }

    proptest! {
        /// Against a set, for any order and any window.
        #[test]
        fn every_copy_is_new_or_late_once(
            words in 1..4_usize,
            sequences in prop::collection::vec(0..400_u32, 0..300),
        ) {
            let (mut all, mut next) = (std::collections::HashSet::new(), 0);
            for (&sequence, verdict) in sequences.iter().zip(seen(words, &sequences)) {
                let is_too_late = sequence + 64 * (words as u32) < next;
                let expected = match (is_too_late, all.contains(&sequence), sequence < next) {
                    (true, ..) => Seen::TooLate,
                    (_, true, _) => Seen::Duplicate,
                    (_, _, true) => Seen::Reordered,
                    _ => Seen::New,
                };
                prop_assert_eq!(verdict, expected);
                if !is_too_late {
                    all.insert(sequence);
                }
                next = next.max(sequence + 1);
            }
        }
    }
}

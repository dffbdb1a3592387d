//! Finds messages in a stream, however it is cut.

use std::ops::Range;

use super::limits::{HEADER, LARGEST_MESSAGE};

/// What a connection's stream holds next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A message, at these positions.
    Message(Range<usize>),
    /// One that is too long; its bytes are skipped from here on.
    TooLarge,
}

/// How far a stream has been understood.
#[derive(Debug, Default)]
pub(super) struct Framing {
    /// Bytes to come that are to be skipped.
    skip: usize,
}

impl Framing {
    /// The next of what is whole in `bytes[*at..]`; `at` moves behind it. If there is none, what is left belongs to a
    /// message whose rest has not come, and is less than [`HEADER`] and [`LARGEST_MESSAGE`].
    pub(super) fn next(&mut self, bytes: &[u8], at: &mut usize) -> Option<Found> {
        loop {
            let skipped = self.skip.min(bytes.len() - *at);
            self.skip -= skipped;
            *at += skipped;
            let (header, rest) = bytes[*at..].split_first_chunk::<HEADER>()?;
            let start = *at + HEADER;
            match usize::from(u16::from_be_bytes(*header)) {
                len if len > LARGEST_MESSAGE => {
                    self.skip = len;
                    *at = start;
                    return Some(Found::TooLarge);
                }
                len if len > rest.len() => return None,
                0 => *at = start,
                len => {
                    *at = start + len;
                    return Some(Found::Message(start..*at));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// What a stream holds when it comes in these pieces: each message's bytes, or none for one that is too long.
    fn understand(pieces: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        let (mut framing, mut kept, mut found) = (Framing::default(), Vec::new(), Vec::new());
        for piece in pieces {
            kept.extend_from_slice(piece);
            let mut at = 0;
            while let Some(next) = framing.next(&kept, &mut at) {
                found.push(match next {
                    Found::Message(range) => Some(kept[range].to_vec()),
                    Found::TooLarge => None,
                });
            }
            kept.drain(..at);
            assert!(kept.len() < HEADER + LARGEST_MESSAGE);
        }
        found
    }

    fn stream_of(lengths: &[u16]) -> Vec<u8> {
        let message =
            |(at, len): (usize, &u16)| [&len.to_be_bytes()[..], &vec![at as u8; usize::from(*len)]].concat();
        lengths.iter().enumerate().flat_map(message).collect()
    }

    #[test]
    fn lengths_at_the_edges() {
        let largest = LARGEST_MESSAGE as u16;
        let stream = stream_of(&[0, 1, largest, largest + 1, 0, 0, u16::MAX, 2]);
        let found = understand(&[&stream]);
        let lengths: Vec<_> = found.iter().map(|message| message.as_ref().map(Vec::len)).collect();
        assert_eq!(lengths, [Some(1), Some(LARGEST_MESSAGE), None, None, Some(2)]);
        assert_eq!(found[4], Some(vec![7, 7]));
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            lengths in vec(prop_oneof![0..9_u16, 0..5000_u16, Just(u16::MAX)], 0..20),
            cuts in vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let stream = stream_of(&lengths);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
            let meant: Vec<_> = lengths.iter().enumerate().filter(|(_, len)| **len > 0).map(|(at, len)| {
                (usize::from(*len) <= LARGEST_MESSAGE).then(|| vec![at as u8; usize::from(*len)])
            }).collect();
            prop_assert_eq!(understand(&pieces), meant);
        }
    }
}

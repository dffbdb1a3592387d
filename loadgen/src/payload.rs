//! The payloads: each says who sent it, when it was meant to leave, and whether it arrived intact.

use std::time::Duration;

use crc32fast::Hasher;

/// Bytes of the stamp, and of the shortest payload.
pub const STAMP: usize = 40;

/// No reply and no command begins like this.
const MAGIC: [u8; 2] = *b"Lg";

/// Where the check value stands in the stamp.
const CHECK: usize = 36;

/// What stands at the start of each payload.
///
/// ```text
/// 0 magic "Lg" | 2 epoch u16 | 4 run u32 | 8 sender u32 | 12 sequence u32
/// 16 intended time u64, ns since the start of the sending thread
/// 24 number u64 | 32 window place u16 | 34 zero | 36 CRC-32 of everything else | 40 filler
/// ```
/// All numbers are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The measurement that it belongs to; 0 for traffic that is not counted.
    pub epoch: u16,
    /// The thread that sent it, and that alone expects it.
    pub run: u32,
    /// The sender's number in that thread.
    pub sender: u32,
    /// How many payloads the sender had sent before in this measurement.
    pub sequence: u32,
    /// When it was meant to leave.
    pub intended: Duration,
    /// How many payloads the thread had sent before, ever.
    pub number: u64,
    /// Its place among the payloads that are on their way in its group (closed loop only).
    pub place: u16,
}

/// Bytes that payloads are made of, different at each offset, so that a shifted or torn one is seen.
pub struct Filler(Box<[u8]>);

impl Filler {
    /// Filler that depends on the seed alone.
    pub fn new(seed: u64) -> Self {
        use rand::{RngExt, SeedableRng, rngs::SmallRng};
        let mut rng = SmallRng::seed_from_u64(seed);
        Filler((0..wire::MAX_DATAGRAM).map(|_| rng.random()).collect())
    }

    /// The payload of this stamp with so many bytes, [`STAMP`] to [`wire::MAX_DATAGRAM`].
    pub fn payload(&mut self, stamp: &Stamp, size: usize) -> &[u8] {
        let bytes = &mut self.0[..size.max(STAMP)];
        stamp.write(bytes);
        bytes
    }
}

impl Stamp {
    fn write(&self, bytes: &mut [u8]) {
        bytes[..2].copy_from_slice(&MAGIC);
        bytes[2..4].copy_from_slice(&self.epoch.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.run.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.sender.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[16..24].copy_from_slice(&(self.intended.as_nanos() as u64).to_le_bytes());
        bytes[24..32].copy_from_slice(&self.number.to_le_bytes());
        bytes[32..34].copy_from_slice(&self.place.to_le_bytes());
        bytes[34..36].copy_from_slice(&[0; 2]);
        let check = check(bytes);
        bytes[CHECK..STAMP].copy_from_slice(&check.to_le_bytes());
    }

    /// True for bytes that would be a payload if they were intact.
    pub fn is_meant(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC)
    }

    /// Reads a payload; None unless every byte is as it was sent.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() < STAMP || !Self::is_meant(bytes) {
            return None;
        }
        let half = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let word = |at: usize| u32::from(half(at)) | u32::from(half(at + 2)) << 16;
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        if word(CHECK) != check(bytes) {
            return None;
        }
        Some(Stamp {
            epoch: half(2),
            run: word(4),
            sender: word(8),
            sequence: word(12),
            intended: Duration::from_nanos(long(16)),
            number: long(24),
            place: half(32),
        })
    }
}

fn check(bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&bytes[..CHECK]);
    hasher.update(&bytes[STAMP..]);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAMPED: Stamp = Stamp {
        epoch: 7,
        run: 0xdead_beef,
        sender: 99_999,
        sequence: u32::MAX,
        intended: Duration::from_nanos(u64::MAX / 3),
        number: u64::MAX - 5,
        place: 63,
    };

    #[test]
    fn what_is_written_is_read() {
        let mut filler = Filler::new(1);
        for size in [STAMP, STAMP + 1, 512, 4096] {
            let payload = filler.payload(&STAMPED, size);
            assert_eq!((payload.len(), Stamp::read(payload)), (size, Some(STAMPED)));
        }
    }

    proptest! {
        #[test]
        fn any_change_is_seen(size in STAMP..600, at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
            let mut payload = Filler::new(2).payload(&STAMPED, size).to_vec();
            payload[at.index(size)] ^= flip;
            prop_assert_eq!(Stamp::read(&payload), None);
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), cut in 0..600_usize) {
            let _ = Stamp::read(&bytes);
            let payload = Filler::new(3).payload(&STAMPED, 599).to_vec();
            prop_assert_eq!(Stamp::read(&payload[..cut.min(598)]), None);
        }
    }
}

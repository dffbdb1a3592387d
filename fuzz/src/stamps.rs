//! Any bytes, as the load generator reads the payloads that come back to it.

use loadgen::payload::{Filler, STAMP, Stamp};

/// Where the check value stands, after which the filler begins.
const CHECK: std::ops::Range<usize> = 36..STAMP;

/// Panics if a payload is read from bytes that are none, or not read from bytes that are one.
pub fn check(bytes: &[u8]) {
    if let Some(stamp) = Stamp::read(bytes) {
        assert!(Stamp::is_meant(bytes));
        check_written(&stamp);
    }
    if bytes.len() > STAMP {
        check_sealed(bytes);
    }
}

fn check_written(stamp: &Stamp) {
    assert_eq!(Stamp::read(Filler::new(0).payload(stamp, STAMP)).as_ref(), Some(stamp));
}

/// The first byte chooses one of the others, which is changed after the check value was made to fit.
fn check_sealed(bytes: &[u8]) {
    let (at, flip) = (usize::from(bytes[0]) % (bytes.len() - 1), bytes[1] | 1);
    let mut payload = bytes[1..].to_vec();
    payload[..2].copy_from_slice(b"Lg");
    let mut sum = crc32fast::Hasher::new();
    sum.update(&payload[..CHECK.start]);
    sum.update(&payload[CHECK.end..]);
    payload[CHECK].copy_from_slice(&sum.finalize().to_le_bytes());
    let stamp = Stamp::read(&payload).expect("every byte is as it was sent");
    check_written(&stamp);
    payload[at] ^= flip;
    assert_eq!(Stamp::read(&payload), None, "a changed byte");
}

//! A message as it travels: its length, and its bytes.

use std::iter::repeat_n;
use std::sync::Arc;

use super::limits::HEADER;

/// A message with its length before it, made once for any number of connections: clones share the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Arc<[u8]>);

/// A message has more bytes than its length can say: 65,535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of {0} bytes is too long for a stream")]
pub struct TooLong(pub usize);

impl Frame {
    /// The parts, one after the other, as one message.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn new(parts: &[&[u8]]) -> Result<Frame, TooLong> {
        let len = parts.iter().map(|part| part.len()).sum();
        let header = u16::try_from(len).map_err(|_| TooLong(len))?.to_be_bytes();
        let mut frame: Arc<[u8]> = repeat_n(0, HEADER + len).collect();
        // It has no clone yet.
        if let Some(mut rest) = Arc::get_mut(&mut frame) {
            for part in [&header[..]].iter().chain(parts) {
                let (place, behind) = rest.split_at_mut(part.len());
                place.copy_from_slice(part);
                rest = behind;
            }
        }
        Ok(Frame(frame))
    }

    /// The length and the message.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_one_message() {
        assert_eq!(Frame::new(&[b"ab", b"", b"c"]).unwrap().bytes(), b"\x00\x03abc");
        assert_eq!(Frame::new(&[]).unwrap().bytes(), b"\x00\x00");
        assert_eq!(Frame::new(&[&[7; 300]]).unwrap().bytes()[..3], [1, 44, 7]);
    }

    #[test]
    fn a_length_says_no_more_than_two_bytes_can() {
        assert_eq!(Frame::new(&[&[0; 65_535]]).unwrap().bytes().len(), 65_537);
        assert_eq!(Frame::new(&[&[0; 65_535], b"1"]), Err(TooLong(65_536)));
    }
}

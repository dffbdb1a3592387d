//! A short text in place: what the relay says in one datagram.

use core::fmt;

/// Up to [`Text::CAPACITY`] bytes of text without an allocation.
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; Text::CAPACITY],
    len: u8,
}

impl Text {
    /// Room for the longest reply (`!OK HELLO` with a token of 26 letters and a heartbeat of 21 digits is 60 bytes).
    pub const CAPACITY: usize = 80;

    /// An empty text.
    pub const fn new() -> Self {
        Self { bytes: [0; Self::CAPACITY], len: 0 }
    }

    /// The bytes written so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let start = usize::from(self.len);
        let room = self.bytes.get_mut(start..start + more.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(more.as_bytes());
        self.len += more.len() as u8;
        Ok(())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_bytes().escape_ascii())
    }
}

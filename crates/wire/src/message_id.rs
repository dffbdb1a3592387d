//! What a sender calls a message, so that everybody recognises its repeats.

use core::fmt;

/// A message's id: 1 to [`MessageId::MAX`] bytes of `!` to `~`, of which the first `len` count. One sender gives each message
/// another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId {
    bytes: [u8; MessageId::MAX],
    len: u8,
}

impl MessageId {
    /// Length in bytes, at most.
    pub const MAX: usize = 20;

    /// Reads an id; `None` for a text that can be none.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let is_good = (1..=Self::MAX).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic);
        is_good.then(|| {
            let mut bytes = [0; Self::MAX];
            bytes[..text.len()].copy_from_slice(text);
            Self { bytes, len: text.len() as u8 }
        })
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_one_to_twenty_visible_ascii_bytes() {
        for text in ["!", "~", "a", "12345678901234567890"] {
            assert_eq!(MessageId::parse(text.as_bytes()).unwrap().as_str(), text);
        }
        for text in ["", " ", "a b", "123456789012345678901", "\u{e9}", "a\n"] {
            assert_eq!(MessageId::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}

//! The name of a group: 1 to 32 bytes of `A-Z`, `0-9`, `_` and `-`.

use core::fmt;
use core::hash::{Hash, Hasher};

/// A canonical (upper-case) group id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId {
    /// Zero behind `len`, so that the derived comparisons hold.
    bytes: [u8; GroupId::MAX_LEN],
    len: u8,
}

/// The text is not a group id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidGroupId;

impl GroupId {
    /// The longest id, in bytes.
    pub const MAX_LEN: usize = 32;
    /// Length of the ids that the relay generates unless configured, and the least that can be, in bytes.
    pub const GENERATED_LEN: usize = 8;
    /// The letters of generated ids: those of the original server, `A-Z` without `O` and `1-9`.
    pub const ALPHABET: &'static [u8; 34] = b"ABCDEFGHIJKLMNPQRSTUVWXYZ123456789";

    /// Reads an id, folding ASCII lower case to upper case.
    ///
    /// # Errors
    /// [`InvalidGroupId`] unless the text is 1 to 32 bytes of `A-Z`, `a-z`, `0-9`, `_` and `-`.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidGroupId> {
        if text.is_empty() || text.len() > Self::MAX_LEN {
            return Err(InvalidGroupId);
        }
        let mut bytes = [0; Self::MAX_LEN];
        for (to, from) in bytes.iter_mut().zip(text) {
            *to = from.to_ascii_uppercase();
            if !matches!(*to, b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-') {
                return Err(InvalidGroupId);
            }
        }
        Ok(Self { bytes, len: text.len() as u8 })
    }

    /// Makes an id of generated letters: one for each number, which counts in [`GroupId::ALPHABET`], up to
    /// [`GroupId::MAX_LEN`] of them.
    pub fn generated(letters: impl IntoIterator<Item = u8>) -> Self {
        let (mut bytes, mut len) = ([0; Self::MAX_LEN], 0);
        for (to, from) in bytes.iter_mut().zip(letters) {
            *to = Self::ALPHABET[usize::from(from) % Self::ALPHABET.len()];
            len += 1;
        }
        Self { bytes, len }
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl Hash for GroupId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.bytes[..usize::from(self.len)]);
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupId({self})")
    }
}

impl core::str::FromStr for GroupId {
    type Err = InvalidGroupId;

    fn from_str(text: &str) -> Result<Self, InvalidGroupId> {
        Self::parse(text.as_bytes())
    }
}

impl fmt::Display for InvalidGroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a group id is 1 to 32 characters of A-Z, 0-9, _ and -")
    }
}

impl core::error::Error for InvalidGroupId {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_ascii_case_only() {
        assert_eq!(GroupId::parse(b"lobby-1").unwrap().as_str(), "LOBBY-1");
        assert_eq!(GroupId::parse("straße".as_bytes()), Err(InvalidGroupId));
        assert_eq!(GroupId::parse("ABCDEF\u{131}".as_bytes()), Err(InvalidGroupId));
    }

    #[test]
    fn bounds_the_length() {
        assert_eq!(GroupId::parse(b""), Err(InvalidGroupId));
        assert!(GroupId::parse(&[b'A'; 32]).is_ok());
        assert_eq!(GroupId::parse(&[b'A'; 33]), Err(InvalidGroupId));
    }

    #[test]
    fn alphabet_is_the_original_one() {
        assert!(!GroupId::ALPHABET.contains(&b'O') && !GroupId::ALPHABET.contains(&b'0'));
        assert!(GroupId::ALPHABET.contains(&b'I') && GroupId::ALPHABET.contains(&b'1'));
        assert_eq!(GroupId::generated([0, 1, 2, 3, 30, 31, 32, 33]).as_str(), "ABCD6789");
        assert_eq!(GroupId::generated([33; 40]).as_str(), "9".repeat(32));
    }
}

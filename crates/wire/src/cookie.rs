//! A cookie: what the relay tells an address, so that whoever repeats it has shown to receive there.

use core::fmt;

use crate::GroupId;

/// A cookie of [`Cookie::LEN`] letters of [`GroupId::ALPHABET`], some 81 bits. It is read in any case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Cookie([u8; Cookie::LEN]);

/// What stands behind the group of a JOIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing.
    None,
    /// A cookie, of whichever age and address.
    Cookie(Cookie),
    /// Something that can be no cookie.
    Other,
}

impl Cookie {
    /// Length in bytes.
    pub const LEN: usize = 16;

    /// What a client shows that has no cookie and wants one: it is as good as never the right one, and whoever needs none
    /// ignores it.
    pub const ASK: Self = Self([GroupId::ALPHABET[0]; Self::LEN]);

    /// Makes a cookie of the low digits of a number, which count in [`GroupId::ALPHABET`]. Of 128 random bits no letter
    /// is likelier than another by more than 2^-46.
    pub fn of(mut number: u128) -> Self {
        const LETTERS: u128 = GroupId::ALPHABET.len() as u128;
        Self(core::array::from_fn(|_| {
            let letter = GroupId::ALPHABET[(number % LETTERS) as usize];
            number /= LETTERS;
            letter
        }))
    }

    /// Reads a cookie; `None` for a text that can be none.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let letters: [u8; Self::LEN] = text.try_into().ok()?;
        let letters = letters.map(|letter| letter.to_ascii_uppercase());
        letters.iter().all(|letter| GroupId::ALPHABET.contains(letter)).then_some(Self(letters))
    }

    /// The cookie's text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cookie({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_texts_are_no_cookies() {
        for text in
            [&b""[..], b"ABCDEFGHIJKLMNP", b"ABCDEFGHIJKLMNPQR", b"ABCDEFGHIJKLMNP0", b"ABCDEFGH JKLMNPQ"]
        {
            assert_eq!(Cookie::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn every_digit_counts() {
        let cookies: std::vec::Vec<_> = (0..16).map(|digit| Cookie::of(34u128.pow(digit))).collect();
        for (at, cookie) in cookies.iter().enumerate() {
            assert_eq!(cookies.iter().position(|other| other == cookie), Some(at), "{cookie}");
        }
        assert_eq!(Cookie::of(33).as_str(), "9AAAAAAAAAAAAAAA");
    }

    proptest! {
        #[test]
        fn are_read_as_they_were_written(number: u128) {
            let cookie = Cookie::of(number);
            prop_assert_eq!(Cookie::parse(cookie.as_str().as_bytes()), Some(cookie));
            prop_assert_eq!(Cookie::parse(cookie.as_str().to_ascii_lowercase().as_bytes()), Some(cookie));
        }
    }
}

//! A token: what a session is known by, and what only its client was told.

use core::fmt;

use crate::GroupId;

/// A token of [`Token::LEN`] letters of [`GroupId::ALPHABET`]: 128 bits. It is read in any case.
///
/// Whoever has it can take the session over: it is a bearer secret, and travels in clear text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token([u8; 16]);

impl Token {
    /// Length in bytes: as few letters of the alphabet as hold 128 bits (34^25 < 2^128 < 34^26).
    pub const LEN: usize = 26;

    /// The token of a number, which had better be random.
    pub fn of(number: u128) -> Self {
        Self(number.to_le_bytes())
    }

    /// The number that it was made of.
    pub fn number(self) -> u128 {
        u128::from_le_bytes(self.0)
    }

    /// Reads a token; `None` for a text that can be none.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != Self::LEN {
            return None;
        }
        text.iter()
            .try_rfold(0u128, |number, letter| {
                let letter = letter.to_ascii_uppercase();
                let digit = GroupId::ALPHABET.iter().position(|&other| other == letter)?;
                number.checked_mul(LETTERS)?.checked_add(digit as u128)
            })
            .map(Self::of)
    }

    /// The token's letters, the low digits first.
    pub fn letters(self) -> [u8; Self::LEN] {
        let mut number = self.number();
        core::array::from_fn(|_| {
            let letter = GroupId::ALPHABET[(number % LETTERS) as usize];
            number /= LETTERS;
            letter
        })
    }
}

const LETTERS: u128 = GroupId::ALPHABET.len() as u128;

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.letters()).unwrap_or_default())
    }
}

/// Without the token: what is logged must not let anybody take a session over.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn other_texts_are_no_tokens() {
        let right = Token::of(u128::MAX).to_string();
        assert_eq!(Token::parse(right.as_bytes()), Some(Token::of(u128::MAX)));
        for text in
            ["", &right[1..], &std::format!("{right}A"), &right.replace(&right[..1], "0"), &"9".repeat(26)]
        {
            assert_eq!(Token::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn is_not_shown_to_who_debugs() {
        assert_eq!(std::format!("{:?}", Token::of(7)), "Token(..)");
    }

    proptest! {
        #[test]
        fn are_read_as_they_were_written(number: u128) {
            let text = Token::of(number).to_string();
            prop_assert_eq!(Token::parse(text.as_bytes()), Some(Token::of(number)));
            prop_assert_eq!(Token::parse(text.to_ascii_lowercase().as_bytes()), Some(Token::of(number)));
        }
    }
}

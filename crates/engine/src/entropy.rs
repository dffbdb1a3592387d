//! Random group ids and tokens, from whatever source the caller trusts.

use wire::{GroupId, Token};

/// Fills a slice with random bytes.
type Fill = Box<dyn FnMut(&mut [u8]) + Send>;

/// Letters for group ids, drawn without bias from a source of random bytes.
pub struct Entropy {
    fill: Fill,
    bytes: [u8; Entropy::RESERVE],
    left: usize,
}

impl Entropy {
    /// Bytes asked for at once: one request lasts for about 30 ids of the usual length.
    const RESERVE: usize = 256;

    /// `fill` must be a cryptographic generator: whoever guesses a group's id can join it.
    pub fn new(fill: impl FnMut(&mut [u8]) + Send + 'static) -> Self {
        Self { fill: Box::new(fill), bytes: [0; Self::RESERVE], left: 0 }
    }

    pub(crate) fn group_id(&mut self, length: u8) -> GroupId {
        GroupId::generated((0..length).map(|_| self.letter()))
    }

    /// 128 random bits.
    pub(crate) fn token(&mut self) -> Token {
        Token::of(u128::from_le_bytes(std::array::from_fn(|_| self.byte())))
    }

    fn byte(&mut self) -> u8 {
        if self.left == 0 {
            (self.fill)(&mut self.bytes);
            self.left = Self::RESERVE;
        }
        self.left -= 1;
        // What is made of it is a secret: do not keep it.
        std::mem::take(&mut self.bytes[self.left])
    }

    /// A number below 34. Bytes from 238 = 7 x 34 on would favour the first letters and are drawn again.
    fn letter(&mut self) -> u8 {
        const LETTERS: u8 = GroupId::ALPHABET.len() as u8;
        loop {
            let byte = self.byte();
            if byte < u8::MAX / LETTERS * LETTERS {
                return byte % LETTERS;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_is_equally_likely() {
        let mut next = 0u8;
        let mut entropy = Entropy::new(move |bytes| {
            for byte in bytes {
                *byte = next;
                next = next.wrapping_add(1);
            }
        });
        let mut seen = [0u32; 34];
        for _ in 0..34 * 7 * 10 {
            seen[usize::from(entropy.letter())] += 1;
        }
        assert_eq!(seen, [70; 34]);
    }
}

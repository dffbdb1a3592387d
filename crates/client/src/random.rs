//! Random numbers, for ids that nobody else gives.

use wire::{MessageId, Token};

/// A generator (splitmix64) with a seed: enough for ids, which are no secrets.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Seeded by the operating system.
    pub(crate) fn of_system() -> Result<Self, getrandom::Error> {
        getrandom::u64().map(Self)
    }

    /// The same numbers for the same seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Between 0.9 and 1: so much of an interval, so that clients drift apart.
    pub(crate) fn nearly_one(&mut self) -> f64 {
        1.0 - (self.number() >> 11) as f64 / (1u64 << 53) as f64 * 0.1
    }

    /// A message's id of 20 letters: some 100 bits.
    pub(crate) fn message_id(&mut self) -> MessageId {
        let number = u128::from(self.number()) << 64 | u128::from(self.number());
        let letters = Token::of(number).letters();
        // 20 letters of the alphabet of ids always are one; a recursion that never happens keeps this total.
        MessageId::parse(&letters[..MessageId::MAX]).unwrap_or_else(|| self.message_id())
    }
}

/// A claim for a name that one does not have yet, as random as those that the relay chooses.
///
/// # Errors
/// The operating system has no random numbers.
pub fn choose_claim() -> Result<Token, getrandom::Error> {
    let (high, low) = (getrandom::u64()?, getrandom::u64()?);
    Ok(Token::of(u128::from(high) << 64 | u128::from(low)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_differ_and_seeds_repeat_them() {
        let ids = |seed| -> BTreeSet<_> {
            let mut random = Random::seeded(seed);
            (0..1000).map(|_| random.message_id()).collect()
        };
        assert_eq!(ids(1).len(), 1000);
        assert_eq!(ids(1), ids(1));
        assert!(ids(1).is_disjoint(&ids(2)));
    }

    #[test]
    fn claims_that_are_chosen_differ() {
        let claims: BTreeSet<_> = (0..1000).map(|_| choose_claim().unwrap().letters()).collect();
        assert_eq!(claims.len(), 1000);
    }

    #[test]
    fn fractions_stay_in_their_range() {
        let mut random = Random::of_system().unwrap();
        assert!((0..1000).map(|_| random.nearly_one()).all(|number| (0.9..=1.0).contains(&number)));
    }
}

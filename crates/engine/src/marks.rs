//! Who has done something too often lately, in a fixed table that the shards share and in which nobody counts for another.
//!
//! **[`Marks`] never takes one key for another, as [`Buckets`](crate::buckets::Buckets) do when many share a bucket.** A key
//! has a place in each of four rows, and leaves its mark and its count there; who comes to the same place later puts its own in
//! their stead. A key has done it too often if three of its places say so. A crowd that fills the table so frees its own: what it
//! does has to be bounded elsewhere, too.

use crate::Tick;
use crate::buckets::Rate;
use crate::sync::{AtomicU64, Ordering};

/// Places of a key.
const ROWS: usize = 4;
/// Those of them that have to know it.
const KNOWING: usize = 3;
/// Bits of a place that hold microseconds: nine years of them. The others hold the mark.
const TIME_BITS: u32 = 48;

/// Counted backwards, as buckets do.
pub(crate) struct Marks {
    places: Box<[AtomicU64]>,
    row: usize,
    rate: Rate,
}

impl Marks {
    /// Nobody has done anything; so many places in each row.
    pub fn new(row: usize, rate: Rate) -> Self {
        Self { places: (0..ROWS * row).map(|_| AtomicU64::new(0)).collect(), row, rate }
    }

    /// The key with this hash has done it once more.
    pub fn charge(&self, hash: u64, now: Tick) {
        let (mark, now) = (mark(hash), micros(now));
        let charged = |place| {
            let (other, due) = parted(place);
            let due = if other == mark { due.max(now) } else { now };
            Some(mark << TIME_BITS | (due + self.rate.interval))
        };
        for place in self.places(hash) {
            let _ = place.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charged);
        }
    }

    /// True if the key with this hash has done it too often.
    pub fn is_spent(&self, hash: u64, now: Tick) -> bool {
        let (mark, latest) = (mark(hash), micros(now) + self.rate.slack());
        let knows = |place: &&&AtomicU64| {
            let (other, due) = parted(place.load(Ordering::Relaxed));
            other == mark && due > latest
        };
        self.places(hash).iter().filter(knows).count() >= KNOWING
    }

    /// A row goes by 16 bits of the hash.
    fn places(&self, hash: u64) -> [&AtomicU64; ROWS] {
        std::array::from_fn(|number| {
            let at = (hash >> (16 * number)) as u16 as usize % self.row;
            &self.places[number * self.row + at]
        })
    }
}

/// Of all bits of the hash (by Knuth's multiplier), because a row's place knows some of them. An empty place may have the
/// same mark: it says of nobody that it has done anything.
fn mark(hash: u64) -> u64 {
    hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> TIME_BITS
}

fn parted(place: u64) -> (u64, u64) {
    (place >> TIME_BITS, place & ((1 << TIME_BITS) - 1))
}

fn micros(now: Tick) -> u64 {
    now.0.saturating_mul(1000)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use ahash::RandomState;

    const RATE: Rate = Rate::each_minute(2, 3);

    fn hash(key: u64) -> u64 {
        RandomState::with_seeds(1, 2, 3, 4).hash_one(key)
    }

    /// Does it unless that would be too often.
    fn attempt(marks: &Marks, key: u64, now: u64) -> bool {
        let may = !marks.is_spent(hash(key), Tick(now));
        if may {
            marks.charge(hash(key), Tick(now));
        }
        may
    }

    fn done(marks: &Marks, key: u64, now: u64) -> usize {
        (0..100).filter(|_| attempt(marks, key, now)).count()
    }

    #[test]
    fn a_few_at_once_then_the_rate() {
        let marks = Marks::new(64, RATE);
        assert_eq!(done(&marks, 1, 5), 3);
        assert_eq!(done(&marks, 1, 29_000), 0);
        assert_eq!((1..=20).map(|half| done(&marks, 1, 5 + half * 30_000)).collect::<Vec<_>>(), [1; 20]);
        assert_eq!(done(&marks, 1, 10_000_000), 3);
    }

    /// However many do it, one that has not is never taken for one of them.
    #[test]
    fn nobody_pays_for_others() {
        let marks = Marks::new(64, RATE);
        (0..100_000).for_each(|key| (0..3).for_each(|_| marks.charge(hash(key), Tick(5))));
        let fresh = 1 << 32..(1 << 32) + 100_000;
        assert_eq!(fresh.filter(|&key| marks.is_spent(hash(key), Tick(5))).count(), 0);
        assert_eq!(done(&marks, 1 << 33, 5), 3, "and has what is its own");
    }

    /// Two places may be lost to others.
    #[test]
    fn a_few_do_not_free_each_other() {
        const CROWD: u64 = 500;
        let marks = Marks::new(1 << 13, RATE);
        let all = (0..50).flat_map(|_| 0..CROWD).filter(|&key| attempt(&marks, key, 5)).count() as u64;
        assert!((3 * CROWD..3 * CROWD + CROWD / 10).contains(&all), "{all}");
    }
}

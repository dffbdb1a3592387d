//! Token buckets for more keys than anybody can count, in a fixed table that the shards share.
//!
//! A key has a bucket in each of [`ROWS`] rows, with whoever else falls there, and goes by the fullest of them. Nothing
//! is ever evicted, so a flood of other keys cannot make anybody's bucket full again: no key gets more than one bucket's worth. To make
//! a key get less, others have to empty its buckets in all rows, and a datagram empties none by more than one.

use std::array;

use crate::Tick;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// Rows: with a third of each emptied, which takes a third of the datagrams that all buckets together allow, one key in
/// 81 finds all of its own empty.
const ROWS: usize = 4;

/// Locks: with 16 shards in a flood, each finds its own taken in a fifth of cases, for some nanoseconds.
const TURNS: usize = 64;

/// Counted backwards (GCRA): when all that was taken so far would be due, in microseconds.
pub(crate) struct Buckets {
    due: Box<[AtomicU64]>,
    row: usize,
    rate: Rate,
    /// One key's tokens are taken one after the other: between its rows two shards could take the same one.
    turns: [Mutex<()>; TURNS],
}

/// What one key may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Microseconds in which one token comes.
    pub interval: u64,
    /// Tokens at once.
    pub burst: u64,
}

impl Rate {
    /// So many tokens a second, and at once.
    pub const fn each_second(tokens: u64, burst: u64) -> Self {
        Self { interval: 1_000_000 / tokens, burst }
    }

    /// So many tokens a minute, and at once.
    pub const fn each_minute(tokens: u64, burst: u64) -> Self {
        Self { interval: 60_000_000 / tokens, burst }
    }

    /// How far ahead of the time the next token may be due.
    pub fn slack(self) -> u64 {
        self.interval * (self.burst - 1)
    }
}

impl Buckets {
    /// Full buckets, so many in each row.
    pub fn new(row: usize, rate: Rate) -> Self {
        Self {
            due: (0..ROWS * row).map(|_| AtomicU64::new(0)).collect(),
            row,
            rate,
            turns: array::from_fn(|_| Mutex::new(())),
        }
    }

    /// Takes a token of the key with this hash; false if there is none.
    pub fn take(&self, hash: u64, now: Tick) -> bool {
        let now = micros(now);
        let places = self.places(hash);
        let _turn = lock(&self.turns[hash as usize % TURNS]);
        loop {
            let (fullest, seen) = self.fullest(places);
            let due = seen.max(now);
            if due > now + self.rate.slack() {
                return false;
            }
            let next = due + self.rate.interval;
            // Other keys share the bucket.
            if self.due[fullest].compare_exchange(seen, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                // Those that others have emptied further stay as they are.
                places.iter().for_each(|&place| _ = self.due[place].fetch_max(next, Ordering::Relaxed));
                return true;
            }
        }
    }

    /// True if the key with this hash has no token.
    pub fn is_empty(&self, hash: u64, now: Tick) -> bool {
        self.fullest(self.places(hash)).1 > micros(now) + self.rate.slack()
    }

    fn fullest(&self, places: [usize; ROWS]) -> (usize, u64) {
        let all = places.map(|place| (place, self.due[place].load(Ordering::Relaxed)));
        all.into_iter().min_by_key(|(_, due)| *due).unwrap_or_default()
    }

    /// Where a key's buckets are: a row goes by 16 bits of the hash.
    fn places(&self, hash: u64) -> [usize; ROWS] {
        array::from_fn(|number| number * self.row + (hash >> (16 * number)) as u16 as usize % self.row)
    }
}

fn micros(now: Tick) -> u64 {
    now.0.saturating_mul(1000)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::seeded;
    use ahash::RandomState;
    use proptest::prelude::*;
    use std::sync::Barrier;
    use std::thread;

    const ROW: usize = 1 << 12;
    const RATE: Rate = Rate::each_second(100, 20);

    fn hash(key: u64) -> u64 {
        RandomState::with_seeds(1, 2, 3, 4).hash_one(key)
    }

    fn taken(buckets: &Buckets, key: u64, tries: u32, now: u64) -> u32 {
        (0..tries).filter(|_| buckets.take(hash(key), Tick(now))).count() as u32
    }

    #[test]
    fn a_burst_then_the_rate() {
        let buckets = Buckets::new(ROW, RATE);
        assert_eq!(taken(&buckets, 1, 1000, 5), 20);
        assert!(buckets.is_empty(hash(1), Tick(5)));
        assert_eq!(taken(&buckets, 2, 19, 5), 19);
        assert!(!buckets.is_empty(hash(2), Tick(5)), "one is left");
        assert_eq!((6..=1005).map(|now| taken(&buckets, 1, 9, now)).sum::<u32>(), 100);
        assert_eq!(taken(&buckets, 1, 1000, 1_000_000), 20);
    }

    /// What many other keys take cannot make a bucket full again, and rarely empties one.
    #[test]
    fn a_flood_of_others_neither_fills_nor_empties() {
        let buckets = Buckets::new(ROW, RATE);
        assert_eq!(taken(&buckets, 0, 1000, 0), 20);
        // As many datagrams as a third of all buckets hold.
        let drained = (1..=ROW as u64 / 3).map(|key| taken(&buckets, key, 20, 0)).sum::<u32>();
        assert!(drained > 20 * ROW as u32 / 4, "{drained} were taken");
        assert_eq!(taken(&buckets, 0, 1000, 0), 0, "nobody gets a second bucket");
        let fresh = 1 << 32;
        let starved = (fresh..fresh + 10_000).filter(|&key| taken(&buckets, key, 1, 0) == 0).count();
        assert!(starved <= 10_000 / 60, "{starved} of 10,000");
    }

    #[test]
    fn shards_do_not_take_the_same_token() {
        const THREADS: usize = 4;
        for round in 0..50 {
            let (buckets, start) = (Buckets::new(ROW, Rate::each_second(1, 1000)), Barrier::new(THREADS));
            let all: u32 = thread::scope(|scope| {
                let take = || {
                    start.wait();
                    taken(&buckets, round, 1000, 0)
                };
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(take)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).sum()
            });
            assert_eq!(all, 1000);
        }
    }

    proptest! {
        #![proptest_config(seeded::config())]

        #[test]
        fn nobody_gets_more_than_one_bucket(steps in proptest::collection::vec((0u64..3, 0u64..400, 1u32..40), 1..100)) {
            let (buckets, mut now, mut sums) = (Buckets::new(ROW, RATE), 0, [0u32; 3]);
            for (key, gap, tries) in steps {
                now += gap;
                sums[key as usize] += taken(&buckets, key, tries, now);
                let allowed = 20 + now / 10;
                prop_assert!(sums.iter().all(|&sum| u64::from(sum) <= allowed), "{:?} of {} at {}", sums, allowed, now);
            }
        }
    }
}

//! How much goes to unproved members in all: one bucket of the relay, from which shards take by the chunk.

use crate::Tick;
use crate::limits::EGRESS_CHUNKS;
use crate::sync::{AtomicU64, Mutex, Ordering, lock};

/// The relay's bucket. It holds what one second brings.
pub(super) struct Egress {
    /// Bytes a second.
    rate: AtomicU64,
    bucket: Mutex<Bucket>,
    /// Bytes that unproved members of a guarded relay had budgets for since this was last asked.
    wanted: AtomicU64,
}

struct Bucket {
    /// Thousandths of bytes; below zero after somebody took more than there was.
    level: i64,
    as_of: Tick,
}

/// What a shard has taken and not used.
#[derive(Debug, Default)]
pub(super) struct Lease {
    left: u64,
    taken: u64,
}

impl Egress {
    /// A full bucket.
    pub fn new(now: Tick) -> Self {
        let bucket = Bucket { level: i64::MAX, as_of: now };
        Self { rate: AtomicU64::new(0), bucket: Mutex::new(bucket), wanted: AtomicU64::new(0) }
    }

    pub fn set_rate(&self, rate: u64) {
        self.rate.store(rate, Ordering::Relaxed);
    }

    pub fn rate(&self) -> u64 {
        self.rate.load(Ordering::Relaxed)
    }

    /// Notes that so many bytes were to be sent.
    pub fn want(&self, bytes: u64) {
        self.wanted.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many bytes will be wanted again.
    pub fn want_later(&self, bytes: u64) {
        let less = |wanted: u64| Some(wanted.saturating_sub(bytes));
        let _ = self.wanted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// What has been wanted since this was last asked.
    pub fn take_wanted(&self) -> u64 {
        self.wanted.swap(0, Ordering::Relaxed)
    }

    /// Takes so many bytes; false if the bucket is empty.
    fn take(&self, bytes: u64, now: Tick) -> bool {
        let rate = i64::try_from(self.rate()).unwrap_or(i64::MAX);
        let mut bucket = lock(&self.bucket);
        let elapsed = now.since(bucket.as_of).as_millis() as i64;
        let full = rate.saturating_mul(1000);
        bucket.level = bucket.level.saturating_add(rate.saturating_mul(elapsed)).min(full);
        bucket.as_of = bucket.as_of.max(now);
        if bucket.level <= 0 {
            return false;
        }
        bucket.level = bucket.level.saturating_sub_unsigned(bytes.saturating_mul(1000));
        true
    }
}

impl Lease {
    /// Pays for so many bytes, if there are some in the bucket, which the last payment may overdraw.
    #[inline]
    pub fn pay(&mut self, bytes: u64, egress: &Egress, now: Tick) -> bool {
        let is_granted = self.left >= bytes || self.renew(bytes, egress, now);
        if is_granted {
            self.left -= bytes;
        }
        is_granted
    }

    /// Takes back what was paid for and not sent.
    pub fn give_back(&mut self, bytes: u64) {
        self.left += bytes;
    }

    /// Bytes that were paid for so far.
    pub fn paid(&self) -> u64 {
        self.taken - self.left
    }

    #[cold]
    fn renew(&mut self, bytes: u64, egress: &Egress, now: Tick) -> bool {
        let more = (egress.rate() / EGRESS_CHUNKS).max(bytes - self.left);
        let is_granted = egress.take(more, now);
        if is_granted {
            self.left += more;
            self.taken += more;
        }
        is_granted
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::seeded;
    use proptest::prelude::*;

    fn egress(rate: u64) -> Egress {
        let egress = Egress::new(Tick(0));
        egress.set_rate(rate);
        egress
    }

    #[test]
    fn an_empty_bucket_fills_with_the_time() {
        let (egress, mut lease) = (egress(1000), Lease::default());
        let mut now = Tick(0);
        assert!(lease.pay(3000, &egress, now), "it was full, and the last may overdraw it");
        for millis in [0, 1, 999, 2000] {
            now = Tick(millis);
            assert!(!lease.pay(1, &egress, now), "{millis}");
        }
        now = Tick(2001);
        assert!(lease.pay(1, &egress, now));
        assert_eq!(lease.paid(), 3001);
    }

    /// A chunk is three bytes here, of which one is left.
    #[test]
    fn what_a_shard_has_left_is_used_before_it_takes_more() {
        let (egress, mut lease) = (egress(1000), Lease::default());
        for bytes in [2, 500, 498] {
            assert!(lease.pay(bytes, &egress, Tick(0)));
        }
        assert!(!lease.pay(1, &egress, Tick(0)), "a thousand are all");
        assert!(lease.pay(1, &egress, Tick(1)), "and no more than a thousand were taken");
    }

    proptest! {
        #![proptest_config(seeded::config())]

        #[test]
        fn never_more_than_the_rate_a_burst_and_one_overdraft(
            rate in 1u64..100_000,
            steps in prop::collection::vec((0usize..3, 0u64..20_000, 0u64..300), 1..300),
        ) {
            let (egress, mut leases) = (egress(rate), [(); 3].map(|()| Lease::default()));
            let (mut now, mut paid, mut largest) = (0, 0, 0);
            for (shard, bytes, pass) in steps {
                now += pass;
                if leases[shard].pay(bytes, &egress, Tick(now)) {
                    paid += bytes;
                    largest = largest.max(bytes);
                }
                let overdraft = largest.max(rate / EGRESS_CHUNKS);
                prop_assert!(paid <= rate + rate * now / 1000 + overdraft);
                prop_assert_eq!(paid, leases.iter().map(Lease::paid).sum::<u64>());
            }
        }
    }
}

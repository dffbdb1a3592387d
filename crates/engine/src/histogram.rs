//! Counting values by powers of two: one addition for each value, no allocation.

/// `counts[i]` counts values up to 2^i that are larger than 2^(i-1); what is larger than the last bound is only in
/// `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Histogram<const N: usize> {
    /// Values by power of two, not cumulative.
    pub counts: [u64; N],
    /// All values.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { counts: [0; N], count: 0, sum: 0 }
    }
}

impl<const N: usize> Histogram<N> {
    /// Counts `value`, `times` times.
    #[inline]
    pub fn record(&mut self, value: u64, times: u64) {
        let power = 64 - value.saturating_sub(1).leading_zeros() as usize;
        if let Some(count) = self.counts.get_mut(power) {
            *count += times;
        }
        self.count += times;
        self.sum += value * times;
    }

    /// Adds what another one has counted.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.sum += other.sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive_powers_of_two() {
        let mut histogram = Histogram::<4>::default();
        for value in [0, 1, 2, 3, 4, 5, 8, 9, 1000] {
            histogram.record(value, 1);
        }
        assert_eq!(histogram.counts, [2, 1, 2, 2]);
        assert_eq!((histogram.count, histogram.sum), (9, 1032));
    }

    #[test]
    fn counts_many_at_once_and_what_others_have_counted() {
        let [mut all, mut other] = [Histogram::<4>::default(); 2];
        all.record(3, 5);
        other.record(2, 7);
        other.record(100, 2);
        all.add(&other);
        assert_eq!(all, Histogram { counts: [0, 7, 5, 0], count: 14, sum: 15 + 14 + 200 });
    }
}

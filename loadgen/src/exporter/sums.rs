//! Sums over all measurements of a process.

use crate::outcome::Totals;

/// The finished measurements, and what the present one said last.
#[derive(Default)]
pub struct Sums {
    finished: Totals,
    present: Totals,
}

impl Sums {
    /// The sums of all measurements, the present one included.
    pub fn of_all(&mut self, present: &Totals) -> Totals {
        if began_again(present, &self.present) {
            self.finished.add(&self.present);
        }
        self.present = *present;
        let mut all = self.finished;
        all.add(present);
        all
    }
}

/// True if a sum went back, which only another measurement can make it.
fn began_again(now: &Totals, before: &Totals) -> bool {
    let sums = |totals: &Totals| {
        [
            totals.sent,
            totals.expected,
            totals.received,
            totals.duplicated,
            totals.reordered,
            totals.corrupted,
            totals.late_sends,
            totals.send_failures,
            totals.own_drops,
            totals.pings_sent,
            totals.pongs_received,
        ]
    };
    sums(now).iter().zip(sums(before)).any(|(now, before)| *now < before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_that_goes_back_began_again() {
        let totals = |sent, pings_sent| Totals { sent, pings_sent, ..Totals::default() };
        let mut sums = Sums::default();
        let all: Vec<(u64, u64)> = [totals(5, 1), totals(9, 2), totals(0, 3), totals(4, 3), totals(9, 0)]
            .iter()
            .map(|now| sums.of_all(now))
            .map(|all| (all.sent, all.pings_sent))
            .collect();
        assert_eq!(all, [(5, 1), (9, 2), (9, 5), (13, 5), (22, 5)]);
    }
}

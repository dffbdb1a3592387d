//! What each unproved member may still get while the relay is guarded.

use ahash::RandomState;
use hashbrown::HashMap;

use crate::limits::{BUDGET_FACTOR, BUDGET_GRANT, BUDGET_STRIPES, ICMP_MEMORY};
use crate::sync::{Mutex, MutexGuard, lock};
use crate::{ClientAddr, Tick};

/// Budgets by address, in lock stripes. One is made when it is first asked for, with the grant in it.
pub(super) struct Budgets {
    stripes: Box<[Mutex<Stripe>]>,
    hasher: RandomState,
}

type Stripe = HashMap<ClientAddr, Budget, RandomState>;

#[derive(Clone, Copy)]
struct Budget {
    /// IP bytes.
    left: u64,
    /// When something was last sent there.
    sent: Option<Tick>,
}

impl Budgets {
    pub fn new(hasher: RandomState) -> Self {
        let stripe = |_| Mutex::new(Stripe::with_hasher(hasher.clone()));
        Self { stripes: (0..BUDGET_STRIPES).map(stripe).collect(), hasher }
    }

    /// A member has sent so many IP bytes.
    pub fn credit(&self, client: &ClientAddr, bytes: u64) {
        let mut stripe = self.stripe(client);
        let budget = stripe.entry(*client).or_insert(Budget::NEW);
        budget.left = budget.left.saturating_add(bytes.saturating_mul(BUDGET_FACTOR));
    }

    /// Pays for as many of `count` datagrams as the budget holds: all of them take `all` IP bytes, and each but the last
    /// `each`, which is the most. Returns how many.
    pub fn spend(&self, client: &ClientAddr, (count, each, all): (u16, u64, u64), now: Tick) -> u16 {
        let mut stripe = self.stripe(client);
        let budget = stripe.entry(*client).or_insert(Budget::NEW);
        let paid = budget.affords((count, each, all));
        budget.left -= if paid == count { all } else { u64::from(paid) * each };
        if paid > 0 {
            budget.sent = Some(now);
        }
        paid
    }

    /// A member is answered with so many IP bytes, whatever it has: an answer is shorter than three times its question.
    pub fn charge(&self, client: &ClientAddr, bytes: u64) {
        let mut stripe = self.stripe(client);
        let budget = stripe.entry(*client).or_insert(Budget::NEW);
        budget.left = budget.left.saturating_sub(bytes);
    }

    /// For how many of them the budget would pay.
    pub fn affords(&self, client: &ClientAddr, run: (u16, u64, u64)) -> u16 {
        self.stripe(client).get(client).unwrap_or(&Budget::NEW).affords(run)
    }

    /// What was paid for is not sent after all.
    pub fn refund(&self, client: &ClientAddr, bytes: u64) {
        if let Some(budget) = self.stripe(client).get_mut(client) {
            budget.left = budget.left.saturating_add(bytes);
        }
    }

    /// Somebody says that nobody is there: half of what is left goes, if something was sent there in the last second.
    pub fn shrink(&self, client: &ClientAddr, now: Tick) -> bool {
        let mut stripe = self.stripe(client);
        let Some(budget) = stripe.get_mut(client) else { return false };
        let is_heard = budget.sent.is_some_and(|sent| now.since(sent) < ICMP_MEMORY);
        if is_heard {
            budget.left /= 2;
        }
        is_heard
    }

    /// No budgets any more.
    pub fn clear(&self) {
        for stripe in &self.stripes {
            *lock(stripe) = Stripe::with_hasher(self.hasher.clone());
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.stripes.iter().map(|stripe| lock(stripe).len()).sum()
    }

    fn stripe(&self, client: &ClientAddr) -> MutexGuard<'_, Stripe> {
        // The high bits: the index inside uses the low ones.
        lock(&self.stripes[(self.hasher.hash_one(client) >> 32) as usize % BUDGET_STRIPES])
    }
}

impl Budget {
    const NEW: Self = Self { left: BUDGET_GRANT, sent: None };

    fn affords(&self, (count, each, all): (u16, u64, u64)) -> u16 {
        if all <= self.left { count } else { (self.left / each.max(1)).min(u64::from(count - 1)) as u16 }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::seeded;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn client(number: u8) -> ClientAddr {
        ClientAddr::new(([10, 0, 0, number], 9).into()).unwrap()
    }

    fn budgets() -> Budgets {
        Budgets::new(RandomState::with_seeds(1, 2, 3, 4))
    }

    #[test]
    fn an_error_counts_within_a_second_of_a_send_and_for_one_member_only() {
        let budgets = budgets();
        let all = |number, now| budgets.spend(&client(number), (1, 1, BUDGET_GRANT), now);
        assert!(!budgets.shrink(&client(1), Tick(0)), "nothing was sent there");
        for number in [1, 2] {
            assert_eq!(budgets.spend(&client(number), (1, 0, 0), Tick(1000)), 1);
        }
        assert_eq!(all(2, Tick(1000)), 1);
        assert_eq!(all(2, Tick(2000)), 0);
        assert!(!budgets.shrink(&client(2), Tick(2000)), "it was sent nothing more");
        assert!(!budgets.shrink(&client(1), Tick(2000)), "too late");
        assert!(budgets.shrink(&client(1), Tick(1999)));
        assert_eq!((all(1, Tick(1999)), all(3, Tick(1999))), (0, 1));
        assert_eq!(budgets.spend(&client(1), (1, 1, BUDGET_GRANT / 2), Tick(1999)), 1);
    }

    #[test]
    fn members_spread_over_the_locks() {
        let budgets = budgets();
        (0..=u8::MAX).for_each(|number| budgets.credit(&client(number), 1));
        let used = budgets.stripes.iter().filter(|stripe| !lock(stripe).is_empty()).count();
        assert!(used > BUDGET_STRIPES / 2, "{used}");
    }

    proptest! {
        #![proptest_config(seeded::config())]

        #[test]
        fn nobody_gets_more_than_the_grant_and_three_times_what_it_sent(
            steps in prop::collection::vec((0u8..4, 0u8..4, 1u16..65, 29u64..4125), 1..200),
        ) {
            let (budgets, mut owed) = (budgets(), BTreeMap::new());
            for (kind, number, count, each) in steps {
                let left = owed.entry(number).or_insert(BUDGET_GRANT);
                match kind {
                    0 => {
                        budgets.credit(&client(number), each);
                        *left += 3 * each;
                    }
                    _ => {
                        // The last one is shorter.
                        let all = u64::from(count) * each - each / 2;
                        let paid = budgets.spend(&client(number), (count, each, all), Tick(0));
                        let cost = if paid == count { all } else { u64::from(paid) * each };
                        prop_assert!(cost <= *left);
                        prop_assert!(paid == count || *left - cost < each || paid == count - 1, "one more would do");
                        *left -= cost;
                    }
                }
            }
            budgets.clear();
            prop_assert_eq!(budgets.len(), 0);
        }
    }
}

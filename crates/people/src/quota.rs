//! How many new names a site may take, so that one does not take them all.

use std::num::NonZeroU64;

use ahash::RandomState;
use hashbrown::HashMap;

use crate::limits::{NAME_MS, NAMES_AT_ONCE, SITES};

/// Counted backwards (GCRA): when all names that a site has taken so far would be due, in milliseconds.
#[derive(Default)]
pub(crate) struct Quota(HashMap<NonZeroU64, u64, RandomState>);

impl Quota {
    /// Takes a name; false if the site has had as many as it may for now.
    pub fn take(&mut self, site: NonZeroU64, now: u64) -> bool {
        if self.0.len() >= SITES && !self.0.contains_key(&site) {
            self.sweep(now);
            if self.0.len() >= SITES {
                return false;
            }
        }
        let due = self.0.entry(site).or_insert(now);
        let may = (*due).max(now) <= now + (NAMES_AT_ONCE - 1) * NAME_MS;
        if may {
            *due = (*due).max(now) + NAME_MS;
        }
        may
    }

    /// The name was not new after all.
    pub fn give_back(&mut self, site: NonZeroU64) {
        if let Some(due) = self.0.get_mut(&site) {
            *due = due.saturating_sub(NAME_MS);
        }
    }

    /// Forgets the sites that may take as many as ever.
    pub fn sweep(&mut self, now: u64) {
        self.0.retain(|_, due| *due > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(number: u64) -> NonZeroU64 {
        NonZeroU64::new(number).unwrap()
    }

    #[test]
    fn a_site_gets_some_names_at_once_and_then_one_by_one() {
        let mut quota = Quota::default();
        let taken = |quota: &mut Quota, site, now| (0..1000).filter(|_| quota.take(site, now)).count() as u64;
        let [one, other] = [1, 2].map(site);
        assert_eq!(taken(&mut quota, one, 5), NAMES_AT_ONCE);
        assert_eq!(taken(&mut quota, other, 5), NAMES_AT_ONCE, "others have their own");
        assert_eq!(taken(&mut quota, one, 5 + NAME_MS), 1);
        quota.give_back(one);
        assert_eq!(taken(&mut quota, one, 5 + NAME_MS), 1);
        quota.sweep(5 + 1000 * NAME_MS);
        assert!(quota.0.is_empty());
    }

    #[test]
    fn there_are_no_more_sites_than_so_many() {
        let mut quota = Quota::default();
        (1..=SITES as u64).for_each(|number| assert!(quota.take(site(number), 0)));
        assert!(!quota.take(NonZeroU64::MAX, 0), "all are busy");
        assert!(quota.take(NonZeroU64::MAX, NAME_MS), "and are not any more");
    }
}

//! Values by the keys of a slab, of which only some have one: in pages that are there as soon as one of their keys has. Nothing is moved
//! when there are more, so that no insertion takes long.

use crate::limits::PAGE_KEYS;

/// A page, and how many of its keys have a value.
struct Page<T> {
    values: [Option<T>; PAGE_KEYS],
    used: usize,
}

/// Values by their keys, with the names that maps have for what can be done with them.
pub(crate) struct Pages<T>(Vec<Option<Box<Page<T>>>>);

impl<T> Pages<T> {
    pub fn new() -> Self {
        Self(Vec::new())
    }

    pub fn get(&self, key: &u32) -> Option<&T> {
        let (page, at) = place(*key);
        self.0.get(page)?.as_ref()?.values[at].as_ref()
    }

    pub fn get_mut(&mut self, key: &u32) -> Option<&mut T> {
        let (page, at) = place(*key);
        self.0.get_mut(page)?.as_mut()?.values[at].as_mut()
    }

    /// What was there before is returned.
    pub fn insert(&mut self, key: u32, value: T) -> Option<T> {
        let (page, at) = place(key);
        if self.0.len() <= page {
            self.0.resize_with(page + 1, || None);
        }
        let blank = || Box::new(Page { values: [const { None }; PAGE_KEYS], used: 0 });
        let page = self.0[page].get_or_insert_with(blank);
        let before = page.values[at].replace(value);
        page.used += usize::from(before.is_none());
        before
    }

    /// A page without values is given back.
    pub fn remove(&mut self, key: &u32) -> Option<T> {
        let (page, at) = place(*key);
        let slot = self.0.get_mut(page)?;
        let page = slot.as_mut()?;
        let value = page.values[at].take()?;
        page.used -= 1;
        if page.used == 0 {
            *slot = None;
        }
        Some(value)
    }
}

fn place(key: u32) -> (usize, usize) {
    (key as usize / PAGE_KEYS, key as usize % PAGE_KEYS)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(5), ..ProptestConfig::default() })]

        #[test]
        fn they_are_a_map(steps in proptest::collection::vec((any::<bool>(), 0u32..5 * PAGE_KEYS as u32, any::<u8>()), 1..400)) {
            let (mut pages, mut model) = (Pages::new(), BTreeMap::new());
            for (inserts, key, value) in steps {
                if inserts {
                    prop_assert_eq!(pages.insert(key, value), model.insert(key, value));
                } else {
                    prop_assert_eq!(pages.remove(&key), model.remove(&key));
                }
                prop_assert_eq!(pages.get(&key), model.get(&key));
                prop_assert_eq!(pages.get_mut(&key), model.get_mut(&key));
            }
            let used: std::collections::BTreeSet<usize> = model.keys().map(|key| place(*key).0).collect();
            prop_assert_eq!(pages.0.iter().flatten().count(), used.len());
        }
    }

    /// Who has grown does not move what is there.
    #[test]
    fn values_stay_where_they_are() {
        let mut pages = Pages::new();
        pages.insert(3, 7);
        let before = std::ptr::from_ref(pages.get(&3).unwrap());
        for key in (0..100_000).filter(|key| *key != 3) {
            assert_eq!(pages.insert(key, key), None);
        }
        assert!(std::ptr::eq(before, pages.get(&3).unwrap()));
    }
}

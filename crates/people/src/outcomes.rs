//! What has become of the last messages, so that their repeats are recognised.

use std::collections::{BTreeMap, VecDeque};

use wire::MessageId;

use crate::limits::{FORGOTTEN_AT_ONCE, OUTCOME_MS, OUTCOMES, OUTCOMES_PER_SENDER};
use crate::parts::Parts;
use crate::people::Key;

/// A message: who sends it, to whom, and what the sender calls it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Mark {
    pub from: Key,
    pub to: Key,
    pub id: MessageId,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// In memory.
    UnderWay,
    /// The store has been asked to keep it, by the question of this number.
    Asked(usize),
    /// Kept, under this number.
    Stored(u64),
    /// Acknowledged.
    Delivered,
}

/// The fates of messages, by their marks.
#[derive(Default)]
pub(crate) struct Outcomes {
    /// With the number by which each stands in `order`.
    fates: Parts<Mark, (Fate, u64)>,
    /// In the order in which they were first known, with the time.
    order: BTreeMap<u64, (Mark, u64)>,
    next: u64,
    /// Those of each sender, in that order.
    senders: Parts<Key, VecDeque<Mark>>,
}

impl Outcomes {
    pub fn get(&self, mark: &Mark) -> Option<Fate> {
        self.fates.get(mark).map(|(fate, _)| *fate)
    }

    /// How many are known.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.fates.len()
    }

    /// True if something is known of what a sender calls so.
    #[cfg(test)]
    pub fn is_known(&self, from: &str, id: &str) -> bool {
        self.fates.keys().any(|mark| &*mark.from == from && mark.id.as_str() == id)
    }

    pub fn set(&mut self, mark: &Mark, fate: Fate, now: u64) {
        if let Some((known, _)) = self.fates.get_mut(mark) {
            *known = fate;
            return;
        }
        let own = self.senders.get_or_insert_with(mark.from.clone(), VecDeque::new);
        own.push_back(mark.clone());
        if own.len() > OUTCOMES_PER_SENDER
            && let Some(eldest) = own.front().cloned()
        {
            self.forget(&eldest);
        }
        self.fates.insert(mark.clone(), (fate, self.next));
        self.order.insert(self.next, (mark.clone(), now));
        self.next += 1;
        if self.fates.len() > OUTCOMES {
            self.forget_eldest();
        }
    }

    /// It may come again as if it were new.
    pub fn forget(&mut self, mark: &Mark) {
        let Some((_, number)) = self.fates.remove(mark) else { return };
        self.order.remove(&number);
        let Some(own) = self.senders.get_mut(&mark.from) else { return };
        if own.front() == Some(mark) {
            own.pop_front();
        } else {
            own.retain(|other| other != mark);
        }
        if own.is_empty() {
            self.senders.remove(&mark.from);
        }
    }

    /// Forgets what is old, or a part of it: true if that was all.
    pub fn sweep(&mut self, now: u64) -> bool {
        let is_old = |order: &BTreeMap<u64, (Mark, u64)>| {
            order.first_key_value().is_some_and(|(_, (_, since))| now.saturating_sub(*since) > OUTCOME_MS)
        };
        for _ in 0..FORGOTTEN_AT_ONCE {
            if !is_old(&self.order) {
                return true;
            }
            self.forget_eldest();
        }
        !is_old(&self.order)
    }

    fn forget_eldest(&mut self) {
        if let Some((_, (mark, _))) = self.order.first_key_value() {
            let mark = mark.clone();
            self.forget(&mark);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(from: &str, number: usize) -> Mark {
        let id = MessageId::parse(number.to_string().as_bytes()).unwrap();
        Mark { from: from.into(), to: "b".into(), id }
    }

    #[test]
    fn a_senders_last_ones_are_known() {
        let mut outcomes = Outcomes::default();
        (0..=OUTCOMES_PER_SENDER).for_each(|number| outcomes.set(&mark("a", number), Fate::Delivered, 0));
        assert_eq!(outcomes.get(&mark("a", 0)), None);
        assert_eq!(outcomes.get(&mark("a", 1)), Some(Fate::Delivered));
        outcomes.set(&mark("a", 1), Fate::Stored(7), 5);
        assert_eq!(outcomes.get(&mark("a", 1)), Some(Fate::Stored(7)));
        assert_eq!(outcomes.get(&mark("c", 1)), None);
    }

    #[test]
    fn they_are_forgotten_after_their_time_and_leave_nothing() {
        let mut outcomes = Outcomes::default();
        outcomes.set(&mark("a", 1), Fate::Delivered, 0);
        outcomes.set(&mark("b", 1), Fate::Delivered, 5);
        outcomes.forget(&mark("b", 1));
        outcomes.sweep(OUTCOME_MS);
        assert_eq!(outcomes.get(&mark("a", 1)), Some(Fate::Delivered));
        outcomes.sweep(OUTCOME_MS + 6);
        assert_eq!(outcomes.get(&mark("a", 1)), None);
        assert_eq!((outcomes.fates.len(), outcomes.order.len(), outcomes.senders.len()), (0, 0, 0));
    }

    /// Whoever waits for it waits for a part only.
    #[test]
    fn many_are_forgotten_part_by_part() {
        let mut outcomes = Outcomes::default();
        let many = 2 * FORGOTTEN_AT_ONCE + 1;
        (0..many).for_each(|number| outcomes.set(&mark(&number.to_string(), number), Fate::Delivered, 0));
        let rounds = (0..).take_while(|_| !outcomes.sweep(OUTCOME_MS + 1)).count();
        assert_eq!((rounds, outcomes.fates.len(), outcomes.senders.len()), (2, 0, 0));
    }

    #[test]
    fn what_is_forgotten_pushes_nobody_out() {
        let mut outcomes = Outcomes::default();
        outcomes.set(&mark("honest", 1), Fate::Delivered, 0);
        for number in 0..3 * OUTCOMES {
            let mark = mark("eve", number);
            outcomes.set(&mark, Fate::Asked(0), 1);
            outcomes.forget(&mark);
        }
        assert_eq!(outcomes.get(&mark("honest", 1)), Some(Fate::Delivered));
        assert_eq!((outcomes.fates.len(), outcomes.order.len(), outcomes.senders.len()), (1, 1, 1));
    }

    #[test]
    fn there_are_no_more_than_so_many() {
        let mut outcomes = Outcomes::default();
        for number in 0..OUTCOMES + 10 {
            outcomes.set(&mark(&(number % 1000).to_string(), number), Fate::Delivered, 0);
        }
        assert_eq!((outcomes.fates.len(), outcomes.order.len()), (OUTCOMES, OUTCOMES));
        assert_eq!(outcomes.get(&mark("9", 9)), None);
    }
}

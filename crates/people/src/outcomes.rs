//! What has become of the last messages, so that their repeats are recognised.

use std::collections::VecDeque;

use ahash::RandomState;
use hashbrown::HashMap;
use wire::MessageId;

use crate::limits::{OUTCOME_MS, OUTCOMES, OUTCOMES_PER_SENDER};
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
    fates: HashMap<Mark, (Fate, u64), RandomState>,
    /// In the order in which they were first known, with the time.
    order: VecDeque<(Mark, u64)>,
    /// How many each sender has.
    senders: HashMap<Key, VecDeque<Mark>, RandomState>,
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
        let own = self.senders.entry(mark.from.clone()).or_default();
        own.push_back(mark.clone());
        let eldest = (own.len() > OUTCOMES_PER_SENDER).then(|| own.pop_front()).flatten();
        if let Some(eldest) = eldest {
            self.fates.remove(&eldest);
        }
        self.fates.insert(mark.clone(), (fate, now));
        self.order.push_back((mark.clone(), now));
        while self.fates.len() > OUTCOMES {
            self.forget_eldest();
        }
        // What was forgotten before its time pushes nobody else out.
        if self.order.len() > 2 * OUTCOMES {
            let Self { fates, order, .. } = self;
            order.retain(|(mark, since)| fates.get(mark).is_some_and(|(_, at)| at == since));
        }
    }

    /// It may come again as if it were new.
    pub fn forget(&mut self, mark: &Mark) {
        if self.fates.remove(mark).is_none() {
            return;
        }
        if let Some(own) = self.senders.get_mut(&mark.from) {
            own.retain(|other| other != mark);
        }
    }

    pub fn sweep(&mut self, now: u64) {
        while self.order.front().is_some_and(|(_, since)| now.saturating_sub(*since) > OUTCOME_MS) {
            self.forget_eldest();
        }
        self.fates.shrink_to(self.fates.len() * 2);
    }

    fn forget_eldest(&mut self) {
        let Some((mark, since)) = self.order.pop_front() else { return };
        // It may have been forgotten and come again since.
        if self.fates.get(&mark).is_some_and(|(_, at)| *at == since) {
            self.fates.remove(&mark);
        }
        let own = self.senders.get_mut(&mark.from);
        let is_last = own.is_some_and(|own| {
            if own.front() == Some(&mark) {
                own.pop_front();
            }
            own.is_empty()
        });
        if is_last {
            self.senders.remove(&mark.from);
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
        assert!(outcomes.fates.is_empty() && outcomes.order.is_empty() && outcomes.senders.is_empty());
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
        assert!(outcomes.order.len() <= 2 * OUTCOMES + 1, "{}", outcomes.order.len());
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

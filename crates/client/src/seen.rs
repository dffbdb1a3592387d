//! Which messages have been shown, so that each is shown once.

use std::collections::{HashMap, HashSet, VecDeque};

use wire::MessageId;

use crate::limits::{MAX_SEEN_OF_ONE, MAX_SEEN_SENDERS};
use crate::people::fold;

/// The last ids of each sender.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    senders: HashMap<String, Ids>,
    turn: u64,
}

#[derive(Debug, Default)]
struct Ids {
    known: HashSet<MessageId>,
    order: VecDeque<MessageId>,
    last: u64,
}

impl Seen {
    /// Whether this message comes for the first time; the sender is named as [`crate::people::fold`] has it.
    pub(crate) fn is_new(&mut self, from: &str, id: MessageId) -> bool {
        self.turn += 1;
        if !self.senders.contains_key(from) {
            self.make_room();
            self.senders.insert(from.to_owned(), Ids::default());
        }
        self.senders.get_mut(from).is_some_and(|ids| ids.insert(id, self.turn))
    }

    /// This message is not new any more.
    pub(crate) fn remember(&mut self, from: &str, id: MessageId) {
        self.is_new(&fold(from), id);
    }

    /// Forgets the sender who has been silent for longest.
    fn make_room(&mut self) {
        if self.senders.len() >= MAX_SEEN_SENDERS
            && let Some(oldest) = self.senders.iter().min_by_key(|(_, ids)| ids.last)
        {
            let oldest = oldest.0.clone();
            self.senders.remove(&oldest);
        }
    }
}

impl Ids {
    fn insert(&mut self, id: MessageId, turn: u64) -> bool {
        self.last = turn;
        if !self.known.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > MAX_SEEN_OF_ONE
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn each_message_is_new_once_for_each_sender() {
        let (mut seen, id) = (Seen::default(), Random::seeded(1).message_id());
        assert!(seen.is_new("anna", id) && seen.is_new("bob", id));
        assert!(!seen.is_new("anna", id) && !seen.is_new("bob", id));
    }

    #[test]
    fn memory_is_bounded_and_the_latest_are_kept() {
        let (mut seen, mut random) = (Seen::default(), Random::seeded(1));
        let ids: Vec<_> = (0..=MAX_SEEN_OF_ONE).map(|_| random.message_id()).collect();
        assert!(ids.iter().all(|&id| seen.is_new("anna", id)));
        assert!(ids[1..].iter().all(|&id| !seen.is_new("anna", id)));
        assert!(seen.is_new("anna", ids[0]), "the oldest is forgotten");
        for number in 0..MAX_SEEN_SENDERS {
            seen.is_new(&number.to_string(), ids[0]);
        }
        assert_eq!(seen.senders.len(), MAX_SEEN_SENDERS);
        assert!(seen.is_new("anna", ids[5]), "the most silent sender is forgotten");
    }
}

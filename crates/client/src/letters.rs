//! Messages to people: each is repeated until its fate is known, and one at a time is on its way to each person, so that they
//! arrive in order.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use wire::MessageId;

use crate::limits::{
    APART, DIRECT_PAUSES, LATER, MAX_LETTERS, MAX_LETTERS_TO_ONE, MAX_STORED, PAUSES, STRAYS, pause,
};
use crate::people::fold;

/// What waits, and what is on its way.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    /// By the recipient's folded name.
    queues: BTreeMap<String, Queue>,
    waiting: usize,
    /// Messages that the relay keeps, of which it tells once they are delivered.
    stored: VecDeque<(MessageId, String)>,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Relay,
    Direct,
}

/// A message that is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) to: String,
    pub(crate) id: MessageId,
    pub(crate) bytes: Vec<u8>,
    pub(crate) way: Way,
    pub(crate) first: bool,
}

/// No room for one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

#[derive(Debug, Default)]
struct Queue {
    letters: VecDeque<Letter>,
    way: Option<Way>,
    /// How often the first one was sent in this way.
    sent: u32,
    again_at: Option<Instant>,
    /// How often the first one was sent in all, whichever way.
    times: u32,
    /// The relay has said that it has no room, or what may be about this, and been asked nothing since.
    is_put_off: bool,
    /// The first one has been told as put off.
    told_late: bool,
    /// Refusals that name no message, and may still come for one that is settled, until then.
    strays: Option<(u32, Instant)>,
}

#[derive(Debug)]
struct Letter {
    to: String,
    id: MessageId,
    bytes: Vec<u8>,
}

impl Letters {
    pub(crate) fn push(&mut self, to: &str, id: MessageId, bytes: &[u8]) -> Result<(), Full> {
        let queue = self.queues.entry(fold(to)).or_default();
        if self.waiting >= MAX_LETTERS || queue.letters.len() >= MAX_LETTERS_TO_ONE {
            return Err(Full);
        }
        queue.letters.push_back(Letter { to: to.to_owned(), id, bytes: bytes.to_vec() });
        self.waiting += 1;
        Ok(())
    }

    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// What is to be sent now. Messages to this peer go directly.
    pub(crate) fn due(&mut self, direct: Option<&str>, now: Instant) -> Vec<Due> {
        self.queues.retain(|_, queue| queue.is_needed(now));
        let direct = direct.map(fold);
        let queues = self.queues.iter_mut();
        queues
            .filter_map(|(name, queue)| {
                queue.due(if direct.as_ref() == Some(name) { Way::Direct } else { Way::Relay }, now)
            })
            .collect()
    }

    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let waiting = self.queues.values().filter(|queue| !queue.letters.is_empty());
        waiting.map(|queue| queue.again_at.unwrap_or(now)).min()
    }

    /// A direct message to this peer has been sent as often as it may: the way does not carry.
    pub(crate) fn is_stuck(&self, peer: &str, now: Instant) -> bool {
        self.queues.get(&fold(peer)).is_some_and(|queue| {
            queue.way == Some(Way::Direct)
                && queue.sent as usize >= DIRECT_PAUSES.len()
                && queue.again_at.is_some_and(|at| at <= now)
        })
    }

    /// Sends everything again at once: the way to the relay is a new one.
    pub(crate) fn hurry(&mut self) {
        for queue in self.queues.values_mut() {
            (queue.again_at, queue.sent, queue.is_put_off) = (None, 0, false);
        }
    }

    /// The relay has no room for something, and does not say for what. `None` if it can be none of the messages that wait for its
    /// answer; else all of them are sent again later, and those for which that is news are returned.
    pub(crate) fn put_off(&mut self, now: Instant) -> Option<Vec<(String, MessageId)>> {
        let waiting = self.queues.values_mut().filter(|queue| queue.is_with_relay() && !queue.is_put_off);
        let mut waiting = waiting.peekable();
        waiting.peek()?;
        let news = waiting.filter_map(|queue| {
            (queue.is_put_off, queue.again_at) = (true, Some(now + LATER));
            let is_news = !std::mem::replace(&mut queue.told_late, true);
            queue.letters.front().filter(|_| is_news).map(|letter| (letter.to.clone(), letter.id))
        });
        Some(news.collect())
    }

    /// The message is with its recipient; to whom it went, if that is news.
    pub(crate) fn delivered(&mut self, id: MessageId) -> Option<String> {
        if let Some(place) = self.stored.iter().position(|(stored, _)| *stored == id) {
            return self.stored.remove(place).map(|(_, to)| to);
        }
        self.settle(id)
    }

    /// The relay keeps the message; to whom it goes, if that is news.
    pub(crate) fn stored(&mut self, id: MessageId) -> Option<String> {
        let to = self.settle(id)?;
        if self.stored.len() >= MAX_STORED {
            self.stored.pop_front();
        }
        self.stored.push_back((id, to.clone()));
        Some(to)
    }

    /// A refusal for this name: the message that it settles.
    pub(crate) fn refused(&mut self, name: &str, now: Instant) -> Option<(String, MessageId)> {
        let key = fold(name);
        // However the relay spells it, if there is only one that can be meant.
        let mut others =
            self.queues.iter().filter(|(_, queue)| queue.is_with_relay()).map(|(name, _)| name.clone());
        let key = match (self.queues.contains_key(&key), others.next(), others.next()) {
            (false, Some(only), None) => only,
            _ => key,
        };
        let queue = self.queues.get_mut(&key)?;
        if queue.takes_stray(now) || !queue.is_with_relay() {
            return None;
        }
        let strays = (queue.sent - 1, now + STRAYS);
        let id = queue.letters.front()?.id;
        let to = self.settle(id)?;
        // Whatever is written to that name next.
        self.queues.entry(key).or_default().strays = Some(strays);
        Some((to, id))
    }

    /// A name is none, and the relay does not say whose: of a message, or of something else, if there is that. `None` if it can be no
    /// message's, for we know the rule for ASCII; else the one that is refused, if only one can be. Several are sent
    /// again, apart from each other and from the rest, so that each has an answer of its own.
    pub(crate) fn misnamed(&mut self, is_other: bool, now: Instant) -> Option<Option<(String, MessageId)>> {
        let mut odd: Vec<(&String, &mut Queue)> =
            self.queues.iter_mut().filter(|(name, _)| !name.is_ascii()).collect();
        if odd.iter_mut().any(|(_, queue)| queue.takes_stray(now)) {
            return Some(None);
        }
        odd.retain(|(_, queue)| queue.is_with_relay() && !queue.is_put_off);
        match &mut odd[..] {
            [] => None,
            [(name, _)] if !is_other => {
                let name = name.clone();
                Some(self.refused(&name, now))
            }
            several => {
                for (turn, (_, queue)) in (1..).zip(several) {
                    (queue.is_put_off, queue.again_at) = (true, Some(now + APART * turn));
                }
                Some(None)
            }
        }
    }

    /// The message that the relay means if it takes none, and does not say which: if there is only one, and one copy of it.
    pub(crate) fn only_sent_once(&self) -> Option<MessageId> {
        let mut sent = self.queues.values().filter(|queue| queue.times > 0 && !queue.letters.is_empty());
        let only = sent.next().filter(|queue| queue.times == 1 && queue.way == Some(Way::Relay))?;
        sent.next().is_none().then(|| only.letters.front().map(|letter| letter.id)).flatten()
    }

    /// Gives everything up; with each whether it may be with its recipient, because it was sent.
    pub(crate) fn drain(&mut self) -> Vec<(String, MessageId, bool)> {
        self.waiting = 0;
        let queues = std::mem::take(&mut self.queues).into_values();
        let drained = queues.flat_map(|queue| {
            let sent = usize::from(queue.times > 0);
            let letters = queue.letters.into_iter().enumerate();
            letters.map(move |(place, letter)| (letter.to, letter.id, place < sent))
        });
        drained.collect()
    }

    /// Takes a message out that is the first of its queue.
    fn settle(&mut self, id: MessageId) -> Option<String> {
        let is_first = |queue: &Queue| queue.letters.front().is_some_and(|letter| letter.id == id);
        let (key, queue) = self.queues.iter_mut().find(|(_, queue)| is_first(queue))?;
        let letter = queue.letters.pop_front()?;
        *queue = Queue { letters: std::mem::take(&mut queue.letters), ..Queue::default() };
        if queue.letters.is_empty() {
            let key = key.clone();
            self.queues.remove(&key);
        }
        self.waiting -= 1;
        Some(letter.to)
    }
}

impl Queue {
    /// The first one has been sent to the relay.
    fn is_with_relay(&self) -> bool {
        self.way == Some(Way::Relay) && self.sent > 0 && !self.letters.is_empty()
    }

    /// Whether a refusal is one that may still come for what is settled.
    fn takes_stray(&mut self, now: Instant) -> bool {
        match &mut self.strays {
            Some((strays @ 1.., until)) if now < *until => {
                *strays -= 1;
                true
            }
            _ => false,
        }
    }

    fn is_needed(&self, now: Instant) -> bool {
        !self.letters.is_empty() || self.strays.is_some_and(|(strays, until)| strays > 0 && now < until)
    }

    fn due(&mut self, way: Way, now: Instant) -> Option<Due> {
        if self.way != Some(way) {
            self.way = Some(way);
            self.sent = 0;
            self.again_at = None;
        }
        let letter = self.letters.front().filter(|_| self.again_at.is_none_or(|at| at <= now))?;
        let pauses = if way == Way::Direct { &DIRECT_PAUSES } else { &PAUSES };
        self.again_at = Some(now + pause(pauses, self.sent));
        self.sent += 1;
        self.is_put_off = false;
        let first = self.times == 0;
        self.times = self.times.saturating_add(1);
        Some(Due { to: letter.to.clone(), id: letter.id, bytes: letter.bytes.clone(), way, first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn ids() -> impl FnMut() -> MessageId {
        let mut random = Random::seeded(3);
        move || random.message_id()
    }

    #[test]
    fn one_at_a_time_for_each_person() {
        let (mut letters, mut id, now) = (Letters::default(), ids(), Instant::now());
        let (first, second, other) = (id(), id(), id());
        letters.push("bob", first, b"1").unwrap();
        letters.push("Bob", second, b"2").unwrap();
        letters.push("eve", other, b"3").unwrap();
        let due: Vec<_> = letters.due(None, now).into_iter().map(|due| (due.id, due.first)).collect();
        assert_eq!(due, [(first, true), (other, true)]);
        assert_eq!(letters.due(None, now), []);
        let again: Vec<_> = letters.due(None, now + PAUSES[0]).into_iter().map(|due| due.first).collect();
        assert_eq!(again, [false, false]);
        assert_eq!(letters.delivered(second), None, "it is not on its way");
        assert_eq!(letters.stored(first), Some("bob".into()));
        assert_eq!(letters.stored(first), None);
        assert_eq!(letters.delivered(first), Some("bob".into()));
        assert_eq!(letters.delivered(first), None);
        assert_eq!(letters.due(None, now)[0].id, second);
        assert_eq!(letters.waiting(), 2);
    }

    #[test]
    fn a_refusal_counts_once_however_often_it_was_asked_for() {
        let (mut letters, mut id, now) = (Letters::default(), ids(), Instant::now());
        let (first, second) = (id(), id());
        letters.push("bob", first, b"1").unwrap();
        letters.push("bob", second, b"2").unwrap();
        letters.due(None, now);
        letters.due(None, now + PAUSES[0]);
        assert_eq!(letters.refused("BOB", now), Some(("bob".into(), first)));
        letters.due(None, now);
        assert_eq!(letters.refused("bob", now), None, "the answer to the repeat");
        assert_eq!(letters.refused("bob", now), Some(("bob".into(), second)));
        assert_eq!(letters.refused("bob", now), None);
    }

    /// The only message to a name is settled, and another one written: what comes for the first is not taken for the second's.
    #[test]
    fn a_refusal_that_comes_late_is_not_the_next_ones() {
        let (mut letters, mut id, now) = (Letters::default(), ids(), Instant::now());
        let (first, second) = (id(), id());
        letters.push("bob", first, b"1").unwrap();
        letters.due(None, now);
        letters.due(None, now + PAUSES[0]);
        assert_eq!(letters.refused("bob", now), Some(("bob".into(), first)));
        assert_eq!((letters.waiting(), letters.deadline(now)), (0, None));
        letters.push("bob", second, b"2").unwrap();
        letters.due(None, now);
        assert_eq!(letters.refused("bob", now), None, "the answer to the repeat");
        assert_eq!(letters.refused("bob", now), Some(("bob".into(), second)));
        // One that never comes costs nobody anything for ever.
        letters.push("bob", first, b"3").unwrap();
        letters.due(None, now);
        letters.due(None, now + PAUSES[0]);
        assert!(letters.refused("bob", now).is_some());
        letters.push("bob", second, b"4").unwrap();
        letters.due(None, now + STRAYS);
        assert_eq!(letters.refused("bob", now + STRAYS), Some(("bob".into(), second)));
        letters.due(None, now + STRAYS);
        assert!(letters.queues.is_empty());
    }

    /// A refusal names who it is for: with messages to several under way it is the one's, and with several to one the first's.
    #[test]
    fn a_refusal_settles_the_message_that_is_on_its_way_to_that_name() {
        let (mut letters, mut id, now) = (Letters::default(), ids(), Instant::now());
        let to_bob = [id(), id(), id()];
        let to_eve = id();
        to_bob.iter().for_each(|id| letters.push("bob", *id, b"x").unwrap());
        letters.push("eve", to_eve, b"x").unwrap();
        let due: Vec<_> = letters.due(None, now).into_iter().map(|due| due.id).collect();
        assert_eq!(due, [to_bob[0], to_eve], "one at a time to each");
        assert_eq!(letters.refused("bob", now), Some(("bob".into(), to_bob[0])));
        assert_eq!(letters.refused("bob", now), None, "the second has not been sent");
        assert_eq!(letters.stored(to_eve), Some("eve".into()));
        letters.due(None, now);
        assert_eq!(letters.refused("bob", now), Some(("bob".into(), to_bob[1])));
        letters.due(None, now);
        assert_eq!(letters.delivered(to_bob[2]), Some("bob".into()));
        assert_eq!(letters.waiting(), 0);
    }

    #[test]
    fn what_the_relay_has_no_room_for_is_sent_again_later() {
        let (mut letters, mut id, now) = (Letters::default(), ids(), Instant::now());
        assert_eq!(letters.put_off(now), None);
        let (first, other) = (id(), id());
        letters.push("bob", first, b"1").unwrap();
        assert_eq!(letters.put_off(now), None, "it has not been sent");
        letters.due(None, now);
        letters.push("eve", other, b"2").unwrap();
        assert_eq!(letters.put_off(now), Some(vec![("bob".into(), first)]));
        assert_eq!(letters.put_off(now), None, "it is not this one's again");
        assert_eq!(letters.due(None, now).len(), 1, "that to eve");
        assert_eq!(letters.stored(other), Some("eve".into()));
        assert_eq!(letters.due(None, now + LATER / 2), []);
        assert_eq!(letters.due(None, now + LATER).len(), 1);
        assert_eq!(letters.put_off(now + LATER), Some(vec![]), "which is no news");
        assert_eq!(letters.stored(first), Some("bob".into()), "whatever it was told before");
    }

    #[test]
    fn a_refusal_for_no_name_settles_a_message_only_if_nothing_else_can_be_meant() {
        let (mut letters, mut id, now) = (Letters::default(), ids(), Instant::now());
        let (ours, theirs, to_bob) = (id(), id(), id());
        let due = |letters: &mut Letters, turn: u32| -> Vec<MessageId> {
            letters.due(None, now + APART * turn).into_iter().map(|due| due.id).collect()
        };
        letters.push("bob", to_bob, b"x").unwrap();
        due(&mut letters, 0);
        assert_eq!(letters.misnamed(false, now), None, "that is a name");
        letters.push("\u{bd}", ours, b"x").unwrap();
        due(&mut letters, 0);
        assert_eq!(letters.misnamed(true, now), Some(None), "it may be the other's");
        assert_eq!(letters.misnamed(true, now), None, "it has been sent nowhere since");
        letters.push("\u{e9}va", theirs, b"x").unwrap();
        assert_eq!(due(&mut letters, 0), [theirs]);
        assert!(due(&mut letters, 1).contains(&ours));
        assert_eq!(letters.misnamed(false, now + APART), Some(None), "it may be either's");
        assert_eq!(letters.delivered(to_bob), Some("bob".into()));
        assert_eq!(due(&mut letters, 2), [ours]);
        assert_eq!(letters.misnamed(false, now + APART * 2), Some(Some(("\u{bd}".into(), ours))));
        assert_eq!(due(&mut letters, 3), [theirs]);
        for _ in 0..2 {
            assert_eq!(letters.misnamed(false, now + APART * 3), Some(None), "the answer to a repeat");
        }
        assert_eq!(letters.misnamed(false, now + APART * 3), Some(Some(("\u{e9}va".into(), theirs))));
    }

    #[test]
    fn what_waits_is_bounded() {
        let (mut letters, mut id) = (Letters::default(), ids());
        let taken = |letters: &mut Letters, id: &mut dyn FnMut() -> MessageId, name: String| {
            (0..MAX_LETTERS).take_while(|_| letters.push(&name, id(), b"").is_ok()).count()
        };
        assert_eq!(taken(&mut letters, &mut id, "bob".into()), MAX_LETTERS_TO_ONE);
        let more: usize = (0..100).map(|number| taken(&mut letters, &mut id, number.to_string())).sum();
        assert_eq!(more, MAX_LETTERS - MAX_LETTERS_TO_ONE);
        assert_eq!(letters.drain().len(), MAX_LETTERS);
        assert_eq!(letters.waiting(), 0);
    }

    #[test]
    fn what_was_sent_is_told_from_what_never_was() {
        let (mut letters, mut id, now) = (Letters::default(), ids(), Instant::now());
        let (first, second, other) = (id(), id(), id());
        letters.push("bob", first, b"1").unwrap();
        letters.push("bob", second, b"2").unwrap();
        assert_eq!(letters.only_sent_once(), None);
        letters.due(None, now);
        assert_eq!(letters.only_sent_once(), Some(first));
        letters.push("eve", other, b"3").unwrap();
        // To another address, by another way: it was sent before all the same.
        letters.hurry();
        letters.due(Some("eve"), now);
        assert_eq!(letters.only_sent_once(), None);
        assert_eq!(letters.delivered(first), Some("bob".into()));
        assert_eq!(letters.only_sent_once(), None, "what was sent directly is not the relay's to refuse");
        let drained: Vec<_> = letters.drain().into_iter().map(|(_, id, sent)| (id, sent)).collect();
        assert_eq!(drained, [(second, false), (other, true)]);
    }

    #[test]
    fn a_direct_way_that_does_not_carry_is_noticed_and_left() {
        let (mut letters, mut id, mut now) = (Letters::default(), ids(), Instant::now());
        letters.push("bob", id(), b"1").unwrap();
        for pause in DIRECT_PAUSES {
            assert!(!letters.is_stuck("bob", now));
            assert_eq!(letters.due(Some("Bob"), now)[0].way, Way::Direct);
            now += pause;
        }
        assert!(letters.is_stuck("bob", now));
        assert_eq!(letters.due(None, now)[0].way, Way::Relay);
    }
}

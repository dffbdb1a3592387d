//! Payloads of each sender in their order, once each, and how many are missing.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use crate::limits::{HOLD, MAX_HELD, MAX_SPEAKERS, MAX_SPOKEN, STRAYS};

/// The senders of one group.
#[derive(Debug, Default)]
pub(crate) struct Order {
    speakers: HashMap<String, Speaker>,
    turn: u64,
}

/// What is to be told, in this order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Said(Vec<u8>),
    Missed(u32),
}

#[derive(Debug)]
struct Speaker {
    began: u32,
    next: u32,
    /// What came too early, by its distance to `next` when sorted.
    held: BTreeMap<u32, Vec<u8>>,
    /// When the missing ones are given up.
    give_up: Option<Instant>,
    /// What was told lately, and when, to know repeats.
    told: VecDeque<(u32, u64, Instant)>,
    /// Counted as lost, and may still come.
    lost: VecDeque<u32>,
    last: u64,
}

/// A sequence number so far ahead is not a gap but another beginning.
const MAX_GAP: u32 = 100_000;

impl Order {
    /// Takes a payload.
    pub(crate) fn take(&mut self, from: &str, seq: u32, bytes: &[u8], now: Instant) -> Vec<Heard> {
        self.turn += 1;
        if !self.speakers.contains_key(from) {
            self.make_room();
            self.speakers.insert(from.to_owned(), Speaker::beginning_at(seq));
        }
        let Some(speaker) = self.speakers.get_mut(from) else { return Vec::new() };
        speaker.last = self.turn;
        let mut heard = Vec::new();
        speaker.take(seq, bytes, now, &mut heard);
        heard
    }

    /// Gives up what has been missing for too long.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<(String, Vec<Heard>)> {
        let is_due = |speaker: &Speaker| speaker.give_up.is_some_and(|at| at <= now);
        let due = self.speakers.iter_mut().filter(|(_, speaker)| is_due(speaker));
        due.map(|(name, speaker)| {
            let mut heard = Vec::new();
            speaker.give_up(now, &mut heard);
            (name.clone(), heard)
        })
        .collect()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.speakers.values().filter_map(|speaker| speaker.give_up).min()
    }

    /// Another group, or the same one anew.
    pub(crate) fn forget(&mut self) {
        self.speakers.clear();
    }

    /// Who has left counts anew after coming back.
    pub(crate) fn forget_one(&mut self, from: &str) {
        self.speakers.remove(from);
    }

    fn make_room(&mut self) {
        if self.speakers.len() >= MAX_SPEAKERS
            && let Some((oldest, _)) = self.speakers.iter().min_by_key(|(_, speaker)| speaker.last)
        {
            let oldest = oldest.clone();
            self.speakers.remove(&oldest);
        }
    }
}

impl Speaker {
    fn beginning_at(seq: u32) -> Self {
        Self {
            began: seq,
            next: seq,
            held: BTreeMap::new(),
            give_up: None,
            told: VecDeque::new(),
            lost: VecDeque::new(),
            last: 0,
        }
    }

    fn take(&mut self, seq: u32, bytes: &[u8], now: Instant, heard: &mut Vec<Heard>) {
        let ahead = seq.wrapping_sub(self.next);
        if ahead == 0 {
            self.tell(bytes.to_vec(), now, heard);
            self.release(now, heard);
        } else if ahead < MAX_GAP {
            self.held.entry(seq).or_insert_with(|| bytes.to_vec());
            self.give_up.get_or_insert(now + HOLD);
            if self.held.len() > MAX_HELD {
                self.give_up(now, heard);
            }
        } else if self.is_repeat(seq, bytes, now) {
            // A network may make it.
        } else if self.is_late(seq) {
            heard.push(Heard::Said(bytes.to_vec()));
            self.remember(seq, bytes, now);
        } else {
            self.restart(seq, bytes, now, heard);
        }
    }

    /// Told just now. Later somebody who came back says it anew, with the same number.
    fn is_repeat(&self, seq: u32, bytes: &[u8], now: Instant) -> bool {
        let hash = hash(bytes);
        self.told.iter().any(|&(told, other, at)| (told, other) == (seq, hash) && now < at + STRAYS)
    }

    /// Given up before, or from just before the first one that was heard.
    fn is_late(&mut self, seq: u32) -> bool {
        let lost = self.lost.iter().position(|&lost| lost == seq).and_then(|place| self.lost.remove(place));
        let before = self.began.wrapping_sub(seq);
        let is_near = self.next.wrapping_sub(seq) <= MAX_SPOKEN as u32;
        lost.is_some() || (is_near && (1..=MAX_SPOKEN as u32).contains(&before))
    }

    /// Who left the group and came back counts from 0 again.
    fn restart(&mut self, seq: u32, bytes: &[u8], now: Instant, heard: &mut Vec<Heard>) {
        for bytes in std::mem::take(&mut self.held).into_values() {
            heard.push(Heard::Said(bytes));
        }
        *self = Self { last: self.last, ..Self::beginning_at(seq) };
        self.tell(bytes.to_vec(), now, heard);
    }

    fn tell(&mut self, bytes: Vec<u8>, now: Instant, heard: &mut Vec<Heard>) {
        self.remember(self.next, &bytes, now);
        self.next = self.next.wrapping_add(1);
        heard.push(Heard::Said(bytes));
    }

    /// Tells what was held only for what has come now.
    fn release(&mut self, now: Instant, heard: &mut Vec<Heard>) {
        while let Some(bytes) = self.held.remove(&self.next) {
            self.tell(bytes, now, heard);
        }
        self.give_up = (!self.held.is_empty()).then_some(now + HOLD);
    }

    fn give_up(&mut self, now: Instant, heard: &mut Vec<Heard>) {
        let next = self.next;
        let Some(first) = self.held.keys().copied().min_by_key(|seq| seq.wrapping_sub(next)) else {
            self.give_up = None;
            return;
        };
        let missing = first.wrapping_sub(next);
        let remembered = missing.min(MAX_SPOKEN as u32);
        self.lost.extend((0..remembered).map(|back| first.wrapping_sub(1 + back)));
        while self.lost.len() > MAX_SPOKEN {
            self.lost.pop_front();
        }
        heard.push(Heard::Missed(missing));
        self.next = first;
        self.release(now, heard);
    }

    fn remember(&mut self, seq: u32, bytes: &[u8], now: Instant) {
        self.told.push_back((seq, hash(bytes), now));
        if self.told.len() > MAX_SPOKEN {
            self.told.pop_front();
        }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is told of these sequence numbers, each of which is its own text; losses as negative numbers.
    fn told(seqs: &[u32]) -> Vec<i64> {
        let (mut order, now) = (Order::default(), Instant::now());
        let mut heard: Vec<Heard> =
            seqs.iter().flat_map(|seq| order.take("bob", *seq, &seq.to_le_bytes(), now)).collect();
        for (_, more) in order.tick(now + HOLD) {
            heard.extend(more);
        }
        let number = |heard| match heard {
            Heard::Said(bytes) => i64::from(u32::from_le_bytes(bytes.try_into().unwrap())),
            Heard::Missed(count) => -i64::from(count),
        };
        heard.into_iter().map(number).collect()
    }

    #[test]
    fn order_repeats_and_gaps() {
        assert_eq!(told(&[7, 8, 9]), [7, 8, 9]);
        assert_eq!(told(&[7, 9, 8, 8, 9, 10]), [7, 8, 9, 10]);
        assert_eq!(told(&[7, 10, 11]), [7, -2, 10, 11]);
        assert_eq!(told(&[u32::MAX, 1, 0]), [i64::from(u32::MAX), 0, 1]);
        assert_eq!(told(&[1, 0, 2, 3]), [1, 0, 2, 3], "the first two came in the wrong order");
        assert_eq!(told(&[0, 1, 2, 0]), [0, 1, 2], "a repeat of the first");
        assert_eq!(told(&[70, 71, 0, 1]), [70, 71, 0, 1], "who comes back counts anew");
    }

    #[test]
    fn what_comes_after_it_was_given_up_is_told_all_the_same() {
        let (mut order, now) = (Order::default(), Instant::now());
        order.take("bob", 0, b"a", now);
        assert_eq!(order.take("bob", 2, b"c", now), []);
        assert_eq!(order.deadline(), Some(now + HOLD));
        let heard = order.tick(now + HOLD);
        assert_eq!(heard, [("bob".into(), vec![Heard::Missed(1), Heard::Said(b"c".to_vec())])]);
        assert_eq!(order.take("bob", 1, b"b", now), [Heard::Said(b"b".to_vec())]);
        assert_eq!(order.take("bob", 1, b"b", now), []);
        assert_eq!(order.deadline(), None);
    }

    /// Whoever ends the program and comes back under the same name counts anew, and may say the same.
    #[test]
    fn the_same_text_is_a_repeat_for_a_while_only() {
        let (mut order, now) = (Order::default(), Instant::now());
        assert_eq!(order.take("bob", 0, b"hello", now), [Heard::Said(b"hello".to_vec())]);
        let just_before = now + STRAYS - std::time::Duration::from_millis(1);
        assert_eq!(order.take("bob", 0, b"hello", just_before), []);
        assert_eq!(order.take("bob", 0, b"hello", now + STRAYS), [Heard::Said(b"hello".to_vec())]);
        assert_eq!(order.take("bob", 1, b"again", now + STRAYS), [Heard::Said(b"again".to_vec())]);
    }

    #[test]
    fn memory_is_bounded() {
        let (mut order, now) = (Order::default(), Instant::now());
        order.take("bob", 0, b"", now);
        let heard: usize = (2..1000).map(|seq| order.take("bob", seq, b"", now).len()).sum();
        assert!(heard > 900);
        for number in 0..2 * MAX_SPEAKERS {
            order.take(&number.to_string(), 0, b"", now);
        }
        assert_eq!(order.speakers.len(), MAX_SPEAKERS);
    }

    proptest! {
        #[test]
        fn a_disordered_stream_is_told_in_order(swaps in prop::collection::vec(0usize..30, 0..60)) {
            let mut seqs: Vec<u32> = (100..130).collect();
            for place in swaps {
                // The first one says where the count begins.
                let place = place.clamp(1, 28);
                seqs.swap(place, place + 1);
                seqs.push(seqs[place]);
            }
            let first_seen: Vec<i64> = (100..130).collect();
            prop_assert_eq!(told(&seqs), first_seen);
        }
    }
}

//! What is on its way to one recipient: some of it sent and not acknowledged, the rest in line.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU64;
use std::sync::Arc;

use wire::MessageId;

use crate::limits::{PASSED, QUEUE, QUEUE_SHARE, SILENCE_MS, TRIES, TRIES_MS};
use crate::name::Name;
use crate::parties::{Badge, Site};
use crate::people::Key;
use crate::signals::Signals;

/// A message for somebody.
#[derive(Clone, Debug)]
pub(crate) struct Letter {
    pub from: Name,
    pub id: MessageId,
    /// When the relay first had it, milliseconds since 1970.
    pub time: u64,
    pub bytes: Box<[u8]>,
    pub origin: Origin,
}

/// Where a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Its sender is there. It is nowhere but in memory.
    Sender(Site),
    /// The store has it under this number.
    Store(u64),
}

/// Nothing more of that sender, or of its site, may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Letter {
    /// The site that it has just come from.
    fn site(&self) -> Option<NonZeroU64> {
        match self.origin {
            Origin::Sender(site) => Some(site.number),
            Origin::Store(_) => None,
        }
    }
}

/// A letter that was sent, and is not acknowledged.
#[derive(Debug)]
pub(crate) struct Flight {
    pub letter: Letter,
    pub serial: u64,
    /// When it was first sent to where its recipient is now.
    pub since: u64,
    /// How often.
    pub tries: usize,
    /// When it was last sent.
    pub sent: u64,
}

impl Flight {
    /// Its first time is to come.
    pub fn new(letter: Letter, serial: u64, now: u64) -> Self {
        Self { letter, serial, since: now, tries: 0, sent: now }
    }

    /// When it is to be looked at again.
    pub fn due(&self) -> u64 {
        let last = TRIES_MS[self.tries.saturating_sub(1)] + SILENCE_MS;
        self.since + TRIES_MS[..TRIES].get(self.tries).copied().unwrap_or(last)
    }
}

/// A sender that is passed over.
#[derive(Debug)]
struct Passed {
    /// Of its letter that was under way: the smallest has been passed over for the longest.
    serial: u64,
    /// The store has something of it.
    is_there: bool,
}

/// **The head of a recipient's queue.** Its tail is in the store, if there is any; then nothing joins the head but what is read
/// from there.
#[derive(Debug)]
pub(crate) struct Inbox {
    pub flights: Vec<Flight>,
    queue: VecDeque<Letter>,
    /// There may be more in the store than was read.
    pub has_more: bool,
    pub is_reading: bool,
    /// The last number read.
    pub read: u64,
    /// Senders whose letters are skipped: of each the first has not been acknowledged.
    passed: BTreeMap<Key, Passed>,
    is_silent: bool,
    /// It is noted when it says something.
    is_awaited: bool,
    /// When it last did while that was noted.
    heard: Option<u64>,
    /// What the session wears that it belongs to.
    badge: Arc<Badge>,
    /// Another number each time that it comes or falls silent: what was asked for before does not count any more.
    pub life: u64,
    /// When the first timer for its next round is due.
    pub timed: Option<u64>,
    /// Where all who are silent and awaited are counted, and what is on its way to anybody.
    signals: Arc<Signals>,
    /// What of it is counted there.
    counted: usize,
}

impl Inbox {
    /// Empty, but for what is in the store.
    pub fn new(has_more: bool, life: u64, (badge, signals): (Arc<Badge>, Arc<Signals>)) -> Self {
        Self {
            flights: Vec::new(),
            queue: VecDeque::new(),
            has_more,
            is_reading: false,
            read: 0,
            passed: BTreeMap::new(),
            is_silent: false,
            is_awaited: false,
            heard: None,
            badge,
            life,
            timed: None,
            signals,
            counted: 0,
        }
    }

    /// True if it does not acknowledge what it is sent; nothing more is sent before it is heard of.
    pub fn is_silent(&self) -> bool {
        self.is_silent
    }

    pub fn set_silent(&mut self, is_silent: bool) {
        if self.is_silent != is_silent {
            self.is_silent = is_silent;
            self.signals.count_silent(is_silent);
            self.set_awaited(is_silent);
        }
    }

    /// True if it is to be noted when it says something.
    pub fn is_awaited(&self) -> bool {
        self.is_awaited
    }

    pub fn set_awaited(&mut self, is_awaited: bool) {
        if self.is_awaited != is_awaited {
            self.is_awaited = is_awaited;
            self.badge.set_awaited(is_awaited);
            self.signals.count_awaited(is_awaited);
        }
    }

    /// It belongs to the session that wears this.
    pub fn belong_to(&mut self, badge: &Arc<Badge>) {
        let is_awaited = self.is_awaited;
        self.set_awaited(false);
        self.badge = Arc::clone(badge);
        self.set_awaited(is_awaited);
    }

    /// It says something.
    pub fn hear(&mut self, now: u64) {
        self.heard = Some(now);
        self.set_awaited(false);
    }

    /// True if a message may be sent once more: not all times are over, or it has spoken since the last of them, which is no silence.
    pub fn may_try(&self, flight: &Flight) -> bool {
        let has_spoken = self.heard.is_some_and(|heard| heard >= flight.sent);
        flight.tries < TRIES || flight.tries == TRIES && has_spoken
    }

    pub fn len(&self) -> usize {
        self.flights.len() + self.queue.len()
    }

    /// True if what comes now may go to the head's end.
    pub fn is_live(&self) -> bool {
        self.is_in_line() && !self.has_more && !self.is_reading
    }

    /// True if nobody is passed over, and it is not silent.
    pub fn is_in_line(&self) -> bool {
        !self.is_silent && self.passed.is_empty()
    }

    /// Senders of what has been under way for long enough to be acknowledged have their next turn when nobody else has anything, one after
    /// the other: else what cannot arrive would keep back what can.
    pub fn pass_over(&mut self, now: u64) {
        if self.passed.len() > PASSED - self.flights.len() {
            self.passed.clear();
        }
        for flight in self.flights.iter().filter(|flight| flight.since + SILENCE_MS <= now) {
            let passed = Passed { serial: flight.serial, is_there: false };
            self.passed.insert(Arc::clone(&flight.letter.from.key), passed);
        }
    }

    /// All have their turn again. The store has to be read from its beginning.
    pub fn pass_over_nobody(&mut self) {
        self.passed.clear();
    }

    /// True if the letter that was read of that sender has to wait.
    pub fn skips(&mut self, from: &Key) -> bool {
        let passed = self.passed.get_mut(from);
        passed.map(|passed| passed.is_there = true).is_some()
    }

    /// If the store has nothing more but of senders that are passed over, the one that has been for the longest has its turn. Those who
    /// have nothing there are passed over no more.
    pub fn turn_round(&mut self) {
        let is_read = !self.has_more && !self.is_reading && !self.is_silent;
        if !is_read || self.passed.is_empty() || self.len() > 0 {
            return;
        }
        self.passed.retain(|_, passed| std::mem::take(&mut passed.is_there));
        let eldest = self.passed.iter().min_by_key(|(_, passed)| passed.serial).map(|(from, _)| from.clone());
        eldest.and_then(|from| self.passed.remove(&from));
        (self.has_more, self.read) = (true, 0);
    }

    /// Makes room for one more of that sender. Where there is none, a site that has more than one more than the sender's loses the last
    /// that it has: so nobody's senders, however many they are, keep out those who come from elsewhere. What was put out has never
    /// been sent, and nothing of its sender is behind it.
    pub fn make_room(&mut self, from: &Key, site: Site) -> Result<Option<Letter>, Full> {
        let waiting = || self.queue.iter().filter_map(|letter| Some((&letter.from.key, letter.site()?)));
        if waiting().filter(|(other, _)| *other == from).count() >= QUEUE / QUEUE_SHARE {
            return Err(Full);
        }
        if waiting().count() < QUEUE {
            return Ok(None);
        }
        let mut sites: Vec<NonZeroU64> = waiting().map(|(_, site)| site).collect();
        sites.sort_unstable();
        let of = |site: NonZeroU64| sites.iter().filter(|other| **other == site).count();
        let largest =
            sites.chunk_by(|one, other| one == other).max_by_key(|same| same.len()).unwrap_or_default();
        if largest.len() <= of(site.number) + 1 {
            return Err(Full);
        }
        let last = self.queue.iter().rposition(|letter| letter.site() == largest.first().copied());
        let letter = last.and_then(|at| self.queue.remove(at));
        self.count();
        Ok(letter)
    }

    pub fn push(&mut self, letter: Letter) {
        self.queue.push_back(letter);
        self.count();
    }

    /// It has been sent.
    pub fn fly(&mut self, flight: Flight) {
        self.flights.push(flight);
        self.count();
    }

    /// True if it is on its way already.
    pub fn has(&self, from: &Key, id: &MessageId) -> bool {
        let is_it = |letter: &Letter| letter.from.key == *from && letter.id == *id;
        self.flights.iter().any(|flight| is_it(&flight.letter)) || self.queue.iter().any(is_it)
    }

    /// True if there is room for what the store has, and nothing of before waits.
    pub fn wants_mail(&self) -> bool {
        self.has_more && !self.is_reading && !self.is_silent && self.queue.is_empty()
    }

    /// The next that may be sent: of each sender one at a time, so that its messages arrive in order.
    pub fn next(&mut self, window: usize) -> Option<Letter> {
        if self.flights.len() >= window || self.is_silent {
            return None;
        }
        let is_free = |letter: &Letter| self.flights.iter().all(|flight| flight.letter.from != letter.from);
        let at = self.queue.iter().position(is_free)?;
        let letter = self.queue.remove(at);
        self.count();
        letter
    }

    pub fn flight(&self, serial: u64) -> Option<&Flight> {
        self.flights.iter().find(|flight| flight.serial == serial)
    }

    pub fn flight_mut(&mut self, serial: u64) -> Option<&mut Flight> {
        self.flights.iter_mut().find(|flight| flight.serial == serial)
    }

    /// Takes out what is acknowledged.
    pub fn take(&mut self, from: &Key, id: &MessageId) -> Option<Letter> {
        let is_it = |letter: &Letter| letter.from.key == *from && letter.id == *id;
        let flight = self.flights.iter().position(|flight| is_it(&flight.letter));
        let letter = match flight {
            Some(at) => Some(self.flights.remove(at).letter),
            None => self.queue.iter().position(is_it).and_then(|at| self.queue.remove(at)),
        };
        self.count();
        letter
    }

    /// Takes out everything, in order.
    pub fn empty(&mut self) -> Vec<Letter> {
        let mut flights = std::mem::take(&mut self.flights);
        flights.sort_by_key(|flight| flight.serial);
        let letters = flights.into_iter().map(|flight| flight.letter).chain(self.queue.drain(..)).collect();
        self.count();
        letters
    }

    /// Nothing is sent any more, and what is in the store will be read from its beginning. What is not there is handed back.
    pub fn fall_silent(&mut self, life: u64) -> Vec<Letter> {
        let letters = self.empty();
        self.set_silent(true);
        self.is_reading = false;
        self.has_more = true;
        self.read = 0;
        self.life = life;
        letters
    }

    fn count(&mut self) {
        let now = self.len();
        self.signals.count_under_way(self.counted, now);
        self.counted = now;
    }
}

impl Drop for Inbox {
    /// Whatever becomes of it, it is counted no more.
    fn drop(&mut self) {
        self.set_silent(false);
        self.set_awaited(false);
        self.empty();
    }
}

//! The accounts of messages: what each sender was told, what each recipient has seen, and whether the two agree.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::sums::Sums;

/// What a sender knows of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing yet.
    Nothing,
    /// `!STORED`
    Stored,
    /// `!DELIVERED`
    Delivered,
    /// `!ERR NO_SUCH_NAME`
    NoSuchName,
    /// `!ERR MAILBOX_FULL`
    MailboxFull,
}

/// What an arrival means to its recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It is shown.
    New,
    /// It is known by its sender and its id, and not shown again.
    Repeat,
    /// It would be shown again, because it says that it is another one.
    Doubled,
    /// It is not this recipient's.
    Misdelivered,
    /// It says another sender or id than it was sent with.
    Mislabelled,
}

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who has written it.
    pub from: u32,
    /// Who is to have it.
    pub to: u32,
    /// How many messages of the one to the other were before.
    pub number: u32,
    /// Bytes of its text.
    pub size: u16,
    /// How often it was sent.
    pub tries: u16,
    /// When it was to leave.
    pub intended: Duration,
    /// When it is sent again.
    pub due: Duration,
    /// What its sender was told.
    pub told: Told,
    /// It was shown to its recipient.
    pub is_shown: bool,
    /// It was ever stored, as far as its sender knows.
    pub was_stored: bool,
}

/// What one has written to another.
#[derive(Debug, Default)]
struct Pair {
    /// Those without an outcome; the first is on its way.
    line: VecDeque<u32>,
    written: u32,
    /// One more than the highest number that was shown.
    shown: u32,
    /// When the next one may be sent.
    rests_until: Duration,
}

/// All messages of a run.
#[derive(Debug, Default)]
pub struct Accounts {
    messages: Vec<Message>,
    pairs: HashMap<(u32, u32), Pair>,
    sums: Sums,
    /// Messages without an outcome.
    open: u64,
    /// Messages that are stored and were not shown.
    kept: u64,
}

impl Accounts {
    /// A message is written, and waits in its line. Its number in the run is returned.
    pub fn write(&mut self, from: u32, to: u32, size: u16, intended: Duration) -> u32 {
        let pair = self.pairs.entry((from, to)).or_default();
        let index = self.messages.len() as u32;
        pair.line.push_back(index);
        let number = pair.written;
        pair.written += 1;
        self.open += 1;
        self.messages.push(Message {
            from,
            to,
            number,
            size,
            tries: 0,
            intended,
            due: Duration::ZERO,
            told: Told::Nothing,
            is_shown: false,
            was_stored: false,
        });
        index
    }

    /// The message of this number in the run.
    pub fn get(&self, index: u32) -> Option<&Message> {
        self.messages.get(index as usize)
    }

    /// The first of a line, and when it may be sent.
    pub fn first(&self, from: u32, to: u32) -> Option<(u32, Duration)> {
        let pair = self.pairs.get(&(from, to))?;
        Some((*pair.line.front()?, pair.rests_until))
    }

    /// Sends a message once more: how often that makes.
    pub fn send(&mut self, index: u32, due: impl FnOnce(u16) -> Duration) -> Option<u16> {
        let message = self.messages.get_mut(index as usize)?;
        message.tries = message.tries.saturating_add(1);
        message.due = due(message.tries);
        if message.tries == 1 {
            self.sums.sent += 1;
        } else {
            self.sums.sent_again += 1;
        }
        Some(message.tries)
    }

    /// A message may be sent at this time.
    pub fn postpone(&mut self, index: u32, due: Duration) {
        if let Some(message) = self.messages.get_mut(index as usize) {
            message.due = due;
        }
    }

    /// A sender is told something of a message. True if that is its outcome, so that the next one of its line may be sent.
    pub fn tell(&mut self, index: u32, told: Told) -> bool {
        let Some(message) = self.messages.get_mut(index as usize) else { return false };
        let before = message.told;
        match (before, told) {
            (Told::Nothing, _) => {}
            (Told::Stored, Told::Delivered) => {
                message.told = told;
                self.kept -= u64::from(!message.is_shown);
                return false;
            }
            // Every repeat may have an answer of its own.
            _ => return false,
        }
        message.told = told;
        message.was_stored = told == Told::Stored;
        self.kept += u64::from(told == Told::Stored && !message.is_shown);
        self.open -= 1;
        if let Some(pair) = self.pairs.get_mut(&(message.from, message.to)) {
            pair.line.retain(|other| *other != index);
        }
        true
    }

    /// Nothing more is sent to a name before this time.
    pub fn rest(&mut self, from: u32, to: u32, until: Duration) {
        if let Some(pair) = self.pairs.get_mut(&(from, to)) {
            pair.rests_until = until;
        }
    }

    /// The message of this number has reached somebody; true in `is_labelled` if it came with the sender and the id that it was
    /// sent with.
    pub fn see(&mut self, index: u32, at: u32, is_labelled: bool) -> Seen {
        let Some(message) = self.messages.get_mut(index as usize).filter(|message| message.tries > 0) else {
            self.sums.misdelivered += 1;
            return Seen::Misdelivered;
        };
        if message.to != at {
            self.sums.misdelivered += 1;
            return Seen::Misdelivered;
        }
        if message.is_shown && is_labelled {
            self.sums.repeats += 1;
            self.sums.repeats_after_delivered += u64::from(message.told == Told::Delivered);
            return Seen::Repeat;
        }
        if message.is_shown {
            self.sums.doubled += 1;
            return Seen::Doubled;
        }
        if !is_labelled {
            self.sums.corrupted += 1;
            return Seen::Mislabelled;
        }
        message.is_shown = true;
        self.sums.shown += 1;
        self.kept -= u64::from(message.told == Told::Stored);
        let (number, key) = (message.number, (message.from, message.to));
        if let Some(pair) = self.pairs.get_mut(&key) {
            self.sums.out_of_order += u64::from(number < pair.shown);
            pair.shown = pair.shown.max(number + 1);
        }
        Seen::New
    }

    /// Something has arrived that is no message of this run as it was sent.
    pub fn corrupt(&mut self) {
        self.sums.corrupted += 1;
    }

    /// Messages that have no outcome yet, those in line included.
    pub fn open(&self) -> u64 {
        self.open
    }

    /// Messages that are stored, as their senders were told, and that their recipients have not seen.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// Whose mail that is, as often as they have some.
    pub fn owners(&self) -> impl Iterator<Item = u32> {
        let kept = self.messages.iter().filter(|message| message.told == Told::Stored && !message.is_shown);
        kept.map(|message| message.to)
    }

    /// How many messages were sent, shown, and so on, so far; each in one place of the sender's accounts, and in one of the
    /// recipient's.
    pub fn sums(&self) -> Sums {
        let mut sums = self.sums;
        for message in &self.messages {
            sums.file(message);
        }
        sums
    }

    /// What is counted as it happens, without looking at each message.
    pub fn running(&self) -> Sums {
        self.sums
    }
}

//! Where what must survive is written down, and what is asked there.

use std::num::NonZeroU64;

use slab::Slab;
use store::{Busy, Done, Request};

use crate::SessionId;
use crate::name::Name;
use crate::outcomes::Mark;
use crate::people::Key;

/// A store that is asked now and answers later.
pub trait Desk: Send {
    /// Hands over a request, and never waits. Requests are answered in the order in which they were handed over.
    ///
    /// # Errors
    /// If too much waits; then nothing is done.
    fn ask(&mut self, tag: u64, request: Request) -> Result<(), Busy>;

    /// The answers that have come, in their order.
    fn answers(&mut self) -> Vec<Done>;
}

/// What an answer is for.
pub(crate) enum Question {
    /// Somebody wants this name. The site has taken a new one for it, which it gets back if it is not new.
    Claim { session: SessionId, name: Name, quota: Option<NonZeroU64> },
    /// Who has this name wants it once more, written in this way.
    Again { session: SessionId, name: Name },
    /// A message is to be kept.
    Put { mark: Mark, to: Name, is_acknowledged: bool },
    /// Mail for somebody, in this life of its inbox.
    Read { to: Key, life: u64, asked: usize },
    /// What was old at this time.
    Sweep { now: u64 },
}

/// The desk, and what it has been asked.
pub(crate) struct Counter {
    desk: Box<dyn Desk>,
    open: Slab<Question>,
}

impl Counter {
    pub fn new(desk: Box<dyn Desk>) -> Self {
        Self { desk, open: Slab::new() }
    }

    /// The number of the question, by which it can be changed while it is open.
    pub fn ask(&mut self, question: Question, request: Request) -> Result<usize, Busy> {
        let entry = self.open.vacant_entry();
        let tag = entry.key();
        self.desk.ask(tag as u64, request)?;
        entry.insert(question);
        Ok(tag)
    }

    /// Asks for something that is not answered; false if there is no room for it. That is no loss: it comes back as mail that is
    /// delivered again, or as a name that is seen the next time.
    pub fn tell(&mut self, request: Request) -> bool {
        self.desk.ask(u64::MAX, request).is_ok()
    }

    pub fn question_mut(&mut self, tag: usize) -> Option<&mut Question> {
        self.open.get_mut(tag)
    }

    /// The answers that have come, and what they are for.
    pub fn answers(&mut self) -> Vec<(Question, store::Answer)> {
        let answers = self.desk.answers().into_iter();
        answers
            .filter_map(|Done { tag, answer }| Some((self.open.try_remove(tag as usize)?, answer)))
            .collect()
    }
}

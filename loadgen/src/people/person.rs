//! One person: where it is, and what it waits for.

use std::time::Duration;

use wire::{Cookie, Token};

use super::limits::PAUSES;

/// Where a person is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Has not begun.
    Idle,
    /// Has said HELLO.
    Greeting,
    /// Has a session, and has asked for its name.
    Registering,
    /// Has its name.
    Here,
    /// Has another address, and has said RESUME.
    Moving,
    /// Has said DEREG.
    Departing,
    /// Neither says nor hears anything.
    Away,
}

/// A person.
#[derive(Clone, Debug)]
pub struct Person {
    /// Where it is.
    pub state: State,
    /// How often its request was sent.
    pub tries: u16,
    /// When its request is sent again.
    pub due: Duration,
    /// When it said something last.
    pub spoke: Duration,
    /// When a task says that it may have to say something, so that there is only one of them.
    pub beats: Option<Duration>,
    /// When it decided to come back, until its first mail has come.
    pub returned: Option<Duration>,
    /// The number of its address.
    pub place: u32,
    /// What proves that its session is its own.
    pub token: Option<Token>,
    /// What proves its address.
    pub cookie: Option<Cookie>,
    /// What proves that its name is its own.
    pub claim: Option<Token>,
    /// Since when it has its name: what was written before, by it or to it, took longer for that.
    pub since: Duration,
    /// Its messages that are the first of their lines.
    pub sent: Vec<u32>,
}

impl Person {
    /// Somebody who has not begun.
    pub fn at(place: u32) -> Self {
        Self {
            place,
            token: None,
            state: State::Idle,
            tries: 0,
            due: Duration::ZERO,
            spoke: Duration::ZERO,
            beats: None,
            returned: None,
            cookie: None,
            claim: None,
            since: Duration::ZERO,
            sent: Vec::new(),
        }
    }

    /// True if it waits for the answer to a request.
    pub fn is_asking(&self) -> bool {
        matches!(self.state, State::Greeting | State::Registering | State::Moving | State::Departing)
    }

    /// True if it is on its way out, or is gone.
    pub fn is_leaving(&self) -> bool {
        matches!(self.state, State::Departing | State::Away)
    }

    /// True if it takes messages.
    pub fn is_listening(&self) -> bool {
        matches!(self.state, State::Registering | State::Here | State::Moving | State::Departing)
    }
}

/// How long to wait for an answer to what was sent so often.
pub fn pause(tries: u16) -> Duration {
    PAUSES[usize::from(tries.saturating_sub(1)).min(PAUSES.len() - 1)]
}

//! HELLO and RESUME: how a session begins, and how it goes on from another address.

use std::time::Instant;

use wire::{Cookie, Token};

use crate::Transport;
use crate::limits::{PROBES, pause};

/// A greeting on its way.
#[derive(Debug)]
pub(crate) struct Greeting {
    /// Goes on with this session, instead of beginning one.
    resume: Option<Token>,
    cookie: Option<Cookie>,
    sent: u32,
    deadline: Instant,
}

impl Greeting {
    /// Begins a session, or goes on with one. Send [`Greeting::encode`] at once.
    pub(crate) fn new(resume: Option<Token>, transport: Transport, now: Instant) -> Self {
        // A connection needs no proof, but the cookie stands before what one wishes.
        let cookie = (transport == Transport::Tcp).then_some(Cookie::ASK);
        Self { resume, cookie, sent: 1, deadline: now + PROBES[0] }
    }

    pub(crate) fn is_resume(&self) -> bool {
        self.resume.is_some()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let text = match (self.resume, self.cookie) {
            (Some(token), Some(cookie)) => format!("!RESUME {token} {cookie}"),
            (Some(token), None) => format!("!RESUME {token}"),
            (None, Some(cookie)) => format!("!HELLO 2 {cookie} FROM"),
            (None, None) => "!HELLO 2".into(),
        };
        text.into_bytes()
    }

    /// Takes the cookie that the relay wants to see: send again at once if it is another one.
    pub(crate) fn prove(&mut self, cookie: Cookie, now: Instant) -> bool {
        let is_new = self.cookie != Some(cookie);
        if is_new {
            self.cookie = Some(cookie);
            self.deadline = now + pause(&PROBES, self.sent - 1);
        }
        is_new
    }

    /// Counts one more try, if there is one.
    pub(crate) fn repeat(&mut self, now: Instant) -> bool {
        if self.sent as usize >= PROBES.len() {
            return false;
        }
        self.deadline = now + pause(&PROBES, self.sent);
        self.sent += 1;
        true
    }

    pub(crate) fn sent(&self) -> u32 {
        self.sent
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }
}

//! Heartbeats: every joined client pings once in each period.

use std::time::Duration;

use super::client::State;
use super::schedule::Rotation;
use super::{Lane, Outlet};
use crate::plan::Heartbeat;

/// The original client never pings more often.
const SHORTEST: Duration = Duration::from_secs(1);

/// While the relay's hint is not known, somebody who joins asks for it, no more often than this.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// An answer does not take longer: no copy is waited for longer either.
const LOST: Duration = Duration::from_secs(5);

/// Turns of clients that do not ping, looked at in one go.
const SKIP: usize = 4096;

/// The clock of the heartbeats.
pub struct Heart {
    mode: Heartbeat,
    clients: u32,
    rotation: Option<Rotation>,
    hint: Option<Duration>,
    asked: Option<Duration>,
    welcome: Option<u32>,
}

impl Heart {
    /// A clock for so many clients. With [`Heartbeat::Auto`] it begins with the relay's first PONG.
    pub fn new(mode: Heartbeat, clients: u32) -> Self {
        let rotation = match mode {
            Heartbeat::Auto => None,
            Heartbeat::Every(period) => Some(Rotation::new(clients, period, Duration::ZERO)),
        };
        Heart { mode, clients, rotation, hint: None, asked: None, welcome: None }
    }

    /// The relay's hint.
    pub fn hint(&self) -> Option<Duration> {
        self.hint
    }

    /// Somebody has joined, who may ask for the hint.
    pub fn welcome(&mut self, client: u32, now: Duration) {
        let recently = self.asked.is_some_and(|asked| now < asked + ASK_AGAIN);
        if self.hint.is_none() && !recently {
            (self.welcome, self.asked) = (Some(client), Some(now));
        }
    }

    fn hinted(&mut self, hint: Duration, now: Duration) {
        if self.hint == Some(hint) {
            return;
        }
        self.hint = Some(hint);
        if self.mode == Heartbeat::Auto {
            let period = hint.max(SHORTEST);
            let rotation = self.rotation.get_or_insert_with(|| Rotation::new(self.clients, period, now));
            rotation.set_period(period, now);
        }
    }

    /// When the next client has its turn.
    pub fn next(&self) -> Option<Duration> {
        if self.welcome.is_some() { Some(Duration::ZERO) } else { self.rotation.as_ref().map(Rotation::next) }
    }

    /// True if a PING that has no answer yet is so young that another would be the same sign of life: turns that were missed
    /// are not made up for.
    fn is_young(&self, pinged: u64, now: Duration) -> bool {
        let half = self.rotation.as_ref().map_or(ASK_AGAIN, Rotation::period) / 2;
        pinged != 0 && now < Duration::from_nanos(pinged) + half
    }

    fn take(&mut self, now: Duration) -> Option<u32> {
        if let Some(client) = self.welcome.take() {
            return Some(client);
        }
        let rotation = self.rotation.as_mut().filter(|rotation| rotation.next() <= now)?;
        Some(rotation.advance())
    }
}

impl Lane {
    /// Sends the PINGs that are due, at most so many; returns how many.
    pub(super) fn ping(&mut self, room: usize, now: Duration, out: &mut impl Outlet) -> usize {
        let (mut sent, mut looked) = (0, 0);
        while sent < room
            && looked < SKIP
            && let Some(client) = self.heart.take(now)
        {
            looked += 1;
            let it = &mut self.clients[client as usize];
            if it.state == State::Joined && !it.silent && !self.heart.is_young(it.pinged, now) {
                let is_lost = now >= Duration::from_nanos(it.pinged) + LOST;
                it.unanswered = if is_lost { 1 } else { it.unanswered.saturating_add(1) };
                it.pinged = (now.as_nanos() as u64).max(1);
                self.ledger.pinged();
                out.send(client, b"!PING");
                sent += 1;
            }
        }
        sent
    }

    /// Takes note of a PONG.
    pub(super) fn ponged(&mut self, client: u32, hint: Duration, now: Duration) {
        self.heart.hinted(hint, now);
        let it = &mut self.clients[client as usize];
        if it.unanswered > 0 {
            // With several on their way nobody knows which one this answers.
            let is_known = it.unanswered == 1;
            let pinged = Duration::from_nanos(it.pinged);
            it.unanswered -= 1;
            if it.unanswered == 0 {
                it.pinged = 0;
            }
            self.ledger.ponged(pinged, is_known.then(|| now.saturating_sub(pinged)));
        }
    }
}

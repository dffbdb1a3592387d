//! Who has to have done something until when.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::event::ConnectionId;

/// At most one time for each connection, in order.
#[derive(Default)]
pub(super) struct Deadlines(BTreeSet<(Instant, ConnectionId)>);

impl Deadlines {
    /// Puts `next` in the place of a connection's deadline.
    pub(super) fn replace(
        &mut self,
        connection: ConnectionId,
        deadline: &mut Option<Instant>,
        next: Option<Instant>,
    ) {
        if let Some(last) = std::mem::replace(deadline, next) {
            self.0.remove(&(last, connection));
        }
        if let Some(next) = next {
            self.0.insert((next, connection));
        }
    }

    /// Somebody whose time is over; the same until that is replaced.
    pub(super) fn due(&self, now: Instant) -> Option<ConnectionId> {
        self.0.first().filter(|(deadline, _)| *deadline <= now).map(|(_, connection)| *connection)
    }

    /// How long until the next is due.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        self.0.first().map(|(deadline, _)| deadline.saturating_duration_since(now))
    }
}

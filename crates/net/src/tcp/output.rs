//! Sending: into a connection's queue, and from there to the kernel.

use super::connection::{Connection, End};
use super::event::{ConnectionId, Ending};
use super::frame::Frame;
use super::ledger::Ledger;
use super::limits::{CONTROL_MOST, CONTROL_RESUMES, CONTROL_STOPS};
use super::queue::{Held, Kind, cost_of};
use super::streams::Streams;

impl Streams {
    /// Queues a message; the next exchange hands it over. A connection gets control and payloads in the order in which they
    /// were queued, but for payloads that are dropped, the oldest first, because too much waits. False if there is no such
    /// connection any more, or it ends because it has left too much control unread.
    pub fn send(&mut self, to: ConnectionId, kind: Kind, frame: &Frame) -> bool {
        let Some(connection) = self.connections.get_mut(to.slot as usize) else { return false };
        if connection.id != to || !connection.is_listening() {
            return false;
        }
        match push(connection, kind, frame, &mut self.ledger) {
            Ok(()) => {
                self.list_dirty(to);
                true
            }
            Err(end) => {
                self.end(to, end);
                false
            }
        }
    }

    /// Writes to everybody who has something waiting and takes it. Each exchange begins with it.
    pub fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for id in dirty.drain(..) {
            let Some(connection) = self.connections.get_mut(id.slot as usize) else { continue };
            if connection.id != id || connection.ended {
                continue;
            }
            connection.in_dirty = false;
            match connection.write(&mut self.ledger) {
                Ok(()) => self.judge(id),
                Err(end) => self.end(id, end),
            }
        }
        self.dirty = dirty;
    }

    /// Who leaves its control messages unread is not read from.
    fn judge(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id.slot as usize];
        let waiting = connection.queue.held(Kind::Control).messages;
        if connection.leaving.is_some() {
            return;
        }
        let patience = if !connection.stopped && waiting >= CONTROL_STOPS {
            Some(self.now + self.ledger.bounds.control_patience)
        } else if connection.stopped && waiting <= CONTROL_RESUMES {
            let first = self.now + self.ledger.bounds.first_message;
            if connection.spoken { self.rules.due(self.now) } else { Some(first) }
        } else {
            return;
        };
        connection.stopped = !connection.stopped;
        self.deadlines.replace(id, &mut connection.deadline, patience);
        self.list_ready(id);
    }
}

/// Makes room in the queue if there is none: first by writing, then at the expense of the oldest payloads.
fn push(connection: &mut Connection, kind: Kind, frame: &Frame, ledger: &mut Ledger) -> Result<(), End> {
    let cost = cost_of(frame);
    let fits = |connection: &Connection, ledger: &Ledger| {
        let Held { messages, bytes } = connection.queue.held(kind);
        let most = match kind {
            Kind::Control => CONTROL_MOST,
            Kind::Payload => ledger.bounds.payloads,
        };
        messages < most && bytes + cost <= ledger.allowance(kind, cost)
    };
    if !fits(connection, ledger) && connection.can_write() {
        connection.write(ledger)?;
    }
    while kind == Kind::Payload && !fits(connection, ledger) && connection.queue.drop_payload(ledger) {}
    match (fits(connection, ledger), kind) {
        (true, _) => connection.queue.push(frame.clone(), kind, ledger),
        (false, Kind::Payload) => ledger.figures.payloads_dropped += 1,
        (false, Kind::Control) => return Err(End { why: Ending::Overrun, reset: true }),
    }
    Ok(())
}

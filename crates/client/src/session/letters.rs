//! Messages of a session, through the relay and directly.

use std::net::SocketAddr;
use std::time::Instant;

use wire::{MessageId, Refusal, Token};

use super::Session;
use crate::direct::Turn;
use crate::event::{Closing, Event, Fate};
use crate::letters::{Due, Way};
use crate::order::Heard;
use crate::people::fold;

impl Session {
    /// Sends what is due.
    pub(super) fn send_letters(&mut self, now: Instant) {
        if let Some(peer) = self.direct.peer()
            && self.letters.is_stuck(peer, now)
        {
            self.close_direct(Closing::Silence);
        }
        if self.name.is_none() {
            return;
        }
        for due in self.letters.due(self.direct.peer(), now) {
            if due.way == Way::Relay && !due.first {
                // Perhaps the relay has a reason not to answer, perhaps the way carries nothing any more.
                self.beat_at = self.beat_at.min(now);
            }
            self.send_letter(due);
        }
    }

    fn send_letter(&mut self, due: Due) {
        let Due { to, id, bytes, way, first } = due;
        match (way, self.direct.address(), self.direct.encode(id, &bytes)) {
            (Way::Direct, Some(address), Some(datagram)) => self.out.send(address, datagram),
            _ => {
                let head = format!("!SEND {to} {id} ").into_bytes();
                self.transmit([head, bytes].concat());
            }
        }
        if first {
            self.out.event(Event::Fate { to, id, fate: Fate::Sent });
        }
    }

    pub(super) fn delivered(&mut self, id: MessageId) {
        if let Some(to) = self.letters.delivered(id) {
            self.out.event(Event::Fate { to, id, fate: Fate::Delivered });
        }
    }

    pub(super) fn stored(&mut self, id: MessageId) {
        if let Some(to) = self.letters.stored(id) {
            self.out.event(Event::Fate { to, id, fate: Fate::Stored });
        }
    }

    pub(super) fn letter_refused(&mut self, name: &str, fate: Fate, now: Instant) {
        if let Some((to, id)) = self.letters.refused(name, now) {
            self.out.event(Event::Fate { to, id, fate });
        }
    }

    /// The relay is full, and does not say of what: true if that may be the answer to a message, and is taken for it. A request that it
    /// was meant for is repeated, and then refused again.
    pub(super) fn put_off(&mut self, now: Instant) -> bool {
        let put_off = self.letters.put_off(now);
        for (to, id) in put_off.iter().flatten().cloned() {
            self.out.event(Event::Fate { to, id, fate: Fate::Deferred });
        }
        put_off.is_some()
    }

    /// A name is none, and the relay does not say where: true if that may be the answer to a message, and is taken for it.
    pub(super) fn misnamed(&mut self, now: Instant) -> bool {
        let is_asked = self.asked.as_ref().is_some_and(|asked| asked.is_refused_by(Refusal::BadName));
        let misnamed = self.letters.misnamed(is_asked, now);
        if let Some((to, id)) = misnamed.clone().flatten() {
            self.out.event(Event::Fate { to, id, fate: Fate::Refused });
        }
        misnamed.is_some()
    }

    /// The relay takes no messages from us, and says so to one that it does not name.
    pub(super) fn letters_refused(&mut self, fate: Fate) {
        self.end_letters(self.letters.only_sent_once(), fate);
    }

    /// All messages have this fate; but of those that were sent, and are not the one that was refused, nobody knows.
    pub(super) fn end_letters(&mut self, refused: Option<MessageId>, fate: Fate) {
        for (to, id, was_sent) in self.letters.drain() {
            let fate = if was_sent && refused != Some(id) { Fate::Unknown } else { fate };
            self.out.event(Event::Fate { to, id, fate });
        }
    }

    /// A message through the relay: acknowledged each time, told once.
    pub(super) fn take_message(&mut self, from: &str, id: MessageId, time: u64, bytes: &[u8]) {
        if !self.config.takes_messages {
            return;
        }
        self.transmit(format!("!ACK {from} {id}").into_bytes());
        if self.seen.is_new(&fold(from), id) {
            let (from, time) = (from.to_owned(), Some(time));
            self.out.event(Event::Message { from, id, time, bytes: bytes.to_vec() });
        }
    }

    /// Told before this session began.
    pub(crate) fn remember(&mut self, from: &str, id: MessageId) {
        self.seen.remember(from, id);
    }

    /// The relay has found a peer to talk to directly.
    pub(super) fn meet(&mut self, name: &str, address: SocketAddr, nonce: Token, now: Instant) {
        self.transmit(format!("!ACK PEER_AT {nonce}").into_bytes());
        if self.direct.meet(name, address, nonce, now) {
            self.out.event(Event::Punching(name.to_owned()));
            self.tick_direct(now);
        }
    }

    pub(super) fn tick_direct(&mut self, now: Instant) {
        match self.direct.tick(now) {
            Turn::Send(datagram) => {
                if let Some(address) = self.direct.address() {
                    self.out.send(address, datagram);
                }
            }
            Turn::Closed(name, reason) => self.out.event(Event::DirectClosed { name, reason }),
            Turn::WaitingEnded => self.out.event(Event::WaitingEnded),
            Turn::Nothing | Turn::Opened | Turn::Message(..) | Turn::Arrived(_) => {}
        }
    }

    /// Takes a datagram that did not come from the relay.
    pub(crate) fn receive_direct(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        match self.direct.receive(from, datagram, now) {
            Turn::Opened => {
                let name = self.direct.name().unwrap_or_default().to_owned();
                self.out.event(Event::DirectOpen { name, address: from });
            }
            Turn::Message(id, bytes) => self.take_direct_message(from, id, bytes),
            Turn::Arrived(id) => self.delivered(id),
            Turn::Closed(name, reason) => self.out.event(Event::DirectClosed { name, reason }),
            Turn::Nothing | Turn::Send(_) | Turn::WaitingEnded => {}
        }
        self.tick(now);
    }

    fn take_direct_message(&mut self, from: SocketAddr, id: MessageId, bytes: &[u8]) {
        if let Some(ack) = self.direct.acknowledgement(id) {
            self.out.send(from, ack);
        }
        let name = self.direct.name().unwrap_or_default().to_owned();
        if self.seen.is_new(&fold(&name), id) {
            self.out.event(Event::Message { from: name, id, time: None, bytes: bytes.to_vec() });
        }
    }

    /// Ends a direct talk as its owner wishes; whether there was one.
    pub(crate) fn hang_up(&mut self, now: Instant) -> bool {
        let was = self.close_direct(Closing::Ours);
        self.letters.hurry();
        self.tick(now);
        was
    }

    pub(super) fn close_direct(&mut self, reason: Closing) -> bool {
        let closed = self.direct.close();
        let was = closed.is_some();
        if let Some((name, address, bye)) = closed {
            self.out.send(address, bye);
            self.out.event(Event::DirectClosed { name, reason });
        }
        was
    }

    /// Tells payloads of the group.
    pub(super) fn tell(&mut self, from: &str, heard: Vec<Heard>) {
        for heard in heard {
            let from = from.to_owned();
            self.out.event(match heard {
                Heard::Said(bytes) => Event::Text { group: self.group, from: Some(from), bytes },
                Heard::Missed(count) => Event::Missed { from, count },
            });
        }
    }
}

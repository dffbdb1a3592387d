//! Clients by TCP: the connection is the proof of the address, and whoever ends it leaves.

use std::net::SocketAddr;

use wire::{Command, Form, Message, decode};

use crate::limits::IDLE_HEARTBEATS;
use crate::{ClientAddr, Datagram, Engine, Outbox};

impl Engine {
    /// Takes one message of a connection, which is a datagram whose source cannot be forged.
    pub fn receive_by_stream(&mut self, datagram: &Datagram<'_>, outbox: &mut Outbox) {
        let Some(client) = ClientAddr::by_stream(datagram.source) else {
            return self.drop_nobody(datagram.source);
        };
        if !matches!(decode(datagram.bytes), Message::Command(Command::Resume(_))) {
            self.quit_if_gone(&client, outbox);
        }
        self.hear_again(client, datagram, outbox);
        self.quit_if_gone(&client, outbox);
    }

    /// Whoever is connected from there now is somebody else, unless it shows the token.
    fn quit_if_gone(&mut self, client: &ClientAddr, outbox: &mut Outbox) {
        if let Some(key) = self.sessions.find(client).filter(|&key| self.sessions.get(key).gone) {
            self.quit(key, outbox);
        }
    }

    /// The connection of this peer is over. A base client leaves its group; an extended one may still RESUME for a heartbeat, from
    /// anywhere.
    pub fn hang_up(&mut self, source: SocketAddr, outbox: &mut Outbox) {
        let known = ClientAddr::by_stream(source).and_then(|client| self.sessions.find(&client));
        match known.map(|key| (key, self.sessions.get(key))) {
            None => {}
            Some((key, session)) if session.form == Form::Base => self.quit(key, outbox),
            Some((key, _)) => self.linger(key),
        }
    }

    /// Ends a session, and the membership with it.
    fn quit(&mut self, key: usize, outbox: &mut Outbox) {
        self.seal_if_member(key, outbox);
        self.expiry.wheel.remove(key);
        self.end_session(key);
    }

    /// A session that has been silent for long does not get longer by it.
    fn linger(&mut self, key: usize) {
        let silent = self.settings.heartbeat.saturating_mul(IDLE_HEARTBEATS - 1);
        let session = self.sessions.get_mut(key);
        session.active = self.now.min(session.active + silent);
        session.gone = true;
        let due = self.look_at(self.sessions.get(key));
        self.expiry.wheel.remove(key);
        self.expiry.wheel.add(key, due);
    }
}

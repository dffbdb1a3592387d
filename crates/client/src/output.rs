//! What a client wants of the world outside, and what it has to tell.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::Event;

/// What carries datagrams to the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One datagram is one message.
    Udp,
    /// Each message stands behind its length: two bytes, the higher one first (RFC 4571).
    Tcp,
}

/// Something to carry out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// Open a new socket to the relay, from a port that was not used before, in the place of the one there is. Then call
    /// [`Client::opened`](crate::Client::opened) or [`Client::closed`](crate::Client::closed).
    Open(Transport),
    /// Send a message. One that is lost is repeated if it matters. An address that is not the relay's is a peer's: it is sent
    /// to by UDP, from the port from which the relay is.
    Send {
        /// Where to.
        to: SocketAddr,
        /// Its bytes, without a length.
        datagram: Vec<u8>,
    },
}

/// What waits to be carried out and told.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) events: VecDeque<Event>,
}

impl Output {
    pub(crate) fn send(&mut self, to: SocketAddr, datagram: Vec<u8>) {
        self.transmits.push_back(Transmit::Send { to, datagram });
    }

    /// What was to leave by the old socket stays behind.
    pub(crate) fn open(&mut self, transport: Transport) {
        self.transmits.clear();
        self.transmits.push_back(Transmit::Open(transport));
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.events.push_back(event);
    }

    pub(crate) fn append(&mut self, other: &mut Self) {
        self.transmits.append(&mut other.transmits);
        self.events.append(&mut other.events);
    }
}

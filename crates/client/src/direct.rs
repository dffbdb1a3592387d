//! Direct talk: two clients behind routers open a way to each other, and what they say on it.
//!
//! Both have a nonce of the relay's that nobody else knows. Whatever comes counts only if it comes from the peer's address and
//! names the nonce:
//!
//! | Datagram | Meaning |
//! |---|---|
//! | `!PUNCH <nonce>` | opens the way, and keeps it open |
//! | `!D <nonce> <id> <bytes>` | a message, repeated until it is acknowledged; one at a time is on its way |
//! | `!A <nonce> <id>` | that message has arrived; sent for repeats, too |
//! | `!BYE <nonce>` | the end |
//!
//! The id is a [`MessageId`], the same as in `!SEND`: if the way breaks, the message goes through the relay, and whoever has it
//! already shows it no second time.

use std::net::SocketAddr;
use std::time::Instant;

use wire::{MessageId, Token};

use crate::event::Closing;
use crate::limits::{BRIDGE_WAIT, KEEP_EVERY, PEER_SILENCE, PUNCH_EVERY, PUNCH_FOR};

/// What a client knows of direct talk.
#[derive(Debug, Default)]
pub(crate) struct Direct {
    /// Until when a peer may be found.
    waiting: Option<Instant>,
    talk: Option<Talk>,
}

/// What follows from a datagram or from time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn<'a> {
    Nothing,
    Send(Vec<u8>),
    Opened,
    Closed(String, Closing),
    WaitingEnded,
    Message(MessageId, &'a [u8]),
    Arrived(MessageId),
}

#[derive(Debug)]
struct Talk {
    name: String,
    address: SocketAddr,
    nonce: Token,
    began: Instant,
    /// When the peer was heard last.
    heard: Option<Instant>,
    punch_at: Instant,
}

impl Direct {
    /// The relay waits for a peer from now on.
    pub(crate) fn wait(&mut self, now: Instant) {
        self.waiting = Some(now + BRIDGE_WAIT);
    }

    pub(crate) fn stop_waiting(&mut self) {
        self.waiting = None;
    }

    /// The relay has found a peer; whether that is news.
    pub(crate) fn meet(&mut self, name: &str, address: SocketAddr, nonce: Token, now: Instant) -> bool {
        let is_known = self.talk.as_ref().is_some_and(|talk| talk.nonce == nonce);
        if is_known || self.waiting.take().is_none() {
            return false;
        }
        let (name, address) = (name.to_owned(), canonical(address));
        self.talk = Some(Talk { name, address, nonce, began: now, heard: None, punch_at: now });
        true
    }

    /// Whom messages reach directly.
    pub(crate) fn peer(&self) -> Option<&str> {
        self.talk.as_ref().filter(|talk| talk.heard.is_some()).map(|talk| talk.name.as_str())
    }

    /// Where the way leads, or is to lead.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.talk.as_ref().map(|talk| talk.address)
    }

    /// The name that goes with [`Direct::address`].
    pub(crate) fn name(&self) -> Option<&str> {
        self.talk.as_ref().map(|talk| talk.name.as_str())
    }

    pub(crate) fn encode(&self, id: MessageId, bytes: &[u8]) -> Option<Vec<u8>> {
        let talk = self.talk.as_ref()?;
        let mut datagram = format!("!D {} {id} ", talk.nonce).into_bytes();
        datagram.extend_from_slice(bytes);
        Some(datagram)
    }

    pub(crate) fn acknowledgement(&self, id: MessageId) -> Option<Vec<u8>> {
        self.talk.as_ref().map(|talk| format!("!A {} {id}", talk.nonce).into_bytes())
    }

    /// Ends the talk: who it was with, and what to tell the peer.
    pub(crate) fn close(&mut self) -> Option<(String, SocketAddr, Vec<u8>)> {
        self.waiting = None;
        let talk = self.talk.take()?;
        let bye = format!("!BYE {}", talk.nonce).into_bytes();
        Some((talk.name, talk.address, bye))
    }

    /// Takes a datagram that did not come from the relay.
    pub(crate) fn receive<'a>(&mut self, from: SocketAddr, datagram: &'a [u8], now: Instant) -> Turn<'a> {
        let Some(talk) = self.talk.as_mut().filter(|talk| talk.address == canonical(from)) else {
            return Turn::Nothing;
        };
        let mut fields = datagram.splitn(3, |&byte| byte == b' ');
        let (word, nonce) = (fields.next().unwrap_or_default(), fields.next().and_then(Token::parse));
        if nonce != Some(talk.nonce) {
            return Turn::Nothing;
        }
        let rest = fields.next().unwrap_or_default();
        if word == b"!BYE" {
            let name = std::mem::take(&mut talk.name);
            self.talk = None;
            return Turn::Closed(name, Closing::Theirs);
        }
        let is_first = talk.heard.replace(now).is_none();
        match word {
            _ if is_first => Turn::Opened,
            b"!D" => {
                let end = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
                let bytes = rest.get(end + 1..).unwrap_or_default();
                MessageId::parse(&rest[..end]).map_or(Turn::Nothing, |id| Turn::Message(id, bytes))
            }
            b"!A" => MessageId::parse(rest).map_or(Turn::Nothing, Turn::Arrived),
            _ => Turn::Nothing,
        }
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, now: Instant) -> Turn<'static> {
        if self.waiting.is_some_and(|until| until <= now) {
            self.waiting = None;
            return Turn::WaitingEnded;
        }
        let Some(talk) = &mut self.talk else { return Turn::Nothing };
        let reason = match talk.heard {
            Some(heard) if now >= heard + PEER_SILENCE => Some(Closing::Silence),
            None if now >= talk.began + PUNCH_FOR => Some(Closing::NoWay),
            _ => None,
        };
        if let Some(reason) = reason {
            let name = std::mem::take(&mut talk.name);
            self.talk = None;
            return Turn::Closed(name, reason);
        }
        if talk.punch_at > now {
            return Turn::Nothing;
        }
        // Both punch for the whole time: that one hears the other says nothing of the way back.
        let is_punching = now < talk.began + PUNCH_FOR;
        talk.punch_at = now + if is_punching { PUNCH_EVERY } else { KEEP_EVERY };
        Turn::Send(format!("!PUNCH {}", talk.nonce).into_bytes())
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let talk = self.talk.as_ref();
        let silence =
            talk.map(|talk| talk.heard.map_or(talk.began + PUNCH_FOR, |heard| heard + PEER_SILENCE));
        [self.waiting, talk.map(|talk| talk.punch_at), silence].into_iter().flatten().min()
    }
}

/// The same address, however a socket of both families writes it.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const PEER: &str = "192.0.2.1:7000";

    fn met(now: Instant) -> Direct {
        let mut direct = Direct::default();
        direct.wait(now);
        assert!(direct.meet("bob", PEER.parse().unwrap(), Token::of(9), now));
        direct
    }

    fn open(now: Instant) -> Direct {
        let mut direct = met(now);
        let punch = format!("!PUNCH {}", Token::of(9));
        assert_eq!(direct.receive(PEER.parse().unwrap(), punch.as_bytes(), now), Turn::Opened);
        direct
    }

    #[test]
    fn strangers_are_never_the_peer() {
        let now = Instant::now();
        let mut direct = met(now);
        let (right, wrong) = (format!("!PUNCH {}", Token::of(9)), format!("!PUNCH {}", Token::of(8)));
        let peer = PEER.parse().unwrap();
        for (from, text) in [
            (peer, wrong.as_str()),
            ("192.0.2.1:7001".parse().unwrap(), &right),
            ("192.0.2.2:7000".parse().unwrap(), &right),
            (peer, "hello"),
            (peer, ""),
        ] {
            assert_eq!(direct.receive(from, text.as_bytes(), now), Turn::Nothing);
            assert_eq!(direct.peer(), None);
        }
        let mapped = "[::ffff:192.0.2.1]:7000".parse().unwrap();
        assert_eq!(direct.receive(mapped, right.as_bytes(), now), Turn::Opened);
        assert_eq!(direct.peer(), Some("bob"));
    }

    #[test]
    fn nobody_is_met_who_was_not_waited_for() {
        let now = Instant::now();
        let mut direct = Direct::default();
        assert!(!direct.meet("bob", PEER.parse().unwrap(), Token::of(9), now));
        let mut direct = met(now);
        assert!(!direct.meet("bob", PEER.parse().unwrap(), Token::of(9), now), "the same once more");
        assert!(!direct.meet("eve", PEER.parse().unwrap(), Token::of(8), now), "nobody waits any more");
    }

    #[test]
    fn messages_and_their_acknowledgements_are_read_as_written() {
        let now = Instant::now();
        let (mut here, mut there) = (open(now), open(now));
        let id = Random::seeded(1).message_id();
        let datagram = here.encode(id, b"two  words ").unwrap();
        let peer = PEER.parse().unwrap();
        assert_eq!(there.receive(peer, &datagram, now), Turn::Message(id, b"two  words "));
        let ack = there.acknowledgement(id).unwrap();
        assert_eq!(here.receive(peer, &ack, now), Turn::Arrived(id));
        let (name, _, bye) = here.close().unwrap();
        assert_eq!(name, "bob");
        assert_eq!(there.receive(peer, &bye, now), Turn::Closed("bob".into(), Closing::Theirs));
        assert_eq!(there.receive(peer, &datagram, now), Turn::Nothing);
    }

    #[test]
    fn punches_for_three_seconds_and_gives_up() {
        let mut now = Instant::now();
        let mut direct = met(now);
        let mut punches = 0;
        let last = loop {
            now = now.max(direct.deadline().unwrap());
            match direct.tick(now) {
                Turn::Send(_) => punches += 1,
                turn => break turn,
            }
        };
        assert_eq!((punches, last), (30, Turn::Closed("bob".into(), Closing::NoWay)));
        assert_eq!(direct.deadline(), None);
    }

    #[test]
    fn a_silent_peer_is_gone() {
        let start = Instant::now();
        let (mut now, mut direct) = (start, open(start));
        let last = loop {
            now = now.max(direct.deadline().unwrap());
            match direct.tick(now) {
                Turn::Send(_) => {}
                turn => break turn,
            }
        };
        assert_eq!((now, last), (start + PEER_SILENCE, Turn::Closed("bob".into(), Closing::Silence)));
        direct.wait(start);
        assert_eq!(direct.tick(start + BRIDGE_WAIT), Turn::WaitingEnded);
    }
}

//! Lets connections in, also when there are too many of them for the process.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use nix::libc;
use socket2::{Domain, Socket, Type};

use super::connection::break_off;
use super::event::NoRoom;
use super::figures::Figures;
use super::limits::ACCEPT_PAUSE;
use super::listener::Listener;

/// The listeners, and a descriptor to refuse with when there is no other.
pub(super) struct Door {
    listeners: Vec<Watched>,
    spare: Option<Socket>,
    /// Nothing is accepted before.
    shut_until: Option<Instant>,
}

struct Watched {
    listener: Listener,
    /// As far as is known.
    somebody: bool,
}

/// What a call of `accept` has led to.
pub(super) enum Visit {
    Visitor(TcpStream, SocketAddr),
    /// Somebody was refused, or has gone again.
    Over,
    Nobody,
}

impl Door {
    pub(super) fn new(listeners: Vec<Listener>, registry: &Registry, first: usize) -> io::Result<Door> {
        let mut listeners: Vec<_> =
            listeners.into_iter().map(|listener| Watched { listener, somebody: false }).collect();
        for (at, watched) in listeners.iter_mut().enumerate() {
            registry.register(&mut watched.listener.socket, Token(first + at), Interest::READABLE)?;
        }
        Ok(Door { listeners, spare: spare(), shut_until: None })
    }

    pub(super) fn note(&mut self, at: usize) {
        if let Some(watched) = self.listeners.get_mut(at) {
            watched.somebody = true;
        }
    }

    pub(super) fn listeners(&self) -> usize {
        self.listeners.len()
    }

    pub(super) fn close(&mut self) {
        self.listeners.clear();
    }

    /// True if somebody may wait at a listener.
    pub(super) fn is_wanted(&self) -> bool {
        self.listeners.iter().any(|watched| watched.somebody)
    }

    /// When to come again, if it is shut.
    pub(super) fn shut_until(&self, now: Instant) -> Option<Instant> {
        self.shut_until.filter(|until| *until > now)
    }

    /// The next who waits at this listener.
    pub(super) fn visit(&mut self, at: usize, now: Instant, figures: &mut Figures) -> Visit {
        if !self.listeners[at].somebody || self.shut_until(now).is_some() {
            return Visit::Nobody;
        }
        figures.calls += 1;
        let error = match self.listeners[at].listener.socket.accept() {
            Ok((stream, source)) => return Visit::Visitor(stream, source),
            Err(error) => error,
        };
        if error.kind() == ErrorKind::WouldBlock {
            self.listeners[at].somebody = false;
            return Visit::Nobody;
        }
        if let Some(libc::EMFILE | libc::ENFILE) = error.raw_os_error() {
            return self.turn_away(at, now, figures);
        }
        figures.accept_errors += 1;
        if is_theirs(&error) { Visit::Over } else { self.shut(now) }
    }

    /// Nothing can be accepted for want of descriptors: the spare one makes room to refuse somebody, who would wait for
    /// nothing otherwise, and be named again and again.
    fn turn_away(&mut self, at: usize, now: Instant, figures: &mut Figures) -> Visit {
        self.spare = None;
        figures.calls += 4;
        let watched = &mut self.listeners[at];
        let mut is_done = true;
        match watched.listener.socket.accept() {
            Ok((stream, _)) => {
                figures.refused[NoRoom::Descriptors.index()] += 1;
                break_off(stream, figures);
            }
            // The kernel looks for a descriptor first.
            Err(error) if error.kind() == ErrorKind::WouldBlock => watched.somebody = false,
            Err(_) => is_done = false,
        }
        self.spare = spare();
        if is_done && self.spare.is_some() { Visit::Over } else { self.shut(now) }
    }

    fn shut(&mut self, now: Instant) -> Visit {
        self.shut_until = Some(now + ACCEPT_PAUSE);
        Visit::Nobody
    }
}

/// True for an error of the one connection that would have been next; after any other the next would fail as well.
fn is_theirs(error: &io::Error) -> bool {
    let of_network =
        [libc::EPROTO, libc::ENOPROTOOPT, libc::ENONET, libc::ENETDOWN, libc::EHOSTDOWN, libc::ETIMEDOUT];
    matches!(
        error.kind(),
        ErrorKind::Interrupted
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
    ) || error.raw_os_error().is_some_and(|code| of_network.contains(&code))
}

/// An unbound UDP socket: the one kind of descriptor that a confined relay may make.
fn spare() -> Option<Socket> {
    Socket::new(Domain::IPV4, Type::DGRAM.cloexec(), None).ok()
}

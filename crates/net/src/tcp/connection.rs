//! One connection: what is understood of what it says, and what waits to be said to it.

use std::io::{self, ErrorKind, IoSlice, Read};
use std::net::{IpAddr, Shutdown};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use nix::libc;
use socket2::SockRef;

use super::arena::Arena;
use super::event::{ConnectionId, Ending, Event};
use super::figures::Figures;
use super::framing::{Found, Framing};
use super::ledger::Ledger;
use super::limits::{READ_BYTES, TURN_MESSAGES, WRITE_MESSAGES};
use super::queue::Queue;

pub(super) struct Connection {
    pub(super) id: ConnectionId,
    pub(super) source: IpAddr,
    pub(super) stream: TcpStream,
    pub(super) queue: Queue,
    pub(super) deadline: Option<Instant>,
    /// A whole message has come.
    pub(super) spoken: bool,
    /// When the last one came, or the connection.
    pub(super) heard: Instant,
    /// It has been silent for too long, and is looked at once more before it is closed for it.
    pub(super) doubted: bool,
    /// It is not read from, because it does not read.
    pub(super) stopped: bool,
    /// It is in the list of those to be read from.
    pub(super) in_ready: bool,
    /// It is in the list of those to be written to.
    pub(super) in_dirty: bool,
    /// It is in the list of those to be buried.
    pub(super) ended: bool,
    /// The owner knows that it is over.
    pub(super) is_known: bool,
    pub(super) leaving: Option<Leaving>,
    /// As far as is known: the kernel tells when it becomes so, and a call that it ends.
    readable: bool,
    writable: bool,
    /// The peer's end is among what can be read.
    hung_up: bool,
    framing: Framing,
    /// Received, and not yet handed over: an incomplete message, or more than one turn's share.
    kept: Vec<u8>,
    /// Whole messages may be among it.
    more: bool,
}

/// On its way out: what is queued is written first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving {
    pub(super) why: Ending,
    /// The peer has nothing more to say either.
    pub(super) eof: bool,
    shut: bool,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) why: Ending,
    /// The peer is told that what it has not got is lost; otherwise the kernel goes on sending.
    pub(super) reset: bool,
}

impl From<Ending> for End {
    fn from(why: Ending) -> End {
        End { why, reset: false }
    }
}

impl Connection {
    pub(super) fn new(id: ConnectionId, source: IpAddr, stream: TcpStream, now: Instant) -> Connection {
        Connection {
            id,
            source,
            stream,
            queue: Queue::default(),
            deadline: None,
            spoken: false,
            heard: now,
            doubted: false,
            stopped: false,
            in_ready: false,
            in_dirty: false,
            ended: false,
            is_known: false,
            leaving: None,
            readable: false,
            writable: true,
            hung_up: false,
            framing: Framing::default(),
            kept: Vec::new(),
            more: false,
        }
    }

    /// What the kernel said about it.
    pub(super) fn note(&mut self, event: &mio::event::Event) {
        self.hung_up |= event.is_read_closed() || event.is_error();
        self.readable |= event.is_readable() || self.hung_up;
        self.writable |= event.is_writable();
    }

    /// True if a turn would find something to hand over, or the end.
    pub(super) fn has_input(&self) -> bool {
        (self.readable || self.more) && !self.stopped && !self.leaving.is_some_and(|leaving| leaving.eof)
    }

    /// Looks for something to read, whatever the kernel has told: after a pause of the whole process it may not have got to it.
    pub(super) fn doubt(&mut self) {
        self.doubted = true;
        self.readable = true;
    }

    /// True if writing would do something.
    pub(super) fn can_write(&self) -> bool {
        self.writable && !self.queue.is_empty()
    }

    /// True if it has spoken, and nothing else than its silence could end it.
    pub(super) fn is_awaited(&self) -> bool {
        self.spoken && !self.stopped && !self.ended && self.leaving.is_none()
    }

    /// True if it takes messages.
    pub(super) fn is_listening(&self) -> bool {
        !self.ended && self.leaving.is_none()
    }

    /// Hands over a turn's share of its messages.
    pub(super) fn receive(
        &mut self,
        arena: &mut Arena,
        events: &mut Vec<Event>,
        figures: &mut Figures,
    ) -> Result<(), Ending> {
        let held = self.kept.len();
        arena.rest()[..held].copy_from_slice(&self.kept);
        let got = if self.more { 0 } else { self.read(&mut arena.rest()[held..held + READ_BYTES], figures)? };
        let (mut at, mut found) = (0, 0);
        while found < TURN_MESSAGES
            && let Some(next) = self.framing.next(&arena.rest()[..held + got], &mut at)
        {
            found += 1;
            let connection = self.id;
            events.push(match next {
                Found::Message(range) => {
                    self.spoken = true;
                    figures.messages_in += 1;
                    Event::Message { connection, message: arena.message(range) }
                }
                Found::TooLarge => {
                    figures.too_large += 1;
                    Event::TooLarge { connection }
                }
            });
        }
        self.keep(&arena.rest()[at..held + got]);
        self.more = found == TURN_MESSAGES && !self.kept.is_empty();
        arena.fill(at);
        Ok(())
    }

    /// Reads once; 0 if there is nothing. What fills the buffer is probably not all.
    fn read(&mut self, buffer: &mut [u8], figures: &mut Figures) -> Result<usize, Ending> {
        if !self.readable {
            return Ok(0);
        }
        figures.calls += 1;
        match self.stream.read(buffer) {
            Ok(0) => Err(Ending::Peer),
            Ok(count) => {
                self.readable = count == buffer.len() || self.hung_up;
                figures.bytes_in += count as u64;
                Ok(count)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(0)
            }
            Err(error) => Err(ending_of(&error)),
        }
    }

    /// Who has nothing unfinished takes no memory for it.
    fn keep(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            self.kept = Vec::new();
        } else {
            self.kept.clear();
            self.kept.reserve_exact(rest.len());
            self.kept.extend_from_slice(rest);
        }
    }

    /// Writes what is queued, as far as the kernel takes it. Who is leaving then goes.
    pub(super) fn write(&mut self, ledger: &mut Ledger) -> Result<(), End> {
        while self.can_write() {
            let mut list = [IoSlice::new(&[]); WRITE_MESSAGES];
            let (count, bytes) = self.queue.gather(&mut list);
            ledger.figures.calls += 1;
            let socket = SockRef::from(&self.stream);
            match socket.send_vectored_with_flags(&list[..count], libc::MSG_NOSIGNAL) {
                Ok(written) => {
                    self.writable = written == bytes;
                    self.queue.advance(written, ledger);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) => return Err(ending_of(&error).into()),
            }
        }
        if self.queue.is_empty() { self.part(&mut ledger.figures) } else { Ok(()) }
    }

    /// Who is leaving has got everything: it hears the end, and that is all when it has said so itself.
    fn part(&mut self, figures: &mut Figures) -> Result<(), End> {
        match &mut self.leaving {
            Some(leaving) if leaving.eof => Err(leaving.why.into()),
            Some(leaving) if !leaving.shut => {
                leaving.shut = true;
                figures.calls += 1;
                self.stream.shutdown(Shutdown::Write).map_err(|error| ending_of(&error).into())
            }
            _ => Ok(()),
        }
    }

    /// Starts to leave, as the owner knows.
    pub(super) fn leave(&mut self, why: Ending) {
        self.is_known = true;
        self.leaving = Some(Leaving { why, eof: why == Ending::Peer, shut: false });
        self.kept = Vec::new();
        self.more = false;
        self.stopped = false;
    }

    /// Reads what nobody wants to hear any more, up to the peer's end: unread, it would make the kernel break the connection off
    /// before the peer has got the last messages.
    pub(super) fn discard(&mut self, arena: &mut Arena, figures: &mut Figures) -> Result<(), Ending> {
        match (self.read(&mut arena.rest()[..READ_BYTES], figures), &mut self.leaving) {
            (Err(Ending::Peer), Some(leaving)) => {
                leaving.eof = true;
                Ok(())
            }
            (result, _) => result.map(|_| ()),
        }
    }

    /// The socket is gone when this is over; with a reset the kernel keeps nothing of it.
    pub(super) fn finish(mut self, reset: bool, ledger: &mut Ledger) {
        self.queue.discard(ledger);
        ledger.figures.calls += 1;
        if reset {
            break_off(self.stream, &mut ledger.figures);
        }
    }
}

/// Ends a connection at once. Where the option is refused the peer hears an ordinary end.
pub(super) fn break_off(stream: TcpStream, figures: &mut Figures) {
    figures.calls += 1;
    let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    drop(stream);
}

fn ending_of(error: &io::Error) -> Ending {
    match error.raw_os_error() {
        Some(libc::ECONNRESET | libc::EPIPE | libc::ENOTCONN) => Ending::Reset,
        Some(libc::ETIMEDOUT | libc::EHOSTUNREACH | libc::ENETUNREACH | libc::EHOSTDOWN | libc::ENETDOWN) => {
            Ending::Vanished
        }
        _ => Ending::Failed,
    }
}

//! The driver of a thread that serves connections, and answers datagrams' clients by sockets that others receive from.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, SocketAddrV6};
use std::ops::Range;
use std::time::Duration;

use super::event::{ConnectionId, Event};
use super::figures::Figures;
use super::frame::Frame;
use super::limits::LARGEST_MESSAGE;
use super::queue::Kind;
use super::rules::Rules;
use super::streams::Streams;
use crate::config::{DriverConfig, SetupError, check};
use crate::driver::{
    Arrival, BufferId, Driver, DriverStats, Full, Gather, Part, Run, SendReport, SocketIndex,
};
use crate::limits::MAX_SOCKETS;
use crate::pool::Pool;
use crate::queue::{Replay, SendQueue};
use crate::socket::Socket;
use crate::waker::Waker;

/// [`Streams`] as a [`Driver`]: messages arrive as datagrams do, each in a buffer of its own.
///
/// A peer is known by its address. Where two connections have the same, to two addresses of this machine, the later one counts.
pub struct StreamDriver {
    streams: Streams,
    peers: HashMap<SocketAddr, ConnectionId>,
    /// The peer of the connection in each slot, and whether it has said anything. Until then nothing is told it: what is there for its
    /// address is for whoever had it before.
    names: Vec<(SocketAddr, bool)>,
    /// What the connections' last turn has told, of which the first so many events have been handed over.
    events: Vec<Event>,
    told: usize,
    /// Nothing is received any more.
    deaf: bool,
    most: usize,
    pool: Pool,
    free: Vec<u16>,
    sockets: Vec<Socket>,
    queue: SendQueue,
    /// What was framed in this turn, once for all who get it.
    frames: HashMap<Part, Frame>,
    /// Messages for peers that are not connected any more.
    late: u64,
    /// Messages and bytes that connections have taken, as far as they are in the report.
    reported: (u64, u64),
}

impl StreamDriver {
    /// Serves these connections, and sends from these sockets, which it never receives from.
    ///
    /// # Errors
    /// [`SetupStep::Config`](crate::SetupStep::Config).
    pub fn new(
        streams: Streams,
        sockets: Vec<Socket>,
        config: &DriverConfig,
    ) -> Result<StreamDriver, SetupError> {
        check(&sockets, MAX_SOCKETS, config)?;
        Ok(StreamDriver {
            streams,
            peers: HashMap::new(),
            names: Vec::new(),
            events: Vec::new(),
            told: 0,
            deaf: false,
            most: usize::from(config.arrivals_per_exchange),
            pool: Pool::new(config.buffers, LARGEST_MESSAGE + 1),
            free: (0..config.buffers).rev().collect(),
            queue: SendQueue::new(&sockets, config.turn_budget, Replay::InPlace),
            sockets,
            frames: HashMap::new(),
            late: 0,
            reported: (0, 0),
        })
    }

    /// Closes all connections when what is queued for them has been written, in
    /// [`Bounds::farewell`](super::Bounds::farewell) at most.
    ///
    /// # Errors
    /// What made it unusable.
    pub fn part(mut self) -> io::Result<()> {
        self.streams.stop();
        while !self.streams.is_empty() {
            self.streams.exchange(&mut self.events, None)?;
        }
        Ok(())
    }

    fn send_batch(&mut self) {
        if !self.queue.is_empty() {
            self.queue.send_by_socket(&self.sockets);
        }
    }

    /// Hands over the next events, as many as a turn may have and as there are buffers for.
    fn hand_over(&mut self, arrivals: &mut Vec<Arrival>) {
        let last = arrivals.len() + self.most;
        // An event may be two arrivals: the end of a connection, and what comes in its place.
        while arrivals.len() < last && self.free.len() > 1 && self.told < self.events.len() {
            let event = self.events[self.told].clone();
            self.told += 1;
            self.tell_of(&event, arrivals);
        }
    }

    fn tell_of(&mut self, event: &Event, arrivals: &mut Vec<Arrival>) {
        match event {
            Event::Opened { connection, source, .. } => self.welcome(*connection, *source, arrivals),
            Event::Message { connection, message } => {
                if let Some(source) = self.speaker(*connection) {
                    let bytes = self.streams.bytes(message);
                    arrivals.extend(
                        self.free
                            .pop()
                            .map(|buffer| arrival(source, self.pool.lend_with(buffer, bytes), bytes.len())),
                    );
                }
            }
            Event::TooLarge { connection } => {
                if let Some(source) = self.speaker(*connection) {
                    self.push(source, LARGEST_MESSAGE + 1, arrivals);
                }
            }
            Event::Closed { connection, .. } => {
                if let Some(source) = self.peer(*connection) {
                    self.peers.remove(&source);
                    self.push(source, 0, arrivals);
                }
            }
        }
    }

    fn welcome(&mut self, connection: ConnectionId, source: SocketAddr, arrivals: &mut Vec<Arrival>) {
        let (source, slot) = (plain(source), connection.slot as usize);
        if self.names.len() <= slot {
            self.names.resize(slot + 1, (source, false));
        }
        self.names[slot] = (source, false);
        if let Some(earlier) = self.peers.insert(source, connection) {
            self.streams.close(earlier);
            self.push(source, 0, arrivals);
        }
    }

    /// The peer of a connection, unless it has another one by now.
    fn peer(&self, connection: ConnectionId) -> Option<SocketAddr> {
        let (source, _) = *self.names.get(connection.slot as usize)?;
        (self.peers.get(&source) == Some(&connection)).then_some(source)
    }

    /// The same, of one that says something.
    fn speaker(&mut self, connection: ConnectionId) -> Option<SocketAddr> {
        let source = self.peer(connection)?;
        self.names[connection.slot as usize].1 = true;
        Some(source)
    }

    /// An arrival of so many bytes, whatever they are.
    fn push(&mut self, source: SocketAddr, len: usize, arrivals: &mut Vec<Arrival>) {
        arrivals.extend(self.free.pop().map(|buffer| arrival(source, self.pool.lend(buffer), len)));
    }

    /// Queues each datagram of a run as a message.
    fn write(&mut self, run: &Run, kind: Kind) {
        let all = run.gather.start..run.gather.start + u32::from(run.gather.count);
        let has_spoken = |connection: &ConnectionId| self.names[connection.slot as usize].1;
        match self.peers.get(&run.to).copied().filter(has_spoken) {
            Some(connection) => self.write_to(connection, kind, all),
            None => self.late += u64::from(run.gather.count),
        }
    }

    fn write_to(&mut self, connection: ConnectionId, kind: Kind, all: Range<u32>) {
        for at in all {
            let (part, bytes) = self.queue.bytes(at, &self.pool);
            let frame = self.frames.entry(part).or_insert_with(|| {
                Frame::new(&[bytes]).expect("a datagram is shorter than a length can say")
            });
            self.late += u64::from(!self.streams.send(connection, kind, frame));
        }
    }

    /// Adds what connections have taken since the last time.
    fn count(&mut self) {
        let now = self.streams.figures();
        let (messages_before, bytes_before) = self.reported;
        let messages = now.messages_out - messages_before;
        // The last byte of a message is one, and takes two of its length off.
        let bytes = now.payload_bytes().saturating_sub(bytes_before);
        self.reported = (now.messages_out, bytes_before + bytes);
        let report = self.queue.report();
        report.datagrams += messages;
        report.bytes += bytes;
        report.segments[0] += messages;
        report.segments_sum += messages;
    }
}

impl Driver for StreamDriver {
    fn exchange(&mut self, arrivals: &mut Vec<Arrival>, wait: Option<Duration>) -> io::Result<()> {
        self.end_turn()?;
        if self.deaf {
            return Ok(());
        }
        if self.told == self.events.len() {
            self.told = 0;
            self.streams.exchange(&mut self.events, wait)?;
        }
        self.hand_over(arrivals);
        Ok(())
    }

    fn end_turn(&mut self) -> io::Result<()> {
        self.flush();
        self.frames.clear();
        self.queue.end_turn();
        Ok(())
    }

    fn bytes(&self, arrival: &Arrival) -> &[u8] {
        self.pool.bytes(arrival)
    }

    fn release(&mut self, buffer: BufferId) {
        self.pool.take_back(buffer);
        self.free.push(buffer.0);
    }

    fn compose(&mut self, text: &[u8]) -> Part {
        self.queue.compose(text)
    }

    fn compose_before(&mut self, text: &[u8], part: Part) -> Part {
        self.queue.compose_before(text, part, &self.pool)
    }

    fn gather(&mut self, parts: &[Part]) -> Gather {
        self.queue.gather(parts, &self.pool)
    }

    fn gather_without(&mut self, list: Gather, skipped: &[u16]) -> Gather {
        self.queue.gather_without(list, skipped)
    }

    fn send(&mut self, run: &Run) -> Result<(), Full> {
        if run.socket == SocketIndex::STREAMS {
            self.write(run, Kind::Payload);
            return Ok(());
        }
        while !self.queue.take(run, &self.sockets)? {
            self.send_batch();
        }
        Ok(())
    }

    fn tell(&mut self, run: &Run) -> Result<(), Full> {
        if run.socket != SocketIndex::STREAMS {
            return self.send(run);
        }
        self.write(run, Kind::Control);
        Ok(())
    }

    fn flush(&mut self) {
        self.send_batch();
        self.streams.flush();
    }

    fn stop_receiving(&mut self) -> io::Result<()> {
        self.deaf = true;
        Ok(())
    }

    fn report(&mut self) -> &mut SendReport {
        self.count();
        self.queue.report()
    }

    fn waker(&self) -> Waker {
        self.streams.waker()
    }

    fn has_streams(&self) -> bool {
        true
    }

    fn govern(&mut self, rules: &Rules) {
        self.streams.govern(rules);
    }

    fn figures(&self) -> Figures {
        let figures = self.streams.figures();
        Figures { messages_discarded: figures.messages_discarded + self.late, calls: 0, ..figures }
    }

    /// What is not read waits with its sender.
    fn receive_pressure(&self) -> f32 {
        0.0
    }

    fn stats(&self) -> DriverStats {
        DriverStats {
            enters: self.streams.figures().calls + self.queue.calls(),
            peer_errors: self.queue.peer_errors(),
            buffers_free: self.free.len() as u64,
            ..DriverStats::default()
        }
    }
}

fn arrival(source: SocketAddr, buffer: BufferId, len: usize) -> Arrival {
    let len = len as u16;
    Arrival { source, local: None, socket: SocketIndex::STREAMS, buffer, offset: 0, len, segment: 0 }
}

/// An address as it is sent to: only a link-local one has an interface.
fn plain(source: SocketAddr) -> SocketAddr {
    match source {
        SocketAddr::V6(v6) => {
            let scope = if v6.ip().is_unicast_link_local() { v6.scope_id() } else { 0 };
            SocketAddrV6::new(*v6.ip(), v6.port(), 0, scope).into()
        }
        v4 => v4,
    }
}

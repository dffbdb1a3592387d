//! What a turn sends: its bytes, its messages, its budget, and what became of them.

use std::mem;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc::{iovec, mmsghdr, msghdr};

use crate::address::Family;
use crate::batch::{Batch, Target};
use crate::driver::{Failure, FailureKind, Full, Gather, Part, Run, SendReport, SocketIndex};
use crate::gathered::Gathered;
use crate::peer_errors::PeerErrors;
use crate::pool::Pool;
use crate::recent::Recent;
use crate::routes::Routes;
use crate::socket::Socket;
use crate::transmit::{Calls, send_all};

/// A message that the kernel did not take: its place in the batch, and the reason.
pub(crate) type Refused = (usize, Errno);

/// How a run travels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Segmented,
    Plain,
}

/// When a refused message is sent in another way, or once more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Replay {
    /// Before anything behind it: the batch waits.
    InPlace,
    /// After its batch, which therefore holds at most one message for each destination.
    Afterwards,
}

/// What a socket says about the names of its messages.
#[derive(Clone, Copy)]
struct Outlet {
    family: Family,
    /// Messages to it need no name.
    peer: Option<SocketAddr>,
}

impl Outlet {
    fn of(socket: &Socket) -> Outlet {
        Outlet { family: socket.family(), peer: socket.peer() }
    }
}

/// The sending half that all drivers share. A driver only hands over the batch and says what was refused.
pub(crate) struct SendQueue {
    gathered: Gathered,
    batch: Batch,
    routes: Routes,
    /// The destinations of the batch, if its refused messages are replayed afterwards.
    destinations: Option<Recent>,
    peer_errors: PeerErrors,
    calls: u64,
    /// Headers of the datagrams that are sent one by one.
    plain: Vec<mmsghdr>,
    outlets: Box<[Outlet]>,
    budget: u32,
    used: u32,
    report: SendReport,
}

impl SendQueue {
    pub(crate) fn new(sockets: &[Socket], budget: u32, replay: Replay) -> SendQueue {
        SendQueue {
            gathered: Gathered::default(),
            batch: Batch::new(),
            routes: Routes::new(),
            destinations: (replay == Replay::Afterwards).then(Recent::new),
            peer_errors: PeerErrors::default(),
            calls: 0,
            plain: Vec::new(),
            outlets: sockets.iter().map(Outlet::of).collect(),
            budget,
            used: 0,
            report: SendReport::default(),
        }
    }

    pub(crate) fn compose(&mut self, text: &[u8]) -> Part {
        self.gathered.compose(text)
    }

    pub(crate) fn compose_before(&mut self, text: &[u8], part: Part, pool: &Pool) -> Part {
        self.gathered.compose_before(text, part, pool)
    }

    pub(crate) fn gather(&mut self, parts: &[Part], pool: &Pool) -> Gather {
        self.gathered.gather(parts, pool)
    }

    /// The bytes of the listed datagram at this position.
    pub(crate) fn bytes<'a>(&'a self, at: u32, pool: &'a Pool) -> (Part, &'a [u8]) {
        self.gathered.bytes(at, pool)
    }

    pub(crate) fn gather_without(&mut self, list: Gather, skipped: &[u16]) -> Gather {
        self.gathered.gather_without(list, skipped)
    }

    /// Queues a run, unless what is queued has to leave first. Ask again then: what became of that may change
    /// how this one travels.
    pub(crate) fn take(&mut self, run: &Run, sockets: &[Socket]) -> Result<bool, Full> {
        assert!(self.gathered.holds(run.gather), "a list of an earlier turn");
        assert!(usize::from(run.gather.count) <= Run::MAX_DATAGRAMS, "a run of too many datagrams");
        debug_assert!(self.gathered.matches(run), "a run that is not what it says: {run:?}");
        let used = self.used + u32::from(run.gather.count);
        if used > self.budget {
            return Err(Full);
        }
        let shape = self.shape(run);
        let messages = if shape == Shape::Segmented { 1 } else { usize::from(run.gather.count) };
        if self.batch.room() < messages {
            return Ok(false);
        }
        let waits = match &mut self.destinations {
            None => false,
            Some(destinations) if messages == 1 => !destinations.insert(run.to),
            Some(destinations) => destinations.contains(run.to),
        };
        if waits {
            return Ok(false);
        }
        if self.destinations.is_some() && messages > 1 {
            self.send_at_once(run, sockets);
        } else {
            self.push(run, shape);
        }
        self.used = used;
        Ok(true)
    }

    fn shape(&mut self, run: &Run) -> Shape {
        let (count, size) = (u32::from(run.gather.count), u32::from(run.size));
        // The kernel cuts by length, so a last datagram without bytes would be lost.
        let cuttable = count > 1 && size > 0 && run.bytes > size * (count - 1);
        if cuttable && size <= self.routes.segment(run.to) { Shape::Segmented } else { Shape::Plain }
    }

    fn push(&mut self, run: &Run, shape: Shape) {
        let target = self.target(run);
        let Gather { start, count } = run.gather;
        if shape == Shape::Segmented {
            self.batch.push(&target, start, count, run.bytes, Some(run.size));
        } else {
            for part in start..start + u32::from(count) {
                self.batch.push(&target, part, 1, self.gathered.len_of(part), None);
            }
        }
    }

    fn target(&self, run: &Run) -> Target {
        let Outlet { family, peer } = self.outlets[usize::from(run.socket.0)];
        let named = peer != Some(run.to);
        Target { socket: run.socket, family, to: run.to, from: run.from, named }
    }

    /// Sends datagrams that have to travel one by one, past the batch, in which nothing is for their
    /// destination.
    fn send_at_once(&mut self, run: &Run, sockets: &[Socket]) {
        let (target, index) = (self.target(run), self.batch.messages().len());
        self.batch.push(&target, run.gather.start, run.gather.count, run.bytes, None);
        self.send_plainly(index, &sockets[usize::from(run.socket.0)]);
        self.batch.pop();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batch.messages().is_empty()
    }

    /// The batch and its bytes, ready for the kernel. Until [`SendQueue::settle`] nothing may be queued.
    pub(crate) fn hand_over(&mut self) -> (&mut Batch, &mut [iovec]) {
        (&mut self.batch, self.gathered.resolve())
    }

    /// Counts the batch that was handed over, replays what was refused and may yet go, and starts the next.
    pub(crate) fn settle(&mut self, refused: &[Refused], sockets: &[Socket]) {
        self.count_batch();
        for &(index, errno) in refused {
            let socket = usize::from(self.batch.messages()[index].socket.0);
            let header = self.batch.header(index, self.gathered.resolve());
            // SAFETY: the header was just written, and stays as it is.
            self.refuse(index, unsafe { &*header }, errno, &sockets[socket]);
        }
        self.end_batch();
    }

    /// Sends the batch, one call for each socket that something leaves from: order matters only between
    /// messages of one socket.
    pub(crate) fn send_by_socket(&mut self, sockets: &[Socket]) {
        self.count_batch();
        let all = 0..self.batch.messages().len();
        for (socket, index) in sockets.iter().zip(0..) {
            self.send_in_place(all.clone(), SocketIndex(index), socket);
        }
        self.end_batch();
    }

    /// Sends the batch, one call for each row of messages of one socket.
    pub(crate) fn send_by_row(&mut self, sockets: &[Socket]) {
        self.count_batch();
        let mut first = 0;
        while let Some(message) = self.batch.messages().get(first) {
            let socket = message.socket;
            let others = self.batch.messages()[first..].iter().position(|other| other.socket != socket);
            let end = others.map_or(self.batch.messages().len(), |others| first + others);
            self.send_in_place(first..end, socket, &sockets[usize::from(socket.0)]);
            first = end;
        }
        self.end_batch();
    }

    /// Sends the messages in this range that leave from one socket; replays each refused one before the next.
    fn send_in_place(&mut self, range: Range<usize>, index: SocketIndex, socket: &Socket) {
        let mut row = self.batch.lend(range, index, self.gathered.resolve());
        let (headers, places) = row.parts();
        // SAFETY: the headers were just written; names, control messages, iovecs and pool do not change before
        // the call returns.
        let calls = unsafe {
            send_all(socket.as_raw_fd(), headers, |at, header, errno| {
                self.refuse(places[at], header, errno, socket);
            })
        };
        self.made(calls, socket);
        self.batch.take_back(row);
    }

    /// A call that stopped may have been told an error that is not told again, but waits in the error queue.
    fn made(&mut self, calls: Calls, socket: &Socket) {
        self.calls += calls.all;
        if calls.stopped {
            self.peer_errors.drain(socket);
        }
    }

    fn count_batch(&mut self) {
        for message in self.batch.messages() {
            count(&mut self.report, message.count, message.bytes);
        }
    }

    fn end_batch(&mut self) {
        self.batch.clear();
        if let Some(destinations) = &mut self.destinations {
            destinations.clear();
        }
    }

    /// Sends a message that was counted and refused once more or in another way, or takes it from the count.
    fn refuse(&mut self, index: usize, header: &msghdr, errno: Errno, socket: &Socket) {
        // SAFETY: the header is of this batch, of which nothing has changed.
        let Err(errno) = (unsafe { self.peer_errors.send_again(socket, header, errno) }) else { return };
        let message = self.batch.messages()[index];
        uncount(&mut self.report, message.count, message.bytes);
        if message.count > 1 && is_about_segments(errno) {
            self.routes.distrust(self.batch.destination(index).ip());
            self.send_plainly(index, socket);
        } else {
            self.fail(index, errno, u32::from(message.count));
        }
    }

    /// Sends the datagrams of a message one by one, and counts them.
    fn send_plainly(&mut self, index: usize, socket: &Socket) {
        let message = self.batch.messages()[index];
        let mut headers = mem::take(&mut self.plain);
        self.batch.plain_headers(index, self.gathered.resolve(), &mut headers);
        let mut refused = Vec::new();
        // SAFETY: the headers point into the batch, the iovecs and the pool; none changes before the call
        // returns.
        let calls = unsafe {
            send_all(socket.as_raw_fd(), &mut headers, |at, header, errno| {
                if let Err(errno) = self.peer_errors.send_again(socket, header, errno) {
                    refused.push((at, errno));
                }
            })
        };
        self.made(calls, socket);
        self.plain = headers;
        for part in message.start..message.start + u32::from(message.count) {
            count(&mut self.report, 1, self.gathered.len_of(part));
        }
        for (at, errno) in refused {
            let bytes = self.gathered.len_of(message.start + at as u32);
            uncount(&mut self.report, 1, bytes);
            self.fail(index, errno, 1);
        }
    }

    fn fail(&mut self, index: usize, errno: Errno, datagrams: u32) {
        let (to, kind) = (self.batch.destination(index), kind_of(errno));
        match self.report.failures.last_mut() {
            Some(last) if last.to == to && last.kind == kind => last.datagrams += datagrams,
            _ => self.report.failures.push(Failure { to, kind, datagrams }),
        }
    }

    /// Number of system calls that sent something, or tried to, beside those of the driver.
    pub(crate) fn calls(&self) -> u64 {
        self.calls + self.peer_errors.calls()
    }

    /// See [`DriverStats::peer_errors`](crate::DriverStats::peer_errors).
    pub(crate) fn peer_errors(&self) -> u64 {
        self.peer_errors.all()
    }

    pub(crate) fn report(&mut self) -> &mut SendReport {
        self.peer_errors.take_unreached(&mut self.report.unreached);
        &mut self.report
    }

    /// Everything has left: forgets lists and texts, and renews the budget.
    pub(crate) fn end_turn(&mut self) {
        self.gathered.clear();
        self.routes.end_turn();
        self.used = 0;
    }
}

/// Counts one message of so many datagrams as taken.
fn count(report: &mut SendReport, datagrams: u16, bytes: u32) {
    report.datagrams += u64::from(datagrams);
    report.bytes += u64::from(bytes);
    report.segments[bucket(datagrams)] += 1;
    report.segments_sum += u64::from(datagrams);
}

fn uncount(report: &mut SendReport, datagrams: u16, bytes: u32) {
    report.datagrams -= u64::from(datagrams);
    report.bytes -= u64::from(bytes);
    report.segments[bucket(datagrams)] -= 1;
    report.segments_sum -= u64::from(datagrams);
}

/// Logarithm of the count, rounded up.
fn bucket(count: u16) -> usize {
    (u16::BITS - count.saturating_sub(1).leading_zeros()) as usize
}

/// EMSGSIZE: a segment exceeds the route's MTU. EINVAL: the same on older kernels. EIO: the route cannot be
/// segmented for (IPsec, or no checksum offload on older kernels).
fn is_about_segments(errno: Errno) -> bool {
    matches!(errno, Errno::EMSGSIZE | Errno::EINVAL | Errno::EIO)
}

fn kind_of(errno: Errno) -> FailureKind {
    match errno {
        Errno::EAGAIN | Errno::ENOBUFS => FailureKind::BufferFull,
        Errno::ECONNREFUSED
        | Errno::EHOSTUNREACH
        | Errno::ENETUNREACH
        | Errno::ENETDOWN
        | Errno::EHOSTDOWN => FailureKind::Unreachable,
        Errno::EMSGSIZE => FailureKind::TooLarge,
        Errno::EPERM | Errno::EACCES => FailureKind::Denied,
        _ => FailureKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_powers_of_two() {
        let buckets = [1, 2, 3, 4, 5, 8, 9, 64, 65, 128].map(bucket);
        assert_eq!(buckets, [0, 1, 2, 2, 3, 3, 4, 6, 7, 7]);
    }

    #[test]
    fn every_kind_has_its_errors() {
        let kinds = [Errno::ENOBUFS, Errno::ENETUNREACH, Errno::EMSGSIZE, Errno::EACCES, Errno::ENOMEM];
        assert_eq!(kinds.map(kind_of), FailureKind::ALL);
    }
}

//! The contract between a shard loop and the kernel, kept by every driver.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use crate::limits;
use crate::sieve::Sieve;
use crate::tcp::{Figures, Rules};
use crate::waker::Waker;

/// Which of a driver's sockets. Only [`Epoll`](crate::Epoll) serves more than [`limits::MAX_SOCKETS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct SocketIndex(pub u16);

impl SocketIndex {
    /// The connections of a driver that has some: no socket for datagrams has this index.
    pub const STREAMS: SocketIndex = SocketIndex(u8::MAX as u16);
}

/// A receive buffer of the driver's pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BufferId(pub u16);

/// One received datagram, or several of one sender that the kernel coalesced
/// ([`SocketOptions::coalesce_receives`](crate::SocketOptions::coalesce_receives)). It owns its buffer until
/// [`Driver::release`] is called with it, exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Who sent it, in the socket's family: a v4-mapped address came by IPv6, and is forged.
    pub source: SocketAddr,
    /// The address that it reached; only on sockets that are bound to a wildcard. 255.255.255.255 or a multicast address: it was sent
    /// to many, and every socket of the port has one. 0.0.0.0: a loopback address, and by another interface than `lo`. None there: a
    /// loopback address, before the socket was asked to tell by which.
    pub local: Option<IpAddr>,
    /// The socket that received it, and that an answer has to leave from.
    pub socket: SocketIndex,
    /// Where its bytes lie.
    pub buffer: BufferId,
    /// Offset of its first byte in the buffer.
    pub offset: u16,
    /// Readable bytes: its length, or the driver's `max_datagram` where it was longer.
    pub len: u16,
    /// Bytes of each datagram but the last, which may be shorter, if the buffer holds several; 0 if it holds
    /// one.
    pub segment: u16,
}

impl Arrival {
    /// Where each datagram lies within [`Driver::bytes`], in order of arrival; at least one.
    pub fn datagrams(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let len = usize::from(self.len);
        let (count, size) = match usize::from(self.segment) {
            0 => (1, len),
            size => (len.div_ceil(size), size),
        };
        (0..count).map(move |at| at * size..len.min((at + 1) * size))
    }
}

/// Bytes of one datagram to send: in a receive buffer, or composed by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Bytes where they were received.
    Received {
        /// A buffer that has not been released.
        buffer: BufferId,
        /// Offset of the first byte.
        offset: u16,
        /// Length in bytes.
        len: u16,
    },
    /// Bytes copied by [`Driver::compose`].
    Composed {
        /// Position in the driver's composed text.
        start: u32,
        /// Length in bytes.
        len: u16,
    },
}

impl Part {
    /// Length in bytes.
    pub fn len(self) -> usize {
        match self {
            Part::Received { len, .. } | Part::Composed { len, .. } => usize::from(len),
        }
    }

    /// True for a part without bytes.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A list of parts, one for each datagram, that any number of runs may share. Valid until the next
/// [`Driver::exchange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gather {
    /// Position of the first part in the driver's list.
    pub start: u32,
    /// How many datagrams.
    pub count: u16,
}

/// `count` datagrams for one destination, in order; each is one part of `gather`.
///
/// All are `size` bytes long, except that the last may be shorter. How they travel is the driver's affair:
/// as one segmented send where the route carries segments of that size, as plain sends otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The socket that it leaves from.
    pub socket: SocketIndex,
    /// The destination.
    pub to: SocketAddr,
    /// The local address to answer from; `None` where the socket is bound to just one.
    pub from: Option<IpAddr>,
    /// The datagrams: at most [`Run::MAX_DATAGRAMS`] and at most [`Run::MAX_BYTES`] in all.
    pub gather: Gather,
    /// Bytes of each datagram but the last.
    pub size: u16,
    /// Bytes of all datagrams.
    pub bytes: u32,
}

impl Run {
    /// See [`limits::RUN_DATAGRAMS`].
    pub const MAX_DATAGRAMS: usize = limits::RUN_DATAGRAMS;
    /// See [`limits::RUN_BYTES`].
    pub const MAX_BYTES: usize = limits::RUN_BYTES;
}

/// The turn's budget of datagrams is used up; go on after the next [`Driver::exchange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Why the kernel did not take a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// EAGAIN, ENOBUFS: the send buffer or the device queue is full.
    BufferFull,
    /// ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN: no way to the destination.
    Unreachable,
    /// EMSGSIZE on a plain send.
    TooLarge,
    /// EPERM, EACCES: a firewall rule or a broadcast destination.
    Denied,
    /// Any other error (EINVAL for port 0, EADDRNOTAVAIL for a vanished local address, ENOMEM, ...).
    Other,
}

impl FailureKind {
    /// Every kind, in the order of [`FailureKind::index`].
    pub const ALL: [FailureKind; 5] =
        [Self::BufferFull, Self::Unreachable, Self::TooLarge, Self::Denied, Self::Other];

    /// Position in [`FailureKind::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Datagrams to one destination that the kernel did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The destination.
    pub to: SocketAddr,
    /// The reason.
    pub kind: FailureKind,
    /// How many datagrams.
    pub datagrams: u32,
}

/// What became of the sends since [`Driver::report`] was last taken.
#[derive(Debug, Default)]
pub struct SendReport {
    /// Datagrams that the kernel took.
    pub datagrams: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Messages handed to the kernel by number of datagrams: `[n]` counts those of 2^(n-1)+1 ..= 2^n
    /// datagrams.
    pub segments: [u64; 8],
    /// Sum of the datagrams in those messages.
    pub segments_sum: u64,
    /// What the kernel did not take.
    pub failures: Vec<Failure>,
    /// Destinations about which ICMP errors came in, of sockets with
    /// [`SocketOptions::report_queue_drops`](crate::SocketOptions::report_queue_drops), a few hundred at most. Anyone can forge them.
    pub unreached: Vec<SocketAddr>,
    /// Times that a peer's machine sent word that it has no such port, for a datagram that was counted as taken
    /// before. Only connected sockets hear of it, and either here or as [`FailureKind::Unreachable`] of their
    /// next send, which the kernel then does not take.
    pub returned: u64,
}

/// A driver's own counters since it started. A driver without a ring leaves the ring's at 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriverStats {
    /// System calls that moved datagrams: `io_uring_enter`, `recvmmsg`, `sendmmsg` and its
    /// like for one message.
    pub enters: u64,
    /// Times that a multishot receive was armed again.
    pub rearms: u64,
    /// Times that the kernel found no receive buffer.
    pub no_buffers: u64,
    /// Receives that failed for another reason. After a few in a row the driver pauses between them.
    pub receive_errors: u64,
    /// ICMP errors about earlier sends, of sockets with
    /// [`SocketOptions::report_queue_drops`](crate::SocketOptions::report_queue_drops). Anyone can forge them.
    pub peer_errors: u64,
    /// Exchanges that found completions waiting in the kernel because the completion queue was full. None is
    /// lost.
    pub cq_overflow: u64,
    /// Receive buffers that are free now.
    pub buffers_free: u64,
}

/// Exchanges datagrams with the kernel, for one shard, on one thread.
pub trait Driver {
    /// Hands over what is queued, appends what has arrived, and waits for it at most `wait` (`None`:
    /// without limit) if nothing had. Returns early when woken, when an ICMP error comes in, and when receives
    /// keep failing. Clears gather lists and composed text; renews the turn's budget.
    ///
    /// # Errors
    /// Only what makes the driver unusable; errors of single datagrams are in the [`SendReport`].
    fn exchange(&mut self, arrivals: &mut Vec<Arrival>, wait: Option<Duration>) -> io::Result<()>;

    /// Hands over what is queued and ends the turn as [`Driver::exchange`] does, but takes nothing and does not wait.
    ///
    /// # Errors
    /// What made the driver unusable.
    fn end_turn(&mut self) -> io::Result<()>;

    /// The bytes of an arrival whose buffer has not been released.
    fn bytes(&self, arrival: &Arrival) -> &[u8];

    /// Gives a buffer back. Sends queued before that still read it: it is filled again only after they have
    /// left.
    fn release(&mut self, buffer: BufferId);

    /// Copies a short text (a reply), to be sent this turn.
    fn compose(&mut self, text: &[u8]) -> Part;

    /// Copies a short text and the bytes of a part behind it, to be sent this turn as one datagram.
    fn compose_before(&mut self, text: &[u8], part: Part) -> Part;

    /// Lists datagrams, one part each, to be sent this turn.
    fn gather(&mut self, parts: &[Part]) -> Gather;

    /// Lists the datagrams of a list of this turn again, without those at these positions, which ascend.
    fn gather_without(&mut self, list: Gather, skipped: &[u16]) -> Gather;

    /// Queues a run. Nothing is lost on `Full`: the run was not taken.
    ///
    /// Runs from one socket to one destination leave in the order in which they were queued, even those that
    /// the kernel refuses at first (a segmented send that has to travel datagram by datagram, or a send that
    /// was told another peer's error). All others leave in any order.
    ///
    /// # Errors
    /// [`Full`] when the turn's budget of datagrams is used up.
    fn send(&mut self, run: &Run) -> Result<(), Full>;

    /// The same for a run of what must not be dropped because too much waits for its destination: answers.
    ///
    /// # Errors
    /// See [`Driver::send`].
    fn tell(&mut self, run: &Run) -> Result<(), Full> {
        self.send(run)
    }

    /// Hands over what is queued now, without receiving; one more system call than leaving it to the next
    /// exchange.
    fn flush(&mut self);

    /// Takes no datagrams from the sockets any more; further exchanges hand over those that were taken before. For sockets
    /// that somebody else will receive from. A driver that takes them only while it is asked for them has nothing to do.
    ///
    /// # Errors
    /// What made the driver unusable.
    fn stop_receiving(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// What became of the sends so far; the caller clears it with [`SendReport::clear`].
    fn report(&mut self) -> &mut SendReport;

    /// Wakes a waiting [`Driver::exchange`] from any thread.
    fn waker(&self) -> Waker;

    /// Gives the sockets this filter in the place of any other, or none.
    ///
    /// # Errors
    /// What the kernel has against it, or that this driver cannot; some sockets may then have the filter.
    fn sift(&mut self, sieve: Option<&Sieve>) -> io::Result<()> {
        let _ = sieve;
        Err(io::ErrorKind::Unsupported.into())
    }

    /// How full the fullest receive buffer is, from 0 to 1. One system call for each socket.
    fn receive_pressure(&self) -> f32;

    /// True if what arrives are the messages of connections. The end of one is an arrival without bytes; and runs may leave from
    /// [`SocketIndex::STREAMS`].
    #[inline]
    fn has_streams(&self) -> bool {
        false
    }

    /// Rules for connections, if it has any.
    fn govern(&mut self, rules: &Rules) {
        let _ = rules;
    }

    /// What its connections have done, and what was not sent because there was none any more; their calls are in
    /// [`Driver::stats`].
    fn figures(&self) -> Figures {
        Figures::default()
    }

    /// The driver's own counters.
    fn stats(&self) -> DriverStats;
}

impl SendReport {
    /// Forgets everything, keeping the allocation.
    pub fn clear(&mut self) {
        let mut failures = std::mem::take(&mut self.failures);
        failures.clear();
        let mut unreached = std::mem::take(&mut self.unreached);
        unreached.clear();
        *self = SendReport { failures, unreached, ..SendReport::default() };
    }

    /// Datagrams that the kernel did not take, for every reason.
    pub fn failed(&self) -> u64 {
        self.failures.iter().map(|failure| u64::from(failure.datagrams)).sum()
    }
}

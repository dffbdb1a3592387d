//! What a turn sends: its bytes, its messages, its budget, and what became of them.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc::iovec;

use crate::address::Family;
use crate::batch::{Batch, Target};
use crate::driver::{Failure, FailureKind, Full, Gather, Part, Run, SendReport};
use crate::gathered::Gathered;
use crate::pool::Pool;
use crate::recent::Recent;
use crate::routes::Routes;
use crate::socket::Socket;
use crate::transmit::send_all;

/// A message that the kernel did not take: its place in the batch, and the reason.
pub(crate) type Refused = (usize, Errno);

/// How a run travels.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Segmented,
    Plain,
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
    /// A refused segmented send is replayed after its submission, so nothing else may go there in the same
    /// one.
    segmented: Recent,
    outlets: Box<[Outlet]>,
    budget: u32,
    used: u32,
    report: SendReport,
}

impl SendQueue {
    pub(crate) fn new(sockets: &[Socket], budget: u32) -> SendQueue {
        SendQueue {
            gathered: Gathered::default(),
            batch: Batch::new(),
            routes: Routes::new(),
            segmented: Recent::new(),
            outlets: sockets.iter().map(Outlet::of).collect(),
            budget,
            used: 0,
            report: SendReport::default(),
        }
    }

    pub(crate) fn compose(&mut self, text: &[u8]) -> Part {
        self.gathered.compose(text)
    }

    pub(crate) fn gather(&mut self, parts: &[Part], pool: &Pool) -> Gather {
        self.gathered.gather(parts, pool)
    }

    /// Queues a run, unless what is queued has to leave first. Ask again then: what became of that may change
    /// how this one travels.
    pub(crate) fn take(&mut self, run: &Run) -> Result<bool, Full> {
        assert!(self.gathered.holds(run.gather), "a list of an earlier turn");
        assert!(usize::from(run.gather.count) <= Run::MAX_DATAGRAMS, "a run of too many datagrams");
        debug_assert!(self.gathered.matches(run), "a run that is not what it says: {run:?}");
        let used = self.used + u32::from(run.gather.count);
        if used > self.budget {
            return Err(Full);
        }
        let shape = self.shape(run);
        if self.must_wait(run, shape) {
            return Ok(false);
        }
        self.used = used;
        self.push(run, shape);
        Ok(true)
    }

    fn shape(&mut self, run: &Run) -> Shape {
        let (count, size) = (u32::from(run.gather.count), u32::from(run.size));
        // The kernel cuts by length, so a last datagram without bytes would be lost.
        let cuttable = count > 1 && size > 0 && run.bytes > size * (count - 1);
        if cuttable && size <= self.routes.segment(run.to) { Shape::Segmented } else { Shape::Plain }
    }

    /// For room, or for the outcome of a segmented send to the same destination.
    fn must_wait(&self, run: &Run, shape: Shape) -> bool {
        let messages = if shape == Shape::Segmented { 1 } else { usize::from(run.gather.count) };
        self.batch.room() < messages || self.segmented.contains(run.to)
    }

    fn push(&mut self, run: &Run, shape: Shape) {
        let Outlet { family, peer } = self.outlets[usize::from(run.socket.0)];
        let named = peer != Some(run.to);
        let target = Target { socket: run.socket, family, to: run.to, from: run.from, named };
        let Gather { start, count } = run.gather;
        if shape == Shape::Segmented {
            self.segmented.insert(run.to);
            self.batch.push(&target, start, count, run.bytes, Some(run.size));
        } else {
            for part in start..start + u32::from(count) {
                self.batch.push(&target, part, 1, self.gathered.len_of(part), None);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batch.messages().is_empty()
    }

    /// The batch and its bytes, ready for the kernel. Until [`SendQueue::settle`] nothing may be queued.
    pub(crate) fn hand_over(&mut self) -> (&mut Batch, &mut [iovec]) {
        (&mut self.batch, self.gathered.resolve())
    }

    /// Counts the batch that was handed over, replays what only needs to be sent one by one, and starts the
    /// next. Returns the number of system calls.
    pub(crate) fn settle(&mut self, refused: &[Refused], sockets: &[Socket]) -> u64 {
        for message in self.batch.messages() {
            count(&mut self.report, message.count, message.bytes);
        }
        let mut calls = 0;
        for &(index, errno) in refused {
            let message = self.batch.messages()[index];
            uncount(&mut self.report, message.count, message.bytes);
            if message.count > 1 && is_about_segments(errno) {
                calls += self.replay(index, sockets);
            } else {
                self.fail(index, errno, u32::from(message.count));
            }
        }
        self.batch.clear();
        self.segmented.clear();
        calls
    }

    /// Sends the datagrams of a refused segmented send one by one, and those to come as well.
    fn replay(&mut self, index: usize, sockets: &[Socket]) -> u64 {
        let message = self.batch.messages()[index];
        self.routes.distrust(self.batch.destination(index).ip());
        let mut headers = self.batch.plain_headers(index, self.gathered.resolve());
        let fd = sockets[usize::from(message.socket.0)].as_raw_fd();
        let mut refused = Vec::new();
        // SAFETY: the headers point into the batch, the iovecs and the pool; none changes before the call
        // returns.
        let calls = unsafe { send_all(fd, &mut headers, |at, errno| refused.push((at, errno))) };
        for part in message.start..message.start + u32::from(message.count) {
            count(&mut self.report, 1, self.gathered.len_of(part));
        }
        for (at, errno) in refused {
            let bytes = self.gathered.len_of(message.start + at as u32);
            uncount(&mut self.report, 1, bytes);
            self.fail(index, errno, 1);
        }
        calls
    }

    fn fail(&mut self, index: usize, errno: Errno, datagrams: u32) {
        let (to, kind) = (self.batch.destination(index), kind_of(errno));
        match self.report.failures.last_mut() {
            Some(last) if last.to == to && last.kind == kind => last.datagrams += datagrams,
            _ => self.report.failures.push(Failure { to, kind, datagrams }),
        }
    }

    pub(crate) fn report(&mut self) -> &mut SendReport {
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

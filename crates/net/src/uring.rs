//! The driver for io_uring: multishot receives into provided buffers, and sends that execute as they are
//! submitted.

use std::io;
use std::mem::{self, ManuallyDrop};
use std::time::{Duration, Instant};

use io_uring::types::{CancelBuilder, Fixed};
use io_uring::{cqueue, opcode, squeue};
use nix::errno::Errno;
use nix::libc::{self, iovec};

use crate::batch::Batch;
use crate::config::{DriverConfig, SetupError, SetupFailure, SetupStep, check};
use crate::driver::{Arrival, BufferId, Driver, DriverStats, Full, Gather, Part, Run, SendReport};
use crate::limits::MAX_SOCKETS;
use crate::queue::{Refused, Replay, SendQueue};
use crate::setback::shorter;
use crate::sieve::{self, Sieve};
use crate::socket::{Socket, receive_pressure};
use crate::uring::buffers::Buffers;
use crate::uring::receiver::{HEADROOM, Receiver};
use crate::uring::ring::Ring;
use crate::waker::Waker;

mod buffers;
mod receiver;
mod restrict;
mod ring;
mod setup;
mod tag;

/// A multishot receive hands over at most 33 datagrams at a time (MULTISHOT_MAX_RETRY, and the one that
/// woke it).
const HANDFUL: usize = 33;
/// How long the kernel may take to end the receives of a ring; it takes microseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// Drives its sockets by io_uring. It is made and turned on one thread, which owns the ring.
pub struct Uring {
    ring: Ring,
    receiver: Receiver,
    /// Freed only when no receive is armed.
    buffers: ManuallyDrop<Buffers>,
    queue: SendQueue,
    refused: Vec<Refused>,
    sockets: Vec<Socket>,
    waker: Waker,
    waker_armed: bool,
    /// Nothing is to be received any more.
    deaf: bool,
    arrivals_per_exchange: usize,
    /// The error that made the ring unusable. From then on nothing is submitted: what is queued may be stale.
    broken: Option<Errno>,
}

impl Uring {
    /// A driver of these sockets, with its first receives armed. Call it on the thread that will turn the
    /// driver.
    ///
    /// # Errors
    /// The step that the kernel refused; the sockets are given back for another driver.
    pub fn new(sockets: Vec<Socket>, config: &DriverConfig) -> Result<Uring, SetupFailure> {
        if let Err(error) = check(&sockets, MAX_SOCKETS, config) {
            return Err(SetupFailure { error, sockets });
        }
        let buffers = Buffers::new(config.buffers, HEADROOM, config.max_datagram);
        let waker = Waker::new().map_err(setup::at(SetupStep::Waker));
        // SAFETY: the buffers are kept until every receive has ended, see Drop.
        let parts = waker.and_then(|waker| Ok((unsafe { setup::ring(&sockets, &waker, &buffers) }?, waker)));
        let (ring, waker) = match parts {
            Ok(parts) => parts,
            Err(error) => return Err(SetupFailure { error, sockets }),
        };
        let driver = Uring {
            ring,
            receiver: Receiver::new(&sockets, config.max_datagram),
            buffers: ManuallyDrop::new(buffers),
            queue: SendQueue::new(&sockets, config.turn_budget, Replay::Afterwards),
            refused: Vec::with_capacity(Batch::CAPACITY),
            sockets,
            waker,
            waker_armed: false,
            deaf: false,
            arrivals_per_exchange: config.arrivals_per_exchange.into(),
            broken: None,
        };
        driver.armed()
    }

    fn armed(mut self) -> Result<Uring, SetupFailure> {
        self.buffers.provide();
        let result = self
            .arm_waker()
            .and_then(|()| self.arm())
            .and_then(|()| self.ring.exchange(Some(Duration::ZERO)));
        self.reap();
        match result.and_then(|()| self.health()) {
            Ok(()) => Ok(self),
            Err(source) => {
                let sockets = mem::take(&mut self.sockets);
                Err(SetupFailure { error: SetupError { step: SetupStep::Receive, source }, sockets })
            }
        }
    }

    fn health(&self) -> io::Result<()> {
        self.broken.map_or(Ok(()), |errno| Err(errno.into()))
    }

    /// Sends what is queued, ends the driver and frees its ports; returns how many receive buffers were at
    /// home.
    ///
    /// # Errors
    /// What kept the ring from ending its receives; its buffers are then never freed.
    pub fn close(mut self) -> io::Result<usize> {
        self.send_batch();
        self.quiet()?;
        Ok(self.buffers.free() + self.receiver.waiting())
    }

    /// Hands over the batch in the middle of a turn. Receives make no progress.
    fn send_batch(&mut self) {
        if self.queue.is_empty() {
            return;
        }
        let result = self.push_batch().and_then(|()| self.ring.submit());
        self.settle(result);
    }

    fn push_batch(&mut self) -> io::Result<()> {
        self.health()?;
        let (batch, iovecs) = self.queue.hand_over();
        for index in 0..batch.messages().len() {
            let entry = entry(batch, index, iovecs);
            // SAFETY: batch, iovecs and pool do not change before settle(), and by then the kernel has
            // executed the entry: MSG_DONTWAIT lets no send wait.
            unsafe { self.ring.push(&entry) }?;
        }
        Ok(())
    }

    /// Accounts for the batch that the kernel has executed.
    fn settle(&mut self, result: io::Result<()>) {
        self.reap();
        if let Err(error) = result {
            let lost = self.queue.hand_over().0.messages().len();
            self.refused = (0..lost).map(|index| (index, Errno::ECANCELED)).collect();
            self.broken.get_or_insert(errno_of(&error));
        }
        self.queue.settle(&self.refused, &self.sockets);
        self.refused.clear();
    }

    /// Reads every completion there is.
    fn reap(&mut self) {
        for completion in self.ring.completion() {
            let (kind, low) = tag::split(completion.user_data());
            let (result, flags) = (completion.result(), completion.flags());
            match kind {
                tag::SEND if result < 0 => self.refused.push((low as usize, Errno::from_raw(-result))),
                tag::RECEIVE => {
                    let completed = (result, flags);
                    let broken =
                        self.receiver.complete(low as u8, completed, &mut self.buffers, &self.sockets);
                    if let Some(errno) = broken {
                        self.broken.get_or_insert(errno);
                    }
                }
                tag::WAKER => {
                    self.waker.drain();
                    self.waker_armed = cqueue::more(flags);
                }
                _ => {}
            }
        }
    }

    /// Arms the poll of the waker.
    fn arm_waker(&mut self) -> io::Result<()> {
        if !self.waker_armed {
            let poll =
                opcode::PollAdd::new(Fixed(self.sockets.len() as u32), libc::POLLIN as u32).multi(true);
            // SAFETY: the entry points to nothing.
            unsafe { self.ring.push(&poll.build().user_data(tag::WAKER)) }?;
            self.waker_armed = true;
        }
        Ok(())
    }

    /// Arms the receives that have ended, unless no buffer is there for them.
    fn arm(&mut self) -> io::Result<()> {
        while !self.deaf
            && self.buffers.provided() > 0
            && let Some(entry) = self.receiver.arm()
        {
            // SAFETY: the entry points into the receiver, which keeps its template in place.
            unsafe { self.ring.push(&entry) }?;
        }
        Ok(())
    }

    /// Submits what is queued, and waits.
    fn receive(&mut self, wait: Option<Duration>) -> io::Result<()> {
        self.arm_waker()?;
        if let Some(pause) = self.receiver.setbacks.pause() {
            return self.ring.exchange(shorter(wait, pause));
        }
        self.arm()?;
        self.ring.exchange(wait)
    }

    /// One call that submits the batch and waits, and further ones only while the kernel has more to hand
    /// over.
    fn turn(&mut self, wait: Option<Duration>) -> io::Result<()> {
        // A buffer that was released may be read by a send that is queued, or by its replay. It is handed
        // to the kernel when they are done; before the wait, only if too few others are there.
        if self.buffers.provided() < HANDFUL * self.sockets.len() {
            self.send_batch();
        }
        if self.queue.is_empty() {
            self.buffers.provide();
        }
        let wait = if self.receiver.waiting() > 0 { Some(Duration::ZERO) } else { wait };
        let result = self.push_batch().and_then(|()| self.receive(wait));
        self.settle(result);
        self.health()?;
        self.buffers.provide();
        for _ in 0..self.arrivals_per_exchange / HANDFUL {
            if self.receiver.waiting() >= self.arrivals_per_exchange || !self.ring.has_more() {
                break;
            }
            let result = self.ring.exchange(Some(Duration::ZERO));
            self.settle(result);
            self.health()?;
        }
        Ok(())
    }

    /// Ends every receive and the poll, so that the kernel writes to no buffer any more.
    fn end_receives(&mut self) -> io::Result<()> {
        self.health()?;
        let deadline = Instant::now() + PATIENCE;
        while self.receiver.is_armed() || self.waker_armed {
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let cancel = opcode::AsyncCancel2::new(CancelBuilder::any()).build();
            let cancel = cancel.flags(restrict::REQUIRED).user_data(tag::CANCEL);
            // SAFETY: the entry points to nothing.
            unsafe { self.ring.push(&cancel) }?;
            self.ring.exchange(Some(Duration::from_millis(10)))?;
            self.reap();
        }
        Ok(())
    }

    /// Receives nothing any more, and lets go of the sockets.
    fn quiet(&mut self) -> io::Result<()> {
        self.end_receives()?;
        let submitter = self.ring.inner().submitter();
        // What was never registered, or no longer is, need not be let go of.
        let _ = submitter.unregister_buf_ring(buffers::GROUP);
        let _ = submitter.unregister_files();
        Ok(())
    }
}

impl Drop for Uring {
    fn drop(&mut self) {
        // A ring that broke before anything was armed need not end anything.
        if self.quiet().is_ok() || !self.receiver.is_armed() {
            // SAFETY: no receive is armed, so the kernel does not know the buffers any more; they are not
            // used again.
            unsafe { ManuallyDrop::drop(&mut self.buffers) };
        }
    }
}

impl Driver for Uring {
    fn exchange(&mut self, arrivals: &mut Vec<Arrival>, wait: Option<Duration>) -> io::Result<()> {
        let result = self.turn(wait);
        self.queue.report().returned += mem::take(&mut self.receiver.returned);
        self.queue.end_turn();
        self.receiver.hand_over(self.arrivals_per_exchange, &mut self.buffers, arrivals);
        result
    }

    fn end_turn(&mut self) -> io::Result<()> {
        self.send_batch();
        self.queue.end_turn();
        self.health()
    }

    fn bytes(&self, arrival: &Arrival) -> &[u8] {
        self.buffers.pool().bytes(arrival)
    }

    fn release(&mut self, buffer: BufferId) {
        self.buffers.release(buffer);
    }

    fn compose(&mut self, text: &[u8]) -> Part {
        self.queue.compose(text)
    }

    fn compose_before(&mut self, text: &[u8], part: Part) -> Part {
        self.queue.compose_before(text, part, self.buffers.pool())
    }

    fn gather(&mut self, parts: &[Part]) -> Gather {
        self.queue.gather(parts, self.buffers.pool())
    }

    fn gather_without(&mut self, list: Gather, skipped: &[u16]) -> Gather {
        self.queue.gather_without(list, skipped)
    }

    fn send(&mut self, run: &Run) -> Result<(), Full> {
        while !self.queue.take(run, &self.sockets)? {
            self.send_batch();
        }
        Ok(())
    }

    fn flush(&mut self) {
        self.send_batch();
    }

    fn stop_receiving(&mut self) -> io::Result<()> {
        self.send_batch();
        self.deaf = true;
        self.end_receives()
    }

    fn report(&mut self) -> &mut SendReport {
        let report = self.queue.report();
        self.receiver.peer_errors.take_unreached(&mut report.unreached);
        report
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn sift(&mut self, sieve: Option<&Sieve>) -> io::Result<()> {
        sieve::apply(&self.sockets, sieve)
    }

    fn receive_pressure(&self) -> f32 {
        receive_pressure(&self.sockets)
    }

    fn stats(&self) -> DriverStats {
        DriverStats {
            enters: self.ring.enters() + self.queue.calls() + self.receiver.peer_errors.calls(),
            rearms: self.receiver.rearms,
            no_buffers: self.receiver.no_buffers,
            receive_errors: self.receiver.setbacks.all(),
            peer_errors: self.queue.peer_errors() + self.receiver.peer_errors.all(),
            cq_overflow: self.ring.overflows(),
            buffers_free: self.buffers.free() as u64,
        }
    }
}

fn errno_of(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

fn entry(batch: &mut Batch, index: usize, iovecs: &mut [iovec]) -> squeue::Entry {
    let message = batch.messages()[index];
    let socket = Fixed(message.socket.0.into());
    let entry = if batch.is_bare(index) {
        let part = iovecs[message.start as usize];
        opcode::Send::new(socket, part.iov_base.cast(), part.iov_len as u32)
            .flags(libc::MSG_DONTWAIT)
            .dest_addr(batch.name(index).cast())
            .dest_addr_len(message.name_len.into())
            .build()
    } else {
        opcode::SendMsg::new(socket, batch.header(index, iovecs)).flags(libc::MSG_DONTWAIT as u32).build()
    };
    entry.flags(squeue::Flags::SKIP_SUCCESS).user_data(tag::SEND | index as u64)
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;

    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    #[test]
    fn a_refused_first_receive_leaks_nothing() {
        if std::env::var_os("RELAY_TEST_NO_URING").is_some_and(|value| value == "1") {
            return;
        }
        const POOL: usize = 1024 * 65_507;
        let config = DriverConfig { buffers: 1024, max_datagram: 65_507, ..DriverConfig::default() };
        let before = resident();
        for _ in 0..8 {
            let no_socket = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
            let socket = Socket::new(no_socket, "127.0.0.1:9".parse().unwrap());
            let failure = Uring::new(vec![socket], &config).err().unwrap();
            assert_eq!(failure.error.step, SetupStep::Receive);
        }
        assert!(resident() < before + 4 * POOL);
    }
}

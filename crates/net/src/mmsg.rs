//! The driver that every Linux has: `recvmmsg`, `sendmmsg`, `ppoll`.

use std::os::fd::AsRawFd;
use std::time::Duration;
use std::{io, mem};

use nix::libc::{self, pollfd};

use crate::config::{DriverConfig, SetupError, SetupFailure, SetupStep, check};
use crate::driver::{Arrival, BufferId, Driver, DriverStats, Full, Gather, Part, Run, SendReport};
use crate::limits::MAX_SOCKETS;
use crate::mmsg::receiver::Receiver;
use crate::poll::{poll, readable};
use crate::pool::Pool;
use crate::queue::{Replay, SendQueue};
use crate::setback::shorter;
use crate::sieve::{self, Sieve};
use crate::socket::{Socket, receive_pressure};
use crate::waker::Waker;

mod receiver;

/// Drives its sockets by plain system calls. It is made and turned on one thread.
pub struct Mmsg {
    sockets: Vec<Socket>,
    pool: Pool,
    queue: SendQueue,
    receiver: Receiver,
    /// The waker first, then the sockets.
    polled: Vec<pollfd>,
    waker: Waker,
    /// Nothing is to be received any more.
    deaf: bool,
    stats: DriverStats,
}

impl Mmsg {
    /// A driver of these sockets.
    ///
    /// # Errors
    /// [`SetupStep::Config`] and [`SetupStep::Waker`]; the sockets are given back.
    pub fn new(sockets: Vec<Socket>, config: &DriverConfig) -> Result<Mmsg, SetupFailure> {
        let waker = check(&sockets, MAX_SOCKETS, config)
            .and_then(|()| Waker::new().map_err(|source| SetupError { step: SetupStep::Waker, source }));
        let waker = match waker {
            Ok(waker) => waker,
            Err(error) => return Err(SetupFailure { error, sockets }),
        };
        let fds = std::iter::once(waker.as_raw_fd()).chain(sockets.iter().map(Socket::as_raw_fd));
        Ok(Mmsg {
            pool: Pool::new(config.buffers, usize::from(config.max_datagram)),
            queue: SendQueue::new(&sockets, config.turn_budget, Replay::InPlace),
            receiver: Receiver::new(sockets.len(), config),
            polled: fds.map(readable).collect(),
            sockets,
            waker,
            deaf: false,
            stats: DriverStats::default(),
        })
    }

    /// Sends what is queued, ends the driver and frees its ports; returns how many receive buffers were at
    /// home.
    ///
    /// # Errors
    /// None; the signature is that of every driver.
    pub fn close(mut self) -> io::Result<usize> {
        self.send_batch();
        Ok(self.receiver.slots.free())
    }

    fn send_batch(&mut self) {
        if !self.queue.is_empty() {
            self.queue.send_by_socket(&self.sockets);
        }
    }

    /// Waits until something has arrived or the waker was used.
    fn wait(&mut self, wait: Option<Duration>) -> io::Result<()> {
        let pause = self.receiver.slots.setbacks.pause();
        let limit = pause.map_or(wait, |pause| shorter(wait, pause));
        // Without a free buffer, or when receiving fails, a readable socket would end the wait again and again.
        let deaf = pause.is_some() || self.receiver.slots.free() == 0;
        poll(if deaf { &mut self.polled[..1] } else { &mut self.polled[..] }, limit)?;
        if self.polled[0].revents != 0 {
            self.waker.drain();
        }
        for (entry, socket) in self.polled[1..].iter_mut().zip(&self.sockets) {
            // It would end the next wait, too.
            if mem::take(&mut entry.revents) & libc::POLLERR != 0 {
                self.receiver.slots.peer_errors.drain(socket);
            }
        }
        Ok(())
    }

    fn receive(&mut self, arrivals: &mut Vec<Arrival>) -> io::Result<()> {
        let result = self.receiver.receive(&self.sockets, &mut self.pool, arrivals, &mut self.stats);
        self.queue.report().returned += mem::take(&mut self.receiver.slots.returned);
        result
    }
}

impl Driver for Mmsg {
    fn exchange(&mut self, arrivals: &mut Vec<Arrival>, wait: Option<Duration>) -> io::Result<()> {
        self.end_turn()?;
        if self.deaf {
            return Ok(());
        }
        let before = arrivals.len();
        self.receive(arrivals)?;
        if arrivals.len() == before && wait != Some(Duration::ZERO) {
            self.wait(wait)?;
            self.receive(arrivals)?;
        }
        Ok(())
    }

    fn end_turn(&mut self) -> io::Result<()> {
        self.send_batch();
        self.queue.end_turn();
        Ok(())
    }

    fn bytes(&self, arrival: &Arrival) -> &[u8] {
        self.pool.bytes(arrival)
    }

    fn release(&mut self, buffer: BufferId) {
        self.pool.take_back(buffer);
        self.receiver.slots.give(buffer.0);
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
        while !self.queue.take(run, &self.sockets)? {
            self.send_batch();
        }
        Ok(())
    }

    fn flush(&mut self) {
        self.send_batch();
    }

    fn stop_receiving(&mut self) -> io::Result<()> {
        self.deaf = true;
        Ok(())
    }

    fn report(&mut self) -> &mut SendReport {
        let report = self.queue.report();
        self.receiver.slots.peer_errors.take_unreached(&mut report.unreached);
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
        let slots = &self.receiver.slots;
        DriverStats {
            enters: self.stats.enters + self.queue.calls() + slots.peer_errors.calls(),
            peer_errors: self.queue.peer_errors() + slots.peer_errors.all(),
            buffers_free: slots.free() as u64,
            receive_errors: slots.setbacks.all(),
            ..self.stats
        }
    }
}

//! The driver that every Linux has: `recvmmsg`, `sendmmsg`, `ppoll`.

use std::os::fd::AsRawFd;
use std::time::Duration;
use std::{io, mem};

use nix::libc::pollfd;

use crate::config::{DriverConfig, SetupError, SetupFailure, SetupStep, check};
use crate::driver::{
    Arrival, BufferId, Driver, DriverStats, Full, Gather, Part, Run, SendReport, SocketIndex,
};
use crate::limits::MAX_SOCKETS;
use crate::mmsg::receiver::Receiver;
use crate::poll::{poll, readable};
use crate::pool::Pool;
use crate::queue::{Refused, SendQueue};
use crate::setback::shorter;
use crate::socket::{Socket, receive_pressure};
use crate::transmit::send_all;
use crate::waker::Waker;

mod receiver;

/// Drives its sockets by plain system calls. It is made and turned on one thread.
pub struct Mmsg {
    sockets: Vec<Socket>,
    pool: Pool,
    queue: SendQueue,
    receiver: Receiver,
    refused: Vec<Refused>,
    /// The waker first, then the sockets.
    polled: Vec<pollfd>,
    waker: Waker,
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
            queue: SendQueue::new(&sockets, config.turn_budget),
            receiver: Receiver::new(sockets.len(), config),
            refused: Vec::with_capacity(crate::batch::Batch::CAPACITY),
            polled: fds.map(readable).collect(),
            sockets,
            waker,
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

    /// Hands over the batch, one call for each socket that something leaves from: order matters only between
    /// messages of one socket.
    fn send_batch(&mut self) {
        if self.queue.is_empty() {
            return;
        }
        self.refused.clear();
        let (batch, iovecs) = self.queue.hand_over();
        for (socket, index) in self.sockets.iter().zip(0..) {
            let (headers, places) = batch.headers_from(SocketIndex(index), iovecs);
            let refused = &mut self.refused;
            // SAFETY: the headers were just written; batch, iovecs and pool do not change before the call
            // returns.
            self.stats.enters += unsafe {
                send_all(socket.as_raw_fd(), headers, |at, errno| refused.push((places[at], errno)))
            };
        }
        self.stats.enters += self.queue.settle(&self.refused, &self.sockets);
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
        self.send_batch();
        self.queue.end_turn();
        let before = arrivals.len();
        self.receive(arrivals)?;
        if arrivals.len() == before && wait != Some(Duration::ZERO) {
            self.wait(wait)?;
            self.receive(arrivals)?;
        }
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

    fn gather(&mut self, parts: &[Part]) -> Gather {
        self.queue.gather(parts, &self.pool)
    }

    fn send(&mut self, run: &Run) -> Result<(), Full> {
        while !self.queue.take(run)? {
            self.send_batch();
        }
        Ok(())
    }

    fn flush(&mut self) {
        self.send_batch();
    }

    fn report(&mut self) -> &mut SendReport {
        self.queue.report()
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn receive_pressure(&self) -> f32 {
        receive_pressure(&self.sockets)
    }

    fn stats(&self) -> DriverStats {
        DriverStats {
            buffers_free: self.receiver.slots.free() as u64,
            receive_errors: self.receiver.slots.setbacks.all(),
            ..self.stats
        }
    }
}

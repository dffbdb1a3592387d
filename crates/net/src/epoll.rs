//! The driver for thousands of sockets on one thread: `epoll` says which are ready, and no other costs anything.

use std::os::fd::AsRawFd;
use std::time::Duration;
use std::{io, mem};

use crate::config::{DriverConfig, SetupError, SetupFailure, SetupStep, check};
use crate::driver::{Arrival, BufferId, Driver, DriverStats, Full, Gather, Part, Run, SendReport};
use crate::epoll::ready::{Ready, Waiting};
use crate::limits::MAX_EPOLL_SOCKETS;
use crate::poll::{poll, readable};
use crate::pool::Pool;
use crate::queue::{Replay, SendQueue};
use crate::setback::shorter;
use crate::slots::Slots;
use crate::socket::{Socket, receive_pressure};
use crate::waker::Waker;

mod ready;

/// Arrivals that each ready socket may hand over in one pass at low load.
const SMALL_SHARE: usize = 4;

/// Drives up to [`MAX_EPOLL_SOCKETS`] sockets, as of Linux 5.11 (`epoll_pwait2`). It is made and turned on one
/// thread. One call receives from one socket, and one sends what was queued for a socket in a row.
pub struct Epoll {
    sockets: Vec<Socket>,
    ready: Ready,
    pool: Pool,
    slots: Slots,
    queue: SendQueue,
    waker: Waker,
    stats: DriverStats,
    /// Arrivals of one exchange, and of one socket in one pass, at most.
    limit: usize,
    share: usize,
}

impl Epoll {
    /// A driver of these sockets.
    ///
    /// # Errors
    /// [`SetupStep::Config`], [`SetupStep::Waker`] and [`SetupStep::Epoll`]; the sockets are given back.
    pub fn new(sockets: Vec<Socket>, config: &DriverConfig) -> Result<Epoll, SetupFailure> {
        let (waker, ready) = match prepare(&sockets, config) {
            Ok(parts) => parts,
            Err(error) => return Err(SetupFailure { error, sockets }),
        };
        Ok(Epoll {
            ready,
            pool: Pool::new(config.buffers, usize::from(config.max_datagram)),
            slots: Slots::new(config),
            queue: SendQueue::new(&sockets, config.turn_budget, Replay::InPlace),
            sockets,
            waker,
            stats: DriverStats::default(),
            limit: config.arrivals_per_exchange.into(),
            share: SMALL_SHARE,
        })
    }

    /// Sends what is queued, ends the driver and frees its ports; returns how many receive buffers were at
    /// home.
    ///
    /// # Errors
    /// None; the signature is that of every driver.
    pub fn close(mut self) -> io::Result<usize> {
        self.send_batch();
        Ok(self.slots.free())
    }

    fn send_batch(&mut self) {
        self.queue.send_by_row(&self.sockets);
    }

    fn receive(&mut self, arrivals: &mut Vec<Arrival>, mut wait: Option<Duration>) -> io::Result<()> {
        let mut left = self.limit;
        while self.pass(arrivals, &mut left, wait)? && left > 0 {
            if self.slots.free() == 0 {
                self.stats.no_buffers += 1;
                break;
            }
            wait = Some(Duration::ZERO);
        }
        Ok(())
    }

    /// Asks each ready socket for its share, as far as buffers reach. True if there may be more.
    ///
    /// The kernel names no more sockets than can be asked, and those that it named last come last the next time:
    /// each has its turn.
    fn pass(
        &mut self,
        arrivals: &mut Vec<Arrival>,
        left: &mut usize,
        wait: Option<Duration>,
    ) -> io::Result<bool> {
        let most = (*left).min(self.slots.free()).div_ceil(self.share).min(Ready::MOST);
        let count = self.ready.wait(most, wait)?;
        let (mut more, mut largest) = (count == most, 0);
        for at in 0..count {
            let Waiting::Socket { index, told } = self.ready.get(at) else {
                self.waker.drain();
                continue;
            };
            if told {
                // It would be named again and again.
                self.slots.peer_errors.drain(&self.sockets[index]);
            }
            let asked = self.share.min(*left).min(self.slots.free());
            self.stats.enters += 1;
            let got = self.slots.receive(index, &self.sockets[index], asked, &mut self.pool, arrivals)?;
            *left -= got;
            more |= got == asked;
            largest = largest.max(got);
        }
        self.share = (2 * largest).clamp(SMALL_SHARE, Slots::CALL);
        Ok(more)
    }

    /// Waits for the waker alone: where nothing can be received, a ready socket would end the wait again and
    /// again.
    fn wait_for_waker(&mut self, wait: Option<Duration>) -> io::Result<()> {
        let mut entry = [readable(self.waker.as_raw_fd())];
        poll(&mut entry, wait)?;
        if entry[0].revents != 0 {
            self.waker.drain();
        }
        Ok(())
    }
}

fn prepare(sockets: &[Socket], config: &DriverConfig) -> Result<(Waker, Ready), SetupError> {
    check(sockets, MAX_EPOLL_SOCKETS, config)?;
    let waker = Waker::new().map_err(|source| SetupError { step: SetupStep::Waker, source })?;
    let ready =
        Ready::new(sockets, &waker).map_err(|source| SetupError { step: SetupStep::Epoll, source })?;
    Ok((waker, ready))
}

impl Driver for Epoll {
    fn exchange(&mut self, arrivals: &mut Vec<Arrival>, mut wait: Option<Duration>) -> io::Result<()> {
        self.end_turn()?;
        if self.slots.free() == 0 {
            self.stats.no_buffers += 1;
            return self.wait_for_waker(wait);
        }
        if wait != Some(Duration::ZERO)
            && let Some(pause) = self.slots.setbacks.pause()
        {
            self.wait_for_waker(shorter(wait, pause))?;
            wait = Some(Duration::ZERO);
        }
        let result = self.receive(arrivals, wait);
        self.queue.report().returned += mem::take(&mut self.slots.returned);
        result
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
        self.slots.give(buffer.0);
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

    fn report(&mut self) -> &mut SendReport {
        let report = self.queue.report();
        self.slots.peer_errors.take_unreached(&mut report.unreached);
        report
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn receive_pressure(&self) -> f32 {
        receive_pressure(&self.sockets)
    }

    fn stats(&self) -> DriverStats {
        DriverStats {
            enters: self.stats.enters + self.queue.calls() + self.slots.peer_errors.calls(),
            peer_errors: self.queue.peer_errors() + self.slots.peer_errors.all(),
            buffers_free: self.slots.free() as u64,
            receive_errors: self.slots.setbacks.all(),
            ..self.stats
        }
    }
}

//! Receiving in turns over the sockets.

use std::io;

use crate::config::DriverConfig;
use crate::driver::{Arrival, DriverStats};
use crate::pool::Pool;
use crate::slots::Slots;
use crate::socket::Socket;

/// Slots that are prepared for a call at low load.
const SMALL_CALL: usize = 8;

/// Which socket to ask next, and for how much.
pub(crate) struct Receiver {
    pub(crate) slots: Slots,
    /// Arrivals of one exchange, at most.
    limit: usize,
    /// The socket that is asked first.
    first: usize,
    /// Datagrams to ask for in the first call.
    ask: usize,
    all: u64,
}

impl Receiver {
    pub(crate) fn new(sockets: usize, config: &DriverConfig) -> Receiver {
        Receiver {
            slots: Slots::new(config),
            limit: config.arrivals_per_exchange.into(),
            first: 0,
            ask: SMALL_CALL,
            all: u64::MAX >> (u64::BITS as usize - sockets),
        }
    }

    /// Appends what waits in the sockets, without waiting for more.
    pub(crate) fn receive(
        &mut self,
        sockets: &[Socket],
        pool: &mut Pool,
        arrivals: &mut Vec<Arrival>,
        stats: &mut DriverStats,
    ) -> io::Result<()> {
        let mut left = self.limit;
        let mut waiting = self.all;
        let mut socket = self.first;
        self.first = (self.first + 1) % sockets.len();
        while waiting != 0 && left > 0 {
            if self.slots.free() == 0 {
                stats.no_buffers += 1;
                break;
            }
            if waiting & (1 << socket) != 0 {
                let asked = self.ask.min(left).min(self.slots.free());
                stats.enters += 1;
                let got = self.slots.receive(socket, &sockets[socket], asked, pool, arrivals)?;
                left -= got;
                if got < asked {
                    waiting &= !(1 << socket);
                }
                self.ask = if got == asked { Slots::CALL } else { (2 * got).clamp(SMALL_CALL, Slots::CALL) };
            }
            socket = (socket + 1) % sockets.len();
        }
        Ok(())
    }
}

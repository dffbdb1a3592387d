//! `recvmmsg` into free buffers, in turns over the sockets.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::libc::{self, c_void, iovec, mmsghdr};

use crate::address::Name;
use crate::batch::EMPTY_HEADER;
use crate::config::DriverConfig;
use crate::control::{Control, Told};
use crate::driver::{Arrival, DriverStats, SocketIndex};
use crate::pool::Pool;
use crate::setback::Setbacks;
use crate::socket::{Socket, is_fatal};

/// Datagrams of one call: docs/performance.md.
const CALL: usize = 64;
/// Slots that are prepared for a call at low load.
const SMALL_CALL: usize = 8;

/// The free buffers, and one slot for each datagram of a call.
pub(crate) struct Receiver {
    /// Used from the end: the buffer that was read last is the warmest.
    free: Vec<u16>,
    headers: Box<[mmsghdr]>,
    iovecs: Box<[iovec]>,
    names: Box<[Name]>,
    controls: Box<[Control]>,
    /// Arrivals of one exchange, and bytes of one datagram, at most.
    limit: usize,
    room: u16,
    /// The socket that is asked first.
    first: usize,
    /// Datagrams to ask for in the first call.
    ask: usize,
    all: u64,
    pub(crate) setbacks: Setbacks,
}

impl Receiver {
    pub(crate) fn new(sockets: usize, config: &DriverConfig) -> Receiver {
        Receiver {
            free: (0..config.buffers).rev().collect(),
            headers: vec![EMPTY_HEADER; CALL].into(),
            iovecs: vec![iovec { iov_base: ptr::null_mut(), iov_len: 0 }; CALL].into(),
            names: vec![Name::EMPTY; CALL].into(),
            controls: vec![Control::EMPTY; CALL].into(),
            limit: config.arrivals_per_exchange.into(),
            room: config.max_datagram,
            first: 0,
            ask: SMALL_CALL,
            all: u64::MAX >> (u64::BITS as usize - sockets),
            setbacks: Setbacks::default(),
        }
    }

    /// Number of free buffers.
    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    pub(crate) fn give(&mut self, buffer: u16) {
        self.free.push(buffer);
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
            if self.free.is_empty() {
                stats.no_buffers += 1;
                break;
            }
            if waiting & (1 << socket) != 0 {
                let asked = self.ask.min(left).min(self.free.len());
                self.prepare(asked, sockets[socket].tells(), pool);
                stats.enters += 1;
                let got = self.call(sockets[socket].as_raw_fd(), asked)?;
                if got > 0 {
                    self.setbacks.succeeded();
                }
                self.collect(got, SocketIndex(socket as u8), pool, arrivals);
                left -= got;
                if got < asked {
                    waiting &= !(1 << socket);
                }
                self.ask = if got == asked { CALL } else { (2 * got).clamp(SMALL_CALL, CALL) };
            }
            socket = (socket + 1) % sockets.len();
        }
        Ok(())
    }

    /// Slot n receives into the n-th free buffer from the end.
    fn prepare(&mut self, slots: usize, with_control: bool, pool: &Pool) {
        for (slot, &buffer) in self.free.iter().rev().take(slots).enumerate() {
            self.iovecs[slot] = iovec { iov_base: pool.start(buffer).cast(), iov_len: self.room.into() };
            let header = &mut self.headers[slot].msg_hdr;
            header.msg_name = self.names[slot].as_mut_ptr().cast();
            header.msg_namelen = Name::SIZE as u32;
            header.msg_iov = &raw mut self.iovecs[slot];
            header.msg_iovlen = 1;
            header.msg_control = self.controls[slot].as_mut_ptr().cast::<c_void>();
            header.msg_controllen = if with_control { Control::SIZE as _ } else { 0 };
        }
    }

    fn call(&mut self, fd: RawFd, slots: usize) -> io::Result<usize> {
        let headers = &mut self.headers[..slots];
        loop {
            // SAFETY: prepare() has pointed every header at names, control messages and free buffers that
            // outlive the call.
            let got = unsafe {
                libc::recvmmsg(
                    fd,
                    headers.as_mut_ptr(),
                    slots as u32,
                    libc::MSG_DONTWAIT as _,
                    ptr::null_mut(),
                )
            };
            match Errno::result(got) {
                Ok(got) => return Ok(got as usize),
                Err(Errno::EINTR) => {}
                Err(errno) if is_fatal(errno) => return Err(errno.into()),
                Err(Errno::EAGAIN) => return Ok(0),
                // An error that an earlier packet has left on the socket and that is now cleared, or want of
                // memory.
                Err(_) => {
                    self.setbacks.failed();
                    return Ok(0);
                }
            }
        }
    }

    fn collect(&mut self, got: usize, socket: SocketIndex, pool: &mut Pool, arrivals: &mut Vec<Arrival>) {
        for slot in 0..got {
            let Some(buffer) = self.free.pop() else { return };
            // Every datagram over IP has a source; one without could not be answered.
            let Some(source) = self.names[slot].decode() else {
                self.free.insert(0, buffer);
                continue;
            };
            let len = self.headers[slot].msg_len.min(self.room.into()) as u16;
            let told = self.told(slot);
            arrivals.push(Arrival {
                source,
                local: told.local,
                socket,
                buffer: pool.lend(buffer),
                offset: 0,
                len,
                segment: told.segment_of(len),
            });
        }
    }

    fn told(&self, slot: usize) -> Told {
        let len = self.headers[slot].msg_hdr.msg_controllen;
        Told::read(&self.controls[slot].bytes()[..len.min(Control::SIZE)])
    }
}

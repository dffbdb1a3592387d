//! Free receive buffers, and `recvmmsg` from one socket into them.

use std::os::fd::{AsRawFd, RawFd};
use std::{io, ptr};

use nix::errno::Errno;
use nix::libc::{self, c_void, iovec, mmsghdr};

use crate::address::Name;
use crate::batch::EMPTY_HEADER;
use crate::config::DriverConfig;
use crate::control::{Control, Told};
use crate::driver::{Arrival, SocketIndex};
use crate::peer_errors::PeerErrors;
use crate::pool::Pool;
use crate::setback::Setbacks;
use crate::socket::{Socket, is_fatal};

/// Receives in a row that may be told an error of an earlier send, while others come in.
const TRIES: u32 = 8;

/// The free buffers, and one slot for each datagram of a call.
pub(crate) struct Slots {
    /// Used from the end: the buffer that was read last is the warmest.
    free: Vec<u16>,
    headers: Box<[mmsghdr]>,
    iovecs: Box<[iovec]>,
    names: Box<[Name]>,
    controls: Box<[Control]>,
    /// Bytes of one arrival, at most.
    room: u16,
    pub(crate) setbacks: Setbacks,
    pub(crate) peer_errors: PeerErrors,
    /// See [`SendReport::returned`](crate::SendReport::returned).
    pub(crate) returned: u64,
}

impl Slots {
    /// Arrivals of one call, at most: docs/performance.md.
    pub(crate) const CALL: usize = 64;

    pub(crate) fn new(config: &DriverConfig) -> Slots {
        Slots {
            free: (0..config.buffers).rev().collect(),
            headers: vec![EMPTY_HEADER; Slots::CALL].into(),
            iovecs: vec![iovec { iov_base: ptr::null_mut(), iov_len: 0 }; Slots::CALL].into(),
            names: vec![Name::EMPTY; Slots::CALL].into(),
            controls: vec![Control::EMPTY; Slots::CALL].into(),
            room: config.max_datagram,
            setbacks: Setbacks::default(),
            peer_errors: PeerErrors::default(),
            returned: 0,
        }
    }

    /// Number of free buffers.
    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    pub(crate) fn give(&mut self, buffer: u16) {
        self.free.push(buffer);
    }

    /// Appends what waits in a socket: at most `asked` arrivals, for which buffers have to be free. Returns how
    /// many there were.
    pub(crate) fn receive(
        &mut self,
        index: usize,
        socket: &Socket,
        asked: usize,
        pool: &mut Pool,
        arrivals: &mut Vec<Arrival>,
    ) -> io::Result<usize> {
        self.prepare(asked, socket.tells(), pool);
        let got = self.call(socket, asked)?;
        if got > 0 {
            self.setbacks.succeeded();
        }
        self.collect(got, SocketIndex(index as u16), pool, arrivals);
        Ok(got)
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

    fn call(&mut self, socket: &Socket, slots: usize) -> io::Result<usize> {
        for _ in 0..TRIES {
            match self.ask(socket.as_raw_fd(), slots) {
                Ok(got) => return Ok(got),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(0),
                // What has arrived waits behind it.
                Err(_) if self.peer_errors.drain(socket) => {}
                Err(errno) if is_fatal(socket, errno) => return Err(errno.into()),
                // It is cleared by being told, and a new one takes a new datagram to the peer.
                Err(Errno::ECONNREFUSED) if !socket.reports_drops() => {
                    self.returned += 1;
                    return Ok(0);
                }
                // An error that an earlier packet has left on the socket and that is now cleared, or want of
                // memory.
                Err(_) => {
                    self.setbacks.failed();
                    return Ok(0);
                }
            }
        }
        Ok(0)
    }

    fn ask(&mut self, fd: RawFd, slots: usize) -> Result<usize, Errno> {
        let headers = &mut self.headers[..slots];
        let flags = libc::MSG_DONTWAIT as _;
        // SAFETY: prepare() has pointed every header at names, control messages and free buffers that outlive
        // the call.
        let got = unsafe { libc::recvmmsg(fd, headers.as_mut_ptr(), slots as u32, flags, ptr::null_mut()) };
        Errno::result(got).map(|got| got as usize)
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

//! Errors that the kernel tells about earlier sends, to whoever asks it for anything next.
//!
//! A socket with [`SocketOptions::report_queue_drops`](crate::SocketOptions::report_queue_drops) learns of ICMP
//! errors twice: the next send, to whomever, or the next receive fails with it, once; and it waits in the
//! socket's error queue, which takes room in the receive buffer and keeps the socket ready until it is read.

use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

use nix::errno::Errno;
use nix::libc::{self, mmsghdr, msghdr};

use crate::address::{Name, decode};
use crate::batch::EMPTY_HEADER;
use crate::control::is_icmp;
use crate::socket::Socket;
use crate::transmit::send_one;

/// Errors that one call reads from the queue.
const CALL: usize = 32;
/// Calls that empty a queue, at most: what is left is told by the next send or receive.
const CALLS: usize = 8;
/// Errors of others that one send may be told. Its own comes back without any news in the queue.
const TRIES: usize = 16;

/// Destinations that are kept until they are asked for, at most: who wants them asks each turn.
const KEPT: usize = 256;
/// Bytes of control messages of one error: the error, who sent it, and the address that it was sent to.
const CONTROL: usize = 128;

/// Reads error queues, counts what they held, and remembers whom it was about.
#[derive(Default)]
pub(crate) struct PeerErrors {
    all: u64,
    calls: u64,
    unreached: Vec<SocketAddr>,
}

impl PeerErrors {
    /// Number of errors so far.
    pub(crate) fn all(&self) -> u64 {
        self.all
    }

    /// Number of system calls so far.
    pub(crate) fn calls(&self) -> u64 {
        self.calls
    }

    /// The destinations of the datagrams that ICMP errors were about, since this was last asked.
    pub(crate) fn take_unreached(&mut self, into: &mut Vec<SocketAddr>) {
        into.append(&mut self.unreached);
    }

    /// Empties a socket's error queue, so that the kernel has no error to tell either; false if nothing was there.
    pub(crate) fn drain(&mut self, socket: &Socket) -> bool {
        let before = self.all;
        for _ in 0..if socket.reports_drops() { CALLS } else { 0 } {
            self.calls += 1;
            let read = read(socket.as_raw_fd(), &mut self.unreached);
            self.all += read as u64;
            if read < CALL {
                break;
            }
        }
        self.all > before
    }

    /// Sends once more what may have been refused with another's error. Its own is given back.
    ///
    /// # Safety
    /// Every pointer in the header must be valid for its length.
    pub(crate) unsafe fn send_again(
        &mut self,
        socket: &Socket,
        header: &msghdr,
        mut errno: Errno,
    ) -> Result<(), Errno> {
        for _ in 0..TRIES {
            if !may_be_told(socket, errno) {
                break;
            }
            self.calls += 1;
            // SAFETY: passed on to the caller.
            let sent = unsafe { send_one(socket.as_raw_fd(), header) };
            let told = self.drain(socket);
            match sent {
                Ok(()) => return Ok(()),
                Err(own) => errno = own,
            }
            if !told {
                break;
            }
        }
        Err(errno)
    }
}

/// True if the answer to a send may not be its own. ICMP never says that there is no room, or that a ring gave up.
fn may_be_told(socket: &Socket, errno: Errno) -> bool {
    use Errno::{EAGAIN, ECANCELED, ENOBUFS, ENOMEM};
    socket.reports_drops() && !matches!(errno, EAGAIN | ENOBUFS | ENOMEM | ECANCELED)
}

/// Takes errors off the queue, and the destinations of those that came by ICMP; returns how many.
fn read(fd: RawFd, unreached: &mut Vec<SocketAddr>) -> usize {
    let mut names = [[0_u8; Name::SIZE]; CALL];
    let mut controls = [[0_u8; CONTROL]; CALL];
    let mut headers: [mmsghdr; CALL] = [EMPTY_HEADER; CALL];
    for ((header, name), control) in headers.iter_mut().zip(&mut names).zip(&mut controls) {
        header.msg_hdr.msg_name = name.as_mut_ptr().cast();
        header.msg_hdr.msg_namelen = Name::SIZE as u32;
        header.msg_hdr.msg_control = control.as_mut_ptr().cast();
        header.msg_hdr.msg_controllen = CONTROL as _;
    }
    let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
    // SAFETY: the headers, names and controls outlive the call, and each header has the length of what it points to.
    let read = unsafe { libc::recvmmsg(fd, headers.as_mut_ptr(), CALL as u32, flags as _, ptr::null_mut()) };
    let read = Errno::result(read).map_or(0, |read| read as usize);
    for ((header, name), control) in headers.iter().zip(&names).zip(&controls).take(read) {
        let len = header.msg_hdr.msg_controllen.min(CONTROL);
        if is_icmp(&control[..len])
            && unreached.len() < KEPT
            && let Some(to) = decode(name)
        {
            unreached.push(to);
        }
    }
    read
}

//! One bound UDP socket, and the gauge that another thread reads its queues from.

use std::io;
use std::mem::{size_of, size_of_val};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Arc, Weak};

use nix::errno::Errno;
use nix::libc;

use crate::address::Family;
use crate::bind::SocketOptions;
use crate::sieve::Ledger;

/// A bound, non-blocking UDP socket. The port is free again when the driver that owns it is gone.
#[derive(Debug)]
pub struct Socket {
    fd: Arc<OwnedFd>,
    ledger: Arc<Ledger>,
    address: SocketAddr,
    coalesces: bool,
    reports_drops: bool,
    peer: Option<SocketAddr>,
}

impl Socket {
    pub(crate) fn new(fd: OwnedFd, address: SocketAddr) -> Socket {
        let (fd, ledger) = (Arc::new(fd), Arc::default());
        Socket { fd, ledger, address, coalesces: false, reports_drops: false, peer: None }
    }

    /// Says what it was opened with.
    pub(crate) fn with(self, options: SocketOptions) -> Socket {
        Socket { coalesces: options.coalesce_receives, reports_drops: options.report_queue_drops, ..self }
    }

    /// Says whom it is connected to.
    pub(crate) fn connected(self, peer: Option<SocketAddr>) -> Socket {
        Socket { peer, ..self }
    }

    /// The only one to send to and to receive from, if it is connected.
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The address that it is bound to, with the port that was chosen for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// True if datagrams to any local address arrive here; each then says which it reached.
    pub fn is_wildcard(&self) -> bool {
        self.address.ip().is_unspecified()
    }

    /// True if what arrives comes with control messages.
    pub(crate) fn tells(&self) -> bool {
        self.coalesces || self.is_wildcard()
    }

    /// True if errors of one peer may be told by the sends to another, and by receives.
    pub(crate) fn reports_drops(&self) -> bool {
        self.reports_drops
    }

    /// The same socket once more, for a thread that only sends; the port is free again when both are gone.
    pub fn share(&self) -> Socket {
        let (fd, ledger) = (Arc::clone(&self.fd), Arc::clone(&self.ledger));
        Socket { fd, ledger, ..*self }
    }

    /// A view of its queues for another thread.
    pub fn gauge(&self) -> SocketGauge {
        SocketGauge { fd: Arc::downgrade(&self.fd), ledger: Arc::clone(&self.ledger) }
    }

    /// What its filters have dropped.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn family(&self) -> Family {
        Family::of(self.address)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// Reads a socket's queues from any thread. It does not keep the socket open.
#[derive(Clone, Debug)]
pub struct SocketGauge {
    fd: Weak<OwnedFd>,
    ledger: Arc<Ledger>,
}

/// What the kernel says about a socket's memory (SO_MEMINFO).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketMemory {
    /// Bytes that wait to be received, with the kernel's overhead (about 768 bytes for a small datagram).
    pub receive_queue: u32,
    /// Limit of `receive_queue`, with that overhead; half of it is what was granted.
    pub receive_buffer: u32,
    /// Bytes sent but not yet gone, with the kernel's overhead.
    pub send_queue: u32,
    /// Limit of `send_queue`; half of it is what was granted.
    pub send_buffer: u32,
    /// Datagrams dropped because the receive queue was full, since the socket was opened; wraps. Without those that were
    /// dropped while a filter was attached.
    pub drops: u32,
    /// Datagrams dropped while a [`Sieve`](crate::Sieve) was attached, nearly all of them by it; wraps.
    pub sifted: u32,
}

impl SocketGauge {
    /// The present figures; None when the socket is closed.
    ///
    /// # Errors
    /// What `getsockopt` answers.
    pub fn read(&self) -> io::Result<Option<SocketMemory>> {
        let Some(fd) = self.fd.upgrade() else { return Ok(None) };
        let read = || SocketMemory::of(fd.as_raw_fd()).map(|memory| (memory, memory.drops));
        let (memory, sifted) = self.ledger.split(read)?;
        Ok(Some(SocketMemory { drops: memory.drops.wrapping_sub(sifted), sifted, ..memory }))
    }
}

impl SocketMemory {
    /// As the kernel says it, which does not tell filters from full queues.
    ///
    /// # Errors
    /// What `getsockopt` answers.
    pub fn of(fd: RawFd) -> io::Result<SocketMemory> {
        let info: [u32; 9] = get_option(fd, libc::SOL_SOCKET, libc::SO_MEMINFO)?;
        Ok(SocketMemory {
            receive_queue: info[0],
            receive_buffer: info[1],
            send_queue: info[2],
            send_buffer: info[3],
            drops: info[8],
            sifted: 0,
        })
    }
}

/// How full the fullest receive buffer is, from 0 to 1; a socket that does not tell is empty.
pub(crate) fn receive_pressure(sockets: &[Socket]) -> f32 {
    let memories = sockets.iter().filter_map(|socket| SocketMemory::of(socket.as_raw_fd()).ok());
    memories
        .map(|memory| memory.receive_queue as f32 / memory.receive_buffer.max(1) as f32)
        .fold(0.0, f32::max)
        .min(1.0)
}

/// True for an error of a receive that will come again and again.
pub(crate) fn is_fatal(socket: &Socket, errno: Errno) -> bool {
    use Errno::{EBADF, EFAULT, EINVAL, ENOTSOCK, EOPNOTSUPP};
    match errno {
        // ICMP has it too (a source route that failed), and forged or not it must break nothing.
        EOPNOTSUPP => !socket.reports_drops(),
        _ => matches!(errno, EBADF | EFAULT | EINVAL | ENOTSOCK),
    }
}

/// Plain old data that any bytes of the right length are a value of.
pub(crate) trait Plain: Copy + Default {}
impl Plain for i32 {}
impl Plain for [u32; 9] {}

pub(crate) fn get_option<T: Plain>(fd: RawFd, level: i32, name: i32) -> io::Result<T> {
    let mut value = T::default();
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: value and len outlive the call, the kernel writes at most len bytes, and every bit pattern is
    // a T.
    let result = unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &raw mut len) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(value) }
}

/// Sets an option whose value is a structure or an integer.
pub(crate) fn set_option<T>(fd: RawFd, level: i32, name: i32, value: &T) -> io::Result<()> {
    let len = size_of_val(value) as libc::socklen_t;
    // SAFETY: the kernel reads len bytes of a value that outlives the call.
    let result = unsafe { libc::setsockopt(fd, level, name, std::ptr::from_ref(value).cast(), len) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

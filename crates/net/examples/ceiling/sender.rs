//! The sender: one socket without a peer, whole batches of messages, round robin.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use std::{hint, io, mem};

use net::Socket;
use nix::libc::{self, c_void, cmsghdr, iovec, mmsghdr, sockaddr_in};

use crate::drain::Counter;

/// When the receivers have not caught up after so long, datagrams were lost, and nothing is waited for again.
const PATIENCE: Duration = Duration::from_millis(200);

/// The segment size, in the form in which the kernel reads it.
#[repr(C)]
struct SegmentSize {
    header: cmsghdr,
    size: u16,
    padding: [u8; 6],
}

/// What is sent again and again, and where.
pub struct Sender {
    socket: UdpSocket,
    destinations: Vec<sockaddr_in>,
    next: usize,
    datagrams: u64,
    headers: Vec<mmsghdr>,
    /// What the headers point to; neither moves nor is read.
    _parts: (Vec<u8>, Box<iovec>, Box<SegmentSize>),
}

/// What was sent.
#[derive(Default)]
pub struct Sent {
    /// Datagrams that the kernel took.
    pub datagrams: u64,
    /// Messages that it refused.
    pub refused: u64,
    /// How long it took.
    pub wall: Duration,
    /// The thread's processor time.
    pub cpu: Duration,
    /// Time spent waiting for the receivers.
    pub waited: Duration,
    /// Processor time of that: it waits in a loop.
    pub waited_cpu: Duration,
}

impl Sent {
    /// Processor time that went into sending.
    pub fn working(&self) -> Duration {
        self.cpu.saturating_sub(self.waited_cpu)
    }
}

impl Sender {
    /// Messages of so many datagrams to these sockets, so many in a system call.
    pub fn new(sockets: &[Socket], payload: u16, segments: u16, batch: u16) -> io::Result<Sender> {
        let socket = UdpSocket::bind(("0.0.0.0", 0))?;
        let mut bytes = vec![0_u8; usize::from(payload) * usize::from(segments)];
        let base = bytes.as_mut_ptr().cast::<c_void>();
        let mut part = Box::new(iovec { iov_base: base, iov_len: bytes.len() });
        let len = mem::offset_of!(SegmentSize, size) + size_of::<u16>();
        let header = cmsghdr { cmsg_len: len, cmsg_level: libc::SOL_UDP, cmsg_type: libc::UDP_SEGMENT };
        let mut control = Box::new(SegmentSize { header, size: payload, padding: [0; 6] });
        // SAFETY: null pointers and zero lengths are an empty header.
        let mut message: mmsghdr = unsafe { mem::zeroed() };
        message.msg_hdr.msg_namelen = size_of::<sockaddr_in>() as u32;
        message.msg_hdr.msg_iov = &raw mut *part;
        message.msg_hdr.msg_iovlen = 1;
        if segments > 1 {
            message.msg_hdr.msg_control = (&raw mut *control).cast::<c_void>();
            message.msg_hdr.msg_controllen = size_of::<SegmentSize>();
        }
        Ok(Sender {
            socket,
            destinations: sockets.iter().map(|socket| name(socket.address())).collect(),
            next: 0,
            datagrams: segments.into(),
            headers: vec![message; batch.into()],
            _parts: (bytes, part, control),
        })
    }

    /// Sends for so long, with so many datagrams on their way at most.
    pub fn run(
        &mut self,
        duration: Duration,
        mut window: Option<u64>,
        received: &Counter,
    ) -> io::Result<Sent> {
        let mut sent = Sent::default();
        let (start, cpu) = (Instant::now(), net::thread_cpu_time());
        while start.elapsed() < duration {
            self.address();
            self.send_batch(&mut sent)?;
            if let Some(most) = window
                && !wait(&mut sent, most, received)
            {
                eprintln!("ceiling: datagrams did not arrive; the receivers are not waited for any more");
                window = None;
            }
        }
        sent.wall = start.elapsed();
        sent.cpu = net::thread_cpu_time() - cpu;
        Ok(sent)
    }

    /// Writes the destinations: a part of any relay's work.
    fn address(&mut self) {
        for header in &mut self.headers {
            let destination = &raw mut self.destinations[self.next];
            header.msg_hdr.msg_name = destination.cast::<c_void>();
            self.next = if self.next + 1 == self.destinations.len() { 0 } else { self.next + 1 };
        }
    }

    fn send_batch(&mut self, sent: &mut Sent) -> io::Result<()> {
        let mut rest = &mut self.headers[..];
        while !rest.is_empty() {
            // SAFETY: every header names memory of this sender; there are as many as said.
            let taken =
                unsafe { libc::sendmmsg(self.socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, 0) };
            let done = if taken > 0 {
                sent.datagrams += taken as u64 * self.datagrams;
                taken as usize
            } else {
                let error = io::Error::last_os_error();
                if matches!(error.raw_os_error(), Some(libc::EMSGSIZE | libc::EINVAL)) {
                    return Err(error);
                }
                sent.refused += 1;
                1
            };
            rest = &mut rest[done..];
        }
        Ok(())
    }
}

/// Waits until no more than so many are on their way; false if that never happens.
fn wait(sent: &mut Sent, most: u64, received: &Counter) -> bool {
    let is_full = || sent.datagrams - received.0.load(Ordering::Relaxed) > most;
    if !is_full() {
        return true;
    }
    let (start, cpu) = (Instant::now(), net::thread_cpu_time());
    while is_full() && start.elapsed() < PATIENCE {
        (0..64).for_each(|_| hint::spin_loop());
    }
    let caught_up = !is_full();
    sent.waited += start.elapsed();
    sent.waited_cpu += net::thread_cpu_time() - cpu;
    caught_up
}

fn name(address: SocketAddr) -> sockaddr_in {
    // SAFETY: all zeros are a valid address.
    let mut name: sockaddr_in = unsafe { mem::zeroed() };
    if let SocketAddr::V4(v4) = address {
        name.sin_family = libc::AF_INET as libc::sa_family_t;
        name.sin_port = v4.port().to_be();
        name.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
    }
    name
}

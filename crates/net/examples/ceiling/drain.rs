//! The receivers: one thread that takes from every socket in turn, and never sleeps.

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, mem, ptr};

use net::Socket;
use nix::libc::{self, c_void, iovec, mmsghdr};

/// The last datagrams are waited for until none has come for so long.
const GRACE: Duration = Duration::from_millis(50);

/// A count on a cache line of its own.
#[repr(align(128))]
#[derive(Default)]
pub struct Counter(pub AtomicU64);

/// The thread that receives.
pub struct Drain {
    /// Datagrams so far.
    pub received: Arc<Counter>,
    stop: Arc<AtomicBool>,
    began: Instant,
    thread: JoinHandle<Duration>,
}

/// What it did.
pub struct Drained {
    /// Datagrams.
    pub datagrams: u64,
    /// Its processor time.
    pub cpu: Duration,
    /// How long it lived.
    pub wall: Duration,
}

impl Drain {
    /// Starts it, and waits until it runs.
    pub fn start(sockets: Vec<Socket>, payload: u16, gro: bool, cpu: usize) -> io::Result<Drain> {
        let (received, stop) = (Arc::new(Counter::default()), Arc::new(AtomicBool::new(false)));
        let (ready, is_ready) = mpsc::channel();
        let (count, ends) = (Arc::clone(&received), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            // Nobody listens any more if the sender has failed.
            let _ = ready.send(net::pin_current_thread(cpu));
            let before = net::thread_cpu_time();
            let mut inbox = Inbox::new(payload, gro);
            while !ends.load(Ordering::Relaxed) {
                sockets.iter().for_each(|socket| inbox.take(socket, &count.0));
            }
            net::thread_cpu_time() - before
        });
        is_ready.recv().map_err(io::Error::other)??;
        Ok(Drain { received, stop, began: Instant::now(), thread })
    }

    /// Ends it when everything has arrived, or nothing does any more.
    pub fn finish(self, sent: u64) -> io::Result<Drained> {
        let mut last = self.received.0.load(Ordering::Relaxed);
        let mut seen = Instant::now();
        while last < sent && seen.elapsed() < GRACE {
            thread::sleep(Duration::from_millis(1));
            let now = self.received.0.load(Ordering::Relaxed);
            if now != last {
                (last, seen) = (now, Instant::now());
            }
        }
        let wall = self.began.elapsed();
        self.stop.store(true, Ordering::Relaxed);
        let cpu = self.thread.join().map_err(|_| io::Error::other("the receiving thread failed"))?;
        Ok(Drained { datagrams: self.received.0.load(Ordering::Relaxed), cpu, wall })
    }
}

/// Buffers, and the headers that name them.
struct Inbox {
    payload: u64,
    total: u64,
    headers: Vec<mmsghdr>,
    /// What the headers point to; neither moves nor is read.
    _parts: (Vec<iovec>, Vec<u8>),
}

impl Inbox {
    fn new(payload: u16, gro: bool) -> Inbox {
        let (count, size) = if gro { (16, 65_536) } else { (64, usize::from(payload) + 64) };
        let mut bytes = vec![0_u8; count * size];
        let mut iovecs: Vec<iovec> = bytes
            .chunks_mut(size)
            .map(|chunk| iovec { iov_base: chunk.as_mut_ptr().cast::<c_void>(), iov_len: size })
            .collect();
        let headers = iovecs
            .iter_mut()
            .map(|part| {
                // SAFETY: null pointers and zero lengths are an empty header.
                let mut header: mmsghdr = unsafe { mem::zeroed() };
                header.msg_hdr.msg_iov = part;
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        Inbox { payload: payload.into(), total: 0, headers, _parts: (iovecs, bytes) }
    }

    /// Takes what one socket has, as far as there are buffers.
    fn take(&mut self, socket: &Socket, received: &AtomicU64) {
        let (headers, count) = (self.headers.as_mut_ptr(), self.headers.len() as u32);
        // SAFETY: the headers name buffers that live as long as they; there are as many as said.
        let taken = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), headers, count, libc::MSG_DONTWAIT, ptr::null_mut())
        };
        if taken > 0 {
            let bytes: u64 =
                self.headers[..taken as usize].iter().map(|header| u64::from(header.msg_len)).sum();
            self.total += bytes / self.payload;
            received.store(self.total, Ordering::Relaxed);
        }
    }
}

//! Members who listen: one in each group, who also send heartbeats and count the answers.

use std::io::IoSliceMut;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::unistd::Pid;

/// Between two heartbeats of a member.
const HEARTBEAT: Duration = Duration::from_millis(20);

/// Between two looks at the sockets; arrivals have the kernel's time, so that it is part of no figure.
const LOOK: Duration = Duration::from_millis(1);

/// A JOIN without an answer is sent again, so often in all.
const JOINS: u32 = 5;

/// An answer takes no longer, or it is lost.
const PATIENCE: Duration = Duration::from_secs(1);

/// What was heard.
pub struct Heard {
    /// Nanoseconds from the sending of each payload to its arrival.
    pub latency: Histogram<u64>,
    /// Payloads of the groups, by the numbers of the first and the last that were heard of each.
    pub expected: u64,
    /// Of these, those that were heard.
    pub payloads: u64,
    /// Heartbeats.
    pub pings: u64,
    /// Those that were answered.
    pub pongs: u64,
}

/// One member.
struct Ear {
    socket: UdpSocket,
    /// Numbers of the first and the last payload.
    numbers: Option<(u64, u64)>,
}

/// Listens until it is told to stop.
pub struct Ears<'scope> {
    thread: ScopedJoinHandle<'scope, anyhow::Result<Heard>>,
    stop: &'scope AtomicBool,
}

impl<'scope> Ears<'scope> {
    /// One in each of `groups` groups, whose ids begin with `prefix`; `stop` is false.
    pub fn open(
        scope: &'scope Scope<'scope, '_>,
        stop: &'scope AtomicBool,
        (address, cpu): (&str, usize),
        (prefix, groups): (&str, u32),
    ) -> anyhow::Result<Self> {
        let ears = (0..groups).map(|group| Ear::open(address, &format!("{prefix}{group}")));
        let ears = ears.collect::<anyhow::Result<Vec<_>>>()?;
        let thread = scope.spawn(move || {
            let mut own = CpuSet::new();
            own.set(cpu)?;
            sched_setaffinity(Pid::from_raw(0), &own)?;
            listen(ears, stop)
        });
        Ok(Self { thread, stop })
    }

    /// What was heard.
    pub fn close(self) -> anyhow::Result<Heard> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("a listener panicked"))?
    }
}

fn listen(mut ears: Vec<Ear>, stop: &AtomicBool) -> anyhow::Result<Heard> {
    let mut heard = Heard { latency: Histogram::new(3)?, expected: 0, payloads: 0, pings: 0, pongs: 0 };
    let (start, mut sent) = (Instant::now(), 0);
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        for ear in &mut ears {
            ear.take(&mut buffer, &mut heard)?;
        }
        if start.elapsed() >= HEARTBEAT * sent {
            sent += 1;
            ears.iter().try_for_each(|ear| ear.socket.send(b"!PING").map(drop))?;
            heard.pings += ears.len() as u64;
        }
        thread::sleep(LOOK);
    }
    let stopped = Instant::now();
    while heard.pongs < heard.pings && stopped.elapsed() < PATIENCE {
        for ear in &mut ears {
            ear.take(&mut buffer, &mut heard)?;
        }
        thread::sleep(LOOK);
    }
    let groups = ears.len() as u64;
    heard.expected = ears.iter().filter_map(|ear| ear.numbers).map(|(a, b)| (b - a) / groups + 1).sum();
    Ok(heard)
}

impl Ear {
    fn open(address: &str, group: &str) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind("10.8.0.1:0")?;
        socket.connect(address)?;
        setsockopt(&socket, sockopt::RcvBufForce, &(16 << 20)).context("a receive buffer")?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut buffer = [0; 100];
        let mut join =
            || socket.send(format!("!JOIN {group}").as_bytes()).and_then(|_| socket.recv(&mut buffer));
        // Before heartbeats, a shard that cannot do otherwise sheds other commands.
        let len = (0..JOINS).find_map(|_| join().ok()).context("no answer to a JOIN")?;
        ensure!(buffer[..len].starts_with(b"OK JOINED"), "{}", String::from_utf8_lossy(&buffer[..len]));
        socket.set_nonblocking(true)?;
        Ok(Self { socket, numbers: None })
    }

    /// Everything that has arrived.
    fn take(&mut self, buffer: &mut [u8], heard: &mut Heard) -> anyhow::Result<()> {
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        loop {
            let mut parts = [IoSliceMut::new(buffer)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let Ok(message) = recvmsg::<()>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), flags)
            else {
                return Ok(());
            };
            let at = message.cmsgs()?.find_map(|control| match control {
                ControlMessageOwned::ScmTimestampns(at) => Some(at),
                _ => None,
            });
            let at = at.context("no time stamp")?;
            let at = at.tv_sec() as u64 * 1_000_000_000 + at.tv_nsec() as u64;
            let len = message.bytes;
            match buffer[..len].first() {
                Some(b'.') if len >= 17 => self.note(&buffer[1..17], at, heard)?,
                Some(b'P') => heard.pongs += 1,
                _ => {}
            }
        }
    }

    fn note(&mut self, stamp: &[u8], at: u64, heard: &mut Heard) -> anyhow::Result<()> {
        let (time, number) = stamp.split_at(8);
        let time = u64::from_le_bytes(time.try_into()?);
        let number = u64::from_le_bytes(number.try_into()?);
        heard.latency.record(at.saturating_sub(time))?;
        heard.payloads += 1;
        let (first, last) = self.numbers.unwrap_or((number, number));
        self.numbers = Some((first.min(number), last.max(number)));
        Ok(())
    }
}

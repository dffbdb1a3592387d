//! A driver on paper: what arrives is written down before, what is sent is written down after.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use net::{
    Arrival, BufferId, Driver, DriverStats, Failure, FailureKind, Full, Gather, Part, Run, SendReport, Sieve,
    SocketIndex, Waker,
};
use relay::clock::Clock;

/// What happens outside of the shard: seen by the test and by its driver.
#[derive(Default)]
pub struct World {
    /// Datagrams that wait to be received.
    pub incoming: VecDeque<(SocketAddr, Vec<u8>)>,
    /// Datagrams that were sent, in order.
    pub sent: Vec<(SocketAddr, Vec<u8>)>,
    /// Those that must not be dropped because too much waits for their destination.
    pub told: Vec<(SocketAddr, Vec<u8>)>,
    /// When the last of them were.
    pub times: Vec<Duration>,
    /// Messages in which they were sent.
    pub messages: usize,
    /// Destinations that the kernel refuses.
    pub refused: Vec<SocketAddr>,
    /// Whom an ICMP error tells of with the next exchange.
    pub unreached: Vec<SocketAddr>,
    /// The time.
    pub now: Duration,
    /// Waits that were asked for when nothing had arrived.
    pub waits: Vec<Duration>,
    /// Receive buffers that the shard holds.
    pub lent: usize,
    /// Datagrams that the receive buffer holds; 0: any number, and it is never said to be full.
    pub room: usize,
    /// What a datagram costs to receive, and a message of n datagrams n + 1 times to send.
    pub price: Duration,
    /// What a datagram costs to receive if that is less; zero if not.
    pub price_of_taking: Duration,
    /// What the socket lets pass, and what it has not.
    pub sieve: Option<Sieve>,
    pub sifted: usize,
    /// Datagrams that found no room.
    pub overflowed: usize,
    /// The part of the next datagram that has passed so far, of all and of those of loud clients: a share is kept exactly, not
    /// by chance.
    passed: [u32; 2],
}

impl World {
    /// A datagram comes to the socket, as it would to the kernel's.
    pub fn come(&mut self, from: SocketAddr, bytes: Vec<u8>) {
        if !self.passes(from, &bytes) {
            self.sifted += 1;
        } else if self.room > 0 && self.incoming.len() >= self.room {
            self.overflowed += 1;
        } else {
            self.incoming.push_back((from, bytes));
        }
    }

    fn passes(&mut self, from: SocketAddr, bytes: &[u8]) -> bool {
        let Some(sieve) = &self.sieve else { return true };
        let is_command = bytes.first() == Some(&sieve.first);
        let is_loud = || sieve.loud.as_ref().filter(|loud| loud.sources.contains(from));
        let [of_kind, of_loud] = &mut self.passed;
        let is_spared =
            sieve.spared.iter().any(|spared| bytes.starts_with(spared) && bytes.len() > spared.len());
        is_spared
            || take(of_kind, if is_command { sieve.of_second } else { sieve.of_rest })
                && (is_command || is_loud().is_none_or(|loud| take(of_loud, loud.share)))
    }
}

/// True for this share of the calls.
fn take(passed: &mut u32, share: u32) -> bool {
    *passed += share;
    let passes = *passed >= Sieve::ALL;
    *passed %= Sieve::ALL;
    passes
}

/// A world that is shared with a shard.
pub type SharedWorld = Rc<RefCell<World>>;

/// The shard's clock: the world's time.
pub struct PaperClock(pub SharedWorld);

impl Clock for PaperClock {
    fn now(&self) -> Duration {
        self.0.borrow().now
    }

    fn calendar(&self) -> Duration {
        self.now()
    }
}

/// The driver. Datagrams leave when they are flushed, as with the real ones.
pub struct Paper {
    world: SharedWorld,
    buffers: Vec<Option<Vec<u8>>>,
    parts: Vec<Part>,
    text: Vec<u8>,
    queue: Vec<(SocketAddr, Vec<u8>)>,
    arrivals: usize,
    budget: usize,
    used: usize,
    report: SendReport,
    peer_errors: u64,
}

impl Paper {
    pub fn new(world: SharedWorld, buffers: usize, arrivals: usize, budget: usize) -> Self {
        Self {
            world,
            buffers: vec![None; buffers],
            parts: Vec::new(),
            text: Vec::new(),
            queue: Vec::new(),
            arrivals,
            budget,
            used: 0,
            report: SendReport::default(),
            peer_errors: 0,
        }
    }

    fn part(&self, part: Part) -> Vec<u8> {
        match part {
            Part::Received { buffer, offset, len } => {
                let bytes = self.buffers[usize::from(buffer.0)].as_ref().expect("a lent buffer");
                bytes[usize::from(offset)..usize::from(offset + len)].to_vec()
            }
            Part::Composed { start, len } => self.text[start as usize..][..usize::from(len)].to_vec(),
        }
    }
}

impl Driver for Paper {
    fn exchange(&mut self, arrivals: &mut Vec<Arrival>, wait: Option<Duration>) -> io::Result<()> {
        self.end_turn()?;
        let mut world = self.world.borrow_mut();
        if world.incoming.is_empty() {
            world.waits.extend(wait.filter(|wait| !wait.is_zero()));
        }
        let world = &mut *world;
        self.peer_errors += world.unreached.len() as u64;
        self.report.unreached.append(&mut world.unreached);
        for (at, buffer) in
            self.buffers.iter_mut().enumerate().filter(|(_, buffer)| buffer.is_none()).take(self.arrivals)
        {
            let Some((source, bytes)) = world.incoming.pop_front() else { break };
            let (id, len) = (BufferId(at as u16), bytes.len() as u16);
            *buffer = Some(bytes);
            world.lent += 1;
            world.now += if world.price_of_taking.is_zero() { world.price } else { world.price_of_taking };
            arrivals.push(Arrival {
                source,
                local: None,
                socket: SocketIndex(0),
                buffer: id,
                offset: 0,
                len,
                segment: 0,
            });
        }
        Ok(())
    }

    fn end_turn(&mut self) -> io::Result<()> {
        self.flush();
        self.parts.clear();
        self.text.clear();
        self.used = 0;
        Ok(())
    }

    fn bytes(&self, arrival: &Arrival) -> &[u8] {
        self.buffers[usize::from(arrival.buffer.0)].as_deref().expect("a lent buffer")
    }

    fn release(&mut self, buffer: BufferId) {
        assert!(self.buffers[usize::from(buffer.0)].take().is_some(), "released twice");
        self.world.borrow_mut().lent -= 1;
    }

    fn compose(&mut self, text: &[u8]) -> Part {
        let start = self.text.len() as u32;
        self.text.extend_from_slice(text);
        Part::Composed { start, len: text.len() as u16 }
    }

    fn compose_before(&mut self, text: &[u8], part: Part) -> Part {
        let bytes = [text, &self.part(part)].concat();
        self.compose(&bytes)
    }

    fn gather(&mut self, parts: &[Part]) -> Gather {
        let start = self.parts.len() as u32;
        self.parts.extend_from_slice(parts);
        Gather { start, count: parts.len() as u16 }
    }

    fn gather_without(&mut self, list: Gather, skipped: &[u16]) -> Gather {
        let parts: Vec<Part> = (0..list.count)
            .filter(|at| !skipped.contains(at))
            .map(|at| self.parts[list.start as usize + usize::from(at)])
            .collect();
        self.gather(&parts)
    }

    fn send(&mut self, run: &Run) -> Result<(), Full> {
        let count = usize::from(run.gather.count);
        assert!((1..=Run::MAX_DATAGRAMS).contains(&count));
        if self.used + count > self.budget {
            return Err(Full);
        }
        self.used += count;
        let mut world = self.world.borrow_mut();
        let price = world.price * (1 + count as u32);
        world.now += price;
        world.messages += 1;
        drop(world);
        let parts = &self.parts[run.gather.start as usize..][..count];
        assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), run.bytes as usize);
        for (at, part) in parts.iter().enumerate() {
            assert!(
                part.len() == usize::from(run.size) || at == count - 1 && part.len() < usize::from(run.size)
            );
            let bytes = self.part(*part);
            self.queue.push((run.to, bytes));
        }
        Ok(())
    }

    fn tell(&mut self, run: &Run) -> Result<(), Full> {
        self.send(run)?;
        let texts = self.queue.len() - usize::from(run.gather.count)..;
        self.world.borrow_mut().told.extend_from_slice(&self.queue[texts]);
        Ok(())
    }

    fn flush(&mut self) {
        let mut world = self.world.borrow_mut();
        for (to, bytes) in self.queue.drain(..) {
            if world.refused.contains(&to) {
                self.report.failures.push(Failure { to, kind: FailureKind::BufferFull, datagrams: 1 });
            } else {
                self.report.datagrams += 1;
                world.sent.push((to, bytes));
                let now = world.now;
                world.times.push(now);
            }
        }
    }

    fn report(&mut self) -> &mut SendReport {
        &mut self.report
    }

    fn waker(&self) -> Waker {
        Waker::new().expect("an eventfd")
    }

    fn sift(&mut self, sieve: Option<&Sieve>) -> io::Result<()> {
        self.world.borrow_mut().sieve = sieve.cloned();
        Ok(())
    }

    fn receive_pressure(&self) -> f32 {
        let world = self.world.borrow();
        if world.room == 0 { 0.0 } else { world.incoming.len() as f32 / world.room as f32 }
    }

    fn stats(&self) -> DriverStats {
        DriverStats { peer_errors: self.peer_errors, ..DriverStats::default() }
    }
}

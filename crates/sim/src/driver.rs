//! A driver without a kernel: it keeps the contract of `net::Driver`, and sees to it that the shard does.

mod decisions;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine::{AdmissionMode, Groups};
use net::{
    Arrival, BufferId, Driver, DriverStats, Failure, Full, Gather, Part, Run, SendReport, SocketIndex, Waker,
};
use relay::limits::{TURN_ARRIVALS, TURN_UNITS};

use crate::lease::{Debt, Lease};
use crate::ledger::Ledger;
use crate::model::{Effect, Expected, Maybe, PeerIndex, Taken};
use crate::network::Map;
use crate::port::{Sent, SharedPort};
use crate::trace::What;
use crate::world::SharedWorld;

/// Datagrams that a turn may send, as with the real drivers.
const BUDGET: usize = TURN_UNITS + Run::MAX_DATAGRAMS + TURN_ARRIVALS;

/// What kind of driver it is, and how fast its machine is.
#[derive(Clone, Copy, Debug)]
pub struct Make {
    /// Receive buffers.
    pub buffers: usize,
    /// It finds out that it has buffers again only at the exchange after, as a ring that has to be armed.
    pub is_ring: bool,
    /// What it costs to receive a datagram, and half of what it costs to send a message of one.
    pub price: Duration,
}

/// The driver of one shard.
pub struct SimDriver {
    world: SharedWorld,
    port: SharedPort,
    shard: usize,
    make: Make,
    buffers: Vec<Option<Lease>>,
    free: Vec<u16>,
    armed: bool,
    deaf: bool,
    parts: Vec<Part>,
    text: Vec<u8>,
    /// The payloads of which composed texts are copies, by where those begin.
    copies: Vec<(u32, Part)>,
    /// Replies that the model expects.
    expected: RefCell<VecDeque<(SocketAddr, Expected)>>,
    queue: Vec<Queued>,
    used: usize,
    report: SendReport,
    stats: DriverStats,
    waker: Waker,
    numbers: Rc<Cell<u64>>,
    order: Rc<RefCell<Order>>,
    groups: Arc<Groups>,
    ledger: Rc<RefCell<Ledger>>,
    /// A request that the engine is deciding.
    pending: RefCell<Option<Maybe>>,
}

struct Queued {
    to: SocketAddr,
    datagrams: Vec<Rc<[u8]>>,
}

/// The last datagram that a receiver was sent of a sender, in whichever group.
type Order = Map<(PeerIndex, PeerIndex), u64>;

/// What the drivers of all shards share.
#[derive(Clone)]
pub struct Common {
    /// The world.
    pub world: SharedWorld,
    /// Wakes nobody: the simulation knows when a shard has something to do.
    pub waker: Waker,
    /// Counts the datagrams that were received.
    pub numbers: Rc<Cell<u64>>,
    /// The last datagram of each sender that each receiver was sent.
    pub order: Rc<RefCell<Order>>,
    /// The relay's groups, to see what it has decided where the model cannot know.
    pub groups: Arc<Groups>,
    /// What goes to addresses that never proved themselves.
    pub ledger: Rc<RefCell<Ledger>>,
}

impl SimDriver {
    /// The driver of a shard's socket.
    pub fn new(shard: usize, make: Make, port: SharedPort, common: &Common) -> Self {
        Self {
            world: Rc::clone(&common.world),
            port,
            shard,
            make,
            buffers: (0..make.buffers).map(|_| None).collect(),
            free: (0..make.buffers as u16).rev().collect(),
            armed: true,
            deaf: false,
            parts: Vec::new(),
            text: Vec::new(),
            copies: Vec::new(),
            expected: RefCell::default(),
            queue: Vec::new(),
            used: 0,
            report: SendReport::default(),
            stats: DriverStats::default(),
            waker: common.waker.clone(),
            numbers: Rc::clone(&common.numbers),
            order: Rc::clone(&common.order),
            groups: Arc::clone(&common.groups),
            ledger: Rc::clone(&common.ledger),
            pending: RefCell::new(None),
        }
    }

    /// Receive buffers that are at home.
    pub fn at_home(&self) -> usize {
        self.free.len()
    }

    fn violated(&self, what: impl FnOnce() -> String) {
        self.world.violated(|| format!("shard {}: {}", self.shard, what()));
    }

    fn lease(&self, buffer: BufferId) -> Option<&Lease> {
        self.buffers.get(usize::from(buffer.0))?.as_ref()
    }

    fn receive(&mut self, arrivals: &mut Vec<Arrival>) {
        if !self.armed {
            // The kernel fills buffers from now on; what it does with them is seen by the next exchange.
            self.armed = !self.free.is_empty();
            self.stats.rearms += u64::from(self.armed);
            return;
        }
        // The real drivers hand over what has come so far: now and then that is less than there is.
        let most = if self.world.chance(0.1) {
            1 + self.world.below(TURN_ARRIVALS as u64) as usize
        } else {
            TURN_ARRIVALS
        };
        for _ in 0..most {
            let mut port = self.port.borrow_mut();
            if port.queue.is_empty() {
                return;
            }
            let Some(buffer) = self.free.pop() else {
                self.stats.no_buffers += 1;
                self.armed = !self.make.is_ring;
                return;
            };
            let Some(packet) = port.queue.pop_front() else { return };
            port.seen.lent += 1;
            drop(port);
            self.world.pass(self.make.price);
            let len = packet.bytes.len().min(usize::from(net::DriverConfig::default().max_datagram));
            arrivals.push(Arrival {
                source: packet.source,
                local: packet.local,
                socket: SocketIndex(0),
                buffer: BufferId(buffer),
                offset: 0,
                len: len as u16,
                segment: 0,
            });
            self.numbers.set(self.numbers.get() + 1);
            self.buffers[usize::from(buffer)] = Some(Lease::new(packet, self.numbers.get()));
        }
    }

    /// The shard reads a datagram: the model decides, too.
    fn judge(&self, lease: &Lease, bytes: &[u8]) {
        self.settle();
        let mut debt = lease.debt.borrow_mut();
        if debt.is_some() {
            return;
        }
        let source = lease.packet.source;
        self.world.note(
            What::Takes,
            [self.shard as u64, self.world.number_of(source), bytes.len() as u64],
            bytes,
        );
        let mut port = self.port.borrow_mut();
        let now = port.turn_at.as_millis() as u64;
        let taken = Taken { bytes, source, local: lease.packet.local, now };
        let effect = self.world.model.borrow_mut().take(self.shard, &taken);
        self.book(source, bytes.len(), &effect);
        *debt = Some(match effect {
            Effect::Nothing => Debt::default(),
            Effect::Reply(expected) => {
                if let Expected::Any(maybe) = &expected {
                    self.pending.replace(Some(maybe.clone()));
                }
                self.expected.borrow_mut().push_back((source, expected));
                Debt::default()
            }
            Effect::FanOut(sender, audience) => {
                port.seen.owed += audience.len() as u64 - 1;
                Debt::to(sender, audience, (now, self.world.model.borrow().mode()))
            }
        });
    }

    /// The ledger hears of a datagram that was taken.
    fn book(&self, source: SocketAddr, len: usize, effect: &Effect) {
        let copies = if let Effect::FanOut(_, audience) = effect { audience.len() as u64 } else { 0 };
        if let Some(peer) = self.world.model.borrow().find(source) {
            self.ledger.borrow_mut().take(peer, source, len, copies);
        }
    }

    /// One datagram of a run: what it must be, and its bytes.
    fn check_part(&mut self, part: Part, run: &Run) -> Rc<[u8]> {
        if let Part::Composed { start, len } = part
            && let Ok(at) = self.copies.binary_search_by_key(&start, |(start, _)| *start)
        {
            let original = self.copies[at].1;
            self.check_part(original, run);
            return self.text[start as usize..][..usize::from(len)].into();
        }
        match part {
            Part::Composed { start, len } => {
                self.check_reply(run.to, start, len);
                self.text[start as usize..][..usize::from(len)].into()
            }
            Part::Received { buffer, offset, len } => {
                let Some(lease) = self.lease(buffer) else {
                    self.violated(|| format!("{buffer:?} is sent after its release"));
                    return Rc::from([]);
                };
                let bytes = Rc::clone(&lease.packet.bytes);
                if offset != 0 || usize::from(len) != bytes.len() {
                    self.violated(|| format!("{len} bytes from {offset} of a payload of {}", bytes.len()));
                }
                if let Err(wrong) = self.pay(lease, run) {
                    self.violated(|| {
                        format!("payload {} of {} to {}: {wrong}", lease.number, lease.packet.source, run.to)
                    });
                }
                bytes
            }
        }
    }

    fn pay(&self, lease: &Lease, run: &Run) -> Result<(), String> {
        let mut debt = lease.debt.borrow_mut();
        let debt = debt.as_mut().ok_or("sent before it was read")?;
        let model = self.world.model.borrow();
        let to = model.find(run.to);
        debt.pay(to)?;
        self.port.borrow_mut().seen.owed -= 1;
        if debt.mode == Some(AdmissionMode::Strict) && to.is_some_and(|to| !model.was_proved(to)) {
            return Err("it has not proved its address".to_owned());
        }
        if let Some(to) = to.filter(|to| debt.mode == Some(AdmissionMode::Auto) && !model.was_proved(*to)) {
            let (len, now) = (lease.packet.bytes.len(), self.world.now());
            let turn = self.port.borrow().turn_at.as_millis() as u64;
            self.ledger.borrow_mut().send(to, run.to, len, (debt.at, turn), now)?;
        }
        if let (Some(sender), Some(to)) = (debt.sender, to) {
            let mut order = self.order.borrow_mut();
            let last = order.entry((sender, to)).or_default();
            if *last > lease.number {
                return Err(format!("after payload {last} of the same sender"));
            }
            *last = lease.number;
            // Whoever has left since is still sent what was said before, from where it was reached then.
            let known = model.peer(to);
            if known.group.is_some() && run.from.is_some() != known.local.is_some() {
                return Err(format!("from {:?}, but it has reached {:?}", run.from, known.local));
            }
        }
        Ok(())
    }

    fn shape_is_wrong(&self, run: &Run, parts: &[Part]) -> bool {
        let sizes = parts.iter().map(|part| part.len());
        let size = usize::from(run.size);
        let all_but_last = parts.iter().rev().skip(1).all(|part| part.len() == size);
        run.socket != SocketIndex(0)
            || !(1..=Run::MAX_DATAGRAMS).contains(&parts.len())
            || run.bytes as usize > Run::MAX_BYTES
            || sizes.sum::<usize>() != run.bytes as usize
            || !all_but_last
            || parts.last().is_some_and(|part| part.len() > size)
    }
}

impl Driver for SimDriver {
    fn exchange(&mut self, arrivals: &mut Vec<Arrival>, wait: Option<Duration>) -> io::Result<()> {
        self.end_turn()?;
        self.ledger.borrow_mut().begin_turn(self.world.now().as_millis() as u64);
        if !self.deaf {
            self.receive(arrivals);
        }
        if arrivals.is_empty() && wait != Some(Duration::ZERO) {
            // As one that is woken without a reason; the simulation turns the shard again when there is one.
            let wait = wait.unwrap_or(Duration::MAX / 4);
            self.port.borrow_mut().asleep = Some(self.world.now() + wait);
            self.world.note(What::Waits, [self.shard as u64, wait.as_millis() as u64, 0], &[]);
        }
        self.port.borrow_mut().turn_at = self.world.now();
        Ok(())
    }

    fn end_turn(&mut self) -> io::Result<()> {
        self.flush();
        self.parts.clear();
        self.text.clear();
        self.copies.clear();
        self.used = 0;
        self.settle();
        let is_owed = |(_, expected): &&(SocketAddr, Expected)| !matches!(expected, Expected::Any(_));
        if let Some((to, expected)) = self.expected.borrow().iter().find(is_owed) {
            self.violated(|| format!("{to} gets no reply, but should: {expected:?}"));
        }
        self.expected.borrow_mut().clear();
        self.port.borrow_mut().turn_at = self.world.now();
        Ok(())
    }

    fn bytes(&self, arrival: &Arrival) -> &[u8] {
        let Some(lease) = self.lease(arrival.buffer) else {
            self.violated(|| format!("{:?} is read after its release", arrival.buffer));
            return &[];
        };
        let bytes = &lease.packet.bytes[..usize::from(arrival.len)];
        self.judge(lease, bytes);
        bytes
    }

    fn release(&mut self, buffer: BufferId) {
        let Some(lease) = self.buffers.get_mut(usize::from(buffer.0)).and_then(Option::take) else {
            return self.violated(|| format!("{buffer:?} is released twice"));
        };
        let mut port = self.port.borrow_mut();
        port.seen.lent -= 1;
        match lease.debt.take() {
            Some(debt) => {
                port.seen.owed -= debt.left();
                port.seen.dropped += debt.left();
                let model = self.world.model.borrow();
                let was_proved =
                    |peer: &PeerIndex| model.peer(*peer).proved.is_some_and(|since| since < debt.at);
                port.seen.dropped_proved += debt.unserved().filter(was_proved).count() as u64;
            }
            None => self.violated(|| format!("a datagram of {} was never read", lease.packet.source)),
        }
        self.free.push(buffer.0);
    }

    fn compose(&mut self, text: &[u8]) -> Part {
        self.settle();
        let start = self.text.len() as u32;
        self.text.extend_from_slice(text);
        Part::Composed { start, len: text.len() as u16 }
    }

    fn compose_before(&mut self, text: &[u8], part: Part) -> Part {
        let Part::Received { buffer, offset, len } = part else {
            self.violated(|| format!("{part:?} is composed again"));
            return part;
        };
        let bytes = self.lease(buffer).map(|lease| Rc::clone(&lease.packet.bytes)).unwrap_or_default();
        let start = self.text.len() as u32;
        self.text.extend_from_slice(text);
        self.text.extend_from_slice(&bytes[usize::from(offset)..][..usize::from(len)]);
        self.copies.push((start, part));
        Part::Composed { start, len: text.len() as u16 + len }
    }

    fn gather(&mut self, parts: &[Part]) -> Gather {
        let start = self.parts.len() as u32;
        self.parts.extend_from_slice(parts);
        Gather { start, count: parts.len() as u16 }
    }

    fn gather_without(&mut self, list: Gather, skipped: &[u16]) -> Gather {
        let kept = (0..list.count).filter(|at| skipped.binary_search(at).is_err());
        let parts: Vec<Part> = kept.map(|at| self.parts[list.start as usize + usize::from(at)]).collect();
        self.gather(&parts)
    }

    fn send(&mut self, run: &Run) -> Result<(), Full> {
        let count = usize::from(run.gather.count);
        if self.used + count > BUDGET {
            let only = self.parts.get(run.gather.start as usize).copied();
            if let Some(Part::Composed { start, len }) = only {
                self.check_reply(run.to, start, len);
                self.port.borrow_mut().seen.dropped += 1;
            }
            return Err(Full);
        }
        self.used += count;
        let Some(parts) = self.parts.get(run.gather.start as usize..run.gather.start as usize + count) else {
            self.violated(|| "a gather list of an earlier turn".to_owned());
            return Ok(());
        };
        let parts = parts.to_vec();
        if self.shape_is_wrong(run, &parts) {
            self.violated(|| format!("a run of the wrong shape: {run:?} of {parts:?}"));
        }
        let datagrams: Vec<_> = parts.into_iter().map(|part| self.check_part(part, run)).collect();
        self.port.borrow_mut().seen.queued += count as u64;
        self.queue.push(Queued { to: run.to, datagrams });
        Ok(())
    }

    fn flush(&mut self) {
        for Queued { to, datagrams } in std::mem::take(&mut self.queue) {
            let count = datagrams.len() as u64;
            self.world.pass(self.make.price * (1 + datagrams.len() as u32));
            let refusal = self.world.network.borrow().refuses(to, &self.world);
            let mut port = self.port.borrow_mut();
            port.seen.queued -= count;
            let numbers = |last| [self.shard as u64, self.world.number_of(to), last];
            if let Some(kind) = refusal {
                port.seen.refused += count;
                self.world.note(What::Refuses, numbers(kind as u64), &[]);
                self.report.failures.push(Failure { to, kind, datagrams: count as u32 });
                continue;
            }
            if self.world.network.borrow().is_cut_off(to, &self.world) && self.world.chance(0.3) {
                self.world.note(What::Unreached, numbers(0), &[]);
                self.report.unreached.push(to);
            }
            let power = count.next_power_of_two().trailing_zeros() as usize;
            self.report.segments[power] += 1;
            self.report.segments_sum += count;
            for bytes in datagrams {
                self.world.note(What::Sends, numbers(bytes.len() as u64), &bytes);
                self.report.datagrams += 1;
                self.report.bytes += bytes.len() as u64;
                port.seen.handed += 1;
                port.seen.handed_bytes += bytes.len() as u64;
                port.sent.push(Sent { to, bytes });
            }
        }
    }

    fn stop_receiving(&mut self) -> io::Result<()> {
        self.deaf = true;
        Ok(())
    }

    fn report(&mut self) -> &mut SendReport {
        self.report.unreached.append(&mut self.port.borrow_mut().forged);
        let now = self.port.borrow().turn_at.as_millis() as u64;
        let model = self.world.model.borrow();
        for peer in self.report.unreached.iter().filter_map(|to| model.find(*to)) {
            self.ledger.borrow_mut().shrink(peer, now);
        }
        &mut self.report
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn receive_pressure(&self) -> f32 {
        let port = self.port.borrow();
        port.queue.len() as f32 / port.room as f32
    }

    fn stats(&self) -> DriverStats {
        DriverStats { buffers_free: self.free.len() as u64, ..self.stats }
    }
}

//! One run: what happens when, from the first client to the last buffer.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use net::Waker;

use crate::crowd::{Crowd, RELAY};
use crate::faults::Fault;
use crate::fleet::Fleet;
use crate::model::Model;
use crate::network::{Direction, Network, Weather};
use crate::port::{Packet, Sent};
use crate::script::Script;
use crate::trace::What;
use crate::world::{SharedWorld, World};

/// What a client has to do about an answer is done within this time; no idle limit is shorter than three of it.
const SOON: Duration = Duration::from_millis(100);

/// More events than a run of 300 clients ever has to come: some 1 GB of them.
const UNDER_WAY: usize = 4_000_000;

/// A run that is under way.
pub struct Simulation {
    pub(crate) script: Script,
    pub(crate) world: SharedWorld,
    pub(crate) crowd: Crowd,
    /// None while the relay is not running.
    pub(crate) fleet: Option<Fleet>,
    pub(crate) waker: Waker,
    /// Until when each shard stands still.
    pub(crate) stalled: Vec<Duration>,
    /// The next turn of each shard: events of other turns are out of date.
    turns: Vec<Duration>,
    events: BinaryHeap<Reverse<Entry>>,
    count: u64,
    pub(crate) restarts: u64,
}

struct Entry {
    at: Duration,
    /// Equal times in the order in which they were planned.
    number: u64,
    event: Event,
}

/// What can happen.
pub(crate) enum Event {
    /// A datagram reaches the relay's machine.
    Up(Packet),
    /// A datagram reaches a client's machine.
    Down(Sent),
    /// A client's timer.
    Timer(usize, u64),
    /// A shard turns.
    Turn(usize),
    /// A fault begins, again and again.
    Fault(Fault),
    /// The relay starts again.
    Start,
}

impl Simulation {
    /// The run of a seed.
    pub fn new(seed: u64, waker: &Waker) -> Self {
        let script = Script::of(seed);
        let model = Model::new(script.shards, &script.settings, RELAY, 0);
        let world = World::new(seed, model, Network::new(Weather::CALM));
        let crowd = Crowd::new(&script, &world);
        let shards = script.shards;
        let mut run = Self {
            world,
            crowd,
            fleet: None,
            waker: waker.clone(),
            stalled: vec![Duration::ZERO; shards],
            turns: vec![Duration::MAX; shards],
            events: BinaryHeap::new(),
            count: 0,
            restarts: 0,
            script,
        };
        run.start();
        let spread = run.script.settings.heartbeat.min(Duration::from_secs(10));
        for number in 0..run.crowd.clients.len() {
            let at = run.world.between(Duration::ZERO, spread);
            run.plan(at, Event::Timer(number, 0));
        }
        Fault::ALL.iter().for_each(|fault| run.plan_fault(*fault));
        run
    }

    /// Lets everything happen up to a time, or to the first violation.
    pub fn run_to(&mut self, end: Duration) {
        while !self.is_violated()
            && let Some(next) = self.events.peek().map(|Reverse(entry)| entry.at)
            && next.max(self.world.now()) <= end
            && let Some(Reverse(entry)) = self.events.pop()
        {
            self.world.pass_to(entry.at);
            self.happen(entry.event, entry.at);
        }
        self.world.pass_to(end);
    }

    /// Something did not hold; or somebody goes on for ever, which must end before the memory does.
    fn is_violated(&self) -> bool {
        self.world.check(self.events.len() < UNDER_WAY, || format!("{UNDER_WAY} events are under way"));
        self.world.is_violated()
    }

    /// Plans an event.
    pub(crate) fn plan(&mut self, at: Duration, event: Event) {
        self.count += 1;
        self.events.push(Reverse(Entry { at, number: self.count, event }));
    }

    /// A client says something.
    pub(crate) fn say(&mut self, number: usize, bytes: &[u8]) {
        let client = &self.crowd.clients[number];
        let (source, local) = (client.address, client.local);
        self.send_up(source, local, bytes);
    }

    /// Somebody says something, and says that it is from this address.
    pub(crate) fn send_up(&mut self, source: SocketAddr, local: Option<std::net::IpAddr>, bytes: &[u8]) {
        let carried = self.world.network.borrow().carry(Direction::Up, source, bytes, &self.world);
        for (at, bytes) in carried {
            self.plan(at, Event::Up(Packet { source, local, bytes: bytes.into() }));
        }
    }

    /// The relay's process starts.
    pub(crate) fn start(&mut self) {
        self.fleet = Some(Fleet::start(&self.script, RELAY, &self.world, &self.waker));
        self.turns.fill(Duration::MAX);
        (0..self.script.shards).for_each(|shard| self.plan_turn(shard, self.world.now()));
    }

    /// The relay's process ends; with a kill what it has is lost.
    pub(crate) fn end(&mut self, is_killed: bool) {
        let Some(mut fleet) = self.fleet.take() else { return };
        if !is_killed {
            fleet.audit();
            for sent in fleet.stop() {
                self.carry_down(&sent);
            }
        }
    }

    /// A shard turns at this time, unless it will earlier, or stands still.
    pub(crate) fn plan_turn(&mut self, shard: usize, at: Duration) {
        if at >= self.turns[shard] {
            return;
        }
        if let Some(fleet) = &mut self.fleet {
            fleet.wants(shard, at);
        }
        self.turns[shard] = at;
        self.plan(at, Event::Turn(shard));
    }

    fn happen(&mut self, event: Event, at: Duration) {
        match event {
            Event::Up(packet) => self.arrive(packet),
            Event::Down(sent) => self.hear(&sent),
            Event::Timer(number, timer) if self.crowd.clients[number].timer == timer => self.act(number),
            Event::Timer(..) => {}
            Event::Turn(shard) => self.turn(shard, at),
            // A clock that jumps may leave some for after their time.
            Event::Fault(_) if self.crowd.hearsay.is_calm => {}
            Event::Fault(fault) => {
                self.plan_fault(fault);
                self.strike(fault);
            }
            Event::Start if self.fleet.is_some() => {}
            Event::Start => self.start(),
        }
    }

    fn arrive(&mut self, packet: Packet) {
        let Some(fleet) = &self.fleet else { return };
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(packet.source);
        let shard = hash as usize % fleet.len();
        fleet.port(shard).borrow_mut().arrive(shard, packet, &self.world);
        // A woken thread runs a little later.
        let soon = self.world.now() + self.world.between(Duration::ZERO, Duration::from_micros(50));
        self.plan_turn(shard, soon);
    }

    fn turn(&mut self, shard: usize, at: Duration) {
        if self.turns[shard] != at {
            return;
        }
        if self.world.now() < self.stalled[shard] {
            self.turns[shard] = self.stalled[shard];
            return self.plan(self.stalled[shard], Event::Turn(shard));
        }
        self.turns[shard] = Duration::MAX;
        let Some(fleet) = &mut self.fleet else { return };
        let (sent, until) = fleet.turn(shard);
        sent.iter().for_each(|sent| self.carry_down(sent));
        self.plan_turn(shard, until.max(self.world.now()));
    }

    fn carry_down(&mut self, sent: &Sent) {
        let carried = self.world.network.borrow().carry(Direction::Down, sent.to, &sent.bytes, &self.world);
        for (at, bytes) in carried {
            self.plan(at, Event::Down(Sent { to: sent.to, bytes: bytes.into() }));
        }
    }

    fn hear(&mut self, sent: &Sent) {
        let Some(number) = self.crowd.at(sent.to) else { return };
        let len = sent.bytes.len() as u64;
        self.world.note(What::Hears, [self.world.number_of(sent.to), len, 0], &sent.bytes);
        let client = &mut self.crowd.clients[number];
        if client.hear(&sent.bytes, &self.world, &mut self.crowd.hearsay) {
            let soon = self.world.now() + self.world.between(Duration::ZERO, SOON);
            self.plan_timer(number, soon);
        }
    }

    fn act(&mut self, number: usize) {
        let client = &mut self.crowd.clients[number];
        let (said, next) = client.act(&self.world, &mut self.crowd.hearsay);
        self.plan_timer(number, next);
        said.iter().for_each(|bytes| self.say(number, bytes));
    }

    pub(crate) fn plan_timer(&mut self, number: usize, at: Duration) {
        let client = &mut self.crowd.clients[number];
        client.timer += 1;
        let timer = client.timer;
        self.plan(at, Event::Timer(number, timer));
    }

    /// The world, for whoever asks how it went.
    pub fn world(&self) -> &Rc<World> {
        &self.world
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

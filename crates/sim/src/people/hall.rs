//! The relay's engines, and the network before them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;

use engine::{
    Admission, Audience, Datagram, Engine, Entropy, Everybody, Groups, LocalAddr, Member, Outbox,
    OwnAddresses, Payload, Settings, Shared, Tick,
};
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

use wire::{Form, GroupId};

use super::drawer::Drawer;
use super::life::GROUPS;

/// A moment in 2026, in milliseconds since 1970.
const EPOCH: u64 = 1_790_000_000_000;

pub struct Hall {
    pub now: u64,
    engines: Vec<Engine>,
    everybody: Arc<Everybody>,
    drawer: Drawer,
    shards: usize,
    settings: Arc<Settings>,
    dice: SmallRng,
    habits: Habits,
    flying: BinaryHeap<Reverse<Flying>>,
    events: u64,
    hash: u64,
}

/// A datagram under way: when it arrives, its number, whether it is for the relay, the client, and its bytes.
type Flying = (u64, u64, bool, SocketAddr, Vec<u8>);

/// What the network and the disk do.
struct Habits {
    lose: f64,
    repeat: f64,
    /// Milliseconds, at most.
    delay: u64,
    /// The disk does something in one step of so many.
    disk: u32,
}

impl Hall {
    pub fn new(dice: &mut SmallRng) -> Self {
        let mut dice = SmallRng::seed_from_u64(dice.next_u64());
        let habits = Habits {
            lose: dice.random_range(0.0..0.4),
            repeat: dice.random_range(0.0..0.4),
            delay: dice.random_range(1..400),
            disk: dice.random_range(1..30),
        };
        let shards = dice.random_range(1..5);
        let (engines, flying) = (Vec::new(), BinaryHeap::new());
        let (drawer, everybody) = (Drawer::new(), Arc::default());
        let lobby = dice.random_ratio(1, 3).then(|| id(GROUPS[0]));
        let settings = Arc::new(Settings { lobby, ..Settings::default() });
        let (now, events, hash) = (0, 0, 0);
        let mut hall =
            Self { now, engines, everybody, drawer, shards, settings, dice, habits, flying, events, hash };
        hall.start();
        hall
    }

    /// The relay ends in the middle of whatever it does, and starts anew.
    pub fn crash(&mut self) {
        self.note(b"crash");
        self.start();
    }

    fn start(&mut self) {
        let (desk, signals) = self.drawer.desk();
        let now = Tick(self.now);
        let everybody = Arc::new(Everybody::new(desk, signals));
        everybody.set_calendar(now, EPOCH + self.now);
        self.everybody = Arc::clone(&everybody);
        let groups = Arc::new(Groups::seeded(self.dice.next_u64()));
        groups.declare(&GROUPS.map(|group| (id(group), None)), now);
        let admission = Arc::new(Admission::seeded(self.dice.next_u64(), now));
        let shared = Shared { everybody, ..Shared::new(groups, admission) };
        let engine = |shard| {
            let mut dice = SmallRng::seed_from_u64(self.dice.next_u64());
            let entropy = Entropy::new(move |bytes| dice.fill_bytes(bytes));
            let (settings, own) = (Arc::clone(&self.settings), Arc::new(OwnAddresses::default()));
            Engine::new((shard, self.shards), shared.clone(), settings, own, entropy, now)
        };
        self.engines = (0..self.shards).map(engine).collect();
    }

    /// From now on nothing is lost.
    pub fn be_well(&mut self) {
        self.habits = Habits { lose: 0.0, repeat: 0.0, delay: 5, disk: 1 };
    }

    /// From now on it takes no time, and nothing overtakes anything.
    pub fn be_still(&mut self) {
        self.habits.delay = 0;
    }

    pub fn send(&mut self, from: SocketAddr, text: &str) {
        self.fly(true, from, text.as_bytes());
    }

    /// Time passes; what arrives at clients meanwhile.
    pub fn step(&mut self, millis: u64) -> Vec<(SocketAddr, Vec<u8>)> {
        self.now += millis;
        if self.dice.random_ratio(1, self.habits.disk) {
            self.drawer.work();
        }
        let mut heard = Vec::new();
        let mut arrived: Vec<Vec<(SocketAddr, Vec<u8>)>> = vec![Vec::new(); self.shards];
        while self.flying.peek().is_some_and(|Reverse((due, ..))| *due <= self.now) {
            let Some(Reverse((_, _, to_relay, client, bytes))) = self.flying.pop() else { break };
            self.note(&bytes);
            if to_relay {
                arrived[usize::from(client.port()) % self.shards].push((client, bytes));
            } else {
                heard.push((client, bytes));
            }
        }
        for (shard, datagrams) in arrived.iter().enumerate() {
            self.turn(shard, datagrams);
        }
        heard
    }

    fn turn(&mut self, shard: usize, datagrams: &[(SocketAddr, Vec<u8>)]) {
        let mut outbox = Outbox::default();
        let engine = &mut self.engines[shard];
        engine.begin_turn(Tick(self.now));
        engine.turn_people(&mut outbox);
        for (number, (source, bytes)) in datagrams.iter().enumerate() {
            let (local, number) = (LocalAddr::new(0, None), number as u32);
            engine.receive(&Datagram { bytes, source: *source, local, number }, &mut outbox);
        }
        engine.sweep();
        for delivery in outbox.epochs().flatten() {
            match &delivery.audience {
                Audience::One(to) => self.deliver(&delivery.payload, to, &outbox, datagrams),
                Audience::Others { roster, sender } => {
                    let members = outbox.listed(*roster).roster.members().enumerate();
                    for (_, to) in members.filter(|(position, _)| *position != *sender as usize) {
                        self.deliver(&delivery.payload, to, &outbox, datagrams);
                    }
                }
            }
        }
    }

    fn deliver(
        &mut self,
        payload: &Payload,
        to: &Member,
        outbox: &Outbox,
        datagrams: &[(SocketAddr, Vec<u8>)],
    ) {
        let client = to.client.socket_addr();
        match payload {
            Payload::Composed(text) => self.fly(false, client, outbox.text(text)),
            Payload::Received(number) => self.fly(false, client, &datagrams[*number as usize].1),
            Payload::Formed(number) => {
                let forms = outbox.forms(*number);
                let bytes = &datagrams[forms.datagram as usize].1;
                let (header, start) = match to.form {
                    Form::Base => (&[][..], forms.start),
                    Form::Extended => (&[][..], forms.extended),
                    Form::WithSender => (outbox.text(&forms.header), forms.start),
                };
                self.fly(false, client, &[header, &bytes[usize::from(start)..]].concat());
            }
        }
    }

    fn fly(&mut self, to_relay: bool, client: SocketAddr, bytes: &[u8]) {
        let copies = match self.dice.random::<f64>() {
            chance if chance < self.habits.lose => 0,
            chance if chance < self.habits.lose + self.habits.repeat => 2,
            _ => 1,
        };
        for _ in 0..copies {
            self.events += 1;
            let due = self.now + self.dice.random_range(0..=self.habits.delay);
            self.flying.push(Reverse((due, self.events, to_relay, client, bytes.to_vec())));
        }
    }

    /// What of people is not gone.
    pub fn left(&self) -> [u64; 5] {
        let people = self.everybody.figures();
        [people.online, people.watching, people.waiting, people.silent, people.under_way]
    }

    pub fn mails(&self) -> u64 {
        self.drawer.mails()
    }

    /// A hash of all that happened, and how much that was.
    pub fn fingerprint(&self) -> (u64, u64) {
        (self.hash, self.events)
    }

    fn note(&mut self, bytes: &[u8]) {
        // FNV-1a.
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let time = self.now.to_le_bytes();
        self.hash = time.iter().chain(bytes).fold(self.hash, |hash, byte| mix(hash, *byte));
    }
}

fn id(group: &str) -> GroupId {
    group.parse().expect("a group's id")
}

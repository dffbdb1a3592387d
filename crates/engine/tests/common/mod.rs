//! A relay of some shards without a network: says a datagram, tells what comes of it.
#![allow(dead_code)] // Each test crate uses a part of it.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use engine::{
    Admission, Audience, Datagram, Directory, Engine, Entropy, Groups, LocalAddr, Member, Outbox,
    OwnAddresses, Payload, Roster, Settings, Shared, Tick,
};

/// The engines of all shards, and the time.
pub struct Relay {
    pub groups: Arc<Groups>,
    pub admission: Arc<Admission>,
    pub directory: Arc<Directory>,
    pub engines: Vec<Engine>,
    pub outboxes: Vec<Outbox>,
    pub now: u64,
}

/// What came of one datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Nothing,
    Reply { to: SocketAddr, text: String },
    FanOut(Vec<Member>),
}

/// The client of this number: there are 2^32 of them, each in a /64 of its own.
pub fn client(number: u32) -> SocketAddr {
    let host = Ipv6Addr::new(0x2001, 0xdb8, (number >> 16) as u16, number as u16, 0, 0, 0, 1);
    SocketAddr::from((host, 4000 + (number % 1000) as u16))
}

/// The parts, one after the other.
pub fn text(parts: &[&str]) -> Vec<u8> {
    parts.concat().into_bytes()
}

/// Random bytes that are always the same: xorshift.
pub fn entropy(seed: u64) -> Entropy {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    Entropy::new(move |bytes| {
        for byte in bytes {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = (state >> 32) as u8;
        }
    })
}

impl Relay {
    pub fn new(shards: usize, settings: Settings) -> Self {
        Self::with_own_addresses(shards, settings, OwnAddresses::default())
    }

    pub fn with_own_addresses(shards: usize, settings: Settings, own: OwnAddresses) -> Self {
        let groups = Arc::new(Groups::new());
        let admission = Arc::new(Admission::seeded(5000, Tick(0)));
        Self::of(shards, settings, own, &Shared::new(groups, admission))
    }

    /// With what its shards share.
    pub fn of(shards: usize, settings: Settings, own: OwnAddresses, shared: &Shared) -> Self {
        let (groups, admission) = (Arc::clone(&shared.groups), Arc::clone(&shared.admission));
        let (settings, own) = (Arc::new(settings), Arc::new(own));
        let engine = |shard| {
            let (settings, own) = (Arc::clone(&settings), Arc::clone(&own));
            Engine::new((shard, shards), shared.clone(), settings, own, entropy(shard as u64), Tick(0))
        };
        let engines = (0..shards).map(engine).collect();
        Self {
            groups,
            admission,
            directory: Arc::clone(&shared.directory),
            engines,
            outboxes: (0..shards).map(|_| Outbox::default()).collect(),
            now: 0,
        }
    }

    /// Where this client's datagrams go.
    pub fn shard(&self, source: SocketAddr) -> usize {
        usize::from(source.port()) % self.engines.len()
    }

    /// Time passes, and every shard begins a turn.
    pub fn begin_turn(&mut self, millis: u64) {
        self.now += millis;
        for (engine, outbox) in self.engines.iter_mut().zip(&mut self.outboxes) {
            outbox.clear();
            engine.begin_turn(Tick(self.now));
        }
    }

    /// One datagram, which reached the relay at its only address.
    pub fn receive(&mut self, source: SocketAddr, bytes: &[u8]) {
        let shard = self.shard(source);
        let datagram = Datagram { bytes, source, local: LocalAddr::new(0, None), number: 0 };
        self.engines[shard].receive(&datagram, &mut self.outboxes[shard]);
    }

    /// One datagram in a turn of its own, and its answer.
    pub fn ask(&mut self, source: SocketAddr, bytes: &[u8]) -> Answer {
        self.ask_at(LocalAddr::new(0, None), source, bytes)
    }

    /// The same for one that has reached the relay there.
    pub fn ask_at(&mut self, local: LocalAddr, source: SocketAddr, bytes: &[u8]) -> Answer {
        self.begin_turn(0);
        let shard = self.shard(source);
        self.engines[shard].receive(&Datagram { bytes, source, local, number: 0 }, &mut self.outboxes[shard]);
        let outbox = &self.outboxes[self.shard(source)];
        let mut deliveries = outbox.epochs().flatten();
        let answer = deliveries.next().map_or(Answer::Nothing, |delivery| answer(outbox, delivery));
        assert_eq!(deliveries.next(), None, "one datagram causes one answer at most");
        answer
    }

    /// The text of the reply to its sender, empty if there is none.
    pub fn say(&mut self, source: SocketAddr, bytes: &[u8]) -> String {
        match self.ask(source, bytes) {
            Answer::Nothing => String::new(),
            Answer::Reply { to, text } => {
                assert_eq!(to, source);
                text
            }
            Answer::FanOut(_) => panic!("{source} sent a payload"),
        }
    }

    /// The receivers of a payload.
    pub fn payload(&mut self, source: SocketAddr, bytes: &[u8]) -> Vec<SocketAddr> {
        match self.ask(source, bytes) {
            Answer::Nothing => Vec::new(),
            Answer::Reply { text, .. } => panic!("{source} is told {text}"),
            Answer::FanOut(members) => {
                let mut receivers: Vec<_> =
                    members.iter().map(|member| member.client.socket_addr()).collect();
                receivers.sort_unstable();
                receivers
            }
        }
    }

    /// Makes a group and tells its id.
    pub fn create(&mut self, source: SocketAddr) -> String {
        let reply = self.say(source, b"!CREATE");
        reply.strip_prefix("OK CREATED ").unwrap_or_else(|| panic!("{reply}")).to_owned()
    }

    /// Joins a group.
    pub fn join(&mut self, source: SocketAddr, id: &str) {
        assert_eq!(self.say(source, &text(&["!JOIN ", id])), format!("OK JOINED {id}"));
    }

    /// Sweeps until no shard has anything left to do now.
    pub fn sweep(&mut self) {
        let now = Tick(self.now);
        for engine in &mut self.engines {
            engine.sweep();
            while engine.deadline() <= now {
                engine.sweep();
            }
        }
    }

    /// Time passes as for a loop that turns when it must; every shard sweeps what is due.
    pub fn pass_quietly(&mut self, millis: u64) {
        let end = self.now + millis;
        self.begin_turn(0);
        self.sweep();
        while self.now < end {
            let due = self.engines.iter().map(|engine| engine.deadline().0).min().unwrap_or(end);
            self.begin_turn(due.min(end) - self.now);
            self.sweep();
        }
    }

    /// Clients of all shards; the shared count agrees.
    pub fn clients(&self) -> usize {
        let clients = self.engines.iter().map(Engine::clients).sum();
        assert_eq!(self.groups.clients() as usize, clients);
        clients
    }
}

/// Reads one delivery.
pub fn answer(outbox: &Outbox, delivery: &engine::Delivery) -> Answer {
    match (&delivery.payload, &delivery.audience) {
        (Payload::Composed(range), Audience::One(member)) => Answer::Reply {
            to: member.client.socket_addr(),
            text: String::from_utf8(outbox.text(range).to_vec()).unwrap(),
        },
        (Payload::Received(_), Audience::Others { roster, sender }) => {
            Answer::FanOut(others(&outbox.listed(*roster).roster, *sender))
        }
        other => panic!("{other:?} is neither a reply nor a fan-out"),
    }
}

fn others(roster: &Roster, sender: u32) -> Vec<Member> {
    let mut members: Vec<Member> = roster.members().copied().collect();
    members.remove(sender as usize);
    members
}

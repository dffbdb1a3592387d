//! What people say to a relay of two shards, chosen by the bytes, and what must hold whatever they say.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use engine::{Admission, Audience, Engine, Everybody, Groups, OwnAddresses, Payload, Settings, Shared, Tick};
use people::{Desk, Signals};
use store::{Bounds, Busy, Done, Inline, Request};
use wire::Notice;

use crate::common::Relay;

/// Steps at most: what is behind them is not read.
const LONGEST: usize = 96;

/// Clients, each at three addresses by and by.
const CLIENTS: usize = 5;

/// Names that they like; the second is the first.
const NAMES: [&str; 8] = ["anna", "ANNA", "bob", "\u{e9}va", "a=b", "", "clara", "d"];

/// Panics where something does not hold.
pub fn check(bytes: &[u8]) {
    // Each fourth relay drops what is said too fast, and nobody has a name there at first.
    let max_rate = bytes.last().filter(|last| *last % 4 == 0).and_then(|_| NonZeroU32::new(2));
    let mut hall = Hall::new(max_rate);
    // Bytes that end early end the story.
    let _ = hall.tell(&mut Unstructured::new(bytes));
    hall.end();
}

/// A store that answers when it is told to.
struct Drawer {
    store: Inline,
    answers: VecDeque<Done>,
    signals: Arc<Signals>,
}

impl Desk for Drawer {
    fn ask(&mut self, tag: u64, request: Request) -> std::result::Result<(), Busy> {
        if self.answers.len() >= 64 {
            return Err(Busy);
        }
        self.answers.extend(self.store.ask(request).map(|answer| Done { tag, answer }));
        self.signals.answer();
        Ok(())
    }

    fn answers(&mut self) -> Vec<Done> {
        self.answers.drain(..).collect()
    }
}

struct Hall {
    relay: Relay,
    is_paced: bool,
    everybody: Arc<Everybody>,
    /// By client: the last cookie, token, claim and message that it was told, and how often it has moved.
    known: [[String; 4]; CLIENTS],
    moves: [u16; CLIENTS],
    nonce: String,
    /// Who has ever spoken.
    spoken: HashSet<SocketAddr>,
}

impl Hall {
    fn new(max_rate: Option<NonZeroU32>) -> Self {
        let signals = Arc::new(Signals::default());
        let bounds = Bounds { mails_per_name: 8, bytes_per_name: 4096, names: 4, ..Bounds::default() };
        let store = Inline::new(bounds).expect("memory for a store");
        let drawer = Drawer { store, answers: VecDeque::new(), signals: Arc::clone(&signals) };
        let everybody = Arc::new(Everybody::new(Box::new(drawer), signals));
        let groups = Arc::new(Groups::new());
        groups.declare(&[("A".parse().expect("an id"), None), ("B".parse().expect("an id"), None)], Tick(0));
        let admission = Arc::new(Admission::seeded(1, Tick(0)));
        let shared = Shared { everybody: Arc::clone(&everybody), ..Shared::new(groups, admission) };
        let settings = Settings { lobby: "A".parse().ok(), max_rate, ..Settings::default() };
        let relay = Relay::of(2, settings, OwnAddresses::default(), &shared);
        let (known, moves, nonce) = (Default::default(), [0; CLIENTS], String::new());
        let is_paced = max_rate.is_some();
        Self { relay, is_paced, everybody, known, moves, nonce, spoken: HashSet::new() }
    }

    /// Everybody has a session, and a name unless what is said too fast is dropped.
    fn prepare(&mut self) {
        for who in 0..CLIENTS {
            self.send(who, b"!HELLO 2");
            self.send(who, format!("!HELLO 2 {} FROM", self.known[who][0]).as_bytes());
            if !self.is_paced {
                self.send(who, format!("!REG {}", NAMES[[0, 2, 3, 6, 7][who]]).as_bytes());
            }
            self.turn(0);
        }
    }

    fn tell(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        if bytes.ratio(3, 4)? {
            self.prepare();
        }
        for _ in 0..LONGEST {
            if bytes.is_empty() {
                break;
            }
            match bytes.int_in_range(0..=9)? {
                0 => self.turn(u64::from(bytes.arbitrary::<u16>()?)),
                1 => self.turn(u64::from(bytes.arbitrary::<u8>()?)),
                2 => {
                    let who = bytes.choose_index(CLIENTS)?;
                    self.moves[who] = (self.moves[who] + 1) % 3;
                }
                _ => self.say(bytes)?,
            }
        }
        Ok(())
    }

    fn address(&self, who: usize) -> SocketAddr {
        ([10, 0, 0, 1], 1000 + who as u16 + 100 * self.moves[who]).into()
    }

    fn say(&mut self, bytes: &mut Unstructured<'_>) -> Result<()> {
        let who = bytes.choose_index(CLIENTS)?;
        let name = NAMES[bytes.choose_index(NAMES.len())?];
        let id = bytes.int_in_range(0..=3)?;
        let [cookie, token, claim, message] = &self.known[who];
        let text = match bytes.int_in_range(0..=16)? {
            0 => "!HELLO 2".to_owned(),
            1 => format!("!HELLO 2 {cookie} FROM"),
            2 => format!("!RESUME {token} {cookie}"),
            3 => format!("!REG {name}"),
            4 => format!("!REG {name} {claim}"),
            5 => "!DEREG".to_owned(),
            6 => "!JOIN A AAAAAAAAAAAAAAAA".to_owned(),
            7 => "!JOIN B".to_owned(),
            8 => ["!WATCH", "!UNWATCH", "!PEERS", "!PEERS >b", "!UNBRIDGE", "!BEAT"]
                [bytes.choose_index(6)?]
            .to_owned(),
            9 | 10 => format!("!SEND {name} {id} {}", "x".repeat(usize::from(bytes.arbitrary::<u8>()?))),
            11 => format!("!ACK {name} {id}"),
            12 => format!("!ACK {message}"),
            13 => format!("!BRIDGE {name}"),
            14 => format!("!ACK PEER_AT {}", self.nonce),
            15 => "a payload".to_owned(),
            _ => return bytes.bytes(bytes.len().min(40)).map(|raw| self.send(who, raw)),
        };
        self.send(who, text.as_bytes());
        Ok(())
    }

    fn send(&mut self, who: usize, bytes: &[u8]) {
        self.turn(0);
        let from = self.address(who);
        self.spoken.insert(from);
        self.relay.receive(from, bytes);
        self.hear();
    }

    fn turn(&mut self, millis: u64) {
        self.relay.begin_turn(millis);
        for (engine, outbox) in self.relay.engines.iter_mut().zip(&mut self.relay.outboxes) {
            engine.turn_people(outbox);
        }
        self.hear();
        self.relay.engines.iter_mut().for_each(Engine::sweep);
    }

    /// What is said goes to who has spoken, fits a datagram, and is what clients understand.
    fn hear(&mut self) {
        for outbox in &mut self.relay.outboxes {
            for delivery in outbox.epochs().flatten() {
                let (Payload::Composed(range), Audience::One(to)) = (&delivery.payload, &delivery.audience)
                else {
                    continue;
                };
                let (text, to) = (outbox.text(range), to.client.socket_addr());
                assert!(self.spoken.contains(&to), "{to} never spoke, and hears {}", text.escape_ascii());
                assert!(text.len() <= 8192, "{} bytes", text.len());
                let who = usize::from(to.port() % 100);
                learn(text, &mut self.known[who], &mut self.nonce);
            }
            outbox.clear();
        }
    }

    /// Everybody is gone in the end, and nothing is left of them.
    fn end(mut self) {
        for _ in 0..20 {
            self.turn(60_000);
        }
        let figures = self.everybody.figures();
        let left = [figures.online, figures.watching, figures.waiting, figures.silent, figures.under_way];
        assert_eq!((left, self.relay.clients()), ([0; 5], 0), "{figures:?}");
    }
}

/// Notes what a client can use later.
fn learn(text: &[u8], [cookie, token, claim, message]: &mut [String; 4], nonce: &mut String) {
    let words: Vec<&str> = std::str::from_utf8(text).unwrap_or_default().split(' ').collect();
    match words[..] {
        ["!RETRY", new] => new.clone_into(cookie),
        ["!OK", "HELLO", _, new, ..] | ["!OK", "RESUMED", _, _, new] => new.clone_into(token),
        _ => {}
    }
    match Notice::parse(text) {
        Some(Notice::Registered(_, new)) => *claim = new.to_string(),
        Some(Notice::PeerAt(_, _, new)) => *nonce = new.to_string(),
        Some(Notice::Message { from, id, .. }) => *message = format!("{from} {id}"),
        None if text.starts_with(b"!MSG ") || text.starts_with(b"!PEER") => panic!("{}", text.escape_ascii()),
        _ => {}
    }
}
